/* The register tile of products on CPUs, for gemm_reg.cl and gemm_reg_stored.cl.
 * A tile of MR x NR outputs stays in 2*MR vector accumulators over all of K: MR broadcasts of a and two loads
 * of B feed 2*MR fused multiply-adds, the micro-kernel of BLIS (Van Zee and van de Geijn, 2015). Rows of a are
 * read in place: MR streams of one cache line for 16 steps each; packing them gained nothing. B is a panel of NR
 * columns, (K, NR), in memory of REG_PANEL.
 * Rows are cut into tall tiles (REG_MR rows) and, where that wastes less, one or two short ones (REG_SR): 160
 * rows are 12 tall tiles and 2 short ones, not 14 tall ones. An output is the same sum in either.
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
#ifndef REG_PANEL
#    define REG_PANEL __global
#endif
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
    __global const float *a;         /* (M, K) */
    REG_PANEL const float *panel;    /* (K, NR) */
    __global const float *bias;      /* (N), or 0 */
    __global const float *add;       /* (M, N), or 0 */
    REG_PANEL const float *ahead;    /* n_ahead times NR floats to ask for */
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
        REG_PANEL const float *b = p.panel, *ahead = p.ahead;                                                \
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

/* How many of the tiles of M rows are tall: all, but the last one is short if that is enough for the rest, and the
 * last two are if they hold what a tall one and the rest do. */
int reg_tall_tiles(int M) {
    int tiles = (M + REG_MR - 1) / REG_MR, rest = M - (tiles - 1) * REG_MR;
    return rest <= 2 * REG_SR - REG_MR ? max(tiles - 2, 0) : rest <= REG_SR ? tiles - 1 : tiles;
}

/* Tile t of them. */
void reg_tile(reg_product p, int t, int tall) {
    p.row0 = min(t, tall) * REG_MR + max(t - tall, 0) * REG_SR;
    if (t < tall)
        reg_tall_tile(p);
    else
        reg_short_tile(p);
}
