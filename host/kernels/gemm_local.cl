/* gemm_local: product with a frozen matrix, through local memory, for GPUs.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add],   rows of a, out and add lda, ldo and ldo floats apart
 * B lies in column panels of TS_N, as deep as K rounded up to TS_K, zero where B has nothing:
 *   packed[p][k][j] = B(k, p*TS_N + j)
 * so that the tile of TS_K x TS_N floats that a work-group needs next is one piece of memory, read by
 * neighbouring items from neighbouring places in both directions of a weight, without a guard.
 *
 * A work-group of (TS_M/WPT_M) * (TS_N/WPT_N) items computes a tile of TS_M x TS_N outputs. For every TS_K of K
 * it puts a tile of a, transposed, and one of B into local memory; while it multiplies, the next ones are on
 * their way from memory into registers. An item keeps WPT_M x WPT_N sums. Its rows and columns are vectors of
 * TS_VW that lie TS_VW * (items across) apart, so that the items' reads of local memory and writes of the
 * result touch neighbouring places. TS_PAD floats behind each row of the transposed tile spread the writes of
 * the transposition over the banks.
 *
 * Small products would leave most of a large device idle; their K is cut into `splits` parts, which leave
 * partial products (splits, M, N) that gemm_local_sum adds in order: no atomics, the same bits every time.
 *
 * Range: (row tiles, column panels * splits): row tiles run fastest, so that groups beside each other share a
 * panel of B in the cache. Barriers stand in loops over the tiles of K, which all items of a group run
 * alike. Bytes from memory: B ceil(M/TS_M) times, a ceil(N/TS_N) times, at best from cache; flops 2*M*N*K;
 * local memory 4*TS_K*(TS_M + TS_PAD + TS_N) bytes. Its backward is itself with the other packing.
 *
 * gemm_local_stored is the same on weights as they lie in the file (TS_STORED), in one layout for both directions: an
 * item decodes four values of a row of W at a time on their way into local memory, and turns them where they lie along
 * k. The products and their order are the same.
 *
 * Defines: TS_M, TS_N, TS_K (tile), WPT_M, WPT_N (outputs an item), TS_VW 1 | 2 | 4 (divides WPT_M, WPT_N,
 * TS_PAD), TS_PAD, TS_HALF 1: B is stored as f16 (vload_half is core everywhere), sums stay float32. */
#ifndef TS_PAD
#    define TS_PAD 0
#endif
#ifndef TS_HALF
#    define TS_HALF 0
#endif
#define TS_COLUMNS (TS_N / WPT_N) /* items across the tile */
#define TS_ROWS (TS_M / WPT_M)    /* items down the tile */
#define TS_ITEMS (TS_ROWS * TS_COLUMNS)
#define TS_STRIDE (TS_M + TS_PAD)
/* Vectors of four floats in the tiles, and how many of them an item moves. */
#define TS_A_VECTORS (TS_M * TS_K / 4)
#define TS_B_VECTORS (TS_N * TS_K / 4)
#define TS_A_MOVES ((TS_A_VECTORS + TS_ITEMS - 1) / TS_ITEMS)
#define TS_B_MOVES ((TS_B_VECTORS + TS_ITEMS - 1) / TS_ITEMS)

#if TS_VW == 4
#    define ts_vec float4
#    define EACH_LANE(X) X(0, .x) X(1, .y) X(2, .z) X(3, .w)
#elif TS_VW == 2
#    define ts_vec float2
#    define EACH_LANE(X) X(0, .x) X(1, .y)
#else
#    define ts_vec float
#    define EACH_LANE(X) X(0, )
#endif

#if TS_HALF
#    define ts_weight half
#    define ts_weight_load(i, p) vloada_half4(i, p)
#    define ts_weight_store(x, p) vstore_half(x, 0, p)
#else
#    define ts_weight float
#    define ts_weight_load(i, p) ((__global const float4 *)(p))[i]
#    define ts_weight_store(x, p) *(p) = (x)
#endif

/* Four floats of row m of a from column k on, zero beyond K. Whole vectors where rows begin at multiples of
 * 16 bytes. */
float4 ts_load_a(__global const float *row, int k, int K, int aligned) {
    if (aligned)
        return k < K ? *(__global const float4 *)(row + k) : (float4)(0.0f);
    float4 v = 0.0f;
    if (k < K)
        v.x = row[k];
    if (k + 1 < K)
        v.y = row[k + 1];
    if (k + 2 < K)
        v.z = row[k + 2];
    if (k + 3 < K)
        v.w = row[k + 3];
    return v;
}

