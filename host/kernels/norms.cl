/* Norms that a plain Llama does not have: of groups of `width` floats within a row, each for itself, one work-group a
 * row. Layer norms (Ba et al. 2016; `centred`) are of one group as wide as the row and have biases behind the weights;
 * norms of queries and keys are of a row's heads, or of all of them together, and leave the values behind them alone.
 *   m = mean(x) or 0,  r = 1 / sqrt(mean((x-m)^2) + eps),  n = (x-m) r,  y = n w [+ b]
 *   dx = r (w dy - mean(w dy) - n mean(w dy n)),  the second term only where centred
 * Group g is multiplied with w[g * step ...]: step 0, one vector for all. The backward recomputes m and r.
 * Flops a float: 8 forward, 16 backward. Bytes: 8 forward, 12 backward, with beta 16; the rest comes from cache. */

typedef struct {
    float mean, r;
} norm_moments;

norm_moments moments_of(__global const float *x, int n, float eps, int centred, __local float *scratch) {
    norm_moments of = {0.0f, 0.0f};
    vec sum = 0.0f;
    float rest = 0.0f;
    if (centred) {
        FOR_VECTORS(i, n)
            sum += vec_load(i, x);
        FOR_REST(j, n)
            rest += x[j];
        of.mean = group_sum(vec_sum(sum) + rest, scratch) / (float)n;
    }
    sum = 0.0f;
    rest = 0.0f;
    FOR_VECTORS(i, n) {
        vec v = vec_load(i, x) - of.mean;
        sum = fma(v, v, sum);
    }
    FOR_REST(j, n)
        rest = fma(x[j] - of.mean, x[j] - of.mean, rest);
    of.r = 1.0f / sqrt(group_sum(vec_sum(sum) + rest, scratch) / (float)n + eps);
    return of;
}

/* Range: N groups. */
__kernel void norms_fwd(__global float *y, ulong y_offset,  /* (N, row_floats) */
                        __global const float *x,            /* (N, row_floats) */
                        __global const float *w,
                        float eps, int groups, int width, int step, int centred, int biased, int row_floats) {
    __local float scratch[WG];
    size_t n = get_group_id(0);
    x += n * (size_t)row_floats;
    y += y_offset + n * (size_t)row_floats;
    for (int g = 0; g < groups; g++) {
        __global const float *gain = w + g * step;
        norm_moments of = moments_of(x, width, eps, centred, scratch);
        FOR_VECTORS(i, width) {
            vec v = (vec_load(i, x) - of.mean) * of.r * vec_load(i, gain);
            vec_store(biased ? v + vec_load(i, gain + width) : v, i, y);
        }
        FOR_REST(j, width) {
            float v = (x[j] - of.mean) * of.r * gain[j];
            y[j] = biased ? v + gain[width + j] : v;
        }
        x += width;
        y += width;
    }
    FOR_VECTORS(i, row_floats - groups * width)
        vec_store(vec_load(i, x), i, y);
    FOR_REST(j, row_floats - groups * width)
        y[j] = x[j];
}

/* dx = (beta ? dx : 0) + gradient. Range: N groups. */
__kernel void norms_bwd(__global float *dx,        /* (N, row_floats) */
                        __global const float *dy,  /* (N, row_floats) */
                        __global const float *x,   /* (N, row_floats) */
                        __global const float *w,
                        float eps, int groups, int width, int step, int centred, int beta, int row_floats) {
    __local float scratch[WG];
    size_t n = get_group_id(0);
    x += n * (size_t)row_floats;
    dx += n * (size_t)row_floats;
    dy += n * (size_t)row_floats;
    for (int g = 0; g < groups; g++) {
        __global const float *gain = w + g * step;
        norm_moments of = moments_of(x, width, eps, centred, scratch);
        vec sum = 0.0f, products = 0.0f;
        float rest = 0.0f, rest_products = 0.0f;
        FOR_VECTORS(i, width) {
            vec d = vec_load(i, gain) * vec_load(i, dy);
            sum += d;
            products = fma(d, (vec_load(i, x) - of.mean) * of.r, products);
        }
        FOR_REST(j, width) {
            float d = gain[j] * dy[j];
            rest += d;
            rest_products = fma(d, (x[j] - of.mean) * of.r, rest_products);
        }
        float along = group_sum(vec_sum(products) + rest_products, scratch) / (float)width;
        float level = centred ? group_sum(vec_sum(sum) + rest, scratch) / (float)width : 0.0f;
        FOR_VECTORS(i, width) {
            vec old = beta ? vec_load(i, dx) : (vec)(0.0f), v = (vec_load(i, x) - of.mean) * of.r;
            vec_store(old + of.r * (vec_load(i, gain) * vec_load(i, dy) - level - v * along), i, dx);
        }
        FOR_REST(j, width) {
            float v = (x[j] - of.mean) * of.r;
            dx[j] = (beta ? dx[j] : 0.0f) + of.r * (gain[j] * dy[j] - level - v * along);
        }
        x += width;
        dx += width;
        dy += width;
    }
    FOR_VECTORS(i, row_floats - groups * width)
        vec_store((beta ? vec_load(i, dx) : (vec)(0.0f)) + vec_load(i, dy), i, dx);
    FOR_REST(j, row_floats - groups * width)
        dx[j] = (beta ? dx[j] : 0.0f) + dy[j];
}
