/* Private to host/dev: what a GEMM provider supplies. One row of the table in gemm.c each. */
#ifndef DUN_GEMM_PROVIDER_H
#define DUN_GEMM_PROVIDER_H

#include "dev/gemm.h"
#include "dev/gemm_words.h"
#include "dev/parts.h"

/* One product: out (M, N) = a (M, K) B (K, N) [+ bias (N)] [+ add (M, N)], B in the provider's layout for
 * that direction. Rows of a lie lda floats apart, those of out and add ldo; offsets are in floats. */
typedef struct {
    dun_buffer *out;
    size_t out_offset, a_offset, bias_offset, add_offset;
    const dun_buffer *a, *b, *bias, *add; /* bias, add: may be NULL; add perhaps out with the same offset */
    uint32_t M, N, K, lda, ldo;
    const dun_stored_rows *stored; /* [DUN_MATRIX_SLOTS] instead of b; NULL: b */
    bool backward;                 /* b is (K, N) = (rows, columns) of the weight; else its transpose */
} dun_product;

enum { DUN_GEMM_KERNELS = 3 };

/* No layout pads a side to more than a multiple of this. */
enum { DUN_PART_ROWS = 128 };

typedef struct {
    const char *name;
    /* NULL when the provider can run on the device, else why not. */
    const char *(*cannot)(const dun_device_info *info);
    /* Kernels the provider needs, NULL-terminated, and the topic of kernels.cl that has them. */
    dun_topic topic;
    const char *kernels[DUN_GEMM_KERNELS + 1];
    /* Runs on the local tile of dun_tiles, which must be there. */
    bool tiles;
    /* Lays a staged weight out for one direction; NULL when both directions use a plain copy. */
    int (*pack)(dun_gemm *gemm, dun_buffer *out, const dun_buffer *staging, uint32_t rows, uint32_t columns,
                bool backward);
    int (*run)(dun_gemm *gemm, const dun_product *product);
    /* The same on weights as they are stored, with a kernel of its own, built when the first such weight
     * comes; NULL: the provider reads floats alone. */
    dun_topic stored_topic;
    const char *stored_kernel;
    int (*run_stored)(dun_gemm *gemm, const dun_product *product);
} dun_gemm_provider;

/* STORED_ARGUMENTS of kernels/stored.cl. */
#define DUN_STORED(slots)                                                                                    \
    DUN_BUF((slots)[0].buffer), DUN_OFFSET((slots)[0].offset), DUN_INT((slots)[0].row_bytes),                \
        DUN_INT((slots)[0].format), DUN_FLOAT((slots)[0].scale), DUN_INT((slots)[0].rows),                   \
        DUN_BUF((slots)[1].rows ? (slots)[1].buffer : (slots)[0].buffer), DUN_OFFSET((slots)[1].offset),     \
        DUN_INT((slots)[1].row_bytes), DUN_INT((slots)[1].format), DUN_FLOAT((slots)[1].scale)

/* The row of a provider, which is called as its word in gemm_words.h. */
#define DUN_GEMM_PROVIDER(word, ...) const dun_gemm_provider dun_gemm_##word = {.name = #word, __VA_ARGS__}

struct dun_gemm {
    dun_device *device;
    const dun_gemm_provider *provider;
    dun_programs *programs;
    dun_kernel *kernels[DUN_GEMM_KERNELS]; /* in the order of provider->kernels */
    dun_kernel *stored;                    /* provider->stored_kernel, or NULL: no weight needed it yet */
    dun_tiles tiles;
    dun_buffer scratch; /* partial sums of providers that cut K */
    /* Products of factors in parts, instead of the provider's or of some of them (gemm_parts.h). */
    const dun_precision *precision;
    const dun_variant *variant; /* NULL: float32 alone */
    bool in_texts;              /* the text pass is running */
    struct {
        dun_kernel *rows, *pack, *pack_stored, *product;
        dun_buffer a, b; /* rows of a product; panels of a weight that is decoded for it */
    } parts;
    char reason[400], precision_reason[400], precision_name[40];
};

/* The provider of a name, or NULL. */
const dun_gemm_provider *dun_gemm_find(const char *name);

/* The same; DUN_USAGE when there is none, DUN_BAD_DEVICE when it cannot run on the device. */
int dun_gemm_require(const dun_gemm_provider **out, const dun_device_info *info, const char *name);

#define DUN_GEMM_DECLARE(id, word) extern const dun_gemm_provider dun_gemm_##word;
DUN_GEMM_WORDS(DUN_GEMM_DECLARE)

#endif
