/* Keys and values kept in half precision: half the memory, widened again into scratch rows when a batch needs
 * them, so that attention reads floats only. Storage needs no extension: vload_half and vstore_half are core.
 * One work-group a row (see preface.cl); bound by memory: 6 bytes a number either way, and no
 * flops but the conversion. */

/* kv_keep: kept[kept_row + r] = half(cache[cache_row + r]), rounded to nearest even; what half cannot hold
 * becomes its largest number, never infinity; a NaN stays one. Range: rows groups. */
#define HALF_RANGE(x) select(clamp(x, -65504.0f, 65504.0f), x, isnan(x))
__kernel void kv_keep(__global half *kept,        /* (kept rows, columns) */
                      __global const float *cache, /* (cached rows, columns) */
                      int kept_row, int cache_row, int columns) {
    size_t r = get_group_id(0);
    kept += ((size_t)kept_row + r) * (size_t)columns;
    cache += ((size_t)cache_row + r) * (size_t)columns;
    FOR_VECTORS(i, columns)
        JOIN(vstore_half, VW)(HALF_RANGE(vec_load(i, cache)), i, kept);
    FOR_REST(j, columns)
        vstore_half(HALF_RANGE(cache[j]), j, kept);
}

/* kv_recall: cache[rows[2r]] = float(kept[rows[2r + 1]]), exactly. Range: rows groups. */
__kernel void kv_recall(__global float *cache,      /* (cached rows, columns) */
                        __global const half *kept,  /* (kept rows, columns) */
                        __global const int *rows,   /* (n, 2) */
                        int columns) {
    size_t r = get_group_id(0);
    cache += (size_t)rows[2 * r] * (size_t)columns;
    kept += (size_t)rows[2 * r + 1] * (size_t)columns;
    FOR_VECTORS(i, columns)
        vec_store(JOIN(vload_half, VW)(i, kept), i, cache);
    FOR_REST(j, columns)
        cache[j] = vload_half(j, kept);
}
