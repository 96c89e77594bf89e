/* NumPy's .npy: a header and one array, which numpy.load reads. Written only.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef DUN_NPY_H
#define DUN_NPY_H

#include "base/spool.h"
#include "base/str.h"

typedef struct {
    const char *name;  /* of the array; in an archive its file is NAME.npy */
    const char *descr; /* NumPy's name of the type: "<f4", "<i8", "|S12" */
    size_t item_bytes; /* of one element */
    uint32_t n_dims;   /* 1 to 3 */
    uint64_t dims[3];
    const void *data; /* row-major */
} dun_array;

uint64_t dun_array_bytes(const dun_array *array);

/* Appends magic, version and the description of the array, padded so that what follows is aligned. */
int dun_npy_header(dun_str *out, const dun_array *array);

/* Writes atomically. */
int dun_npy_write(const char *path, const dun_array *array);

/* A file of rows of floats that come one by one: begun with room for its header; rows are added to the spool
 * (base/spool.h), which is the caller's to close, and the end says how many there were. `bytes` then is all
 * of the file, spool->bytes long, its rows from DUN_NPY_ROWS on. */
enum { DUN_NPY_ROWS = 128 };
int dun_npy_begin(dun_spool *spool, const char *path);
int dun_npy_end(const char **bytes, dun_spool *spool, uint64_t n, uint64_t width);

#endif
