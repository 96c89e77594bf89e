/* The safetensors format: 8-byte little-endian header length, JSON header, raw tensors. Read with every
 * check of HARDENING row 14, written atomically. https://github.com/huggingface/safetensors */
#ifndef DUN_SAFETENSORS_H
#define DUN_SAFETENSORS_H

#include "base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DUN_OTHER and above: what may lie in a file, but is neither read nor written. */
typedef enum { DUN_F32, DUN_F16, DUN_BF16, DUN_I64, DUN_OTHER } dun_dtype;

typedef struct {
    const char *name;
    dun_dtype dtype;
    uint32_t n_dims;
    uint64_t dims[4];
    const void *data; /* when read: inside the file's bytes, perhaps unaligned; copy with memcpy */
    size_t bytes;
} dun_tensor;

typedef struct {
    dun_file file;    /* owned only when opened by path */
    json_t *header;   /* owns the names */
    json_t *metadata; /* borrowed from header; NULL if absent; values are strings */
    dun_tensor *tensors;
    size_t n_tensors;
} dun_safetensors;

int dun_safetensors_open(dun_safetensors *out, const char *path);
int dun_safetensors_parse(dun_safetensors *out, const uint8_t *bytes, size_t length, const char *name);
const dun_tensor *dun_safetensors_find(const dun_safetensors *file, const char *name); /* NULL: absent */

/* The type as the format calls it: "BF16", "F8_E4M3". */
const char *dun_tensor_type(const dun_tensor *tensor);

/* Are the values numbers that a float holds exactly: F32, F16, BF16? */
bool dun_tensor_is_real(const dun_tensor *tensor);

/* All values of such a tensor, in their order. */
void dun_tensor_to_f32(float *out, const dun_tensor *tensor);
void dun_safetensors_free(dun_safetensors *file);

/* Writes tensors in the order given. `metadata`: an object of strings, or NULL. Atomic; DUN_FAILED on a write
 * error. */
int dun_safetensors_write(const char *path, const dun_tensor *tensors, size_t n_tensors,
                          const json_t *metadata);

/* Appends the bytes of that file; `name` is for messages. */
int dun_safetensors_dump(dun_str *out, const dun_tensor *tensors, size_t n_tensors, const json_t *metadata,
                         const char *name);

#endif
