/* Lookup by name in a parsed GGUF file, and its metadata as typed values. See gguf.h. */
#include "io/store/gguf_inside.h"

#include "base/err.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const dun_gguf_value dun_gguf_values[DUN_GGUF_N_VALUES] = {
    [DUN_GGUF_U8] = {"u8", 1, 1, 1},         [DUN_GGUF_I8] = {"i8", 1, 1, -1},
    [DUN_GGUF_U16] = {"u16", 2, 2, 1},       [DUN_GGUF_I16] = {"i16", 2, 2, -1},
    [DUN_GGUF_U32] = {"u32", 4, 4, 1},       [DUN_GGUF_I32] = {"i32", 4, 4, -1},
    [DUN_GGUF_F32] = {"f32", 4, 4, 0},       [DUN_GGUF_BOOL] = {"bool", 1, 1, 0},
    [DUN_GGUF_STRING] = {"string", 0, 8, 0}, [DUN_GGUF_ARRAY] = {"array", 0, 12, 0},
    [DUN_GGUF_U64] = {"u64", 8, 8, 1},       [DUN_GGUF_I64] = {"i64", 8, 8, -1},
    [DUN_GGUF_F64] = {"f64", 8, 8, 0},
};

static int compare_strings(const dun_gguf_string *a, const dun_gguf_string *b) {
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, common);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_entries(const void *left, const void *right) {
    const dun_gguf_name_entry *a = left, *b = right;
    int order = compare_strings(&a->name, &b->name);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

size_t dun_gguf_sort_names(dun_gguf_name_entry *order, size_t n) {
    qsort(order, n, sizeof *order, compare_entries);
    for (size_t i = 1; i < n; i++)
        if (compare_strings(&order[i - 1].name, &order[i].name) == 0)
            return i;
    return 0;
}

static int compare_to_name(const void *wanted, const void *entry) {
    return compare_strings(wanted, &((const dun_gguf_name_entry *)entry)->name);
}

/* The place of a name in the file, or -1. */
static int64_t find(const dun_gguf_name_entry *order, size_t n, const char *name) {
    dun_gguf_string wanted = {name, strlen(name)};
    const dun_gguf_name_entry *found = bsearch(&wanted, order, n, sizeof *order, compare_to_name);
    return found ? (int64_t)found->index : -1;
}

const dun_gguf_tensor *dun_gguf_find_tensor(const dun_gguf *file, const char *name) {
    int64_t at = find(file->tensor_order, file->n_tensors, name);
    return at < 0 ? NULL : &file->tensors[at].tensor;
}

int dun_gguf_has(const dun_gguf *file, const char *key) {
    return find(file->key_order, file->n_keys, key) >= 0;
}

const char *dun_gguf_name(const dun_gguf *file) {
    return file->name;
}

size_t dun_gguf_n_tensors(const dun_gguf *file) {
    return file->n_tensors;
}

const dun_gguf_tensor *dun_gguf_tensor_at(const dun_gguf *file, size_t index) {
    return &file->tensors[index].tensor;
}

size_t dun_gguf_n_parts(const dun_gguf *file) {
    return 1 + file->n_others;
}

const uint8_t *dun_gguf_head(const dun_gguf *file, size_t part, size_t *length) {
    const dun_gguf *one = part ? file->others[part - 1] : file;
    *length = one->head_bytes;
    return one->bytes;
}

void dun_gguf_shape(char *out, size_t size, uint32_t n_dims, const uint64_t *dims) {
    int used = snprintf(out, size, "(");
    for (uint32_t i = 0; i < n_dims && used > 0 && (size_t)used < size; i++)
        used += snprintf(out + used, size - (size_t)used, "%" PRId64 "%s", (int64_t)dims[i],
                         i + 1 < n_dims ? ", " : ")");
}

static int find_key(const dun_gguf_key **out, const dun_gguf *file, const char *key, const char *wanted) {
    int64_t at = find(file->key_order, file->n_keys, key);
    if (at < 0)
        return dun_error(DUN_BAD_INPUT, "%s: key '%s' is missing; expected %s", file->name, key, wanted);
    *out = &file->keys[at];
    return DUN_OK;
}

static int wrong_type(const dun_gguf *file, const dun_gguf_key *found, const char *key, const char *wanted) {
    return dun_error(DUN_BAD_INPUT, "%s: key '%s' is %s%s; expected %s", file->name, key,
                     found->is_array ? "an array of " : "", dun_gguf_values[found->type].name, wanted);
}

/* A single value of exactly one type. */
static int find_single(const dun_gguf_key **out, const dun_gguf *file, const char *key, uint32_t type) {
    int rc;
    const char *wanted = dun_gguf_values[type].name;
    TRY(find_key(out, file, key, wanted));
    if ((*out)->is_array || (*out)->type != type)
        TRY(wrong_type(file, *out, key, wanted));
out:
    return rc;
}

/* An integer of `type` as an i64; values of 2^63 and more, which fit nothing here, saturate. */
static int64_t load_integer(const uint8_t *at, uint32_t type) {
    const dun_gguf_value *value = &dun_gguf_values[type];
    uint64_t bits = dun_gguf_load(at, value->bytes);
    uint64_t sign = (uint64_t)1 << (8 * value->bytes - 1);
    if (value->integer > 0)
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    return bits & sign ? -(int64_t)(sign - 1 - (bits & (sign - 1))) - 1 : (int64_t)bits;
}

int dun_gguf_get_u32(uint32_t *value, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_key(&found, file, key, "an integer"));
    if (found->is_array || !dun_gguf_values[found->type].integer)
        TRY(wrong_type(file, found, key, "an integer"));
    int64_t integer = load_integer(found->values, found->type);
    if (integer < 0 || integer > UINT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is %lld; expected 0 to %u", file->name, key,
                      (long long)integer, UINT32_MAX));
    *value = (uint32_t)integer;
