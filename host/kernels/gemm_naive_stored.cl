/* gemm_naive_stored: gemm_naive on weights as they lie in the file, a value decoded for each multiplication.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add],   forward B = W^T, backward B = W
 * One work-item an output element; 2*M*N*K flops and as many decodings. Range: (N, M). */
__kernel void gemm_naive_stored(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                                __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                                STORED_ARGUMENTS, int backward,                   /* (N, K); backward (K, N) */
                                __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                                __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                                int N, int K) {
    const stored_matrix w = STORED_MATRIX;
    int n = (int)get_global_id(0);
    size_t m = get_global_id(1);
    if (n >= N)
        return;
    a += a_offset + m * (size_t)lda;
    float sum = 0.0f;
    for (int k = 0; k < K; k++)
        sum = fma(a[k], backward ? stored_value(stored_row_of(&w, k), n) : stored_value(stored_row_of(&w, n), k),
                  sum);
    size_t at = m * (size_t)ldo + (size_t)n;
    if (has_bias)
        sum += bias[bias_offset + (size_t)n];
    if (has_add)
        sum += add[add_offset + at];
    out[out_offset + at] = sum;
}
