/* The flock's loss on the distances between all points (distance_fwd), and its gradient for
 * distance_bwd:
 *   loss = mean over pairs of d + 1/d,   dd_jk = 2 / (K (K - 1)) * (1 - 1/d^2)
 * The mean over ordered pairs is this one but for the 1e-6 in d, which differs in sign between the two orders
 * and cancels to first order. Two points in one place have no direction to part in: their gradient is 0.
 * One work-group a row j; the host adds the rows' values, in their order and in double. Range: K groups.
 * Some 6 flops and 8 bytes for each of K*K pairs. */
__kernel void boids_loss(__global float *value,       /* (K): each row's share of the loss */
                         __global float *d_pair,      /* (K, K), j < k written, else 0 */
                         __global const float *pair,  /* (K, K), j < k read */
                         int K) {
    __local float scratch[WG];
    int j = (int)get_group_id(0);
    float sum = 0.0f, share = 2.0f / ((float)K * (float)(K - 1));
    d_pair += (size_t)j * (size_t)K;
    pair += (size_t)j * (size_t)K;
    for (int k = (int)get_local_id(0); k < K; k += WG) {
        float d = j < k ? pair[k] : 0.0f, r = inverse_distance(d);
        d_pair[k] = j < k ? share * (1.0f - r * r) : 0.0f;
        sum += d + r;
    }
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        value[j] = share * sum;
}
