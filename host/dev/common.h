/* Weights that several processes have in common: each lays them out for itself, and then lets go of its copy
 * for the one that the first of them left, whose bytes are the same. Devices whose memory is the host's alone
 * have such; what is in common can only be read. */
#ifndef DUN_COMMON_PAGES_H
#define DUN_COMMON_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dun_common dun_common;

/* Smaller ones stay each process's own. */
#define DUN_COMMON_LEAST ((size_t)16 << 10)

/* Nothing yet; for all processes that are forked from now on. Of those only one may load at a time until it
 * has loaded all. DUN_FAILED: the system has no such memory. */
int dun_common_create(dun_common **out);
void dun_common_free(dun_common *common);

/* Zeroed memory that dun_common_take can replace; NULL when there is none. */
void *dun_common_alloc(size_t bytes);
void dun_common_release(void *pages, size_t bytes);

/* The next of the weights, which every process has in the same order: memory of dun_common_alloc, with the
 * same address from now on. It stays what it was where that cannot be done, or the bytes are not those of the
 * first.
 */
void dun_common_take(dun_common *common, void *pages, size_t bytes);

/* What this process has in common; whether another has loaded before. */
uint64_t dun_common_bytes(const dun_common *common);
bool dun_common_is_filled(const dun_common *common);

#endif
