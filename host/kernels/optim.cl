/* Optimisers on one parameter tensor of rows * columns floats, one work-group a row. What all have in common:
 *   gain    (1) by which every gradient is multiplied first: the clipping of the step (clip_gain)
 *   active  (rows) rows with 0 stay as they are, and their state with them
 *   decay   factor of the old value: 1 - lr * weight_decay, decoupled (Loshchilov and Hutter 2019)
 * Rates and corrections come from the host, in double: 1 - 0.999f would be off by 1e-5. Range: rows groups.
 * Flops and bytes a number: Adam 15 and 28, descent 6 and 20, row_squares 2 and 4, average_step 3 and 12: all bound
 * by memory. */
#define OPTIM_TENSORS                                                                                        \
    __global float *x, __global const float *g,  /* (rows, columns) */                                       \
        __global const float *gain,              /* (1) */                                                   \
        __global const int *active               /* (rows) */

/* Adam (Kingma and Ba 2015):
 *   m += rate1 (g - m),  v += rate2 (g^2 - v),  rate = 1 - beta
 *   x = decay x - step * m / (sqrt(v) / root_correction2 + eps),  step = lr / (1 - beta1^t) */
__kernel void adam_step(OPTIM_TENSORS, __global float *m, __global float *v, /* (rows, columns) */
                        float step, float rate1, float rate2, float eps, float root_correction2, float decay,
                        int columns) {
    size_t row = get_group_id(0) * (size_t)columns;
    if (!active[get_group_id(0)])
        return;
    for (int j = (int)get_local_id(0); j < columns; j += WG) {
        size_t at = row + (size_t)j;
        float gradient = gain[0] * g[at];
        float mean = m[at] + rate1 * (gradient - m[at]);
        float square = v[at] + rate2 * (gradient * gradient - v[at]);
        m[at] = mean;
        v[at] = square;
        x[at] = decay * x[at] - step * mean / (sqrt(square) / root_correction2 + eps);
    }
}

/* Gradient descent with momentum:  velocity = momentum * velocity + g,  x = decay x - lr * velocity. */
__kernel void sgd_step(OPTIM_TENSORS, __global float *velocity, /* (rows, columns) */
                       float lr, float momentum, float decay, int columns) {
    size_t row = get_group_id(0) * (size_t)columns;
    if (!active[get_group_id(0)])
        return;
    for (int j = (int)get_local_id(0); j < columns; j += WG) {
        size_t at = row + (size_t)j;
        float change = momentum * velocity[at] + gain[0] * g[at];
        velocity[at] = change;
        x[at] = decay * x[at] - lr * change;
    }
}

/* squares[first + row] = || g[row] ||^2. Range: rows groups. */
__kernel void row_squares(__global float *squares, int first,
                          __global const float *g, int columns) { /* (rows, columns) */
    __local float scratch[WG];
    size_t row = get_group_id(0);
    g += row * (size_t)columns;
    vec sum = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, columns) {
        vec v = vec_load(i, g);
        sum = fma(v, v, sum);
    }
    FOR_REST(j, columns)
        rest = fma(g[j], g[j], rest);
    rest = group_sum(vec_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0)
        squares[(size_t)first + row] = rest;
}

/* gain = 1, or longest / norm where the norm, the root of the sum of n squares, is longer. Range: one item. */
__kernel void clip_gain(__global float *gain, __global const float *squares, /* (1), (n) */
                        int n, float longest) {
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += squares[i];
    float norm = sqrt(sum);
    gain[0] = norm > longest ? longest / norm : 1.0f;
}

/* mean += rate (live - mean), the moving average of a tensor of n floats. Range: an item for
 * each vector. */
__kernel void average_step(__global float *mean, __global const float *live, /* (n) */
                           float rate, int n) {
    int v = (int)get_global_id(0);
    if (v < n / VW)
        vec_store(vec_load(v, mean) + rate * (vec_load(v, live) - vec_load(v, mean)), v, mean);
    if (get_group_id(0) == 0)
        FOR_REST(j, n)
            mean[j] += rate * (live[j] - mean[j]);
}
