/* Kernels that handle rows one by one: gather of embedding and prompt rows, last rows, means, the gated unit,
 * and sums. One work-group a row (see preface.cl); all are bound by memory. Bytes a row, and flops a number of it:
 *   embed_fwd, last_fwd 8*C, 0   embed_bwd 8*C a prompt row of the batch, 1   block_sum 4*n a text, 1
 *   last_bwd 4*C, with beta 8*C, 2   mean_fwd 4*C a row, 1   mean_bwd 8*C, with beta 12*C, 2
 *   swiglu_fwd 12*F, 3 and an exp   swiglu_bwd 20*F, 10 and an exp
 *   beside_fwd 8*(A+B), 0   beside_bwd 8*A, with beta 12*A, 1
 *   add_fwd 12*C, 1   add_bwd 8*C, 0, with beta 12*C, 1 */

/* embed_fwd: out[n] = ids[n] >= 0 ? table[ids[n]] : prompt[-1 - ids[n]]. A negative id is a prompt row, so hard
 * and soft tokens mix freely. The table is rows first .. first + n_table - 1 of it; rows of other parts are left
 * alone, prompt rows come with the first part. Range: N groups. */
__kernel void embed_fwd(__global float *out,          /* (N, C) */
                        __global const int *ids,      /* (N) */
                        __global const float *table,  /* (n_table, C) */
                        __global const float *prompt, /* (P, C) */
                        int first, int n_table, int C) {
    size_t n = get_group_id(0);
    int id = ids[n];
    if (id >= 0 ? id < first || id - first >= n_table : first > 0)
        return;
    __global const float *in =
        id >= 0 ? table + (size_t)(id - first) * (size_t)C : prompt + (size_t)(-1 - id) * (size_t)C;
    out += n * (size_t)C;
    FOR_VECTORS(i, C)
        vec_store(vec_load(i, in), i, out);
    FOR_REST(j, C)
        out[j] = in[j];
}

/* embed_bwd: d_texts[s][p] = sum of d_out[n] over the rows n of sequence s with ids[n] == -1 - p, in row order; of
 * several prompts sequence s has number s % prompts, whose rows follow those of the prompts before it. The table is
 * frozen. Range: (P, S) groups. */
__kernel void embed_bwd(__global float *d_texts,     /* (S, P, C) */
                        __global const float *d_out, /* (N, C) */
                        __global const int *ids,     /* (N) */
                        __global const int *start,   /* (S+1) */
                        int prompts, int C) {
    int P = (int)get_num_groups(0), s = (int)get_group_id(1), p = s % prompts * P + (int)get_group_id(0);
    d_texts += ((size_t)s * (size_t)P + get_group_id(0)) * (size_t)C;
    FOR_VECTORS(i, C) {
        vec sum = 0.0f;
        for (int n = start[s]; n < start[s + 1]; n++)
            if (ids[n] == -1 - p)
                sum += vec_load(i, d_out + (size_t)n * (size_t)C);
        vec_store(sum, i, d_texts);
    }
    FOR_REST(j, C) {
        float sum = 0.0f;
        for (int n = start[s]; n < start[s + 1]; n++)
            if (ids[n] == -1 - p)
                sum += d_out[(size_t)n * (size_t)C + (size_t)j];
        d_texts[j] = sum;
    }
}

/* block_sum: out = sum of in[s] over the texts of a batch, in blocks (BLOCK_TEXTS). Range: an item for each vector of
 * the n floats of a text. */
__kernel void block_sum(__global float *out,      /* (n) */
                        __global const float *in, /* (S, n) */
                        int S, int n) {
    int v = (int)get_global_id(0);
    if (v < n / VW) {
        vec sum = 0.0f;
        for (int first = 0; first < S; first += BLOCK_TEXTS) {
            vec block = 0.0f;
            for (int s = first; s < min(first + BLOCK_TEXTS, S); s++)
                block += vec_load(v, in + (size_t)s * (size_t)n);
            sum += block;
        }
        vec_store(sum, v, out);
    }
    if (get_group_id(0) == 0)
        FOR_REST(j, n) {
            float sum = 0.0f;
            for (int first = 0; first < S; first += BLOCK_TEXTS) {
                float block = 0.0f;
                for (int s = first; s < min(first + BLOCK_TEXTS, S); s++)
                    block += in[(size_t)s * (size_t)n + (size_t)j];
                sum += block;
            }
            out[j] = sum;
        }
}

