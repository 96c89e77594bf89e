/* Calculated centroids: every class present in a batch is drawn to the mean of its points, pushed from the mean
 * of the other centroids. The move is written as a gradient, so that any optimiser can make it (optim.cl); plain
 * descent at rate 1 makes exactly it, with momentum a true velocity. */

/* total[j] = sum over the centroids, in their order. Range: groups of WG*VW columns. */
__kernel void centroid_total(__global float *total,           /* (D) */
                             __global const float *centroids, /* (K, D) */
                             int K, int D) {
    int v = (int)get_global_id(0);
    if (v < D / VW) {
        vec sum = 0.0f;
        for (int k = 0; k < K; k++)
            sum += vec_load(v, centroids + (size_t)k * (size_t)D);
        vec_store(sum, v, total);
    }
    if (get_group_id(0) == 0)
        FOR_REST(j, D) {
            float sum = 0.0f;
            for (int k = 0; k < K; k++)
                sum += centroids[(size_t)k * (size_t)D + (size_t)j];
            total[j] = sum;
        }
}

/* For a class k with n > 0 points in the batch, active[k] = 1 and
 *   gradient_k = rate * (c_k - (mean of its points + repulsion * u_k)),  rate = 1 - lethargy
 *   u_k = m / ||m||, or with `away` (c_k - m) / ||c_k - m||;  m = (total - c_k) / (K - 1)
 * No centroid is changed here, so that every target is known before any moves. A class without points: active 0,
 * gradient 0. Range: K groups. */
__kernel void centroid_pull(__global float *gradient, __global int *active, /* (K, D), (K) */
                            __global const float *points,                   /* (B, D) */
                            __global const int *label,                      /* (B) */
                            __global const float *centroids,                /* (K, D) */
                            __global const float *total,                    /* (D) */
                            int B, int K, int D, float rate, float repulsion, int away) {
    __local float scratch[WG];
    int k = (int)get_group_id(0), n = 0;
    float others = 1.0f / (float)(K - 1), squares = 0.0f;
    gradient += (size_t)k * (size_t)D;
    centroids += (size_t)k * (size_t)D;
    for (int i = 0; i < B; i++)
        n += label[i] == k;
    for (int j = (int)get_local_id(0); repulsion != 0.0f && j < D; j += WG) {
        float m = (total[j] - centroids[j]) * others, u = away ? centroids[j] - m : m;
        squares = fma(u, u, squares);
    }
    float push = repulsion * inverse_distance(sqrt(group_sum(squares, scratch)));
    float share = n ? 1.0f / (float)n : 0.0f, pull = n ? rate : 0.0f;
    for (int j = (int)get_local_id(0); j < D; j += WG) {
        float sum = 0.0f, c = centroids[j], m = (total[j] - c) * others;
        for (int i = 0; i < B; i++)
            if (label[i] == k)
                sum += points[(size_t)i * (size_t)D + (size_t)j];
        gradient[j] = pull * (c - (sum * share + push * (away ? c - m : m)));
    }
    if (get_local_id(0) == 0)
        active[k] = n > 0;
}
