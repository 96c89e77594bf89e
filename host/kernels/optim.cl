/* adam_step (Kingma and Ba 2015) on one parameter tensor of rows * columns floats, one work-group a row:
 *   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *   x -= step * m / (sqrt(v) / root_correction2 + eps),  step = lr / (1 - beta1^t)
 * The corrections come from the host, in double. Range: rows groups. */
__kernel void adam_step(__global float *x,        /* (rows, columns) */
                        __global float *m, __global float *v, __global const float *g, /* (rows, columns) */
                        float step, float beta1, float beta2, float eps, float root_correction2, int columns) {
    size_t row = get_group_id(0) * (size_t)columns;
    for (int j = (int)get_local_id(0); j < columns; j += WG) {
        size_t at = row + (size_t)j;
        float gradient = g[at];
        float mean = m[at] + (1.0f - beta1) * (gradient - m[at]);
        float square = beta2 * v[at] + (1.0f - beta2) * gradient * gradient;
        m[at] = mean;
        v[at] = square;
        x[at] -= step * mean / (sqrt(square) / root_correction2 + eps);
    }
}