/* Vector `at` of the tile of B from depth k0 and column n0 on, as it is fetched and as it is put into local memory. */
#if TS_STORED
#    define TS_KERNEL gemm_local_stored
#    define TS_B_ARGUMENTS STORED_ARGUMENTS, int backward
float4 ts_fetch_b(const stored_matrix *w, int backward, int at, int k0, int n0, int K, int N) {
    if (backward) {
        int k = k0 + at / (TS_N / 4), n = n0 + at % (TS_N / 4) * 4;
        return k < K ? stored_four(stored_row_of(w, k), n, N) : (float4)(0.0f);
    }
    int n = n0 + at / (TS_K / 4), k = k0 + at % (TS_K / 4) * 4;
    return n < N ? stored_four(stored_row_of(w, n), k, K) : (float4)(0.0f);
}
void ts_put_b(__local float *b_tile, int backward, int at, float4 v) {
    if (backward) {
        ((__local float4 *)b_tile)[at] = v;
        return;
    }
    __local float *out = b_tile + at % (TS_K / 4) * 4 * TS_N + at / (TS_K / 4);
    out[0] = v.x;
    out[TS_N] = v.y;
    out[2 * TS_N] = v.z;
    out[3 * TS_N] = v.w;
}
#    define TS_FETCH_B(tile, at) ts_fetch_b(&w, backward, at, (tile)*TS_K, panel * TS_N, K, N)
#    define TS_PUT_B(at, v) ts_put_b(b_tile, backward, at, v)
#else
#    define TS_KERNEL gemm_local
#    define TS_B_ARGUMENTS __global const ts_weight *packed /* (panels, K rounded up to TS_K, TS_N) */
#    define TS_FETCH_B(tile, at) ts_weight_load((size_t)(tile)*TS_B_VECTORS + (size_t)(at), packed)
#    define TS_PUT_B(at, v) ((__local float4 *)b_tile)[at] = v
#endif