/* last_fwd: out[s] = in[start[s+1] - 1], the last row of every sequence. Range: S groups. */
__kernel void last_fwd(__global float *out,        /* (S, C) */
                       __global const float *in,   /* (N, C) */
                       __global const int *start,  /* (S+1) */
                       int C) {
    size_t s = get_group_id(0);
    in += (size_t)(start[s + 1] - 1) * (size_t)C;
    out += s * (size_t)C;
    FOR_VECTORS(i, C)
        vec_store(vec_load(i, in), i, out);
    FOR_REST(j, C)
        out[j] = in[j];
}

/* last_bwd: d_in[n] = (beta ? d_in[n] : 0) + (n is the last row of s ? d_out[s] : 0). Range: N groups. */
__kernel void last_bwd(__global float *d_in,          /* (N, C) */
                       __global const float *d_out,   /* (S, C) */
                       __global const int *start,     /* (S+1) */
                       __global const int *sequence,  /* (N) sequence of a row */
                       int beta, int C) {
    int n = (int)get_group_id(0);
    int s = sequence[n];
    float keep = n == start[s + 1] - 1 ? 1.0f : 0.0f;
    d_in += (size_t)n * (size_t)C;
    d_out += (size_t)s * (size_t)C;
    FOR_VECTORS(i, C) {
        vec sum = beta ? vec_load(i, d_in) : (vec)(0.0f);
        vec_store(sum + keep * vec_load(i, d_out), i, d_in);
    }
    FOR_REST(j, C)
        d_in[j] = (beta ? d_in[j] : 0.0f) + keep * d_out[j];
}

/* mean_fwd: out[s] = the mean of the rows start[s] .. start[s+1] - 1, at least one, summed in blocks of MEAN_ROWS, so
 * that long texts lose no more bits than short ones. Range: S groups. */
#define MEAN_ROWS 32
__kernel void mean_fwd(__global float *out,        /* (S, C) */
                       __global const float *in,   /* (N, C) */
                       __global const int *start,  /* (S+1) */
                       int C) {
    size_t s = get_group_id(0);
    int begin = start[s], end = start[s + 1];
    float share = 1.0f / (float)(end - begin);
    out += s * (size_t)C;
    FOR_VECTORS(i, C) {
        vec sum = 0.0f;
        for (int first = begin; first < end; first += MEAN_ROWS) {
            vec block = 0.0f;
            for (int n = first; n < min(first + MEAN_ROWS, end); n++)
                block += vec_load(i, in + (size_t)n * (size_t)C);
            sum += block;
        }
        vec_store(share * sum, i, out);
    }
    FOR_REST(j, C) {
        float sum = 0.0f;
        for (int first = begin; first < end; first += MEAN_ROWS) {
            float block = 0.0f;
            for (int n = first; n < min(first + MEAN_ROWS, end); n++)
                block += in[(size_t)n * (size_t)C + (size_t)j];
            sum += block;
        }
        out[j] = share * sum;
    }
}

/* mean_bwd: d_in[n] = (beta ? d_in[n] : 0) + d_out[s] / rows of s. Range: N groups. */
__kernel void mean_bwd(__global float *d_in,          /* (N, C) */
                       __global const float *d_out,   /* (S, C) */
                       __global const int *start,     /* (S+1) */
                       __global const int *sequence,  /* (N) sequence of a row */
                       int beta, int C) {
    int n = (int)get_group_id(0);
    int s = sequence[n];
    float share = 1.0f / (float)(start[s + 1] - start[s]);
    d_in += (size_t)n * (size_t)C;
    d_out += (size_t)s * (size_t)C;
    FOR_VECTORS(i, C) {
        vec old = beta ? vec_load(i, d_in) : (vec)(0.0f);
        vec_store(old + share * vec_load(i, d_out), i, d_in);
    }
    FOR_REST(j, C)
        d_in[j] = (beta ? d_in[j] : 0.0f) + share * d_out[j];
}

/* beside_fwd: out[s] = x[s], then behind[s]. Rows need not begin where a vector may. Range: S groups. */
__kernel void beside_fwd(__global float *out,           /* (S, A + B) */
                         __global const float *x,       /* (S, A) */
                         __global const float *behind,  /* (S, B) */
                         int A, int B) {
    size_t s = get_group_id(0);
    out += s * (size_t)(A + B);
    x += s * (size_t)A;
    behind += s * (size_t)B;
    for (int j = (int)get_local_id(0); j < A; j += WG)
        out[j] = x[j];
    for (int j = (int)get_local_id(0); j < B; j += WG)
        out[A + j] = behind[j];
}

