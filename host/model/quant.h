/* The formats in which weights are stored (quant.def), and their exact conversion to float32. */
#ifndef DUN_QUANT_H
#define DUN_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ids of what is read: DUN_QUANT_F32 ... */
enum dun_quant_id {
#define STORED(name, id, ...) DUN_QUANT_##name = (id),
#define NAMED(name, id, instead)
#include "model/quant.def"
#undef STORED
#undef NAMED
};

enum { DUN_QUANT_OWN = 1 << 16 }; /* ids from here on are not ggml's */

typedef struct {
    uint32_t id; /* ggml's */
    const char *name;
    uint32_t block_values; /* values a block holds */
    uint32_t block_bytes;  /* 0: known by name only, not read, */
    const char *instead;   /* and this format to ask for; else NULL */
} dun_quant_type;

/* The row of the table for an id, or for a name; NULL for an unknown one. */
const dun_quant_type *dun_quant_find(uint32_t id);
const dun_quant_type *dun_quant_named(const char *name);

/* Writes the names of what is read, "F32, F16, ...", cut to `size` bytes. */
void dun_quant_supported(char *out, size_t size);

/* Decodes n values (a multiple of the block) of a type that is read. `data` needs no alignment. */
void dun_quant_to_f32(float *out, uint32_t type, const uint8_t *data, size_t n);

/* False when one of n values (a multiple of the block) would come out as NaN or infinite: looks only at
 * the scales of quantised blocks, since a finite half times small integers is finite. */
bool dun_quant_finite(uint32_t type, const uint8_t *data, size_t n);

float dun_half_to_f32(uint16_t bits);

/* The nearest half, ties to even; beyond 65519 infinity. */
uint16_t dun_half_from_f32(float value);

#endif
