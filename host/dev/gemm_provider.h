/* Private to host/dev: what a GEMM provider supplies. One row of the table in gemm.c each. */
#ifndef DUN_GEMM_PROVIDER_H
#define DUN_GEMM_PROVIDER_H

#include "gemm.h"

/* One product: out (M, N) at out_offset = a (M, K) B (K, N) [+ add], B in the provider's layout for that
 * direction. */
typedef struct {
    dun_buffer *out;
    size_t out_offset;
    const dun_buffer *a, *b, *add;
    uint32_t M, N, K;
    bool backward; /* b is (K, N) = (rows, columns) of the weight; else its transpose */
} dun_product;

typedef struct {
    const char *name;
    /* NULL when the provider can run on the device, else why not. */
    const char *(*cannot)(const dun_device_info *info);
    /* Kernels the provider needs, NULL-terminated. */
    const char *kernels[3];
    /* Lays a staged weight out for one direction; NULL when both directions use a plain copy. */
    int (*pack)(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows, uint32_t columns,
                bool backward);
    int (*run)(dun_gemm *gemm, const dun_product *product);
} dun_gemm_provider;

struct dun_gemm {
    dun_device *device;
    const dun_gemm_provider *provider;
    dun_kernel *kernels[2]; /* in the order of provider->kernels */
    dun_tiles tiles;
    const char *reason;
};

extern const dun_gemm_provider dun_gemm_naive, dun_gemm_reg, dun_gemm_clblast;

#endif
