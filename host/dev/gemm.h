/* Products with frozen weights behind one door. A weight is loaded once into the layout its provider likes;
 * then y = x W^T (forward) and dx = dy W (backward to data) run on it. Providers: `reg`, `local`,
 * `clblast`, `naive`. */
#ifndef DUN_GEMM_H
#define DUN_GEMM_H

#include "dev/buffer.h"
#include "dev/programs.h"
#include "dev/tiles.h"

typedef struct dun_gemm dun_gemm;

/* One slot of a model as it lies in its file: rows of whole blocks of a format of host/model/quant.def. */
typedef struct {
    dun_buffer buffer; /* owned */
    uint64_t offset;   /* bytes of it before the first row */
    uint32_t rows, row_bytes;
    uint32_t format; /* ggml's id */
    float scale;     /* of every value */
} dun_stored_rows;
enum { DUN_MATRIX_SLOTS = 2 };

/* Rows of a weight in one buffer; a weight larger than the device's largest buffer has several. */
typedef struct {
    uint32_t first_row, rows;
    dun_buffer forward, backward;             /* layouts of the provider; either may be empty */
    dun_buffer parts[2];                      /* the same as panels of parts, where the precision has such */
    dun_stored_rows stored[DUN_MATRIX_SLOTS]; /* instead of these: the rows of two slots, or of one */
    bool is_stored;
} dun_matrix_part;

/* A loaded weight of `rows` outputs and `columns` inputs. */
typedef struct {
    uint32_t rows, columns;
    dun_matrix_part *parts;
    size_t n_parts, part_capacity;
    bool shared; /* backward uses the forward layout */
} dun_matrix;

/* Name of the provider that "auto" means on a device; *reason says why, *cannot why it cannot run there all
 * the same, or is NULL. */
const char *dun_gemm_default(const char **reason, const char **cannot, const dun_device_info *info);

/* `wanted`: a provider's name, or "auto" for the device's default. Kernels come from `programs`, cut by
 * `tiles`: the provider's topic is built. DUN_USAGE: unknown name; DUN_BAD_DEVICE: that provider cannot run
 * on the device, and why. */
int dun_gemm_create(dun_gemm **out, dun_device *device, dun_programs *programs, const dun_tiles *tiles,
                    const char *wanted);

/* Before weights are loaded: the precision of a word (precision.h), and for others than f32 the variant that
 * computes it (parts.h), whose topic is built. DUN_USAGE: unknown names. */
int dun_gemm_set_precision(dun_gemm *gemm, const char *precision, const char *variant, const char *reason);
const char *dun_gemm_precision(const dun_gemm *gemm);      /* "f32", "split, portable", ... */
const char *dun_gemm_precision_word(const dun_gemm *gemm); /* "f32", "split", ... */
const char *dun_gemm_precision_reason(const dun_gemm *gemm);

/* Parts that both factors of a product have, 0 for floats; the text pass is running or not from now on. */
int dun_gemm_parts(const dun_gemm *gemm, bool backward);
void dun_gemm_in_texts(dun_gemm *gemm, bool in_texts);

/* Builds the topics of all providers that can run on the device. */
int dun_gemm_build_all(dun_device *device, dun_programs *programs, const dun_tiles *tiles);
void dun_gemm_free(dun_gemm *gemm);
const char *dun_gemm_name(const dun_gemm *gemm);
const char *dun_gemm_reason(const dun_gemm *gemm); /* why this provider was chosen */
void dun_gemm_because(dun_gemm *gemm, const char *reason);

/* Loads a weight from `staging` (rows, columns) row-major floats on the device, for one or both directions.
 * `staging` may be changed once this returns and the queue has drained. */
enum dun_directions { DUN_FORWARD = 1, DUN_BACKWARD = 2 };
int dun_matrix_load(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                    uint32_t columns, unsigned directions);

/* Adds rows below those that are loaded (none: *out is all zero), from a staging buffer of theirs alone. The
 * columns, and the directions, are those of the first. */
int dun_matrix_append(dun_matrix *out, dun_gemm *gemm, const dun_buffer *staging, uint32_t rows,
                      uint32_t columns, unsigned directions);

/* Adds rows that stay in the form of their file, one below the other: those of one slot, or of two. Takes
 * them over, whatever comes of it. DUN_USAGE: the provider cannot read them. */
int dun_matrix_append_stored(dun_matrix *out, dun_gemm *gemm, dun_stored_rows slots[DUN_MATRIX_SLOTS],
                             uint32_t columns);
void dun_stored_rows_free(dun_stored_rows *rows);

/* Before products with such rows that another loaded on the device. DUN_USAGE likewise. */
int dun_gemm_use_stored(dun_gemm *gemm);

/* Whether a provider has products with weights as they are stored; no name of one ("auto") has not. */
bool dun_gemm_reads_stored(const char *provider);

/* What each value of a matrix takes that dun_matrix_append loads, padding aside: floats in as many layouts as
 * the provider has ("auto": one for each direction), and the parts of a precision of precision.h. */
size_t dun_gemm_value_bytes(const char *provider, const char *precision, unsigned directions);

/* How many rows of a weight one part can have, at most all: layouts stay below the device's largest buffer.
 */
uint32_t dun_matrix_part_rows(const dun_gemm *gemm, uint32_t rows, uint32_t columns);
void dun_matrix_free(dun_matrix *matrix);
uint64_t dun_matrix_bytes(const dun_matrix *matrix);

/* Its buffers, as far as they can (dun_buffer_make_common). */
void dun_matrix_make_common(dun_matrix *matrix);

/* Makes another opening of the same device the one that the weight belongs to: the first may be closed.
 * Nothing must be under way. */
void dun_matrix_move(dun_matrix *matrix, dun_device *device);

/* y (M, rows) at y_offset floats = x (M, columns) W^T [+ bias (rows)] [+ add (M, rows)]; `bias` and `add`
 * NULL or a buffer, `add` perhaps y itself when y_offset is 0. */
int dun_gemm_forward(dun_gemm *gemm, dun_buffer *y, size_t y_offset, const dun_buffer *x,
                     const dun_matrix *matrix, const dun_buffer *bias, const dun_buffer *add, uint32_t M);

/* dx (M, columns) = (beta ? dx : 0) + dy (M, rows) W. */
int dun_gemm_backward(dun_gemm *gemm, dun_buffer *dx, const dun_buffer *dy, const dun_matrix *matrix,
                      bool beta, uint32_t M);

/* Provider names for help and tests: NULL-terminated. */
extern const char *const dun_gemm_provider_names[];

#endif
