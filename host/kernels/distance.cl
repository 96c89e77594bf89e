/* Distances of points to centroids and between centroids, and their gradients.
 *   d(a, b) = || a - b + eps ||_2, eps added to every component (PyTorch's pairwise_distance)
 *   dd/da = (a - b + eps) / d,  dd/db = -(a - b + eps) / d
 * The eps joins the difference, not one side: where a point is its centroid (centroids start at examples), eps
 * is all there is, and it would be lost beside a coordinate in the hundreds.
 * One work-group an output row; D is the width of a point, here an argument (it may be the vocabulary). */

float distance_of(__global const float *a, __global const float *b, int D, __local float *scratch) {
    vec squares = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, D) {
        vec v = vec_load(i, a) - vec_load(i, b) + DISTANCE_EPS;
        squares = fma(v, v, squares);
    }
    FOR_REST(j, D) {
        float v = a[j] - b[j] + DISTANCE_EPS;
        rest = fma(v, v, rest);
    }
    return sqrt(group_sum(vec_sum(squares) + rest, scratch));
}

/* 1/d, and 0 for the identical pair, whose gradient PyTorch also takes as finite. */
float inverse_distance(float d) {
    return d > 0.0f ? 1.0f / d : 0.0f;
}

/* distance[i][k] = d(points[i], centroids[k]). Range: (K, B) groups. */
__kernel void distance_fwd(__global float *distance,          /* (B, K) */
                           __global const float *points,      /* (B, D) */
                           __global const float *centroids,   /* (K, D) */
                           int K, int D) {
    __local float scratch[WG];
    size_t k = get_group_id(0), i = get_group_id(1);
    float d = distance_of(points + i * (size_t)D, centroids + k * (size_t)D, D, scratch);
    if (get_local_id(0) == 0)
        distance[i * (size_t)K + k] = d;
}

/* d_points[i] = sum_k d_distance[i][k] * (x_i - c_k + eps) / distance[i][k]. Range: B groups. */
__kernel void distance_bwd_points(__global float *d_points,          /* (B, D) */
                                  __global const float *d_distance,  /* (B, K) */
                                  __global const float *distance,    /* (B, K) */
                                  __global const float *points,      /* (B, D) */
                                  __global const float *centroids,   /* (K, D) */
                                  int K, int D) {
    size_t i = get_group_id(0);
    d_points += i * (size_t)D;
    points += i * (size_t)D;
    distance += i * (size_t)K;
    d_distance += i * (size_t)K;
    FOR_VECTORS(v, D) {
        vec sum = 0.0f, x = vec_load(v, points);
        for (int k = 0; k < K; k++)
            sum += (x - vec_load(v, centroids + (size_t)k * (size_t)D) + DISTANCE_EPS) *
                   (d_distance[k] * inverse_distance(distance[k]));
        vec_store(sum, v, d_points);
    }
    FOR_REST(j, D) {
        float sum = 0.0f, x = points[j];
        for (int k = 0; k < K; k++)
            sum += (x - centroids[(size_t)k * (size_t)D + (size_t)j] + DISTANCE_EPS) *
                   (d_distance[k] * inverse_distance(distance[k]));
        d_points[j] = sum;
    }
}

/* d_centroids[k] = -sum_i d_distance[i][k] * (x_i - c_k + eps) / distance[i][k]. Range: K groups. */
__kernel void distance_bwd_centroids(__global float *d_centroids,       /* (K, D) */
                                     __global const float *d_distance,  /* (B, K) */
                                     __global const float *distance,    /* (B, K) */
                                     __global const float *points,      /* (B, D) */
                                     __global const float *centroids,   /* (K, D) */
                                     int B, int K, int D) {
    size_t k = get_group_id(0);
    d_centroids += k * (size_t)D;
    centroids += k * (size_t)D;
    FOR_VECTORS(v, D) {
        vec sum = 0.0f, c = vec_load(v, centroids);
        for (int i = 0; i < B; i++) {
            size_t at = (size_t)i * (size_t)K + k;
            sum += (c - vec_load(v, points + (size_t)i * (size_t)D) - DISTANCE_EPS) *
                   (d_distance[at] * inverse_distance(distance[at]));
        }
        vec_store(sum, v, d_centroids);
    }
    FOR_REST(j, D) {
        float sum = 0.0f, c = centroids[j];
        for (int i = 0; i < B; i++) {
            size_t at = (size_t)i * (size_t)K + k;
            sum += (c - points[(size_t)i * (size_t)D + (size_t)j] - DISTANCE_EPS) *
                   (d_distance[at] * inverse_distance(distance[at]));
        }
        d_centroids[j] = sum;
    }
}

/* pair[j][k] = d(c_j, c_k) for j < k, else 0. Range: (K, K) groups. */
__kernel void pair_distance_fwd(__global float *pair,             /* (K, K) */
                                __global const float *centroids,  /* (K, D) */
                                int K, int D) {
    __local float scratch[WG];
    size_t k = get_group_id(0), j = get_group_id(1);
    float d = 0.0f;
    if (j < k) /* the same for the whole group */
        d = distance_of(centroids + j * (size_t)D, centroids + k * (size_t)D, D, scratch);
    if (get_local_id(0) == 0)
        pair[j * (size_t)K + k] = d;
}

/* d_centroids[k] += its share of every pair: first member +, second member -. Range: K groups. */
__kernel void pair_distance_bwd(__global float *d_centroids,      /* (K, D), accumulated */
                                __global const float *d_pair,     /* (K, K), j < k used */
                                __global const float *pair,       /* (K, K) */
                                __global const float *centroids,  /* (K, D) */
                                int K, int D) {
    int k = (int)get_group_id(0);
    d_centroids += (size_t)k * (size_t)D;
    for (int j = (int)get_local_id(0); j < D; j += WG) {
        float sum = d_centroids[j], mine = centroids[(size_t)k * (size_t)D + (size_t)j];
        for (int other = 0; other < K; other++) {
            float theirs = centroids[(size_t)other * (size_t)D + (size_t)j];
            int at = min(k, other) * K + max(k, other);
            float slope = other == k ? 0.0f : d_pair[at] * inverse_distance(pair[at]);
            sum += k < other ? (mine - theirs + DISTANCE_EPS) * slope : (mine - theirs - DISTANCE_EPS) * slope;
        }
        d_centroids[j] = sum;
    }
}
