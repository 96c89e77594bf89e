/* GGUF v2 and v3 model files, in one or several parts: header, typed metadata and tensor directory, checked
 * against hostile bytes before anything is allocated. Format: ggml's docs/gguf.md. Values are little-endian.
 */
#ifndef DUN_GGUF_H
#define DUN_GGUF_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dun_gguf dun_gguf;

typedef struct {
    const char *name;
    uint32_t type;    /* ggml type id, see quant.h; always a supported one */
    uint32_t n_dims;  /* 1..4 */
    uint64_t dims[4]; /* dims[0] varies fastest; unused ones are 1 */
    const uint8_t *data;
    size_t bytes;
} dun_gguf_tensor;

/* A string inside the file; not zero-terminated. */
typedef dun_slice dun_gguf_string;

/* Maps and parses a file, and where it is one of several parts of a model (by its keys split.*) the others
 * beside it, PREFIX-00001-of-00003.gguf: the result has the first one's keys and the tensors of all.
 * DUN_BAD_INPUT names the file and the key, tensor or byte; the part that is missing, out of its place or of
 * another model. */
int dun_gguf_open(dun_gguf **out, const char *path);

/* One file, or bytes that outlive the result (`name` is used in messages). */
int dun_gguf_open_one(dun_gguf **out, const char *path);
int dun_gguf_parse(dun_gguf **out, const uint8_t *bytes, size_t length, const char *name);

/* The keys of a file alone, as if it had no tensors: what there is to know of one that cannot be read. */
int dun_gguf_open_keys(dun_gguf **out, const char *path);

/* Joins parsed parts, in their order, to one, which owns them; `parts` is then all NULL. DUN_BAD_INPUT, the
 * parts then left as they are: see dun_gguf_open. */
int dun_gguf_join(dun_gguf **out, dun_gguf **parts, size_t n_parts);
void dun_gguf_free(dun_gguf *file);

const char *dun_gguf_name(const dun_gguf *file);
const dun_gguf_tensor *dun_gguf_find_tensor(const dun_gguf *file, const char *name); /* NULL: absent */
size_t dun_gguf_n_tensors(const dun_gguf *file);
const dun_gguf_tensor *dun_gguf_tensor_at(const dun_gguf *file, size_t index); /* in file order */

/* Writes a shape as "(576, 1536)" in the file's order, dims[0] first; 96 bytes hold any. */
void dun_gguf_shape(char *out, size_t size, uint32_t n_dims, const uint64_t *dims);

/* The bytes before the tensor data of part 0 .. n_parts - 1: header, metadata and tensor directory. */
size_t dun_gguf_n_parts(const dun_gguf *file);
const uint8_t *dun_gguf_head(const dun_gguf *file, size_t part, size_t *length);

/* Metadata. A missing key is DUN_BAD_INPUT, as is one of another type; dun_gguf_has tells first where a
 * key is optional. Integer keys of any width are accepted by _u32 when the value fits. */
int dun_gguf_has(const dun_gguf *file, const char *key); /* 1 or 0 */
int dun_gguf_get_u32(uint32_t *value, const dun_gguf *file, const char *key);
int dun_gguf_get_f32(float *value, const dun_gguf *file, const char *key);
int dun_gguf_get_bool(int *value, const dun_gguf *file, const char *key);
int dun_gguf_get_string(dun_gguf_string *value, const dun_gguf *file, const char *key);

/* A text that nothing depends on: 0, and no error, where the key is missing or of another type. */
int dun_gguf_find_string(dun_gguf_string *value, const dun_gguf *file, const char *key); /* 1 or 0 */

/* Arrays: the number of elements whatever their type, and newly allocated copies of the whole as strings, as
 * f32, or as i32 (from any integer width, when every element fits); the element type is checked. */
int dun_gguf_array_length(size_t *n, const dun_gguf *file, const char *key);
int dun_gguf_array_strings(dun_gguf_string **values, size_t *n, const dun_gguf *file, const char *key);
int dun_gguf_is_array(const dun_gguf *file, const char *key); /* 1 or 0; 0 where it is absent */
int dun_gguf_array_f32(float **values, size_t *n, const dun_gguf *file, const char *key);
int dun_gguf_array_i32(int32_t **values, size_t *n, const dun_gguf *file, const char *key);

/* An array of exactly n bools, as 1 and 0. */
int dun_gguf_array_flags(uint8_t *values, size_t n, const dun_gguf *file, const char *key);

#endif
