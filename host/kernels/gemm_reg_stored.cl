/* gemm_reg_stored: gemm_reg on weights as they lie in the file, in one layout for both directions.
 *   out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add],   forward B = W^T, backward B = W
 * A work-item turns the columns of B that are its own into floats once, in local memory (on a CPU the work-item's
 * share of the second-level cache), laid out as gemm_reg_pack does it, and then computes `n_tiles` tiles of rows on
 * them. So the products and their order are gemm_reg's, to the last bit. Forward, a run of 32 values lies along k, and
 * is turned on the way; backward it lies along the columns.
 * Range: (tiles / n_tiles, columns / REG_SW). Bytes: the stored weights, 4*K*REG_SW of local memory; flops 2*M*N*K and
 * 1 to 3 a weight and range's row of items. */
#define REG_SW 32 /* columns of an item: a run, and whole panels */

/* Where column c of an item's, in row k of B, lies in its panels. */
__local float *reg_place(__local float *panel, int c, int k, int n_k) {
    return panel + (size_t)(c / REG_NR * REG_NR) * (size_t)n_k + (size_t)k * REG_NR + c % REG_NR;
}

/* 8 x 8 words turned in place. */
void reg_turn(float8 a[8]) {
    float8 b[8];
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
        b[i] = (float8)(a[i].s0, a[i + 1].s0, a[i].s1, a[i + 1].s1, a[i].s4, a[i + 1].s4, a[i].s5, a[i + 1].s5);
        b[i + 1] = (float8)(a[i].s2, a[i + 1].s2, a[i].s3, a[i + 1].s3, a[i].s6, a[i + 1].s6, a[i].s7, a[i + 1].s7);
    }
#pragma unroll
    for (int i = 0; i < 8; i += 4)
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float8 p = b[i + j], q = b[i + j + 2];
            a[i + 2 * j] = (float8)(p.s01, q.s01, p.s45, q.s45);
            a[i + 2 * j + 1] = (float8)(p.s23, q.s23, p.s67, q.s67);
        }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float8 low = (float8)(a[i].lo, a[i + 4].lo), high = (float8)(a[i].hi, a[i + 4].hi);
        a[i] = low;
        a[i + 4] = high;
    }
}

/* 8 x 8 floats turned, from rows 32 apart into the columns c .. c + 7 of the panels; the first n_rows of the result. */
void reg_fill_turned(__local float *panel, int c, int k, int n_k, __local const float *in, int n_rows) {
    float8 a[8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        a[i] = vload8(0, in + 32 * i);
    reg_turn(a);
    __local float *out = reg_place(panel, c, k, n_k);
    if (n_rows >= 8) {
#pragma unroll
        for (int i = 0; i < 8; i++)
            vstore8(a[i], 0, out + REG_NR * i);
        return;
    }
    for (int i = 0; i < n_rows; i++)
        vstore8(a[i], 0, out + REG_NR * i);
}

/* Columns that are decoded together: a vector of them, or a turned block. */
#if REG_VW == 16
#    define REG_CW 16
#else
#    define REG_CW 8
#endif
#define reg_columns JOIN(float, REG_CW)
#define reg_codes JOIN(int, REG_CW)

/* A run of the columns c .. c + REG_CW - 1, k .. k + 31 of the panels: four codes at a time are turned as one word, a
 * quarter of the shuffles that floats would take, and become floats of all the columns at once. */
void reg_fill_codes(__local float *panel, const stored_row row, int c, int k, int n_k, int first) {
    uint codes[REG_CW * 8], words[8 * REG_CW];
    float scale[2 * REG_CW], least[2 * REG_CW];
    stored_codes((char *)codes, scale, least, row, REG_CW, first, AHEAD_LINES);
#pragma unroll
    for (int j = 0; j < REG_CW; j += 8) {
        float8 a[8];
#pragma unroll
        for (int i = 0; i < 8; i++)
            a[i] = as_float8(vload8(j + i, codes));
        reg_turn(a);
#pragma unroll
        for (int i = 0; i < 8; i++)
            vstore8(as_uint8(a[i]), 0, words + REG_CW * i + j);
    }
    __local float *out = reg_place(panel, c, k, n_k);
    for (int h = 0; h < 2; h++) {
        const reg_columns s = JOIN(vload, REG_CW)(h, scale), l = JOIN(vload, REG_CW)(h, least);
        for (int i = 4 * h; i < 4 * h + 4; i++) {
            const reg_codes four = JOIN(as_int, REG_CW)(JOIN(vload, REG_CW)(i, words));
#pragma unroll
            for (int shift = 24; shift >= 0; shift -= 8, out += REG_NR)
                JOIN(vstore, REG_CW)(s * JOIN(convert_float, REG_CW)(four << shift >> 24) - l, 0, out);
        }
    }
}

/* Columns column0 .. column0 + REG_SW - 1 of B, rows k0 .. k0 + n_k - 1, laid out as panels. */
void reg_fill_along(__local float *panel, __local float *runs, const stored_matrix *w, int column0, int N,
                    int k0, int n_k) {
    const int end = min(REG_SW, N - column0);
    int n;
    for (int c = 0; c < end; c += n) {
        const int column = column0 + c;
        if (end - c >= REG_CW && stored_in_codes(w, column, REG_CW)) {
            const stored_row row = stored_row_of(w, column);
            n = REG_CW;
            for (int k = 0; k < n_k; k += 32)
                reg_fill_codes(panel, row, c, k, n_k, k0 + k);
            continue;
        }
        n = 8;
        for (int k = 0; k < n_k; k += 32) {
            stored_tile(runs, w, column, min(8, end - c), k0 + k, k0 + n_k, true);
            for (int i = 0; i < min(32, n_k - k); i += 8)
                reg_fill_turned(panel, c, k + i, n_k, runs + i, n_k - k - i);
        }
    }
}
void reg_fill_across(__local float *panel, __local float *runs, const stored_matrix *w, int column0, int N,
                     int k0, int n_k) {
#if REG_NR == REG_SW
    stored_tile(panel, w, k0, n_k, column0, N, false); /* a panel's row is a run */
#else
    for (int k = 0; k < n_k; k += 8) {
        const int n = min(8, n_k - k);
        stored_tile(runs, w, k0 + k, n, column0, N, false);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < 32; j += 8)
                vstore8(vload8(0, runs + 32 * i + j), 0, reg_place(panel, j, k + i, n_k));
    }
#endif
}

__kernel void gemm_reg_stored(__global float *out, ulong out_offset, int ldo,   /* (M, N), rows ldo apart */
                              __global const float *a, ulong a_offset, int lda, /* (M, K), rows lda apart */
                              STORED_ARGUMENTS,                                 /* (N, K); backward (K, N) */
                              __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                              __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                              int M, int N, int K, int n_tiles, int backward, int most_k,
                              __local float *panel,   /* (REG_SW / NR, min(K, most_k), NR) */
                              __local float *runs) {  /* (8, 32) */
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
            reg_fill_across(panel, runs, &w, column0, N, k0, p.K);
        else
            reg_fill_along(panel, runs, &w, column0, N, k0, p.K);
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
