/* Stored rows in canonical order, and as floats. */
#include "model/weight_source.h"

#include <assert.h>

/* With R = pair_rope and i the component within its head:
 *     canonical i < R/2         <- stored 2 i
 *     canonical R/2 <= i < R    <- stored 2 (i - R/2) + 1
 *     canonical i >= R          <- stored i           (these do not rotate)
 * so that the pair (i, i + R/2) is the stored pair (2i, 2i + 1), with the same angle. */
static uint32_t pair_row(const dun_raw_rows *raw, uint32_t row) {
    if (!raw->pair_head)
        return row;
    uint32_t i = row % raw->pair_head, half = raw->pair_rope / 2;
    if (i >= raw->pair_rope)
        return row;
    return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

uint32_t dun_raw_row(const dun_raw_rows *raw, uint32_t row) {
    row = pair_row(raw, row);
    return raw->group ? row / raw->group * raw->stride + row % raw->group : row;
}

/* A row is a column as it is stored: runs of a column's values are read and spread over the rows. Such rows
 * lie one after another. */
static void decode_turned(float *out, const dun_raw_rows *raw, uint32_t first, uint32_t n) {
    enum { RUN = 256 };
    float values[RUN];
    assert(!raw->group && !raw->pair_head);
    for (uint32_t done = 0; done < n; done += RUN) {
        const uint32_t count = n - done < RUN ? n - done : RUN;
        for (uint32_t column = 0; column < raw->columns; column++) {
            dun_quant_to_f32(values, raw->type->id,
                             raw->bytes + column * raw->row_bytes +
                                 (size_t)(first + done) * raw->type->block_bytes,
                             count);
            for (uint32_t row = 0; row < count; row++)
                out[(size_t)(done + row) * raw->columns + column] = values[row];
        }
    }
}

void dun_raw_decode(float *out, const dun_raw_rows *raw, uint32_t first, uint32_t n) {
    const size_t columns = raw->columns;
    if (raw->turned)
        decode_turned(out, raw, first, n);
    else if (!raw->pair_head && !raw->group)
        dun_quant_to_f32(out, raw->type->id, raw->bytes + first * raw->row_bytes, n * columns);
    else
        for (uint32_t row = 0; row < n; row++)
            dun_quant_to_f32(out + row * columns, raw->type->id,
                             raw->bytes + dun_raw_row(raw, first + row) * raw->row_bytes, columns);
    for (size_t i = 0; raw->added != 0 && i < n * columns; i++)
        out[i] += raw->added;
}
