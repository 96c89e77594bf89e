/* Storage types of tensors in GGUF files and their exact conversion to float32 (ggml's block formats). */
#ifndef DUN_QUANT_H
#define DUN_QUANT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t id; /* ggml type id */
    const char *name;
    uint32_t block_values; /* values a block holds */
    uint32_t block_bytes;  /* 0: known by name only, not supported */
} dun_quant_type;

/* The row of the table for an id; NULL for an unknown id. */
const dun_quant_type *dun_quant_find(uint32_t id);

/* Dequantises n values (a multiple of the block) of a supported type. */
void dun_quant_to_f32(float *out, uint32_t type, const uint8_t *data, size_t n);

float dun_half_to_f32(uint16_t bits);

#endif
