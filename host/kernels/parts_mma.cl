/* parts_product (parts_product.cl has its formulas) by the matrix units of NVIDIA's GPUs of compute capability 8.0 and
 * later, the variant `nvidia_mma`: a warp multiplies 16 x 16 numbers of bfloat16 by 16 x 8 at a time, with float32 sums.
 * A work-group of 128 items, four warps, computes 64 x 64 outputs, a warp 32 x 32 as 2 x 4 tiles of 16 x 8. For every step
 * of 32 of K the parts of 64 rows and of two panels go through local memory, which has two places for them: while one
 * step is multiplied, the next is on its way from memory into registers. Rows and pairs there lie so far apart that no
 * two lanes of a warp read the same bank.
 * The units cut off what a sum has no place for, where others round; so their sums begin anew with every step, the
 * smaller products first, and are added to float32 registers, which round. Backward is itself on the other panels.
 * Range: (panels / 2, pairs of row tiles / 2). 2*M*N*K multiplications and additions a product of parts; bytes from
 * memory 2 a part of B ceil(M/64) times, of a ceil(N/64) times, at best from cache; 38,912 bytes of local memory. */
#define MMA_ITEMS 128
#define MMA_ROW 20   /* uints from row to row of a in local memory; 16 pairs of k are used */
#define MMA_PAIR 72  /* from pair to pair of k of b; 64 columns are used */
#define MMA_A (64 * MMA_ROW / 4)
#define MMA_B (16 * MMA_PAIR / 4) /* uint4s of one part of a step */

#define MMA_INLINE __attribute__((always_inline)) /* else arrays of sums would have addresses */

#ifdef __NV_CL_C_VERSION
#    define MMA_ASM asm
#else
#    define MMA_ASM __asm__ /* by which clang knows it in OpenCL C */
#endif

/* c + a b of a warp: c (16, 8), a (16, 16), b (16, 8), of which lane l = 4 g + t has, in pairs of k,
 *   a  (row g, pair t), (g + 8, t), (g, t + 4), (g + 8, t + 4)      b  (pair t, column g), (t + 4, g)
 *   c  (row g, columns 2 t and 2 t + 1), (g + 8, the same)
 * as in "Matrix Fragments for mma.m16n8k16 with floating point type" of the PTX ISA. All lanes come here together. */
MMA_INLINE float4 parts_mma(float4 c, uint4 a, uint2 b) {
    float x = c.x, y = c.y, z = c.z, w = c.w;
    MMA_ASM volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                     "{%0,%1,%2,%3};"
                     : "+f"(x), "+f"(y), "+f"(z), "+f"(w)
                     : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
    return (float4)(x, y, z, w);
}

/* What a work-group multiplies: four row tiles and two panels, from the first ones on. */
typedef struct {
    __global const uint4 *a, *b;
    int tile, tiles, panel, panels, steps, n_parts;
    bool exact; /* without low parts of b */
} mma_source;

/* A step's share of an item, from memory: `next` (2, 2, 2), two uint4 of each part of a, then of b; zeros beyond the last
 * tile and panel. */
MMA_INLINE void mma_fetch(uint4 *next, const mma_source *from, int step) {
    const int item = (int)get_local_id(0), before = step / PARTS_BLOCK * PARTS_BLOCK;
    const int n = min(from->steps - before, PARTS_BLOCK); /* steps of its block */
#pragma unroll
    for (int part = 0; part < 2; part++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int tile = from->tile + 2 * j + item / 64, panel = from->panel + j;
            const size_t of_a = (size_t)before * (size_t)from->tiles + (size_t)tile * (size_t)n + (size_t)(step - before);
            const size_t of_b = (size_t)panel * (size_t)from->steps + (size_t)step;
            const size_t n_parts = (size_t)from->n_parts;
            next[2 * part + j] = next[4 + 2 * part + j] = (uint4)(0);
            if (part < from->n_parts && tile < from->tiles)
                next[2 * part + j] = from->a[(of_a * n_parts + (size_t)part) * 64 + (size_t)(item % 64)];
            if ((part == 0 || !from->exact) && panel < from->panels)
                next[4 + 2 * part + j] = from->b[(of_b * n_parts + (size_t)part) * 128 + (size_t)item];
        }
}

/* And into local memory: rows (2, 64, MMA_ROW), columns (2, 16, MMA_PAIR). */
MMA_INLINE void mma_keep(__local uint4 *rows, __local uint4 *columns, const uint4 *next, int n_parts, bool exact) {
    const int item = (int)get_local_id(0), line = item % 64 / 4, quarter = item % 4;
#pragma unroll
    for (int part = 0; part < 2; part++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
            if (part < n_parts)
                rows[part * MMA_A + (16 * (2 * j + item / 64) + line) * MMA_ROW / 4 + quarter] = next[2 * part + j];
            if (part == 0 || !exact)
                columns[part * MMA_B + line * MMA_PAIR / 4 + 8 * j + 4 * (item / 64) + quarter] = next[4 + 2 * part + j];
        }
}

