/* gemm_naive: the reference product, for tests and as the last resort of a device.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add],   B(k, n) = w[n * stride_n + k * stride_k]
 * Forward of a linear layer with w (rows N, columns K): stride_n = K, stride_k = 1. Backward to data with the
 * same w (rows K, columns N): stride_n = 1, stride_k = N.
 * One work-item an output element; 2*M*N*K flops and 8*M*N*K bytes, without reuse but for what is in
 * cache. Range: (N, M). */
__kernel void gemm_naive(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                         __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                         __global const float *w, int stride_n, int stride_k,
                         __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                         __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                         int N, int K) {
    int n = (int)get_global_id(0);
    size_t m = get_global_id(1);
    if (n >= N)
        return;
    a += a_offset + m * (size_t)lda;
    w += (size_t)n * (size_t)stride_n;
    float sum = 0.0f;
    for (int k = 0; k < K; k++)
        sum = fma(a[k], w[(size_t)k * (size_t)stride_k], sum);
    size_t at = m * (size_t)ldo + (size_t)n;
    if (has_bias)
        sum += bias[bias_offset + (size_t)n];
    if (has_add)
        sum += add[add_offset + at];
    out[out_offset + at] = sum;
}

/* gemm_start: out = bias [+ add], from where a product goes on that can add to its output, but to no vector. One
 * work-item an output element; 8*M*N bytes, with add 12*M*N, and 1 flop. Range: (N, M). */
__kernel void gemm_start(__global float *out, ulong out_offset, int ldo,       /* (M, N), rows ldo apart */
                         __global const float *bias, ulong bias_offset,       /* (N) */
                         __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                         int N) {
    int n = (int)get_global_id(0);
    if (n >= N)
        return;
    size_t at = get_global_id(1) * (size_t)ldo + (size_t)n;
    float sum = bias[bias_offset + (size_t)n];
    if (has_add)
        sum += add[add_offset + at];
    out[out_offset + at] = sum;
}
