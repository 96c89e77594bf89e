/* Where weights come from, without knowing the file: what loaders (io) offer and the engine (nn) takes. */
#ifndef DUN_WEIGHT_SOURCE_H
#define DUN_WEIGHT_SOURCE_H

#include "model/quant.h"
#include "model/spec.h"

/* A slot as it is stored: rows one after another, each of whole blocks. */
typedef struct {
    const dun_quant_type *type;
    const uint8_t *bytes; /* row_bytes a row, no alignment; valid while the model is open */
    size_t row_bytes;
    uint32_t rows, columns;
    /* Rotary rows stored so that components 2i and 2i + 1 of a head rotate together: the head's rows and how
     * many of them rotate. 0: rows lie in canonical order (spec.h). */
    uint32_t pair_head, pair_rope;
    /* Rows that share a tensor with those of other slots: `group` of them one after another, then those of
     * the next group `stride` rows from the first. 0: no such groups. */
    uint32_t group, stride;
    bool turned; /* stored as (columns, rows), a value a block: row_bytes from one column to the next */
    float added; /* to every value, so that it is what spec.h says */
} dun_raw_rows;

typedef struct {
    const void *self;
    /* Fills rows first_row .. first_row + n_rows - 1 of a slot as floats, (n_rows, columns) row-major in
     * canonical order. `layer` counts for per-layer slots only. */
    int (*read)(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                uint32_t n_rows);
    /* All rows of a slot as they are stored; NULL where weights are stored in no format of quant.def. */
    int (*raw)(dun_raw_rows *out, const void *self, enum dun_slot slot, uint32_t layer);
} dun_weight_source;

/* Where canonical row `row` lies among the stored ones. */
uint32_t dun_raw_row(const dun_raw_rows *raw, uint32_t row);

/* Canonical rows first .. first + n - 1 as floats, (n, columns). They must exist. */
void dun_raw_decode(float *out, const dun_raw_rows *raw, uint32_t first, uint32_t n);

#endif
