/* Label words: what a point says of the words that stand for the classes, taken from its distances to the centroids.
 *   told_ik = d_ik - weight * (row_k . x_i - offset_k),   dx_i -= weight * sum_k dd_ik row_k
 * row_k is the head's row of class k's word, less the mean over the classes: the log-probabilities of words differ from
 * their logits by a logsumexp over the vocabulary that all classes share, and a softmax over classes, or the smallest
 * of told, does not see what they share. The gradient of told is that of the distances as it is.
 * Flops: 2 a point, class and column forward and again backward; bytes from memory 4*(B + K)*D forward, 4*(2B + K)*D
 * backward: as much as the distances. */

/* told[i][k] of points and their distances. Range: B*K groups. */
__kernel void words_fwd(__global float *told, __global const float *distance,     /* (B, K) */
                        __global const float *points, __global const float *row, /* (B, D), (K, D) */
                        __global const float *offset,                            /* (K) */
                        int K, int D, float weight) {
    __local float scratch[WG];
    size_t at = get_group_id(0), k = at % (size_t)K;
    __global const float *x = points + at / (size_t)K * (size_t)D, *y = row + k * (size_t)D;
    vec products = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, D)
        products = fma(vec_load(i, x), vec_load(i, y), products);
    FOR_REST(j, D)
        rest = fma(x[j], y[j], rest);
    float logit = group_sum(vec_sum(products) + rest, scratch);
    if (get_local_id(0) == 0)
        told[at] = distance[at] - weight * (logit - offset[k]);
}

/* d_points[i] -= weight * sum_k d_told[i][k] row[k], classes in their order. Range: B groups. */
__kernel void words_bwd(__global float *d_points,                                /* (B, D) */
                        __global const float *d_told, __global const float *row, /* (B, K), (K, D) */
                        int K, int D, float weight) {
    d_points += get_group_id(0) * (size_t)D;
    d_told += get_group_id(0) * (size_t)K;
    FOR_VECTORS(i, D) {
        vec sum = 0.0f;
        for (int k = 0; k < K; k++)
            sum = fma((vec)(d_told[k]), vec_load(i, row + (size_t)k * (size_t)D), sum);
        vec_store(vec_load(i, d_points) - weight * sum, i, d_points);
    }
    FOR_REST(j, D) {
        float sum = 0.0f;
        for (int k = 0; k < K; k++)
            sum = fma(d_told[k], row[(size_t)k * (size_t)D + (size_t)j], sum);
        d_points[j] -= weight * sum;
    }
}
