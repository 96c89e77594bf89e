/* NumPy's .npz: a zip archive of .npy files, stored without compression, which numpy.load reads. Written
 * only. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef DUN_NPZ_H
#define DUN_NPZ_H

#include "io/npy.h"

/* Writes atomically; the same values give the same bytes. DUN_FAILED: a write error, or more than 4 GiB, the
 * most that a plain zip archive holds. */
int dun_npz_write(const char *path, const dun_array *arrays, size_t n_arrays);

/* Class names or the like as an array of `|Sn`, zero-padded: `descr` and `*data` (dun_free) are set, the rest
 * of the array is the caller's. */
int dun_npz_strings(dun_array *out, char descr[24], char **data, char *const *strings, uint64_t n);

#endif
