/* gemm_reg: product with a frozen matrix packed once, for CPU devices.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add]
 * B lies in column panels of NR = 2*REG_VW columns: packed[p][k][j] = B(k, p*NR + j), zero beyond N.
 * One work-item (work-group of 1) computes `n_tiles` tiles (gemm_reg_tile.cl) of one column panel, one below the
 * other, so that the panel (K*NR*4 bytes) stays in the second-level cache, and meanwhile asks for its share of the
 * next panel, which comes from memory. A panel too long for that cache (the way back through the vocabulary) is taken
 * in blocks of REG_KC rows, whose products are summed in order. Range: (tiles / n_tiles, column panels).
 * Bytes: each panel of B once from memory, a from cache; flops 2*M*N*K.
 * Its backward (data gradient) is itself with the other packing of the same weight. */
__kernel void gemm_reg(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                       __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                       __global const float *packed,                     /* (N/NR, K, NR) */
                       __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                       __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                       int M, int N, int K, int n_tiles) {
    int tiles = (M + REG_MR - 1) / REG_MR, tall = reg_tall_tiles(M);
    int tile = (int)get_global_id(0) * n_tiles, end = min(tile + n_tiles, tiles);
    reg_product p;
    p.out = out + out_offset;
    p.a = a + a_offset;
    p.bias = has_bias ? bias + bias_offset : 0;
    p.add = has_add ? add + add_offset : 0;
    p.lda = lda;
    p.ldo = ldo;
    p.M = M;
    p.N = N;
    p.K = K;
    p.column0 = (int)get_global_id(1) * REG_NR;
    p.panel = packed + (size_t)p.column0 * (size_t)K;
    for (int k0 = 0; k0 < K; k0 += REG_KC) {
        p.K = min(K - k0, REG_KC);
        p.n_ahead = REG_AHEAD && p.column0 + REG_NR < N ? (p.K + tiles - 1) / tiles : 0;
        for (int t = tile; t < end; t++) {
            p.ahead = p.panel + (size_t)(p.K + t * p.n_ahead) * REG_NR;
            reg_tile(p, t, tall);
        }
        p.a += p.K;
        p.panel += (size_t)p.K * REG_NR;
        p.bias = 0;
        p.add = p.out;
    }
}

/* gemm_reg_pack: packed[p][k][j] = w[(p*NR + j) * stride_n + k * stride_k], zero where p*NR + j >= N. One of the
 * strides is 1; along it w is read, into a small block on the way: rows of a weight are often a multiple of the
 * caches' sets apart, and would push each other out if a few floats of each were read at a time.
 * Range: (panels, blocks of 64 k). Runs once a weight, at load. */
#define PACK_K 16
__kernel void gemm_reg_pack(__global float *packed, __global const float *w, int stride_n, int stride_k, int N,
                            int K) {
    int panel = (int)get_global_id(0);
    int k_end = min((int)get_global_id(1) * 64 + 64, K), n_columns = min(N - panel * REG_NR, REG_NR);
    __global float *out = packed + (size_t)panel * (size_t)K * REG_NR;
    __global const float *in = w + (size_t)panel * REG_NR * (size_t)stride_n;
    for (int k0 = (int)get_global_id(1) * 64; k0 < k_end; k0 += PACK_K) {
        float block[PACK_K][REG_NR];
        int n_k = min(k_end - k0, PACK_K);
        for (int k = 0; k < n_k; k++)
            for (int j = n_columns; j < REG_NR; j++)
                block[k][j] = 0.0f;
        if (stride_k == 1) {
            for (int j = 0; j < n_columns; j++)
                for (int k = 0; k < n_k; k++)
                    block[k][j] = in[(size_t)j * (size_t)stride_n + (size_t)(k0 + k)];
        } else {
            for (int k = 0; k < n_k; k++)
                for (int j = 0; j < n_columns; j++)
                    block[k][j] = in[(size_t)(k0 + k) * (size_t)stride_k + (size_t)(j * stride_n)];
        }
        for (int k = 0; k < n_k; k++)
            for (int j = 0; j < REG_NR; j++)
                out[(size_t)(k0 + k) * REG_NR + (size_t)j] = block[k][j];
    }
}
