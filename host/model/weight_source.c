/* Stored rows in canonical order, and as floats. */
#include "model/weight_source.h"

/* With R = pair_rope and i the component within its head:
 *     canonical i < R/2         <- stored 2 i
 *     canonical R/2 <= i < R    <- stored 2 (i - R/2) + 1
 *     canonical i >= R          <- stored i           (these do not rotate)
 * so that the pair (i, i + R/2) is the stored pair (2i, 2i + 1), with the same angle. */
uint32_t dun_raw_row(const dun_raw_rows *raw, uint32_t row) {
    if (!raw->pair_head)
        return row;
    uint32_t i = row % raw->pair_head, half = raw->pair_rope / 2;
    if (i >= raw->pair_rope)
        return row;
    return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

void dun_raw_decode(float *out, const dun_raw_rows *raw, uint32_t first, uint32_t n) {
    size_t columns = raw->columns;
    if (!raw->pair_head) {
        dun_quant_to_f32(out, raw->type->id, raw->bytes + first * raw->row_bytes, n * columns);
        return;
    }
    for (uint32_t row = 0; row < n; row++)
        dun_quant_to_f32(out + row * columns, raw->type->id,
                         raw->bytes + dun_raw_row(raw, first + row) * raw->row_bytes, columns);
}
