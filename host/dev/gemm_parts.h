/* Private to host/dev: what a GEMM has for products of factors in parts. */
#ifndef DUN_GEMM_PARTS_H
#define DUN_GEMM_PARTS_H

#include "dev/gemm_provider.h"

/* Builds the kernels. After dun_gemm_create. */
int dun_parts_create(dun_gemm *gemm, const dun_precision *precision, const dun_variant *variant);
void dun_parts_free(dun_gemm *gemm);

/* Parts of the factors of a product, 0: floats. */
int dun_parts_of(const dun_gemm *gemm, bool backward);

/* A staged weight (rows, columns) as panels for one direction. */
int dun_parts_pack(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows,
                   uint32_t columns, bool backward);

/* Before products with weights that stay as they are stored. */
int dun_parts_use_stored(dun_gemm *gemm);

/* A product with b as panels, or stored. */
int dun_parts_run(dun_gemm *gemm, const dun_product *whole);

#endif
