/* Root mean square norm (Zhang and Sennrich 2019), one work-group a row.
 *   r = 1 / sqrt(mean(x^2) + eps),   y = x * r * w
 *   dx = r * (w * dy - x * r^2 * mean(w * dy * x))
 * The backward recomputes r: cheaper than keeping it.
 * Flops a row: 4*C forward, 10*C backward. Bytes a row: 8*C forward, 12*C backward, with beta 16*C; what is read a
 * second time, and w, come from cache. Bound by memory. */

float inverse_rms(__global const float *x, int C, float eps, __local float *scratch) {
    vec squares = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, C) {
        vec v = vec_load(i, x);
        squares = fma(v, v, squares);
    }
    FOR_REST(j, C)
        rest = fma(x[j], x[j], rest);
    return 1.0f / sqrt(group_sum(vec_sum(squares) + rest, scratch) / (float)C + eps);
}

/* Range: N groups. */
__kernel void rmsnorm_fwd(__global float *y,        /* (N, C) */
                          __global const float *x,  /* (N, C) */
                          __global const float *w,  /* (C) */
                          float eps, int C) {
    __local float scratch[WG];
    size_t n = get_group_id(0);
    x += n * (size_t)C;
    y += n * (size_t)C;
    float r = inverse_rms(x, C, eps, scratch);
    FOR_VECTORS(i, C)
        vec_store(vec_load(i, x) * r * vec_load(i, w), i, y);
    FOR_REST(j, C)
        y[j] = x[j] * r * w[j];
}

/* dx = (beta ? dx : 0) + gradient. Range: N groups. */
__kernel void rmsnorm_bwd(__global float *dx,        /* (N, C) */
                          __global const float *dy,  /* (N, C) */
                          __global const float *x,   /* (N, C) */
                          __global const float *w,   /* (C) */
                          float eps, int beta, int C) {
    __local float scratch[WG];
    size_t n = get_group_id(0);
    x += n * (size_t)C;
    dx += n * (size_t)C;
    dy += n * (size_t)C;
    float r = inverse_rms(x, C, eps, scratch);
    vec products = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, C)
        products = fma(vec_load(i, w) * vec_load(i, dy), vec_load(i, x), products);
    FOR_REST(j, C)
        rest = fma(w[j] * dy[j], x[j], rest);
    float mean = group_sum(vec_sum(products) + rest, scratch) / (float)C;
    float slope = r * r * r * mean;
    FOR_VECTORS(i, C) {
        vec old = beta ? vec_load(i, dx) : (vec)(0.0f);
        vec_store(old + r * vec_load(i, w) * vec_load(i, dy) - slope * vec_load(i, x), i, dx);
    }
    FOR_REST(j, C)
        dx[j] = (beta ? dx[j] : 0.0f) + r * w[j] * dy[j] - slope * x[j];
}
