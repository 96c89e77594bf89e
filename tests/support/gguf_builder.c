/* Keeps keys and tensors as they are set, and joins them to a file's bytes. */
#include "gguf_builder.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

static const size_t value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

void gguf_builder_init(gguf_builder *b) {
    *b = (gguf_builder){.magic = "GGUF", .version = 3, .alignment = 32};
}

static void free_key(gguf_builder_key *key) {
    dun_str_free(&key->name);
    dun_str_free(&key->value);
}

void gguf_builder_free(gguf_builder *b) {
    for (size_t i = 0; i < b->n_keys; i++)
        free_key(&b->keys[i]);
    for (size_t i = 0; i < b->n_tensors; i++)
        dun_str_free(&b->tensors[i].name);
    dun_free(b->keys);
    dun_free(b->tensors);
    dun_str_free(&b->data);
    gguf_builder_init(b);
}

/* Appends, unless something failed before. */
static void put(gguf_builder *b, dun_str *text, const void *bytes, size_t length) {
    if (b->rc == DUN_OK)
        b->rc = dun_str_add(text, bytes, length);
}

static void put_u32(gguf_builder *b, dun_str *text, uint32_t value) {
    put(b, text, &value, sizeof value);
}

static void put_u64(gguf_builder *b, dun_str *text, uint64_t value) {
    put(b, text, &value, sizeof value);
}

static void put_string(gguf_builder *b, dun_str *text, const char *string) {
    put_u64(b, text, strlen(string));
    put(b, text, string, strlen(string));
}

gguf_builder_key *gguf_builder_find_key(gguf_builder *b, const char *name) {
    for (size_t i = 0; i < b->n_keys; i++)
        if (strcmp(b->keys[i].name.bytes, name) == 0)
            return &b->keys[i];
    return NULL;
}

gguf_builder_tensor *gguf_builder_find_tensor(gguf_builder *b, const char *name) {
    for (size_t i = 0; i < b->n_tensors; i++)
        if (strcmp(b->tensors[i].name.bytes, name) == 0)
            return &b->tensors[i];
    return NULL;
}

uint8_t *gguf_builder_data_of(gguf_builder *b, const char *name) {
    return (uint8_t *)b->data.bytes + gguf_builder_find_tensor(b, name)->offset;
}

/* A new last key, or NULL after a failure. */
static gguf_builder_key *append_key(gguf_builder *b, const char *name, uint32_t type) {
    void *grown = b->keys;
    if (b->rc < 0 || (b->rc = dun_grow(&grown, &b->keys_capacity, b->n_keys, sizeof *b->keys)) < 0)
        return NULL;
    b->keys = grown;
    gguf_builder_key *key = &b->keys[b->n_keys++];
    *key = (gguf_builder_key){.name_length = strlen(name), .type = type};
    put(b, &key->name, name, strlen(name));
    b->claimed_keys++;
    return b->rc < 0 ? NULL : key;
}

/* An empty key of that name: the one that is there, else a new one. */
static gguf_builder_key *set_key(gguf_builder *b, const char *name, uint32_t type) {
    gguf_builder_key *key = gguf_builder_find_key(b, name);
    if (!key)
        return append_key(b, name, type);
    dun_str_clear(&key->value);
    key->type = type;
    return key;
}

void gguf_builder_append_key(gguf_builder *b, const char *key, uint32_t type, const void *value,
                             size_t bytes) {
    gguf_builder_key *added = append_key(b, key, type);
    if (added)
        put(b, &added->value, value, bytes);
}

void gguf_builder_number(gguf_builder *b, const char *key, enum gguf_value type, const void *value) {
    gguf_builder_key *set = set_key(b, key, type);
    if (set)
        put(b, &set->value, value, value_bytes[type]);
}

void gguf_builder_u32(gguf_builder *b, const char *key, uint32_t value) {
    gguf_builder_number(b, key, GGUF_U32, &value);
}

void gguf_builder_f32(gguf_builder *b, const char *key, float value) {
    gguf_builder_number(b, key, GGUF_F32, &value);
}

void gguf_builder_bool(gguf_builder *b, const char *key, uint8_t value) {
    gguf_builder_number(b, key, GGUF_BOOL, &value);
}

void gguf_builder_string(gguf_builder *b, const char *key, const char *value) {
    gguf_builder_key *set = set_key(b, key, GGUF_STRING);
    if (set)
        put_string(b, &set->value, value);
}

