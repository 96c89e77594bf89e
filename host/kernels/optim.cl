/* adam_step (Kingma and Ba 2015) on one parameter tensor of rows * columns floats, one work-group a row:
 *   m += rate1 (g - m),  v += rate2 (g^2 - v),  rate = 1 - beta
 *   x -= step * m / (sqrt(v) / root_correction2 + eps),  step = lr / (1 - beta1^t)
 * Rates and corrections come from the host, in double: 1 - 0.999f would be off by 1e-5. Range: rows groups. */
__kernel void adam_step(__global float *x,        /* (rows, columns) */
                        __global float *m, __global float *v, __global const float *g, /* (rows, columns) */
                        float step, float rate1, float rate2, float eps, float root_correction2, int columns) {
    size_t row = get_group_id(0) * (size_t)columns;
    for (int j = (int)get_local_id(0); j < columns; j += WG) {
        size_t at = row + (size_t)j;
        float gradient = g[at];
        float mean = m[at] + rate1 * (gradient - m[at]);
        float square = v[at] + rate2 * (gradient * gradient - v[at]);
        m[at] = mean;
        v[at] = square;
        x[at] -= step * mean / (sqrt(square) / root_correction2 + eps);
    }
}
