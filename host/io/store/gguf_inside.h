/* What gguf.c (parsing), gguf_meta.c (lookup and typed metadata) and gguf_parts.c (several files) share;
 * nobody else includes this. */
#ifndef DUN_GGUF_INSIDE_H
#define DUN_GGUF_INSIDE_H

#include "base/file.h"
#include "io/store/gguf.h"

#include <stdbool.h>
#include <string.h>

/* Metadata value types by their number in the file. `bytes` is the size of one value, `least_bytes` the
 * least a value can take in the file, `integer` -1 signed, 1 unsigned, 0 no integer. */
typedef struct {
    const char *name;
    uint8_t bytes;
    uint8_t least_bytes;
    int8_t integer;
} dun_gguf_value;

enum {
    DUN_GGUF_U8,
    DUN_GGUF_I8,
    DUN_GGUF_U16,
    DUN_GGUF_I16,
    DUN_GGUF_U32,
    DUN_GGUF_I32,
    DUN_GGUF_F32,
    DUN_GGUF_BOOL,
    DUN_GGUF_STRING,
    DUN_GGUF_ARRAY,
    DUN_GGUF_U64,
    DUN_GGUF_I64,
    DUN_GGUF_F64,
    DUN_GGUF_N_VALUES
};

extern const dun_gguf_value dun_gguf_values[DUN_GGUF_N_VALUES];

enum { DUN_GGUF_NAME_BYTES = 64 }; /* of a tensor's name, its end included */

typedef struct {
    dun_gguf_string name;
    uint32_t type;         /* DUN_GGUF_*; of the elements when it is an array */
    int is_array;          /* 1 or 0 */
    size_t count;          /* elements; 1 for a single value */
    const uint8_t *values; /* where the first one starts; strings lie there with their lengths */
} dun_gguf_key;

typedef struct {
    dun_gguf_tensor tensor;
    char name[DUN_GGUF_NAME_BYTES];
    uint64_t offset; /* from the start of the tensor data */
} dun_gguf_entry;

/* Names in byte order, for binary search. */
typedef struct {
    dun_gguf_string name;
    uint32_t index; /* of the key or tensor in the file */
} dun_gguf_name_entry;

struct dun_gguf {
    dun_file file; /* empty when parsed from memory */
    char *name;
    const uint8_t *bytes;
    size_t head_bytes; /* where the directory ends */
    dun_gguf_key *keys;
    dun_gguf_entry *tensors;
    size_t n_keys, n_tensors;
    dun_gguf_name_entry *key_order, *tensor_order;
    dun_gguf **others; /* parts after the first, whose bytes the tensors are in */
    size_t n_others;
};

/* Parses one file, or its header and keys alone. */
int dun_gguf_read(dun_gguf **out, const uint8_t *bytes, size_t length, const char *name, bool keys_only);

/* Sorts n names. Where one occurs twice, the place in `order` of the second of two; else 0. */
size_t dun_gguf_sort_names(dun_gguf_name_entry *order, size_t n);

/* How many bytes of a name a message shows. */
static inline int dun_gguf_shown(const dun_gguf_string *name) {
    return name->length < 100 ? (int)name->length : 100;
}

/* A little-endian value of the given size, without alignment; memory order is the file's (quant.c asserts).
 */
static inline uint64_t dun_gguf_load(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

#endif
