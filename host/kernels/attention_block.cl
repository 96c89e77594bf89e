/* Query rows of attention that lie one after another in a sequence and share what is loaded of a key, for
 * attention.cl: ATT_ROWS of them, and TILE keys. Every sum has the order it has there for a row
 * alone, so that who is in a block changes no bit: a dot product adds lanes over the head's vectors, then the lanes in
 * the tree of head_sum, here of four rows and four keys at once; a result adds its keys one after another.
 * Flops as in attention.cl. Bytes: a key or value is loaded once for ATT_ROWS rows. Sums over lanes of 16 products take
 * 15 additions and 33 shuffles of whole vectors, instead of 64 of each. */
#ifndef ATT_HELPERS
#define ATT_ROWS 4 /* DUN_ATTENTION_ROWS */

#if HEAD_VW >= 4
/* The lanes of four vectors, added in pairs down to four of each: those of vector r become lanes 4r to 4r + 3. */
#if HEAD_VW == 16
float16 halves(float16 a, float16 b) {
    return (float16)(a.lo, b.lo) + (float16)(a.hi, b.hi);
}
float16 quarters(float16 a, float16 b, float16 c, float16 d) {
    float16 x = halves(a, b), y = halves(c, d);
    return (float16)(x.s0123, x.s89ab, y.s0123, y.s89ab) + (float16)(x.s4567, x.scdef, y.s4567, y.scdef);
}
#elif HEAD_VW == 8
float16 quarters(float8 a, float8 b, float8 c, float8 d) {
    return (float16)(a.lo, b.lo, c.lo, d.lo) + (float16)(a.hi, b.hi, c.hi, d.hi);
}
#else
float16 quarters(float4 a, float4 b, float4 c, float4 d) {
    return (float16)(a, b, c, d);
}
#endif

/* What is left of four keys' lanes: lane 4r + m is the sum of row r and key m. */
float16 eighths(float16 a, float16 b) {
    return (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd) +
           (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef);
}
float16 sums_of_rows(const float16 *part) {
    float16 x = eighths(part[0], part[1]), y = eighths(part[2], part[3]);
    return (float16)(x.s02, y.s02, x.s46, y.s46, x.s8a, y.s8a, x.sce, y.sce) +
           (float16)(x.s13, y.s13, x.s57, y.s57, x.s9b, y.s9b, x.sdf, y.sdf);
}

#define EACH_ROW(r) __attribute__((opencl_unroll_hint)) for (int r = 0; r < ATT_ROWS; r++)
#define EACH_VECTOR(i, n) __attribute__((opencl_unroll_hint)) for (int i = 0; i < (n); i++)

/* dots[r*TILE + j] = x[r] . y_j for j < count, where y_j lies `offset` floats behind visible key first + j. */
void block_dots(float *dots, head_vec (*x)[HEAD_VECTORS], const visible_rows *seen, int first, int count,
                int offset) {
    for (int j = 0; j < count; j += 4) {
        float16 part[4];
        __attribute__((opencl_unroll_hint)) for (int m = 0; m < 4; m += 2) {
            __global const float *y = key_at(seen, first + min(j + m, count - 1)) + offset;
            __global const float *z = key_at(seen, first + min(j + m + 1, count - 1)) + offset;
            head_vec xy[ATT_ROWS], xz[ATT_ROWS];
            EACH_ROW(r) xy[r] = xz[r] = 0.0f;
            EACH_VECTOR(i, HEAD_VECTORS) {
                head_vec yi = head_load(i, y), zi = head_load(i, z);
                EACH_ROW(r) {
                    xy[r] = fma(x[r][i], yi, xy[r]);
                    xz[r] = fma(x[r][i], zi, xz[r]);
                }
            }
            part[m] = quarters(xy[0], xy[1], xy[2], xy[3]);
            part[m + 1] = quarters(xz[0], xz[1], xz[2], xz[3]);
        }
        float16 sums = sums_of_rows(part);
        vstore4(sums.s0123, 0, dots + j);
        vstore4(sums.s4567, 0, dots + TILE + j);
        vstore4(sums.s89ab, 0, dots + 2 * TILE + j);
        vstore4(sums.scdef, 0, dots + 3 * TILE + j);
    }
}

/* sum[r] += weight[r*TILE + j] * y_j for j = 0 ... TILE - 1, one after another; so many vectors of each row at once
 * stay in registers. */
#define PARTS (HEAD_VECTORS <= 5       ? HEAD_VECTORS                                                                  \
               : HEAD_VECTORS % 4 == 0 ? 4                                                                             \
               : HEAD_VECTORS % 3 == 0 ? 3                                                                             \
               : HEAD_VECTORS % 2 == 0 ? 2                                                                             \
                                       : 1)
void block_add(head_vec (*sum)[HEAD_VECTORS], const float *weight, const visible_rows *seen, int first,
               int offset) {
    for (int i0 = 0; i0 < HEAD_VECTORS; i0 += PARTS) {
        head_vec part[ATT_ROWS][PARTS];
        EACH_ROW(r) EACH_VECTOR(i, PARTS) part[r][i] = sum[r][i0 + i];
        for (int j = 0; j < TILE; j++) {
            __global const float *y = key_at(seen, first + j) + offset;
            EACH_VECTOR(i, PARTS) {
                head_vec yi = head_load(i0 + i, y);
                EACH_ROW(r) part[r][i] = fma((head_vec)(weight[r * TILE + j]), yi, part[r][i]);
            }
        }
        EACH_ROW(r) EACH_VECTOR(i, PARTS) sum[r][i0 + i] = part[r][i];
    }
}
#endif

/* Takes a tile's scores of a row into its running softmax (`top` the largest so far, `totals` lanes of the weights'
 * sum, `sum` the weighted values) and returns the weights. Most tiles have no larger score: what was before shrinks
 * by exp(0) = 1. */
float16 soften(float16 score, float *top, float16 *totals, head_vec *sum) {
    float8 top8 = fmax(score.lo, score.hi);
    float4 top4 = fmax(top8.lo, top8.hi);
    float2 top2 = fmax(top4.lo, top4.hi);
    float tile_top = fmax(*top, fmax(top2.x, top2.y));
    float16 weights = exp_negative16(score - tile_top);
    if (*top == tile_top) {
        *totals += weights;
        return weights;
    }
    float shrink = exp_negative(*top - tile_top);
    *top = tile_top;
    *totals = *totals * shrink + weights;
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        sum[i] *= shrink;
    return weights;
}

/* Whether the rows query ... query + rows - 1 are ATT_ROWS neighbours in one sequence. */
bool are_block(int query, int rows, __global const int *sequence, __global const int *row_of) {
    int first = row_of[query], last = row_of[query + rows - 1];
    return rows == ATT_ROWS && last - first == ATT_ROWS - 1 && sequence[first] == sequence[last];
}
#endif