out:
    return rc;
}

int dun_gguf_get_f32(float *value, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_single(&found, file, key, DUN_GGUF_F32));
    memcpy(value, found->values, sizeof *value);
out:
    return rc;
}

int dun_gguf_get_bool(int *value, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_single(&found, file, key, DUN_GGUF_BOOL));
    *value = found->values[0];
out:
    return rc;
}

static dun_gguf_string load_string(const uint8_t *at) {
    return (dun_gguf_string){(const char *)at + 8, dun_gguf_load(at, 8)};
}

int dun_gguf_get_string(dun_gguf_string *value, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_single(&found, file, key, DUN_GGUF_STRING));
    *value = load_string(found->values);
out:
    return rc;
}

int dun_gguf_find_string(dun_gguf_string *value, const dun_gguf *file, const char *key) {
    const int64_t at = find(file->key_order, file->n_keys, key);
    const dun_gguf_key *found = at >= 0 ? &file->keys[at] : NULL;
    if (!found || found->is_array || found->type != DUN_GGUF_STRING)
        return 0;
    *value = load_string(found->values);
    return 1;
}

int dun_gguf_array_length(size_t *n, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_key(&found, file, key, "an array"));
    if (!found->is_array)
        TRY(wrong_type(file, found, key, "an array"));
    *n = found->count;
out:
    return rc;
}

int dun_gguf_is_array(const dun_gguf *file, const char *key) {
    int64_t at = find(file->key_order, file->n_keys, key);
    return at >= 0 && file->keys[at].is_array;
}

int dun_gguf_array_flags(uint8_t *values, size_t n, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_key(&found, file, key, "an array of bool"));
    if (!found->is_array || found->type != DUN_GGUF_BOOL)
        TRY(wrong_type(file, found, key, "an array of bool"));
    if (found->count != n)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' has %zu values; expected %zu", file->name, key,
                      found->count, n));
    for (size_t i = 0; i < n; i++)
        values[i] = found->values[i] != 0;
out:
    return rc;
}

int dun_gguf_array_strings(dun_gguf_string **values, size_t *n, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_key(&found, file, key, "an array of string"));
    if (!found->is_array || found->type != DUN_GGUF_STRING)
        TRY(wrong_type(file, found, key, "an array of string"));
    TRY_NEW(*values, found->count);
    *n = found->count;
    const uint8_t *at = found->values;
    for (size_t i = 0; i < found->count; i++) {
        (*values)[i] = load_string(at);
        at += 8 + (*values)[i].length;
    }
out:
    return rc;
}

int dun_gguf_array_f32(float **values, size_t *n, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    TRY(find_key(&found, file, key, "an array of f32"));
    if (!found->is_array || found->type != DUN_GGUF_F32)
        TRY(wrong_type(file, found, key, "an array of f32"));
    TRY_NEW(*values, found->count);
    if (found->count)
        memcpy(*values, found->values, found->count * sizeof **values);
    *n = found->count;
out:
    return rc;
}

int dun_gguf_array_i32(int32_t **values, size_t *n, const dun_gguf *file, const char *key) {
    int rc;
    const dun_gguf_key *found = NULL;
    int32_t *copy = NULL;
    TRY(find_key(&found, file, key, "an array of integers"));
    const dun_gguf_value *type = &dun_gguf_values[found->type];
    if (!found->is_array || !type->integer)
        TRY(wrong_type(file, found, key, "an array of integers"));
    TRY_NEW(copy, found->count);
    for (size_t i = 0; i < found->count; i++) {
        int64_t integer = load_integer(found->values + i * type->bytes, found->type);
        if (integer < INT32_MIN || integer > INT32_MAX)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' holds %lld at index %zu; expected %d to %d",
                          file->name, key, (long long)integer, i, INT32_MIN, INT32_MAX));
        copy[i] = (int32_t)integer;
    }
    *values = copy;
    copy = NULL;
    *n = found->count;
out:
    dun_free(copy);
    return rc;
}
