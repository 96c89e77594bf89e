/* Counts and checks every allocation, and grows arrays. */
#include "base/mem.h"

#include "base/err.h"
#include "base/fault.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t live_blocks;

static void *no_memory(size_t count, size_t size) {
    (void)dun_error(DUN_FAILED, "out of memory: %zu x %zu bytes could not be allocated", count, size);
    return NULL;
}

void *dun_calloc(size_t count, size_t size) {
    if (dun_fault_here())
        return no_memory(count, size);
    void *block = calloc(count ? count : 1, size ? size : 1);
    if (!block)
        return no_memory(count, size);
    live_blocks++;
    return block;
}

void *dun_realloc(void *block, size_t count, size_t size) {
    if (dun_fault_here() || (size && count > SIZE_MAX / size))
        return no_memory(count, size);
    size_t bytes = count * size;
    void *grown = realloc(block, bytes ? bytes : 1);
    if (!grown)
        return no_memory(count, size);
    live_blocks += block ? 0 : 1;
    return grown;
}

char *dun_strndup(const char *text, size_t length) {
    char *copy = length < SIZE_MAX ? dun_calloc(length + 1, 1) : no_memory(length, 1);
    if (copy && length > 0) /* of no bytes `text` may be NULL */
        memcpy(copy, text, length);
    return copy;
}

char *dun_strdup(const char *text) {
    return dun_strndup(text, strlen(text));
}

void dun_free(void *block) {
    if (!block)
        return;
    live_blocks--;
    free(block);
}

size_t dun_mem_live(void) {
    return live_blocks;
}

int dun_grow(void **block, size_t *capacity, size_t n, size_t size) {
    if (n < *capacity)
        return DUN_OK;
    size_t larger = *capacity ? *capacity * 2 : 16;
    void *grown = dun_realloc(*block, larger, size);
    if (!grown)
        return DUN_FAILED;
    *block = grown;
    *capacity = larger;
    return DUN_OK;
}
