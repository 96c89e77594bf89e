/* Losses: functions of the distances (B, K) of points to centroids, and one of the distances between centroids.
 * Each kernel gives what every point adds to the batch's mean, its own loss l_i times its weight w_i, and the
 * gradient of that mean; distance.cl carries it on to points and centroids. Weights are relative ones, of mean 1
 * over the batch (learn/loss.c), so that the mean of w_i l_i is the weighted mean of the l_i. Every loss kernel has the same arguments, so that a loss is one row of a table
 * (host side: learn/loss.c). Range: B groups, a point each.
 * At most 10 flops and an exp, and 8 bytes from memory, a point and class: next to nothing beside the distances. */
#define LOSS_ARGUMENTS                                                                                       \
    __global float *row_value,          /* (B) */                                                            \
        __global float *d_distance,     /* (B, K) */                                                         \
        __global const float *distance, /* (B, K) */                                                         \
        __global const int *label,      /* (B) */                                                            \
    __global const float *weight,   /* (B) */                                                                \
        int B, int K, float temperature, float margin, float attraction, float repulsion

#define FOR_CLASSES(k) for (int k = (int)get_local_id(0); k < K; k += WG)

/* Smallest x of the work-group, given to every item. */
float group_min(float x, __local float *scratch) {
#if WG > 1
    int lid = (int)get_local_id(0);
    scratch[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = WG / 2; half_ > 0; half_ /= 2) {
        if (lid < half_)
            scratch[lid] = fmin(scratch[lid], scratch[lid + half_]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    x = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    return x;
}

/* Cross entropy of the softmax over -d' / T, where d'_iy = d_iy + margin asks the own centroid to be nearer by the
 * margin, and d'_ik = d_ik elsewhere:
 *   l_i = d'_iy / T + log sum_k exp(-d'_ik / T),  dd_ik = w_i ((k == y_i) - softmax_k) / (B T). */
__kernel void loss_cross_entropy(LOSS_ARGUMENTS) {
    __local float scratch[WG];
    size_t i = get_group_id(0);
    int y = label[i];
    distance += i * (size_t)K;
    d_distance += i * (size_t)K;
    float nearest = MAXFLOAT, total = 0.0f;
    FOR_CLASSES(k)
        nearest = fmin(nearest, distance[k] + (k == y ? margin : 0.0f));
    nearest = group_min(nearest, scratch);
    FOR_CLASSES(k) {
        float e = exp_negative((nearest - (distance[k] + (k == y ? margin : 0.0f))) / temperature);
        d_distance[k] = e;
        total += e;
    }
    total = group_sum(total, scratch);
    FOR_CLASSES(k)
        d_distance[k] = weight[i] * (((k == y ? 1.0f : 0.0f) - d_distance[k] / total) / (temperature * (float)B));
    if (get_local_id(0) == 0)
        row_value[i] = weight[i] * ((distance[y] + margin - nearest) / temperature + log(total));
}

/* Centroid loss: l_i = attraction * d_iy. The repulsion between centroids is loss_pairs'. */
__kernel void loss_centroid(LOSS_ARGUMENTS) {
    size_t i = get_group_id(0);
    int y = label[i];
    FOR_CLASSES(k)
        d_distance[i * (size_t)K + (size_t)k] = k == y ? weight[i] * (attraction / (float)B) : 0.0f;
    if (get_local_id(0) == 0)
        row_value[i] = weight[i] * (attraction * distance[i * (size_t)K + (size_t)y]);
}

/* Attract and repel: l_i = attraction * d_iy + repulsion * mean over the other classes of 1 / d_ik. */
__kernel void loss_attract_repel(LOSS_ARGUMENTS) {
    __local float scratch[WG];
    size_t i = get_group_id(0);
    int y = label[i];
    distance += i * (size_t)K;
    d_distance += i * (size_t)K;
    float push = repulsion / (float)(K - 1), sum = 0.0f;
    FOR_CLASSES(k) {
        float r = k == y ? 0.0f : inverse_distance(distance[k]);
        d_distance[k] = weight[i] * ((k == y ? attraction : -push * r * r) / (float)B);
        sum += r;
    }
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        row_value[i] = weight[i] * (attraction * distance[y] + push * sum);
}

/* Repulsion between centroids, repulsion * mean over pairs j < k of 1 / d(c_j, c_k):
 * row_value[j] is the share of the pairs (j, k > j). Range: K groups. */
__kernel void loss_pairs(__global float *row_value,   /* (K) */
                         __global float *d_pair,      /* (K, K), 0 where k <= j */
                         __global const float *pair,  /* (K, K), read where k > j */
                         int K, float repulsion) {
    __local float scratch[WG];
    int j = (int)get_group_id(0);
    float share = repulsion / (0.5f * (float)K * (float)(K - 1)), sum = 0.0f;
    pair += (size_t)j * (size_t)K;
    d_pair += (size_t)j * (size_t)K;
    FOR_CLASSES(k) {
        float r = k > j ? inverse_distance(pair[k]) : 0.0f;
        d_pair[k] = -share * r * r;
        sum += r;
    }
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        row_value[j] = share * sum;
}

/* value = mean of a (n_a), points summed in blocks, + sum of b (n_b) in their order. Range: one item. */
__kernel void loss_total(__global float *value,                            /* (1) */
                         __global const float *a, __global const float *b, /* (n_a), (n_b) */
                         int n_a, int n_b) {
    float sum = 0.0f, more = 0.0f;
    for (int first = 0; first < n_a; first += BLOCK_TEXTS) {
        float block = 0.0f;
        for (int i = first; i < min(first + BLOCK_TEXTS, n_a); i++)
            block += a[i];
        sum += block;
    }
    for (int i = 0; i < n_b; i++)
        more += b[i];
    value[0] = sum / (float)n_a + more;
}