/* beside_bwd: dx[s] = (beta ? dx[s] : 0) + columns first .. first + A - 1 of d_out[s], for either part. Range: S
 * groups. */
__kernel void beside_bwd(__global float *dx,           /* (S, A) */
                         __global const float *d_out,  /* (S, C) */
                         int beta, int first, int A, int C) {
    size_t s = get_group_id(0);
    dx += s * (size_t)A;
    d_out += s * (size_t)C + (size_t)first;
    for (int j = (int)get_local_id(0); j < A; j += WG)
        dx[j] = (beta ? dx[j] : 0.0f) + d_out[j];
}

/* swiglu_fwd: out = silu(gate) * up with silu(x) = x / (1 + exp(-x)) (Shazeer 2020). A row of gate_up holds F
 * gates, then F ups. Range: N groups. */
__kernel void swiglu_fwd(__global float *out,            /* (N, F) */
                         __global const float *gate_up,  /* (N, 2F) */
                         int F) {
    size_t n = get_group_id(0);
    out += n * (size_t)F;
    __global const float *gate = gate_up + n * (size_t)F * 2, *up = gate + F;
    FOR_VECTORS(i, F) {
        vec g = vec_load(i, gate);
        vec_store(g / (1.0f + exp(-g)) * vec_load(i, up), i, out);
    }
    FOR_REST(j, F)
        out[j] = gate[j] / (1.0f + exp(-gate[j])) * up[j];
}

/* swiglu_bwd: with t = 1 / (1 + exp(-gate)):
 *   d_up = d_out * gate * t,   d_gate = d_out * up * t * (1 + gate * (1 - t)). Range: N groups. */
__kernel void swiglu_bwd(__global float *d_gate_up,      /* (N, 2F) */
                         __global const float *d_out,    /* (N, F) */
                         __global const float *gate_up,  /* (N, 2F) */
                         int F) {
    size_t n = get_group_id(0);
    d_out += n * (size_t)F;
    __global const float *gate = gate_up + n * (size_t)F * 2, *up = gate + F;
    __global float *d_gate = d_gate_up + n * (size_t)F * 2, *d_up = d_gate + F;
    FOR_VECTORS(i, F) {
        vec g = vec_load(i, gate), d = vec_load(i, d_out), t = 1.0f / (1.0f + exp(-g));
        vec_store(d * vec_load(i, up) * t * (1.0f + g * (1.0f - t)), i, d_gate);
        vec_store(d * g * t, i, d_up);
    }
    FOR_REST(j, F) {
        float g = gate[j], d = d_out[j], t = 1.0f / (1.0f + exp(-g));
        d_gate[j] = d * up[j] * t * (1.0f + g * (1.0f - t));
        d_up[j] = d * g * t;
    }
}

/* add_fwd: out = x + y, where a product cannot add its residual itself. Range: N groups. */
__kernel void add_fwd(__global float *out,      /* (N, C) */
                      __global const float *x,  /* (N, C) */
                      __global const float *y,  /* (N, C) */
                      int C) {
    size_t n = get_group_id(0);
    out += n * (size_t)C;
    x += n * (size_t)C;
    y += n * (size_t)C;
    FOR_VECTORS(i, C)
        vec_store(vec_load(i, x) + vec_load(i, y), i, out);
    FOR_REST(j, C)
        out[j] = x[j] + y[j];
}

/* add_bwd: dx = (beta ? dx : 0) + d_out, for either addend. Range: N groups. */
__kernel void add_bwd(__global float *dx,           /* (N, C) */
                      __global const float *d_out,  /* (N, C) */
                      int beta, int C) {
    size_t n = get_group_id(0);
    dx += n * (size_t)C;
    d_out += n * (size_t)C;
    FOR_VECTORS(i, C) {
        vec old = beta ? vec_load(i, dx) : (vec)(0.0f);
        vec_store(old + vec_load(i, d_out), i, dx);
    }
    FOR_REST(j, C)
        dx[j] = (beta ? dx[j] : 0.0f) + d_out[j];
}
