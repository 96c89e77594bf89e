/* Factors of a product as one or two bfloat16 numbers each, its parts: high, x rounded to 8 bits, and low, what is left
 * of it rounded likewise. What the programs about them share: roundings, layouts and what follows a sum.
 *
 * A step is 32 of K, a block 24 steps, and sums are taken block by block, whatever K is cut into elsewhere.
 *   a: tiles of 16 rows, (blocks, tiles, steps of the block, parts, 16, 32); an even number of tiles, zeros beyond M and K
 *   b: panels of 32 columns, (panels, steps, parts, 2, 16, 16, 2): columns in two halves of 16, K in pairs; zeros beyond
 *      N and K; behind them a uint for each panel and block, (panels, blocks): 0 where all low parts of b are zeros
 * Both are what matrix units of x86 processors read (TDPBF16PS): 16 rows of 64 bytes. */
#define PARTS_STEP 32
#define PARTS_BLOCK 24 /* steps; as in gemm_parts.c */
#define PARTS_A 512    /* ushorts of a tile of a, of one part of one step */
#define PARTS_B 1024   /* and of a panel of b */
#define PARTS_ITEMS 32 /* most that pack a block of a panel together; as in gemm_parts.c */

/* To nearest, ties to even, as the lower halves of uints; a NaN stays one. */
uint16 parts_round(float16 x) {
    const uint16 bits = as_uint16(x), rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    return select(rounded, bits | 0x400000u, (bits & 0x7fffffffu) > 0x7f800000u) >> 16;
}
float16 parts_value(uint16 part) {
    return as_float16(part << 16);
}

/* The first n numbers, then zeros. */
float16 parts_load(__global const float *in, int n) {
    if (n >= 16)
        return vload16(0, in);
    float lanes[16];
    for (int j = 0; j < 16; j++)
        lanes[j] = j < n ? in[j] : 0.0f;
    return vload16(0, lanes);
}

/* A step of a panel from b (32, 32), k first. Which bits its low parts have. */
uint parts_encode(__global ushort *out, const float *b, int n_parts) {
    uint16 found = 0;
    __global uint *pairs = (__global uint *)out;
    for (int t = 0; t < 2; t++)
        for (int p = 0; p < 16; p++) {
            const float16 even = vload16(0, b + 64 * p + 16 * t), odd = vload16(0, b + 64 * p + 32 + 16 * t);
            const uint16 high_even = parts_round(even), high_odd = parts_round(odd);
            vstore16(high_even | high_odd << 16, 16 * t + p, pairs);
            if (n_parts > 1) {
                const uint16 low = parts_round(even - parts_value(high_even)) |
                                   parts_round(odd - parts_value(high_odd)) << 16;
                vstore16(low, 16 * t + p, pairs + PARTS_B / 2);
                found |= low;
            }
        }
    uint bits[16], all = 0;
    vstore16(found, 0, bits);
    for (int j = 0; j < 16; j++)
        all |= bits[j];
    return all;
}

/* Where panel and step lie in b; where its uints begin. */
size_t parts_place(int panel, int step, int steps, int n_parts) {
    return ((size_t)panel * (size_t)steps + (size_t)step) * (size_t)n_parts * PARTS_B;
}

/* The bits that any item of a work-group has found, `all` of its local memory. */
uint parts_found(uint found, __local uint *all) {
    if (get_local_size(0) == 1)
        return found;
    all[get_local_id(0)] = found;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (size_t i = 0; i < get_local_size(0); i++)
        found |= all[i];
    return found;
}
