/* Allocation through one door: zeroed memory, checked products, a count of live blocks for leak tests,
 * and a fault point (fault.h) in front of every allocation. */
#ifndef DUN_MEM_H
#define DUN_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed block of count * size bytes (at least one), or NULL with the error recorded (overflow, no memory).
 */
void *dun_calloc(size_t count, size_t size);

/* As realloc to count * size bytes; on failure NULL, the error recorded and the old block untouched.
 * Bytes beyond the old size are not zeroed. */
void *dun_realloc(void *block, size_t count, size_t size);

/* Copies of a string; of the first `length` bytes, zero-terminated. NULL with the error recorded on failure.
 */
char *dun_strdup(const char *text);
char *dun_strndup(const char *text, size_t length);

void dun_free(void *block);

/* Number of blocks allocated and not yet freed. */
size_t dun_mem_live(void);

/* p = dun_calloc(count, sizeof *p), or jump to `out:` with rc = DUN_FAILED. */
#define TRY_NEW(p, count)                                                                                    \
    do {                                                                                                     \
        (p) = dun_calloc((count), sizeof *(p));                                                              \
        if (!(p)) {                                                                                          \
            rc = DUN_FAILED;                                                                                 \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

/* Jumps to `out:` with rc = DUN_FAILED when an allocating expression gave NULL (its message is recorded). */
#define TRY_PTR(p, expression)                                                                               \
    do {                                                                                                     \
        (p) = (expression);                                                                                  \
        if (!(p)) {                                                                                          \
            rc = DUN_FAILED;                                                                                 \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

/* Makes room for one more element in a growing array: doubles *capacity when n == *capacity.
 * Returns 0, or DUN_FAILED with the array untouched. Use through TRY_GROW. */
int dun_grow(void **block, size_t *capacity, size_t n, size_t size);
#define TRY_GROW(array, capacity, n)                                                                         \
    do {                                                                                                     \
        void *grown_ = (array);                                                                              \
        rc = dun_grow(&grown_, &(capacity), (n), sizeof *(array));                                           \
        (array) = grown_;                                                                                    \
        if (rc < 0)                                                                                          \
            goto out;                                                                                        \
    } while (0)

#endif
