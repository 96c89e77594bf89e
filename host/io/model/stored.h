/* The tensors of a model as they lie in its files, whatever the form of those: what readers of forms make and
 * weights.h takes. */
#ifndef DUN_STORED_H
#define DUN_STORED_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *file; /* for messages */
    const char *name;
    uint32_t type;    /* id of quant.h; perhaps of one that is not read */
    uint32_t n_dims;  /* 0..4 */
    uint64_t dims[4]; /* dims[0] varies fastest; unused ones are 1 */
    const uint8_t *data;
    size_t bytes;
} dun_stored;

typedef struct {
    dun_stored *tensors; /* in the order of the files */
    uint32_t *order;     /* of their names, sorted; see dun_stored_sort */
    size_t n;
} dun_stored_list;

/* Makes n names findable. DUN_BAD_INPUT, with both files, when one occurs twice. */
int dun_stored_sort(dun_stored_list *list);
void dun_stored_free(dun_stored_list *list);

/* NULL: absent. */
const dun_stored *dun_stored_find(const dun_stored_list *list, const char *name);

/* Writes a shape as "(576, 1536)" in the order of the list, dims[0] first; 96 bytes hold any. */
void dun_stored_shape(char *out, size_t size, uint32_t n_dims, const uint64_t *dims);

#endif
