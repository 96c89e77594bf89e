/* Rows of activations and frozen weights into parts (parts.cl). Bytes: 4 read and 2 a part written; flops 1 to 3 a number,
 * and some shifts. */

/* parts_rows: a (M, K), rows lda apart, as tiles. A work-group a tile of 16 rows and a block of K: of one item, or of so
 * many times 32. Range: (tiles, blocks). */
__kernel void parts_rows(__global ushort *out, __global const float *a, ulong a_offset, int lda, int M, int K,
                         int n_parts) {
    const int tile = (int)get_group_id(0), tiles = (M + 31) / 32 * 2;
    const int item = (int)get_local_id(0), across = min((int)get_local_size(0), 32);
    const int down = (int)get_local_size(0) / across;
    const int step0 = (int)get_global_id(1) * PARTS_BLOCK;
    const int steps = min((K + PARTS_STEP - 1) / PARTS_STEP - step0, PARTS_BLOCK);
    out += ((size_t)step0 * (size_t)tiles + (size_t)tile * (size_t)steps) * (size_t)n_parts * PARTS_A;
    a += a_offset;
    for (int r = item / across; r < 16; r += down) {
        const int row = tile * 16 + r;
        __global const float *in = a + (size_t)min(row, M - 1) * (size_t)lda;
        for (int s = item % across; s < steps; s += across) {
            const int k = (step0 + s) * PARTS_STEP;
            __global uint *at = (__global uint *)(out + (size_t)(s * n_parts) * PARTS_A + r * PARTS_STEP);
            const float16 x = row < M ? parts_load(in + k, K - k) : (float16)(0.0f);
            const float16 y = row < M ? parts_load(in + k + 16, K - k - 16) : (float16)(0.0f);
            const float16 even = (float16)(x.even, y.even), odd = (float16)(x.odd, y.odd);
            const uint16 high_even = parts_round(even), high_odd = parts_round(odd);
            vstore16(high_even | high_odd << 16, 0, at);
            if (n_parts > 1)
                vstore16(parts_round(even - parts_value(high_even)) | parts_round(odd - parts_value(high_odd)) << 16,
                         0, at + PARTS_A / 2);
        }
    }
}

/* parts_pack: B (K, N), B(k, n) = w[n * stride_n + k * stride_k], as panels. One of the strides is 1. A
 * work-group, of PARTS_ITEMS items at the most, a panel and a block of K. Range: (panels, blocks). */
__kernel void parts_pack(__global ushort *out, __global const float *w, int stride_n, int stride_k, int N, int K,
                         int n_parts) {
    const int panel = (int)get_group_id(0), block = (int)get_global_id(1);
    const int steps = (K + PARTS_STEP - 1) / PARTS_STEP, blocks = (steps + PARTS_BLOCK - 1) / PARTS_BLOCK;
    const int n = min(N - panel * 32, 32);
    __local uint all[PARTS_ITEMS];
    uint found = 0;
    w += (size_t)(panel * 32) * (size_t)stride_n;
    for (int s = block * PARTS_BLOCK + (int)get_local_id(0); s < min((block + 1) * PARTS_BLOCK, steps);
         s += (int)get_local_size(0)) {
        float b[PARTS_STEP][32];
        const int k0 = s * PARTS_STEP, n_k = min(K - k0, PARTS_STEP);
        for (int k = 0; k < PARTS_STEP; k++)
            for (int j = 0; j < 32; j++)
                b[k][j] = 0.0f;
        if (stride_k == 1)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n_k; k++)
                    b[k][j] = w[(size_t)j * (size_t)stride_n + (size_t)(k0 + k)];
        else
            for (int k = 0; k < n_k; k++)
                for (int j = 0; j < n; j++)
                    b[k][j] = w[(size_t)(k0 + k) * (size_t)stride_k + (size_t)(j * stride_n)];
        found |= parts_encode(out + parts_place(panel, s, steps, n_parts), b[0], n_parts);
    }
    found = parts_found(found, all);
    __global uint *low = (__global uint *)(out + parts_place((N + 31) / 32, 0, steps, n_parts));
    if (get_local_id(0) == 0)
        low[(size_t)panel * (size_t)blocks + (size_t)block] = found;
}
