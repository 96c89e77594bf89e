/* gemm_reg_stored: gemm_reg on weights as they lie in the file, in one layout for both directions.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add],   forward B = W^T, backward B = W
 * A work-item turns the columns of B that are its own into floats once, in local memory (on a CPU the work-item's
 * share of the second-level cache), laid out as gemm_reg_pack does it, and then computes `n_tiles` tiles of rows on
 * them. So the products and their order are gemm_reg's, to the last bit. Forward, a run of 16 values lies along k, and
 * blocks of 16 x 16 are turned on the way; backward it lies along the columns.
 * Range: (tiles / n_tiles, columns / REG_SW). Bytes: the stored weights, 4*K*REG_SW of local memory; flops 2*M*N*K and
 * 1 to 3 a weight and range's row of items. */
#define REG_SW (REG_NR < 16 ? 16 : REG_NR) /* columns of an item: whole runs */


#if REG_NR < 16
#    define REG_PIECE 8
#else
#    define REG_PIECE 16
#endif

/* Where column c of the item's panels begins. */
__local float *reg_column(__local float *panel, int c, int n_k) {
    return panel + (size_t)(c / REG_NR * REG_NR) * (size_t)n_k + c % REG_NR;
}

/* A run of the columns from c on, at depth k. */
void reg_put(__local float *panel, int c, int k, int n_k, const float *run) {
    for (int j = 0; j < 16; j += REG_PIECE)
        JOIN(vstore, REG_PIECE)
        (JOIN(vload, REG_PIECE)(0, run + j), 0, reg_column(panel, c + j, n_k) + (size_t)k * REG_NR);
}

/* 8 x 8 floats turned, from rows 16 apart. */
void reg_turn8(float *out, const float *in) {
    float8 a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = vload8(0, in + 16 * i);
    for (int i = 0; i < 8; i += 2) {
        b[i] = (float8)(a[i].s0, a[i + 1].s0, a[i].s1, a[i + 1].s1, a[i].s4, a[i + 1].s4, a[i].s5, a[i + 1].s5);
        b[i + 1] = (float8)(a[i].s2, a[i + 1].s2, a[i].s3, a[i + 1].s3, a[i].s6, a[i + 1].s6, a[i].s7, a[i + 1].s7);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            float8 p = b[i + j], q = b[i + j + 2];
            a[i + 2 * j] = (float8)(p.s01, q.s01, p.s45, q.s45);
            a[i + 2 * j + 1] = (float8)(p.s23, q.s23, p.s67, q.s67);
        }
    for (int i = 0; i < 4; i++) {
        vstore8((float8)(a[i].lo, a[i + 4].lo), 0, out + 16 * i);
        vstore8((float8)(a[i].hi, a[i + 4].hi), 0, out + 16 * (i + 4));
    }
}

/* Columns column0 .. column0 + REG_SW - 1 of B, rows k0 .. k0 + n_k - 1. */
void reg_fill_along(__local float *panel, const stored_matrix *w, int column0, int N, int k0, int n_k) {
    for (int c = 0; c < REG_SW; c += 16)
        for (int k = 0; k < n_k; k += 16) {
            float run[256], turned[256];
            for (int j = 0; j < 16; j++)
                stored_run(run + 16 * j, stored_row_of(w, min(column0 + c + j, N - 1)), k0 + k, n_k - k);
            reg_turn8(turned, run);
            reg_turn8(turned + 8, run + 128);
            reg_turn8(turned + 128, run + 8);
            reg_turn8(turned + 136, run + 136);
            for (int i = 0; i < min(16, n_k - k); i++)
                reg_put(panel, c, k + i, n_k, turned + 16 * i);
        }
}
void reg_fill_across(__local float *panel, const stored_matrix *w, int column0, int N, int k0, int n_k) {
    for (int k = 0; k < n_k; k++) {
        const stored_row row = stored_row_of(w, k0 + k);
        for (int c = 0; c < min(REG_SW, N - column0); c += 16) {
            float run[16];
            stored_run(run, row, column0 + c, N - column0 - c);
            reg_put(panel, c, k, n_k, run);
        }
    }
}

__kernel void gemm_reg_stored(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                              __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                              STORED_ARGUMENTS,                                 /* (N, K); backward (K, N) */
                              __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                              __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                              int M, int N, int K, int n_tiles, int backward, int most_k,
                              __local float *panel) { /* (REG_SW / NR, min(K, most_k), NR) */
    const stored_matrix w = STORED_MATRIX;
    const int tiles = (M + REG_MR - 1) / REG_MR, tall = reg_tall_tiles(M);
    const int tile = (int)get_global_id(0) * n_tiles, end = min(tile + n_tiles, tiles);
    const int column0 = (int)get_global_id(1) * REG_SW;
    reg_product p;
    p.out = out + out_offset;
    p.a = a + a_offset;
    p.bias = has_bias ? bias + bias_offset : 0;
    p.add = has_add ? add + add_offset : 0;
    p.lda = lda;
    p.ldo = ldo;
    p.M = M;
    p.N = N;
    p.n_ahead = 0;
    p.ahead = panel;
    for (int k0 = 0; k0 < K; k0 += most_k) {
        p.K = min(K - k0, most_k);
        if (backward)
            reg_fill_across(panel, &w, column0, N, k0, p.K);
        else
            reg_fill_along(panel, &w, column0, N, k0, p.K);
        for (p.column0 = column0; p.column0 < min(column0 + REG_SW, N); p.column0 += REG_NR) {
            p.panel = panel + (size_t)(p.column0 - column0) * (size_t)p.K;
            for (int t = tile; t < end; t++)
                reg_tile(p, t, tall);
        }
        p.a += p.K;
        p.bias = 0;
        p.add = p.out;
    }
}