__kernel __attribute__((reqd_work_group_size(TS_ITEMS, 1, 1)))
void TS_KERNEL(__global float *out, ulong out_offset, int ldo,   /* (M, N), or partial (splits, M, N) */
           __global const float *a, ulong a_offset, int lda, /* (M, K) */
           TS_B_ARGUMENTS,
           __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
           __global const float *add, ulong add_offset, int has_add, /* (M, N); may be out itself */
           int M, int N, int K, int splits) {
    __local float a_tile[TS_K * TS_STRIDE] __attribute__((aligned(16)));
    __local float b_tile[TS_K * TS_N] __attribute__((aligned(16)));
    const int item = (int)get_local_id(0), across = item % TS_COLUMNS, down = item / TS_COLUMNS;
    const int row0 = (int)get_group_id(0) * TS_M;
    const int panel = (int)get_group_id(1) / splits, split = (int)get_group_id(1) - panel * splits;
    const int tiles = (K + TS_K - 1) / TS_K;
    const int first = (int)((long)tiles * split / splits), last = (int)((long)tiles * (split + 1) / splits);
    const int aligned = lda % 4 == 0 && a_offset % 4 == 0 && K % 4 == 0;
    a += a_offset;
#if TS_STORED
    const stored_matrix w = STORED_MATRIX;
#else
    packed += (size_t)panel * (size_t)tiles * (TS_K * TS_N);
#endif

    float4 a_next[TS_A_MOVES], b_next[TS_B_MOVES];
    ts_vec sum[WPT_M][WPT_N / TS_VW];
#pragma unroll
    for (int i = 0; i < WPT_M; i++)
#pragma unroll
        for (int j = 0; j < WPT_N / TS_VW; j++)
            sum[i][j] = 0.0f;

/* Rows beyond M read the last row again; their results are not stored. */
#define FETCH(tile)                                                                                          \
    {                                                                                                        \
        _Pragma("unroll") for (int i = 0; i < TS_A_MOVES; i++) {                                             \
            int at = item + i * TS_ITEMS;                                                                    \
            if (TS_A_VECTORS % TS_ITEMS == 0 || at < TS_A_VECTORS) {                                         \
                int m = at / (TS_K / 4), k = at % (TS_K / 4) * 4;                                            \
                a_next[i] = ts_load_a(a + (size_t)min(row0 + m, M - 1) * (size_t)lda, (tile) * TS_K + k, K,  \
                                      aligned);                                                              \
            }                                                                                                \
        }                                                                                                    \
        _Pragma("unroll") for (int i = 0; i < TS_B_MOVES; i++) {                                             \
            int at = item + i * TS_ITEMS;                                                                    \
            if (TS_B_VECTORS % TS_ITEMS == 0 || at < TS_B_VECTORS)                                           \
                b_next[i] = TS_FETCH_B(tile, at);                                                            \
        }                                                                                                    \
    }

    if (first < last)
        FETCH(first)
    for (int tile = first; tile < last; tile++) {
        barrier(CLK_LOCAL_MEM_FENCE); /* the tile before has been used */
#pragma unroll
        for (int i = 0; i < TS_A_MOVES; i++) {
            int at = item + i * TS_ITEMS;
            if (TS_A_VECTORS % TS_ITEMS == 0 || at < TS_A_VECTORS) {
                int m = at / (TS_K / 4), k = at % (TS_K / 4) * 4;
                a_tile[k * TS_STRIDE + m] = a_next[i].x;
                a_tile[(k + 1) * TS_STRIDE + m] = a_next[i].y;
                a_tile[(k + 2) * TS_STRIDE + m] = a_next[i].z;
                a_tile[(k + 3) * TS_STRIDE + m] = a_next[i].w;
            }
        }
#pragma unroll
        for (int i = 0; i < TS_B_MOVES; i++) {
            int at = item + i * TS_ITEMS;
            if (TS_B_VECTORS % TS_ITEMS == 0 || at < TS_B_VECTORS)
                TS_PUT_B(at, b_next[i]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (tile + 1 < last)
            FETCH(tile + 1)
#pragma unroll 4
        for (int k = 0; k < TS_K; k++) {
            ts_vec b[WPT_N / TS_VW];
            __local const ts_vec *a_row = (__local const ts_vec *)(a_tile + k * TS_STRIDE) + down;
            __local const ts_vec *b_row = (__local const ts_vec *)(b_tile + k * TS_N) + across;
#pragma unroll
            for (int j = 0; j < WPT_N / TS_VW; j++)
                b[j] = b_row[j * TS_COLUMNS];
#pragma unroll
            for (int i = 0; i < WPT_M / TS_VW; i++) {
                ts_vec x = a_row[i * TS_ROWS];
#define LANE(lane, part)                                                                                     \
    _Pragma("unroll") for (int j = 0; j < WPT_N / TS_VW; j++) sum[i * TS_VW + lane][j] =                     \
        fma((ts_vec)(x part), b[j], sum[i * TS_VW + lane][j]);
                EACH_LANE(LANE)
#undef LANE
            }
        }
    }
#undef FETCH

    out += out_offset + (splits > 1 ? (size_t)split * (size_t)M * (size_t)ldo : 0);
#pragma unroll
    for (int i = 0; i < WPT_M; i++) {
        int row = row0 + (i / TS_VW * TS_ROWS + down) * TS_VW + i % TS_VW;
        if (row >= M)
            continue;
#pragma unroll
        for (int j = 0; j < WPT_N / TS_VW; j++) {
            int column = panel * TS_N + (j * TS_COLUMNS + across) * TS_VW;
            size_t at = (size_t)row * (size_t)ldo + (size_t)column;
            ts_vec v = sum[i][j];
#define LANE(lane, part)                                                                                     \
    if (column + lane < N) {                                                                                 \
        float x = v part;                                                                                    \
        if (has_bias)                                                                                        \
            x += bias[bias_offset + (size_t)(column + lane)];                                                \
        out[at + lane] = x + (has_add ? add[add_offset + at + lane] : 0.0f);                                 \
    }
            EACH_LANE(LANE)
#undef LANE
        }
    }
}

#if !TS_STORED
/* gemm_local_sum: out = add + bias + partial[0] + partial[1] + ..., in that order. Range: items over N, rows M. */
__kernel void gemm_local_sum(__global float *out, ulong out_offset, int ldo,   /* (M, N) */
                             __global const float *partial,                    /* (splits, M, N) */
                             __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                             __global const float *add, ulong add_offset, int has_add, /* (M, N) */
                             int M, int N, int splits) {
    int column = (int)get_global_id(0);
    size_t row = get_global_id(1);
    if (column >= N)
        return;
    size_t at = row * (size_t)ldo + (size_t)column;
    float sum = has_add ? add[add_offset + at] : 0.0f;
    if (has_bias)
        sum += bias[bias_offset + (size_t)column];
    for (int s = 0; s < splits; s++)
        sum += partial[((size_t)s * (size_t)M + row) * (size_t)N + (size_t)column];
    out[out_offset + at] = sum;
}

/* gemm_local_pack: packed[p][k][j] = w[(p*TS_N + j) * stride_n + k * stride_k], zero beyond N and K. Items run
 * along j, or along k where the weight's rows do, so that reads are of neighbours. Range: (items over a panel's
 * floats, panels). Runs once a weight, at load. */
__kernel void gemm_local_pack(__global ts_weight *packed, __global const float *w, int stride_n, int stride_k,
                              int N, int K) {
    const int depth = (K + TS_K - 1) / TS_K * TS_K;
    int at = (int)get_global_id(0);
    size_t panel = get_global_id(1);
    if (at >= depth * TS_N)
        return;
    int j = stride_n == 1 ? at % TS_N : at / depth, k = stride_n == 1 ? at / TS_N : at % depth;
    int n = (int)panel * TS_N + j;
    float x = n < N && k < K ? w[(size_t)n * (size_t)stride_n + (size_t)k * (size_t)stride_k] : 0.0f;
    ts_weight_store(x, packed + (panel * (size_t)depth + (size_t)k) * TS_N + (size_t)j);
}
#endif
