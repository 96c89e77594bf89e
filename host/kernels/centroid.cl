/* Calculated centroids: every class present in a batch is drawn to the mean of its points, pushed from the mean
 * of the other centroids. The move is written as a gradient, so that any optimiser can make it (optim.cl); plain
 * descent at rate 1 makes exactly it, with momentum a true velocity.
 * Flops 3*K*D + 2*B*D, with repulsion up to 12*K*D + 2*B*D; bytes 8*K*D + 4*B*D, with repulsion 4*K*D more: bound
 * by memory. */

/* total[j] = sum over the centroids, in their order. An item takes 2 vectors, so that a line of memory and its
 * neighbour are read together. Range: groups of 2*WG*VW columns. */
__kernel void centroid_total(__global float *total,           /* (D) */
                             __global const float *centroids, /* (K, D) */
                             int K, int D) {
    int n_vectors = D / VW, v0 = (int)get_group_id(0) * 2 * WG + (int)get_local_id(0), v1 = v0 + WG;
    int v2 = min(v1, n_vectors - 1); /* read instead of v1 where that is beyond the row */
    if (v0 < n_vectors) {
        vec left = 0.0f, right = 0.0f;
        for (int k = 0; k < K; k++) {
            left += vec_load(v0, centroids + (size_t)k * (size_t)D);
            right += vec_load(v2, centroids + (size_t)k * (size_t)D);
        }
        vec_store(left, v0, total);
        if (v1 < n_vectors)
            vec_store(right, v1, total);
    }
    if (get_group_id(0) == 0)
        FOR_REST(j, D) {
            float sum = 0.0f;
            for (int k = 0; k < K; k++)
                sum += centroids[(size_t)k * (size_t)D + (size_t)j];
            total[j] = sum;
        }
}

/* For a class k with points in the batch whose weights add up to n > 0, active[k] = 1 and
 *   gradient_k = rate * (c_k - (weighted mean of its points, summed in blocks, + repulsion * u_k)),
 *   rate = 1 - lethargy
 *   u_k = m / ||m||, or with `away` (c_k - m) / ||c_k - m||;  m = (total - c_k) / (K - 1)
 * No centroid is changed here, so that every target is known before any moves. A class without points: active 0,
 * gradient 0. Range: K groups. */
__kernel void centroid_pull(__global float *gradient, __global int *active, /* (K, D), (K) */
                            __global const float *points,                   /* (B, D) */
                            __global const int *label,                      /* (B) */
                            __global const float *weight,                   /* (B) */
                            __global const float *centroids,                /* (K, D) */
                            __global const float *total,                    /* (D) */
                            int B, int K, int D, float rate, float repulsion, int away) {
    __local float scratch[WG];
    int k = (int)get_group_id(0);
    float others = 1.0f / (float)(K - 1), rest = 0.0f, n = 0.0f;
    gradient += (size_t)k * (size_t)D;
    centroids += (size_t)k * (size_t)D;
    for (int i = 0; i < B; i++)
        n += label[i] == k ? weight[i] : 0.0f;
    float pull = n > 0.0f ? rate : 0.0f, push = 0.0f;
    if (repulsion != 0.0f) { /* the same for the whole group */
        vec squares = 0.0f;
        FOR_VECTORS(v, D) {
            vec c = vec_load(v, centroids), m = (vec_load(v, total) - c) * others, u = away ? c - m : m;
            squares = fma(u, u, squares);
        }
        FOR_REST(j, D) {
            float m = (total[j] - centroids[j]) * others, u = away ? centroids[j] - m : m;
            rest = fma(u, u, rest);
        }
        push = repulsion * inverse_distance(sqrt(group_sum(vec_sum(squares) + rest, scratch)));
    }
    FOR_VECTORS(v, D) {
        vec c = vec_load(v, centroids), m = push != 0.0f ? (vec_load(v, total) - c) * others : (vec)(0.0f);
        vec_store(pull * (c - push * (away ? c - m : m)), v, gradient);
    }
    FOR_REST(j, D) {
        float c = centroids[j], m = push != 0.0f ? (total[j] - c) * others : 0.0f;
        gradient[j] = pull * (c - push * (away ? c - m : m));
    }
    /* Each point of the class is walked along once, block by block; an item comes back to its own columns. */
    float share = n > 0.0f ? pull / n : 0.0f;
    for (int first = 0; first < B; first += BLOCK_TEXTS) {
        int end = min(first + BLOCK_TEXTS, B), present = 0;
        for (int i = first; i < end; i++)
            present += label[i] == k;
        if (!present) /* the same for the whole group */
            continue;
        FOR_VECTORS(v, D) {
            vec block = 0.0f;
            for (int i = first; i < end; i++)
                if (label[i] == k)
                    block += weight[i] * vec_load(v, points + (size_t)i * (size_t)D);
            vec_store(vec_load(v, gradient) - share * block, v, gradient);
        }
        FOR_REST(j, D) {
            float block = 0.0f;
            for (int i = first; i < end; i++)
                if (label[i] == k)
                    block += weight[i] * points[(size_t)i * (size_t)D + (size_t)j];
            gradient[j] -= share * block;
        }
    }
    if (get_local_id(0) == 0)
        active[k] = n > 0.0f;
}
