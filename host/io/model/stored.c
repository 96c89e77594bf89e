/* Finding stored tensors by name. */
#include "io/model/stored.h"

#include "base/err.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Sifts the name at `root` down a heap of n: the sort needs the list, which qsort does not pass on. */
static void sift(const dun_stored_list *list, size_t root, size_t n) {
    uint32_t *order = list->order;
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n &&
            strcmp(list->tensors[order[child]].name, list->tensors[order[child + 1]].name) < 0)
            child++;
        if (strcmp(list->tensors[order[root]].name, list->tensors[order[child]].name) >= 0)
            return;
        uint32_t swap = order[root];
        order[root] = order[child];
        order[child] = swap;
    }
}

int dun_stored_sort(dun_stored_list *list) {
    int rc = DUN_OK;
    TRY_NEW(list->order, list->n);
    for (size_t i = 0; i < list->n; i++)
        list->order[i] = (uint32_t)i;
    for (size_t i = list->n / 2; i-- > 0;)
        sift(list, i, list->n);
    for (size_t end = list->n; end-- > 1;) {
        uint32_t swap = list->order[0];
        list->order[0] = list->order[end];
        list->order[end] = swap;
        sift(list, 0, end);
    }
    for (size_t i = 1; i < list->n; i++) {
        const dun_stored *a = &list->tensors[list->order[i - 1]], *b = &list->tensors[list->order[i]];
        if (strcmp(a->name, b->name) == 0)
            TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is in %s too; expected it in one file", b->file,
                          b->name, a->file));
    }
out:
    return rc;
}

void dun_stored_free(dun_stored_list *list) {
    dun_free(list->tensors);
    dun_free(list->order);
    *list = (dun_stored_list){0};
}

const dun_stored *dun_stored_find(const dun_stored_list *list, const char *name) {
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const dun_stored *tensor = &list->tensors[list->order[middle]];
        int order = strcmp(name, tensor->name);
        if (order == 0)
            return tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void dun_stored_shape(char *out, size_t size, uint32_t n_dims, const uint64_t *dims) {
    int used = snprintf(out, size, "(");
    for (uint32_t i = 0; i < n_dims && used > 0 && (size_t)used < size; i++)
        used += snprintf(out + used, size - (size_t)used, "%" PRId64 "%s", (int64_t)dims[i],
                         i + 1 < n_dims ? ", " : "");
    if (used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, ")");
}
