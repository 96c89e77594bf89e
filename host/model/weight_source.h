/* Where weights come from, without knowing the file: what loaders (io) offer and the engine (nn) takes. */
#ifndef DUN_WEIGHT_SOURCE_H
#define DUN_WEIGHT_SOURCE_H

#include "model/spec.h"

typedef struct {
    const void *self;
    /* Fills rows first_row .. first_row + n_rows - 1 of a slot as floats, (n_rows, columns) row-major in
     * canonical order (spec.h). `layer` counts for per-layer slots only. */
    int (*read)(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                uint32_t n_rows);
} dun_weight_source;

#endif
