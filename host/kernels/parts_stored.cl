/* parts_pack_stored: parts_pack of weights as they lie in the file, decoded on the way: columns `first` to first + N - 1
 * of B as if they were all of it; forward B = W^T, backward B = W. 1 to 3 flops a weight to decode it, its stored bytes
 * read. A work-group, as for parts_pack, a panel and a block of K. Range: (panels, blocks). */
__kernel void parts_pack_stored(__global ushort *out, STORED_ARGUMENTS, int backward, int first, int N, int K,
                                int n_parts) {
    const stored_matrix w = STORED_MATRIX;
    const int panel = (int)get_group_id(0), block = (int)get_global_id(1);
    const int steps = (K + PARTS_STEP - 1) / PARTS_STEP, blocks = (steps + PARTS_BLOCK - 1) / PARTS_BLOCK;
    const int n = min(N - panel * 32, 32), column = first + panel * 32;
    __local uint all[PARTS_ITEMS];
    uint found = 0;
    for (int s = block * PARTS_BLOCK + (int)get_local_id(0); s < min((block + 1) * PARTS_BLOCK, steps);
         s += (int)get_local_size(0)) {
        float b[PARTS_STEP][32], runs[32][PARTS_STEP];
        const int k0 = s * PARTS_STEP, n_k = min(K - k0, PARTS_STEP);
        if (backward) { /* a run lies along the columns */
            for (int k = n_k; k < PARTS_STEP; k++)
                for (int j = 0; j < 32; j++)
                    b[k][j] = 0.0f;
            stored_tile(b[0], &w, k0, n_k, column, first + N, false);
        } else {
            for (int j = n; j < 32; j++)
                for (int k = 0; k < PARTS_STEP; k++)
                    runs[j][k] = 0.0f;
            stored_tile(runs[0], &w, column, n, k0, K, true);
            for (int k = 0; k < PARTS_STEP; k++)
                for (int j = 0; j < 32; j++)
                    b[k][j] = runs[j][k];
        }
        found |= parts_encode(out + parts_place(panel, s, steps, n_parts), b[0], n_parts);
    }
    found = parts_found(found, all);
    __global uint *low = (__global uint *)(out + parts_place((N + 31) / 32, 0, steps, n_parts));
    if (get_local_id(0) == 0)
        low[(size_t)panel * (size_t)blocks + (size_t)block] = found;
}