/* What a lane has of 32 rows and of 32 columns of a part, both from its pair t of the first ones on. */
MMA_INLINE void mma_rows(uint4 *a, __local const uint *at) {
#pragma unroll
    for (int i = 0; i < 2; i++, at += 16 * MMA_ROW)
        a[i] = (uint4)(at[0], at[8 * MMA_ROW], at[4], at[8 * MMA_ROW + 4]);
}
MMA_INLINE void mma_columns(uint2 *b, __local const uint *at) {
#pragma unroll
    for (int i = 0; i < 4; i++, at += 8)
        b[i] = (uint2)(at[0], at[4 * MMA_PAIR]);
}

/* c (2, 4), a float4 a tile, += a b. */
MMA_INLINE void mma_tiles(float4 *c, const uint4 *a, const uint2 *b) {
#pragma unroll
    for (int i = 0; i < 8; i++)
        c[i] = parts_mma(c[i], a[i / 4], b[i % 4]);
}

/* sums (2, 4) of a warp += a step. */
MMA_INLINE void mma_step(float4 *sums, __local const uint *rows, __local const uint *columns, int n_parts, bool exact) {
    const int warp = (int)get_local_id(0) / 32, g = (int)get_local_id(0) % 32 / 4, t = (int)get_local_id(0) % 4;
    float4 c[8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        c[i] = (float4)(0.0f);
    rows += (warp / 2 * 32 + g) * MMA_ROW + t;
    columns += t * MMA_PAIR + warp % 2 * 32 + g;
#pragma unroll
    for (int k = 0; k < 2; k++, rows += 8, columns += 8 * MMA_PAIR) { /* halves of the step */
        uint4 a[2], low_a[2];
        uint2 b[4], low_b[4];
        mma_rows(a, rows);
        mma_columns(b, columns);
        if (n_parts > 1) {
            mma_rows(low_a, rows + 4 * MMA_A);
            mma_tiles(c, low_a, b);
        }
        if (!exact) {
            mma_columns(low_b, columns + 4 * MMA_B);
            mma_tiles(c, a, low_b);
        }
        mma_tiles(c, a, b);
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        sums[i] += c[i];
}

/* Where sums go, and what is added on the way; NULL: nothing. */
typedef struct {
    __global float *out;
    __global const float *bias, *add;
    int M, N;
    size_t ldo;
} mma_target;

MMA_INLINE void mma_finish_one(const mma_target *to, int row, int column, float sum) {
    const size_t at = (size_t)row * to->ldo + (size_t)column;
    if (row >= to->M || column >= to->N)
        return;
    if (to->bias)
        sum += to->bias[column];
    if (to->add)
        sum += to->add[at];
    to->out[at] = sum;
}

__kernel __attribute__((reqd_work_group_size(MMA_ITEMS, 1, 1))) void parts_product(
    __global float *out, ulong out_offset, int ldo, /* (M, N), rows ldo apart */
    __global const ushort *a, __global const ushort *b, __global const float *bias, ulong bias_offset,
    int has_bias,                                            /* (N) */
    __global const float *add, ulong add_offset, int has_add, /* as out; may be out */
    int M, int N, int K, int n_parts, int panels, int pairs /* 2 and 2 */) {
    __local uint4 rows[2][2 * MMA_A], columns[2][2 * MMA_B];
    const int steps = (K + PARTS_STEP - 1) / PARTS_STEP, all_panels = (N + 31) / 32;
    const int warp = (int)get_local_id(0) / 32, g = (int)get_local_id(0) % 32 / 4, t = (int)get_local_id(0) % 4;
    const mma_target to = {out + out_offset, has_bias ? bias + bias_offset : 0, has_add ? add + add_offset : 0, M, N,
                           (size_t)ldo};
    mma_source from = {(__global const uint4 *)a,
                       (__global const uint4 *)b,
                       2 * pairs * (int)get_group_id(1),
                       (M + 31) / 32 * 2,
                       panels * (int)get_group_id(0),
                       all_panels,
                       steps,
                       n_parts,
                       true};
    float4 sums[8];
    uint4 next[8];
    if (n_parts > 1) {
        const int blocks = (steps + PARTS_BLOCK - 1) / PARTS_BLOCK, end = min(from.panel + panels, all_panels);
        __global const uint *low = (__global const uint *)(b + parts_place(all_panels, 0, steps, n_parts));
        for (int i = from.panel * blocks; i < end * blocks; i++)
            from.exact = from.exact && low[i] == 0;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        sums[i] = (float4)(0.0f);
    mma_fetch(next, &from, 0);
    mma_keep(rows[0], columns[0], next, n_parts, from.exact);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int s = 0; s < steps; s++) {
        if (s + 1 < steps)
            mma_fetch(next, &from, s + 1);
        mma_step(sums, (__local const uint *)rows[s % 2], (__local const uint *)columns[s % 2], n_parts, from.exact);
        if (s + 1 < steps)
            mma_keep(rows[(s + 1) % 2], columns[(s + 1) % 2], next, n_parts, from.exact);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int row = 16 * from.tile + warp / 2 * 32 + i / 4 * 16 + g;
        const int column = 32 * from.panel + warp % 2 * 32 + i % 4 * 8 + 2 * t;
        mma_finish_one(&to, row, column, sums[i].x);
        mma_finish_one(&to, row, column + 1, sums[i].y);
        mma_finish_one(&to, row + 8, column, sums[i].z);
        mma_finish_one(&to, row + 8, column + 1, sums[i].w);
    }
}
