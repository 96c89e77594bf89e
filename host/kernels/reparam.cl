/* Residual reparametrisation of a prompt (Razdaibiedina et al. 2023): each row of the prompt is its base row
 * plus what a small network, shared by all rows, makes of it.
 *   hidden = max(0, base down^T),  u = hidden up^T,  rows = base + gain * normal(u) + shift
 *   normal(u) = (u - mean(u)) * r,  r = 1 / sqrt(mean((u - mean(u))^2) + eps)      (Ba et al. 2016)
 * Backward, with x = normal(u) and t = gain * d_rows:
 *   d_gain = sum_p d_rows * x,  d_shift = sum_p d_rows,  d_u = r * (t - mean(t) - x * mean(t * x))
 *   d_up = d_u^T hidden,  d_hidden = hidden > 0 ? d_u up : 0,  d_down = d_hidden^T base
 *   d_base = d_rows + d_hidden down
 * P rows of C floats through a middle of M; all products together cost 12*P*C*M flops a step, next to nothing
 * beside the model, so one kernel with strides serves them all. One work-group a row of each output, which reads
 * the whole other matrix: 24*P*C*M bytes a step from cache, 24*C*M from memory. */

/* out (R, N) = (beta ? out : 0) + a b, a(i, k) = a[i * a_row + k * a_step], b(k, n) = b[n * b_row + k * b_step];
 * with relu its negative elements become 0. Range: R groups. */
__kernel void reparam_product(__global float *out,
                              __global const float *a, int a_row, int a_step,
                              __global const float *b, int b_row, int b_step,
                              int beta, int relu, int N, int K) {
    size_t i = get_group_id(0);
    a += i * (size_t)a_row;
    out += i * (size_t)N;
    for (int n = (int)get_local_id(0); n < N; n += WG) {
        __global const float *column = b + (size_t)n * (size_t)b_row;
        float sum = beta ? out[n] : 0.0f;
        for (int k = 0; k < K; k++)
            sum = fma(a[(size_t)k * (size_t)a_step], column[(size_t)k * (size_t)b_step], sum);
        out[n] = relu && !isnan(sum) ? fmax(sum, 0.0f) : sum;
    }
}

/* d[p] = hidden[p] > 0 ? d[p] : 0; a NaN is no closed gate. Range: P groups. */
__kernel void reparam_relu_bwd(__global float *d, __global const float *hidden, /* (P, M) */
                               int M) {
    size_t p = get_group_id(0) * (size_t)M;
    for (int m = (int)get_local_id(0); m < M; m += WG)
        if (hidden[p + (size_t)m] <= 0.0f)
            d[p + (size_t)m] = 0.0f;
}

/* Also leaves mean and r of each row in stats. Range: P groups. */
__kernel void reparam_norm_fwd(__global float *rows,         /* (P, C) */
                               __global float *stats,        /* (P, 2) */
                               __global const float *base,   /* (P, C) */
                               __global const float *u,      /* (P, C) */
                               __global const float *gain,   /* (2, C): gain, then shift */
                               float eps, int C) {
    __local float scratch[WG];
    size_t p = get_group_id(0), at = p * (size_t)C;
    float sum = 0.0f, squares = 0.0f;
    for (int j = (int)get_local_id(0); j < C; j += WG)
        sum += u[at + (size_t)j];
    float mean = group_sum(sum, scratch) / (float)C;
    for (int j = (int)get_local_id(0); j < C; j += WG) {
        float off = u[at + (size_t)j] - mean;
        squares = fma(off, off, squares);
    }
    float r = 1.0f / sqrt(group_sum(squares, scratch) / (float)C + eps);
    for (int j = (int)get_local_id(0); j < C; j += WG)
        rows[at + (size_t)j] = base[at + (size_t)j] + gain[j] * ((u[at + (size_t)j] - mean) * r) + gain[C + j];
    if (get_local_id(0) == 0) {
        stats[2 * p] = mean;
        stats[2 * p + 1] = r;
    }
}

/* Range: P groups. */
__kernel void reparam_norm_bwd(__global float *d_u,            /* (P, C) */
                               __global const float *d_rows,   /* (P, C) */
                               __global const float *u,        /* (P, C) */
                               __global const float *stats,    /* (P, 2) */
                               __global const float *gain,     /* (2, C) */
                               int C) {
    __local float scratch[WG];
    size_t p = get_group_id(0), at = p * (size_t)C;
    float mean = stats[2 * p], r = stats[2 * p + 1], sum = 0.0f, along = 0.0f;
    for (int j = (int)get_local_id(0); j < C; j += WG) {
        float t = gain[j] * d_rows[at + (size_t)j];
        sum += t;
        along = fma(t, (u[at + (size_t)j] - mean) * r, along);
    }
    sum = group_sum(sum, scratch) / (float)C;
    along = group_sum(along, scratch) / (float)C;
    for (int j = (int)get_local_id(0); j < C; j += WG)
        d_u[at + (size_t)j] =
            r * (gain[j] * d_rows[at + (size_t)j] - sum - (u[at + (size_t)j] - mean) * r * along);
}

/* Range: C items. */
__kernel void reparam_norm_bwd_gain(__global float *d_gain,         /* (2, C) */
                                    __global const float *d_rows,   /* (P, C) */
                                    __global const float *u,        /* (P, C) */
                                    __global const float *stats,    /* (P, 2) */
                                    int P, int C) {
    int j = (int)get_global_id(0);
    if (j >= C)
        return;
    float scale = 0.0f, shift = 0.0f;
    for (int p = 0; p < P; p++) {
        size_t at = (size_t)p * (size_t)C + (size_t)j;
        scale = fma(d_rows[at], (u[at] - stats[2 * p]) * stats[2 * p + 1], scale);
        shift += d_rows[at];
    }
    d_gain[j] = scale;
    d_gain[C + j] = shift;
}
