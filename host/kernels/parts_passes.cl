/* A tile of products of parts as a pass over eight rows for every product of two parts (parts_pass), for variants that
 * compute it so. */

/* c (32, 32) of two row tiles, `next` ushorts apart, and a panel, over `steps` steps. */
void parts_tile(float *c, __global const ushort *a, size_t next, __global const ushort *b, int steps, int n_parts,
                bool exact) {
    __global const uint *high = (__global const uint *)b;
    const int a_step = n_parts * PARTS_A / 2, b_step = n_parts * PARTS_B / 2;
    for (int r = 0; r < 32; r += 8) {
        __global const uint *rows = (__global const uint *)(a + (size_t)(r / 16) * next) + r % 16 * 16;
        if (n_parts > 1)
            parts_pass(c + 32 * r, rows + PARTS_A / 2, high, steps, a_step, b_step, false);
        if (!exact)
            parts_pass(c + 32 * r, rows, high + PARTS_B / 2, steps, a_step, b_step, true);
        parts_pass(c + 32 * r, rows, high, steps, a_step, b_step, n_parts > 1);
    }
}
