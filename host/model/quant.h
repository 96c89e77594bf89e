/* Storage types of tensors in GGUF files and their exact conversion to float32 (ggml's block formats). */
#ifndef DUN_QUANT_H
#define DUN_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ggml ids of the supported types. */
enum dun_quant_id {
    DUN_QUANT_F32 = 0,
    DUN_QUANT_F16 = 1,
    DUN_QUANT_Q4_0 = 2,
    DUN_QUANT_Q4_1 = 3,
    DUN_QUANT_Q5_0 = 6,
    DUN_QUANT_Q5_1 = 7,
    DUN_QUANT_Q8_0 = 8,
    DUN_QUANT_BF16 = 30
};

typedef struct {
    uint32_t id; /* ggml type id */
    const char *name;
    uint32_t block_values; /* values a block holds */
    uint32_t block_bytes;  /* 0: known by name only, not supported */
} dun_quant_type;

/* The row of the table for an id; NULL for an unknown id. */
const dun_quant_type *dun_quant_find(uint32_t id);

/* Writes the names of the supported types, "F32, F16, ...", cut to `size` bytes. */
void dun_quant_supported(char *out, size_t size);

/* Dequantises n values (a multiple of the block) of a supported type. `data` needs no alignment. */
void dun_quant_to_f32(float *out, uint32_t type, const uint8_t *data, size_t n);

/* False when one of n values (a multiple of the block) would come out as NaN or infinite: looks only at
 * the scales of quantised blocks, since a finite half times a small integer is finite. */
bool dun_quant_finite(uint32_t type, const uint8_t *data, size_t n);

float dun_half_to_f32(uint16_t bits);

/* The nearest half, ties to even; beyond 65519 infinity. */
uint16_t dun_half_from_f32(float value);

#endif
