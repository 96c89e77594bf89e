/* gemm_reg: product with a frozen matrix packed once, for CPU devices.
 *   out (M, N) = a (M, K) * B (K, N) [+ add]
 * B lies in column panels of NR = 2*REG_VW columns: packed[p][k][j] = B(k, p*NR + j), zero beyond N.
 * One work-item (work-group of 1) computes a tile of REG_MR x NR outputs in 2*REG_MR vector accumulators over
 * all of K: REG_MR broadcasts of a and two loads of B feed 2*REG_MR fused multiply-adds, the micro-kernel of
 * BLIS (Van Zee and van de Geijn, 2015). Rows of a are read in place: REG_MR streams of one cache line for
 * 16 steps each; packing them gained nothing.
 * Range: (row panels, column panels): row panels run fastest, so that one panel of B (K*NR*4 bytes) stays in
 * the second-level cache while every row panel uses it.
 * Bytes: each panel of B once from memory, a from cache; flops 2*M*N*K.
 * Its backward (data gradient) is itself with the other packing of the same weight.
 *
 * Defines: REG_MR 4 | 6 | 12 (rows; 12 needs 32 vector registers), REG_VW 4 | 8 | 16 (the device's vector). */
#ifndef REG_MR
#    define REG_MR 4
#endif
#ifndef REG_VW
#    define REG_VW 4
#endif
#define REG_NR (2 * REG_VW)

#define reg_vec JOIN(float, REG_VW)
#define reg_load JOIN(vload, REG_VW)
#define reg_store JOIN(vstore, REG_VW)

#define EACH_ROW_4(X) X(0) X(1) X(2) X(3)
#define EACH_ROW_6(X) EACH_ROW_4(X) X(4) X(5)
#define EACH_ROW_12(X) EACH_ROW_6(X) X(6) X(7) X(8) X(9) X(10) X(11)
#define EACH_ROW(X) JOIN(EACH_ROW_, REG_MR)(X)

/* Writes the first `columns` floats of v, which may be fewer than a vector. */
void reg_store_some(reg_vec v, __global float *out, int columns) {
    if (columns >= REG_VW) {
        reg_store(v, 0, out);
    } else {
        float lanes[REG_VW];
        reg_store(v, 0, lanes);
        for (int j = 0; j < columns; j++)
            out[j] = lanes[j];
    }
}

reg_vec reg_load_some(__global const float *in, int columns) {
    if (columns >= REG_VW)
        return reg_load(0, in);
    float lanes[REG_VW];
    for (int j = 0; j < REG_VW; j++)
        lanes[j] = j < columns ? in[j] : 0.0f;
    return reg_load(0, lanes);
}

__kernel void gemm_reg(__global float *out, ulong out_offset,          /* (M, N) */
                       __global const float *a,                        /* (M, K) */
                       __global const float *packed,                   /* (N/NR, K, NR) */
                       __global const float *add, int has_add,         /* (M, N); may be out itself */
                       int M, int N, int K) {
    int row0 = (int)get_global_id(0) * REG_MR;
    int column0 = (int)get_global_id(1) * REG_NR;
    if (row0 >= M || column0 >= N)
        return;
    __global const float *b = packed + (size_t)column0 * (size_t)K;
/* Rows beyond M read the last row again; their results are not stored. */
#define POINTER(r) __global const float *a##r = a + (size_t)min(row0 + r, M - 1) * (size_t)K;
#define CLEAR(r) reg_vec left##r = 0.0f, right##r = 0.0f;
#define STEP(r)                                                                                              \
    {                                                                                                        \
        reg_vec x = (reg_vec)(a##r[k]);                                                                      \
        left##r = fma(x, b_left, left##r);                                                                   \
        right##r = fma(x, b_right, right##r);                                                                \
    }
#define FINISH(r)                                                                                            \
    if (row0 + r < M) {                                                                                      \
        size_t at = (size_t)(row0 + r) * (size_t)N + (size_t)column0;                                        \
        int columns = N - column0;                                                                           \
        if (has_add) {                                                                                       \
            left##r += reg_load_some(add + at, columns);                                                     \
            right##r += reg_load_some(add + at + REG_VW, columns - REG_VW);                                  \
        }                                                                                                    \
        reg_store_some(left##r, out + out_offset + at, columns);                                             \
        reg_store_some(right##r, out + out_offset + at + REG_VW, columns - REG_VW);                          \
    }
    EACH_ROW(POINTER)
    EACH_ROW(CLEAR)
    for (int k = 0; k < K; k++) {
        reg_vec b_left = reg_load(0, b), b_right = reg_load(1, b);
        EACH_ROW(STEP)
        b += REG_NR;
    }
    EACH_ROW(FINISH)
#undef POINTER
#undef CLEAR
#undef STEP
#undef FINISH
}

/* gemm_reg_pack: packed[p][k][j] = w[(p*NR + j) * stride_n + k * stride_k], zero where p*NR + j >= N.
 * Range: (panels, blocks of 64 k). Runs once a weight, at load. */
__kernel void gemm_reg_pack(__global float *packed, __global const float *w, int stride_n, int stride_k, int N,
                            int K) {
    int panel = (int)get_global_id(0);
    int k0 = (int)get_global_id(1) * 64;
    __global float *out = packed + (size_t)panel * (size_t)K * REG_NR;
    for (int j = 0; j < REG_NR; j++) {
        int n = panel * REG_NR + j;
        for (int k = k0; k < min(k0 + 64, K); k++)
            out[(size_t)k * REG_NR + (size_t)j] =
                n < N ? w[(size_t)n * (size_t)stride_n + (size_t)k * (size_t)stride_k] : 0.0f;
    }
}
