/* A matrix W (M, D) between points and distances: y = W x, and its way back (see preface.cl):
 *   dx = W^T dy,   dW = sum over the batch's texts of dy x^T, in blocks (BLOCK_TEXTS)
 * Flops each 2*B*M*D; bytes 4*M*D a point from cache, which a matrix of some rows stays in; next to nothing beside
 * the model. */

/* metric_fwd: y[s][m] = W[m] . x[s]. Range: (M, B) groups. */
__kernel void metric_fwd(__global float *y,            /* (B, M) */
                         __global const float *x,      /* (B, D) */
                         __global const float *matrix, /* (M, D) */
                         int D) {
    __local float scratch[WG];
    size_t m = get_group_id(0), s = get_group_id(1);
    x += s * (size_t)D;
    matrix += m * (size_t)D;
    vec sum = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, D)
        sum = fma(vec_load(i, matrix), vec_load(i, x), sum);
    FOR_REST(j, D)
        rest = fma(matrix[j], x[j], rest);
    rest = group_sum(vec_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0)
        y[s * get_num_groups(0) + m] = rest;
}

/* metric_bwd: dx[s] = sum_m dy[s][m] W[m]. Range: B groups. */
__kernel void metric_bwd(__global float *dx,           /* (B, D) */
                         __global const float *dy,     /* (B, M) */
                         __global const float *matrix, /* (M, D) */
                         int M, int D) {
    dx += get_group_id(0) * (size_t)D;
    dy += get_group_id(0) * (size_t)M;
    FOR_VECTORS(i, D) {
        vec sum = 0.0f;
        for (int m = 0; m < M; m++)
            sum = fma((vec)(dy[m]), vec_load(i, matrix + (size_t)m * (size_t)D), sum);
        vec_store(sum, i, dx);
    }
    FOR_REST(j, D) {
        float sum = 0.0f;
        for (int m = 0; m < M; m++)
            sum = fma(dy[m], matrix[(size_t)m * (size_t)D + (size_t)j], sum);
        dx[j] = sum;
    }
}

/* metric_bwd_matrix: dW[m] = sum_s dy[s][m] x[s]. Range: M groups. */
__kernel void metric_bwd_matrix(__global float *d_matrix,  /* (M, D) */
                                __global const float *dy,  /* (B, M) */
                                __global const float *x,   /* (B, D) */
                                int B, int D) {
    size_t m = get_group_id(0), M = get_num_groups(0);
    d_matrix += m * (size_t)D;
    FOR_VECTORS(i, D) {
        vec sum = 0.0f;
        for (int first = 0; first < B; first += BLOCK_TEXTS) {
            vec block = 0.0f;
            for (int s = first; s < min(first + BLOCK_TEXTS, B); s++)
                block = fma((vec)(dy[(size_t)s * M + m]), vec_load(i, x + (size_t)s * (size_t)D), block);
            sum += block;
        }
        vec_store(sum, i, d_matrix);
    }
    FOR_REST(j, D) {
        float sum = 0.0f;
        for (int first = 0; first < B; first += BLOCK_TEXTS) {
            float block = 0.0f;
            for (int s = first; s < min(first + BLOCK_TEXTS, B); s++)
                block = fma(dy[(size_t)s * M + m], x[(size_t)s * (size_t)D + (size_t)j], block);
            sum += block;
        }
        d_matrix[j] = sum;
    }
}