void gguf_builder_strings(gguf_builder *b, const char *key, const char *const *values, size_t n) {
    gguf_builder_key *set = set_key(b, key, GGUF_ARRAY);
    if (!set)
        return;
    put_u32(b, &set->value, GGUF_STRING);
    put_u64(b, &set->value, n);
    for (size_t i = 0; i < n; i++)
        put_string(b, &set->value, values[i]);
}

void gguf_builder_numbers(gguf_builder *b, const char *key, enum gguf_value type, const void *values,
                          size_t n) {
    gguf_builder_key *set = set_key(b, key, GGUF_ARRAY);
    if (!set)
        return;
    put_u32(b, &set->value, type);
    put_u64(b, &set->value, n);
    put(b, &set->value, values, n * value_bytes[type]);
}

/* Zero bytes up to a multiple of the alignment. */
static void pad(gguf_builder *b, dun_str *text) {
    while (b->rc == DUN_OK && text->length % b->alignment)
        put(b, text, "", 1);
}

void gguf_builder_add_tensor(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
                             const uint64_t *dims, const void *data, size_t bytes) {
    void *grown = b->tensors;
    pad(b, &b->data);
    if (b->rc < 0 || (b->rc = dun_grow(&grown, &b->tensors_capacity, b->n_tensors, sizeof *b->tensors)) < 0)
        return;
    b->tensors = grown;
    gguf_builder_tensor *tensor = &b->tensors[b->n_tensors++];
    *tensor = (gguf_builder_tensor){
        .name_length = strlen(name), .n_dims = n_dims, .type = type, .offset = b->data.length};
    memcpy(tensor->dims, dims, n_dims * sizeof *dims);
    put(b, &tensor->name, name, strlen(name));
    put(b, &b->data, data, bytes);
    b->claimed_tensors++;
}

void gguf_builder_drop(gguf_builder *b, const char *name) {
    gguf_builder_key *key = gguf_builder_find_key(b, name);
    gguf_builder_tensor *tensor = gguf_builder_find_tensor(b, name);
    if (key) {
        free_key(key);
        size_t after = b->n_keys - (size_t)(key - b->keys) - 1;
        memmove(key, key + 1, after * sizeof *key);
        b->n_keys--;
        b->claimed_keys--;
    }
    if (tensor) {
        dun_str_free(&tensor->name);
        size_t after = b->n_tensors - (size_t)(tensor - b->tensors) - 1;
        memmove(tensor, tensor + 1, after * sizeof *tensor);
        b->n_tensors--;
        b->claimed_tensors--;
    }
}

int gguf_builder_finish(dun_str *out, gguf_builder *b) {
    put(b, out, b->magic, sizeof b->magic);
    put_u32(b, out, b->version);
    put_u64(b, out, b->claimed_tensors);
    put_u64(b, out, b->claimed_keys);
    for (size_t i = 0; i < b->n_keys; i++) {
        const gguf_builder_key *key = &b->keys[i];
        put_u64(b, out, key->name_length);
        put(b, out, key->name.bytes, key->name.length);
        put_u32(b, out, key->type);
        put(b, out, key->value.bytes, key->value.length);
    }
    for (size_t i = 0; i < b->n_tensors; i++) {
        const gguf_builder_tensor *tensor = &b->tensors[i];
        put_u64(b, out, tensor->name_length);
        put(b, out, tensor->name.bytes, tensor->name.length);
        put_u32(b, out, tensor->n_dims);
        for (uint32_t d = 0; d < tensor->n_dims && d < 8; d++)
            put_u64(b, out, tensor->dims[d]);
        put_u32(b, out, tensor->type);
        put_u64(b, out, tensor->offset);
    }
    pad(b, out);
    if (b->data.length > 0)
        put(b, out, b->data.bytes, b->data.length);
    return b->rc;
}

uint16_t gguf_builder_half(float value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs((double)value);
    if (isnan(value))
        return 0x7e00;
    if (size >= 65520)
        return (uint16_t)(sign | 0x7c00);
    int exponent = -14;
    if (size >= 0x1p-14)
        frexp(size, &exponent), exponent--;
    /* size = m * 2^(exponent - 10), m < 1024 only for subnormals; a carry out of m is the next exponent */
    long m = lrint(ldexp(size, 10 - exponent));
    return (uint16_t)(sign | (m + ((exponent + 14) << 10)));
}
