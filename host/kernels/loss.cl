/* Losses: functions of the distances (B, K) of points to centroids and the distances (K, K) between centroids
 * (upper triangle). Each kernel gives the batch's mean value and the gradients for both; distance.cl carries
 * them on to points and centroids. The matrices are small, one work-item does all of it in a fixed order:
 * B*K exponentials. Every loss kernel has the same arguments, so that a loss is one row of a table (host
 * side: train/loss.c). */
#define LOSS_ARGUMENTS                                                                                       \
    __global float *value,              /* (1) */                                                            \
        __global float *d_distance,     /* (B, K) */                                                         \
        __global float *d_pair,         /* (K, K) */                                                         \
        __global const float *distance, /* (B, K) */                                                         \
        __global const float *pair,     /* (K, K) */                                                         \
        __global const int *label,      /* (B) */                                                            \
        int B, int K, float temperature, float attraction, float repulsion

/* Cross entropy of the softmax over -d / T:   mean_i [ d_iy / T + log sum_k exp(-d_ik / T) ]
 *   dd_ik = ((k == y_i) - softmax_k) / (B T). */
__kernel void loss_cross_entropy(LOSS_ARGUMENTS) {
    float sum = 0.0f;
    for (int i = 0; i < B; i++) {
        __global const float *d = distance + (size_t)i * (size_t)K;
        __global float *dd = d_distance + (size_t)i * (size_t)K;
        float nearest = d[0], total = 0.0f;
        for (int k = 1; k < K; k++)
            nearest = fmin(nearest, d[k]);
        for (int k = 0; k < K; k++)
            total += exp_negative((nearest - d[k]) / temperature);
        for (int k = 0; k < K; k++) {
            float p = exp_negative((nearest - d[k]) / temperature) / total;
            dd[k] = ((k == label[i] ? 1.0f : 0.0f) - p) / (temperature * (float)B);
        }
        sum += (d[label[i]] - nearest) / temperature + log(total);
    }
    for (int at = 0; at < K * K; at++)
        d_pair[at] = 0.0f;
    value[0] = sum / (float)B;
}

/* Centroid loss: attraction * mean_i d_iy + repulsion * mean over pairs of 1 / d(c_j, c_k). */
__kernel void loss_centroid(LOSS_ARGUMENTS) {
    float sum = 0.0f, inverse = 0.0f, n_pairs = 0.5f * (float)K * (float)(K - 1);
    for (int i = 0; i < B; i++) {
        for (int k = 0; k < K; k++)
            d_distance[(size_t)i * (size_t)K + (size_t)k] = k == label[i] ? attraction / (float)B : 0.0f;
        sum += distance[(size_t)i * (size_t)K + (size_t)label[i]];
    }
    for (int j = 0; j < K; j++)
        for (int k = 0; k < K; k++) {
            int at = j * K + k;
            float r = j < k && pair[at] > 0.0f ? 1.0f / pair[at] : 0.0f;
            inverse += r;
            d_pair[at] = -repulsion * r * r / n_pairs;
        }
    value[0] = attraction * sum / (float)B + repulsion * inverse / n_pairs;
}
