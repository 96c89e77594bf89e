/* Builds GGUF files in memory, right or wrong on purpose: every number that goes into the file can be
 * changed before gguf_builder_finish. Also whole small random models with a tokenizer. The first failure
 * is kept in `rc` and returned by gguf_builder_finish, so that calls in between need no checks. */
#ifndef DUN_GGUF_BUILDER_H
#define DUN_GGUF_BUILDER_H

#include "base/str.h"
#include "model/spec.h"

#include <stddef.h>
#include <stdint.h>

/* Metadata value types as the format numbers them. */
enum gguf_value {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64
};

typedef struct {
    dun_str name;
    uint64_t name_length; /* as written before the name */
    uint32_t type;
    dun_str value; /* all that follows the type */
} gguf_builder_key;

typedef struct {
    dun_str name;
    uint64_t name_length;
    uint32_t n_dims; /* as written; at most 8 dims follow */
    uint64_t dims[8];
    uint32_t type;
    uint64_t offset;
} gguf_builder_tensor;

typedef struct {
    int rc;
    char magic[4];
    uint32_t version;
    uint64_t claimed_tensors, claimed_keys; /* counts as written; adding and dropping adjust them */
    gguf_builder_key *keys;
    gguf_builder_tensor *tensors;
    size_t n_keys, keys_capacity, n_tensors, tensors_capacity;
    dun_str data;       /* the tensors' bytes */
    uint32_t alignment; /* of the data; a file that differs from 32 needs the key general.alignment too */
} gguf_builder;

void gguf_builder_init(gguf_builder *b);
void gguf_builder_free(gguf_builder *b);

/* Set a key, replacing one of that name. */
void gguf_builder_number(gguf_builder *b, const char *key, enum gguf_value type, const void *value);
void gguf_builder_u32(gguf_builder *b, const char *key, uint32_t value);
void gguf_builder_f32(gguf_builder *b, const char *key, float value);
void gguf_builder_bool(gguf_builder *b, const char *key, uint8_t value);
void gguf_builder_string(gguf_builder *b, const char *key, const char *value);
void gguf_builder_strings(gguf_builder *b, const char *key, const char *const *values, size_t n);
void gguf_builder_numbers(gguf_builder *b, const char *key, enum gguf_value type, const void *values,
                          size_t n);

/* Appends a key with `bytes` bytes of value, whatever was there before. */
void gguf_builder_append_key(gguf_builder *b, const char *key, uint32_t type, const void *value,
                             size_t bytes);

/* Appends a tensor; its data go behind those of the tensors before, aligned. dims[0] varies fastest. */
void gguf_builder_add_tensor(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
                             const uint64_t *dims, const void *data, size_t bytes);

/* Removes the key or tensor of that name; a tensor's data stay as a gap. */
void gguf_builder_drop(gguf_builder *b, const char *name);

/* NULL when absent; valid until the next change. */
gguf_builder_key *gguf_builder_find_key(gguf_builder *b, const char *name);
gguf_builder_tensor *gguf_builder_find_tensor(gguf_builder *b, const char *name);
/* The bytes of a tensor. */
uint8_t *gguf_builder_data_of(gguf_builder *b, const char *name);

/* The file's bytes. */
int gguf_builder_finish(dun_str *out, gguf_builder *b);

/* A float as the nearest half, ties to even. */
uint16_t gguf_builder_half(float value);

/* Adds a whole model of the architecture (empty: llama), traits and sizes in `spec` (all of them set; vocab
 * >= 258) with random weights, matrices in `tensor_type` (a ggml id that is read; F32 and Q8_0 are fit to
 * run, blocks of others are random; rows must be multiples of a block), vectors in F32. Everything follows
 * from `seed`. The tokenizer is a byte-level BPE ("smollm" pre-tokenizer): ids 0 and 1 are the control tokens
 * <|begin|> and <|finish|>, ids 2 to 257 the bytes, then merges of common English pairs, then unused tokens
 * up to vocab. Rows of Q and K count as stored in the file's order. */
void gguf_builder_llama(gguf_builder *b, const dun_spec *spec, uint32_t tensor_type, uint64_t seed);

/* The same as a file. */
int gguf_builder_tiny_llama(const char *path, const dun_spec *spec, uint32_t tensor_type, uint64_t seed);

#endif
