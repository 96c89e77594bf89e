/* Row kernels of models that are no plain Llamas: other units of the ffn, learned positions, capped logits. One
 * work-group a row (see preface.cl). Bytes a row, and flops a number of it:
 *   act_fwd 8*F, gated 12*F, some 5 and an erf or exp   act_bwd 12*F, gated 20*F, some 15 and the same
 *   position_fwd 12*C, 1   cap_fwd 8*C, 2 and a tanh   cap_bwd 12*C, 4 and a tanh */

/* act(x), and its slope d act / d x, by kind as in host/model/traits.def:
 *   0 SiLU        x t, t = 1 / (1 + exp(-x))                  t (1 + x (1 - t))
 *   1 GELU        x P, P = (1 + erf(x / sqrt 2)) / 2          P + x exp(-x^2 / 2) / sqrt(2 pi)
 *   2 GELU, tanh  x s, s = (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), u = k (x + a x^3)
 *                                                             s + x s (1 - s) 2 k (1 + 3 a x^2)
 *   3 ReLU        x where x > 0, else 0                       1 where x > 0, else 0
 * with k = sqrt(2 / pi), a = 0.044715 (Hendrycks and Gimpel 2016). s (1 - s) is made of exp(-|2u|), for 1 - tanh^2 u of a
 * tanh that is almost 1 has no digits, and is multiplied with x^3. Exponentials are held above denormals. */
#define UNIT_2K 1.5957691216057308f
#define UNIT_A 0.044715f
#define UNITS(type, act_, slope_)                                                                            \
    type act_(type x, int act) {                                                                             \
        if (act == 0)                                                                                        \
            return x / (1.0f + exp(-x));                                                                     \
        if (act == 1)                                                                                        \
            return 0.5f * x * (1.0f + erf(x * 0.7071067811865475f));                                         \
        if (act == 2)                                                                                        \
            return x / (1.0f + exp(-UNIT_2K * (x + UNIT_A * x * x * x)));                                    \
        return x * (1.0f - step(x, (type)(0.0f)));                                                           \
    }                                                                                                        \
    type slope_(type x, int act) {                                                                           \
        if (act == 0) {                                                                                      \
            type t = 1.0f / (1.0f + exp(-x));                                                                \
            return t * (1.0f + x * (1.0f - t));                                                              \
        }                                                                                                    \
        if (act == 1)                                                                                        \
            return 0.5f * (1.0f + erf(x * 0.7071067811865475f)) +                                            \
                   x * exp(-fmin(0.5f * x * x, (type)(80.0f))) * 0.3989422804014327f;                        \
        if (act == 2) {                                                                                      \
            type u = UNIT_2K * (x + UNIT_A * x * x * x), e = exp(-fmin(fabs(u), (type)(80.0f)));             \
            return 1.0f / (1.0f + exp(-u)) +                                                                 \
                   x * e / ((1.0f + e) * (1.0f + e)) * (UNIT_2K * (1.0f + 3.0f * UNIT_A * x * x));           \
        }                                                                                                    \
        return 1.0f - step(x, (type)(0.0f));                                                                 \
    }
UNITS(vec, act_of_vec, slope_of_vec)
UNITS(float, act_of, slope_of)

/* act_fwd: out = act(x), or where gated act(gate) * up: a row of x then holds F gates, then F ups. Range: N groups. */
__kernel void act_fwd(__global float *out,      /* (N, F) */
                      __global const float *x,  /* (N, F) or (N, 2F) */
                      int act, int gated, int F) {
    size_t n = get_group_id(0);
    out += n * (size_t)F;
    x += n * (size_t)F * (gated ? 2 : 1);
    FOR_VECTORS(i, F) {
        vec v = act_of_vec(vec_load(i, x), act);
        vec_store(gated ? v * vec_load(i, x + F) : v, i, out);
    }
    FOR_REST(j, F)
        out[j] = act_of(x[j], act) * (gated ? x[F + j] : 1.0f);
}

/* act_bwd: dx = d_out * slope(x); where gated d_gate = d_out * up * slope(gate), d_up = d_out * act(gate).
 * Range: N groups. */
__kernel void act_bwd(__global float *dx,           /* (N, F) or (N, 2F) */
                      __global const float *d_out,  /* (N, F) */
                      __global const float *x,      /* (N, F) or (N, 2F) */
                      int act, int gated, int F) {
    size_t n = get_group_id(0);
    d_out += n * (size_t)F;
    x += n * (size_t)F * (gated ? 2 : 1);
    dx += n * (size_t)F * (gated ? 2 : 1);
    FOR_VECTORS(i, F) {
        vec v = vec_load(i, x), d = vec_load(i, d_out);
        if (gated) {
            vec_store(d * act_of_vec(v, act), i, dx + F);
            d *= vec_load(i, x + F);
        }
        vec_store(d * slope_of_vec(v, act), i, dx);
    }
    FOR_REST(j, F) {
        float v = x[j], d = d_out[j];
        if (gated) {
            dx[F + j] = d * act_of(v, act);
            d *= x[F + j];
        }
        dx[j] = d * slope_of(v, act);
    }
}

/* position_fwd: x[n] += table[offset + position[n]], in place; a gradient passes as it is. Range: N groups. */
__kernel void position_fwd(__global float *x,             /* (N, C) */
                           __global const float *table,   /* (positions, C) */
                           __global const int *position,  /* (N) */
                           int offset, int C) {
    size_t n = get_group_id(0);
    x += n * (size_t)C;
    table += (size_t)(offset + position[n]) * (size_t)C;
    FOR_VECTORS(i, C)
        vec_store(vec_load(i, x) + vec_load(i, table), i, x);
    FOR_REST(j, C)
        x[j] += table[j];
}

/* cap_fwd: y = cap tanh(x / cap). Range: N groups. */
__kernel void cap_fwd(__global float *y,        /* (N, C) */
                      __global const float *x,  /* (N, C) */
                      float cap, int C) {
    x += get_group_id(0) * (size_t)C;
    y += get_group_id(0) * (size_t)C;
    FOR_VECTORS(i, C)
        vec_store(cap * tanh(vec_load(i, x) / cap), i, y);
    FOR_REST(j, C)
        y[j] = cap * tanh(x[j] / cap);
}

/* cap_bwd: dx = dy (1 - tanh(x / cap)^2). Of x, for whoever has the capped points may change them. Range: N groups. */
__kernel void cap_bwd(__global float *dx,        /* (N, C) */
                      __global const float *dy,  /* (N, C) */
                      __global const float *x,   /* (N, C) */
                      float cap, int C) {
    dx += get_group_id(0) * (size_t)C;
    dy += get_group_id(0) * (size_t)C;
    x += get_group_id(0) * (size_t)C;
    FOR_VECTORS(i, C) {
        vec t = tanh(vec_load(i, x) / cap);
        vec_store(vec_load(i, dy) * (1.0f - t * t), i, dx);
    }
    FOR_REST(j, C) {
        float t = tanh(x[j] / cap);
        dx[j] = dy[j] * (1.0f - t * t);
    }
}
