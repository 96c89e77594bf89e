/* gemm_reg: product with a frozen matrix packed once, for CPU devices.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add]
 * B lies in column panels of NR = 2*REG_VW columns: packed[p][k][j] = B(k, p*NR + j), zero beyond N.
 * A tile of MR x NR outputs stays in 2*MR vector accumulators over all of K: MR broadcasts of a and two loads
 * of B feed 2*MR fused multiply-adds, the micro-kernel of BLIS (Van Zee and van de Geijn, 2015). Rows of a are
 * read in place: MR streams of one cache line for 16 steps each; packing them gained nothing.
 * Rows are cut into tall tiles (REG_MR rows) and, where that wastes less, one or two short ones (REG_SR): 160
 * rows are 12 tall tiles and 2 short ones, not 14 tall ones. An output is the same sum in either.
 * One work-item (work-group of 1) computes `n_tiles` tiles of one column panel, one below the other, so that
 * the panel (K*NR*4 bytes) stays in the second-level cache, and meanwhile asks for its share of the next panel,
 * which comes from memory. A panel too long for that cache (the way back through the vocabulary) is taken in
 * blocks of REG_KC rows, whose products are summed in order. Range: (tiles / n_tiles, column panels).
 * Bytes: each panel of B once from memory, a from cache; flops 2*M*N*K.
 * Its backward (data gradient) is itself with the other packing of the same weight.
 *
 * Defines: REG_MR 4 | 6 | 12 (rows; 12 needs 32 vector registers), REG_VW 4 | 8 | 16 (the device's vector),
 * REG_AHEAD 0 | 1 (1: prefetch the next panel, where the compiler knows how). */
#ifndef REG_MR
#    define REG_MR 4
#endif
#ifndef REG_VW
#    define REG_VW 4
#endif
#ifndef REG_AHEAD
#    define REG_AHEAD 0
#endif
#define REG_NR (2 * REG_VW)
#define REG_KC 4096 /* as in gemm_own.c; more than any width inside a model's layers usually is */
#define REG_SR (REG_MR == 12 ? 8 : 4)

#define reg_vec JOIN(float, REG_VW)
#define reg_load JOIN(vload, REG_VW)
#define reg_store JOIN(vstore, REG_VW)

#define EACH_ROW_4(X) X(0) X(1) X(2) X(3)
#define EACH_ROW_6(X) EACH_ROW_4(X) X(4) X(5)
#define EACH_ROW_8(X) EACH_ROW_6(X) X(6) X(7)
#define EACH_ROW_12(X) EACH_ROW_8(X) X(8) X(9) X(10) X(11)
#define EACH_TALL_ROW JOIN(EACH_ROW_, REG_MR)
#if REG_MR == 12
#    define EACH_SHORT_ROW EACH_ROW_8
#else
#    define EACH_SHORT_ROW EACH_ROW_4
#endif

/* OpenCL's own prefetch() does nothing in PoCL; clang's builtin takes a pointer without an address space. */
#define REG_PREFETCH(p)
#if REG_AHEAD && defined(__has_builtin)
#    if __has_builtin(__builtin_prefetch)
#        undef REG_PREFETCH
#        define REG_PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#    endif
#endif

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

/* One tile's surroundings. */
typedef struct {
    __global float *out;             /* (M, N) */
    __global const float *a, *panel; /* (M, K), (K, NR) */
    __global const float *bias;      /* (N), or 0 */
    __global const float *add;       /* (M, N), or 0 */
    __global const float *ahead;     /* n_ahead times NR floats to ask for */
    int n_ahead, row0, column0, M, N, K;
    int lda, ldo; /* floats from row to row of a; of out and add */
} reg_product;

/* Rows beyond M read the last row again; their results are not stored. */
#define POINTER(r) __global const float *a##r = p.a + (size_t)min(p.row0 + r, p.M - 1) * (size_t)p.lda;
#define CLEAR(r) reg_vec left##r = 0.0f, right##r = 0.0f;
#define STEP(r)                                                                                              \
    {                                                                                                        \
        reg_vec x = (reg_vec)(a##r[k]);                                                                      \
        left##r = fma(x, b_left, left##r);                                                                   \
        right##r = fma(x, b_right, right##r);                                                                \
    }
#define FINISH(r)                                                                                            \
    if (p.row0 + r < p.M) {                                                                                  \
        size_t at = (size_t)(p.row0 + r) * (size_t)p.ldo + (size_t)p.column0;                                \
        int columns = p.N - p.column0;                                                                       \
        if (p.bias) {                                                                                        \
            left##r += reg_load_some(p.bias + p.column0, columns);                                           \
            right##r += reg_load_some(p.bias + p.column0 + REG_VW, columns - REG_VW);                        \
        }                                                                                                    \
        if (p.add) {                                                                                         \
            left##r += reg_load_some(p.add + at, columns);                                                   \
            right##r += reg_load_some(p.add + at + REG_VW, columns - REG_VW);                                \
        }                                                                                                    \
        reg_store_some(left##r, p.out + at, columns);                                                        \
        reg_store_some(right##r, p.out + at + REG_VW, columns - REG_VW);                                     \
    }
#define REG_TILE(name, EACH_ROW)                                                                             \
    void name(const reg_product p) {                                                                         \
        __global const float *b = p.panel, *ahead = p.ahead;                                                 \
        int k = 0;                                                                                           \
        EACH_ROW(POINTER)                                                                                    \
        EACH_ROW(CLEAR)                                                                                      \
        for (; k < p.n_ahead; k++) {                                                                         \
            reg_vec b_left = reg_load(0, b), b_right = reg_load(1, b);                                       \
            REG_PREFETCH(ahead);                                                                             \
            REG_PREFETCH(ahead + REG_VW);                                                                    \
            EACH_ROW(STEP)                                                                                   \
            ahead += REG_NR;                                                                                 \
            b += REG_NR;                                                                                     \
        }                                                                                                    \
        for (; k < p.K; k++) {                                                                               \
            reg_vec b_left = reg_load(0, b), b_right = reg_load(1, b);                                       \
            EACH_ROW(STEP)                                                                                   \
            b += REG_NR;                                                                                     \
        }                                                                                                    \
        EACH_ROW(FINISH)                                                                                     \
    }
REG_TILE(reg_tall_tile, EACH_TALL_ROW)
REG_TILE(reg_short_tile, EACH_SHORT_ROW)
#undef POINTER
#undef CLEAR
#undef STEP
#undef FINISH

__kernel void gemm_reg(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                       __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                       __global const float *packed,                     /* (N/NR, K, NR) */
                       __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                       __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                       int M, int N, int K, int n_tiles) {
    /* All tiles are tall, but the last one is short if that is enough for the rest, and the last two are if
     * they hold what a tall one and the rest do. */
    int tiles = (M + REG_MR - 1) / REG_MR, rest = M - (tiles - 1) * REG_MR;
    int tall = rest <= 2 * REG_SR - REG_MR ? max(tiles - 2, 0) : rest <= REG_SR ? tiles - 1 : tiles;
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
            p.row0 = min(t, tall) * REG_MR + max(t - tall, 0) * REG_SR;
            if (t < tall)
                reg_tall_tile(p);
            else
                reg_short_tile(p);
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
