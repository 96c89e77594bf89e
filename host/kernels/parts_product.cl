/* parts_product: out (M, N) = a (M, K) * B (K, N) [+ bias (N)] [+ add] of factors in parts (parts.cl), with float32 sums.
 *   half, one part each:   a_high B_high
 *   split, two parts each: a_low B_high + a_high B_low + a_high B_high, whose error is float32's but for some 2^-18 of a
 *   factor; without the second where a block of B has no low parts
 * A work-item (work-group of 1) computes `panels` panels of columns and `pairs` pairs of row tiles: its rows stay in the
 * second-level cache while panels pass, and a panel while its rows do. What computes 32 x 32 outputs over a block is the
 * variant's: parts_tile, between PARTS_BEGIN and PARTS_END. Backward is itself on the other panels.
 * Range: (panels / panels, pairs / pairs). 2*M*N*K multiplications and additions a product of parts; 2 bytes a part of B
 * once for every `pairs` pairs. */

/* OpenCL's own prefetch() does nothing in PoCL; clang's builtin takes a pointer without an address space. */
#define PARTS_AHEAD(p, write)
#if defined(__has_builtin)
#    if __has_builtin(__builtin_prefetch)
#        undef PARTS_AHEAD
#        define PARTS_AHEAD(p, write) __builtin_prefetch((const void *)(size_t)(p), write)
#    endif
#endif

/* Asks for what parts_finish will touch, while sums are computed: its rows lie far apart. */
void parts_ahead(__global float *out, __global const float *add, int rows, size_t ldo) {
    for (int r = 0; r < min(rows, 32); r++) {
        PARTS_AHEAD(out + (size_t)r * ldo, 1);
        PARTS_AHEAD(out + (size_t)r * ldo + 16, 1);
        if (add && add != out) {
            PARTS_AHEAD(add + (size_t)r * ldo, 0);
            PARTS_AHEAD(add + (size_t)r * ldo + 16, 0);
        }
    }
}

/* 32 x 32 sums where they go. Behind the first block they are added to what is there. */
void parts_finish(const float *c, __global float *out, __global const float *bias, __global const float *add, int rows,
                  int columns, size_t ldo) {
    for (int r = 0; r < min(rows, 32); r++)
        for (int j = 0; j < min(columns, 32); j += 16) {
            const size_t at = (size_t)r * ldo + (size_t)j;
            float16 sum = vload16(0, c + 32 * r + j);
            if (bias)
                sum += parts_load(bias + j, columns - j);
            if (add)
                sum += parts_load(add + at, columns - j);
            if (columns - j >= 16) {
                vstore16(sum, 0, out + at);
            } else {
                float lanes[16];
                vstore16(sum, 0, lanes);
                for (int i = 0; i < columns - j; i++)
                    out[at + (size_t)i] = lanes[i];
            }
        }
}

__kernel void parts_product(__global float *out, ulong out_offset, int ldo, /* (M, N), rows ldo apart */
                            __global const ushort *a, __global const ushort *b,
                            __global const float *bias, ulong bias_offset, int has_bias, /* (N) */
                            __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
                            int M, int N, int K, int n_parts, int panels, int pairs) {
    const int steps = (K + PARTS_STEP - 1) / PARTS_STEP, blocks = (steps + PARTS_BLOCK - 1) / PARTS_BLOCK;
    const int all_panels = (N + 31) / 32, all_pairs = (M + 31) / 32;
    const int panel0 = (int)get_global_id(0) * panels, panel_end = min(panel0 + panels, all_panels);
    const int pair0 = (int)get_global_id(1) * pairs, pair_end = min(pair0 + pairs, all_pairs);
    __global const uint *low = (__global const uint *)(b + parts_place(all_panels, 0, steps, n_parts));
    float c[32 * 32];
    PARTS_BEGIN
    for (int block = 0; block < blocks; block++) {
        const int step0 = block * PARTS_BLOCK, n = min(steps - step0, PARTS_BLOCK);
        const size_t tile = (size_t)(n * n_parts) * PARTS_A;
        __global const ushort *rows = a + (size_t)step0 * (size_t)(2 * all_pairs * n_parts) * PARTS_A;
        for (int panel = panel0; panel < panel_end; panel++) {
            const bool exact = n_parts == 1 || !low[(size_t)panel * (size_t)blocks + (size_t)block];
            __global const ushort *columns = b + parts_place(panel, step0, steps, n_parts);
            for (int pair = pair0; pair < pair_end; pair++) {
                const size_t at = (size_t)pair * 32 * (size_t)ldo + (size_t)panel * 32;
                __global float *to = out + out_offset + at;
                __global const float *from = block ? to : has_add ? add + add_offset + at : 0;
                parts_ahead(to, from, M - pair * 32, (size_t)ldo);
                parts_tile(c, rows + 2 * (size_t)pair * tile, tile, columns, n, n_parts, exact);
                parts_finish(c, to, has_bias && !block ? bias + bias_offset + panel * 32 : 0, from, M - pair * 32,
                             N - panel * 32, (size_t)ldo);
            }
        }
    }
    PARTS_END
}
