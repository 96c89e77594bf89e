/* Reading a header of JSON against hostile bytes, and writing tensors. */
#include "io/store/safetensors.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/quant.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_BYTES = 100000000, MAX_DIMS = 4, ALIGNMENT = 8 };
static const char metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [DUN_F32] = {"F32", 4}, [DUN_F16] = {"F16", 2}, [DUN_BF16] = {"BF16", 2}, [DUN_I64] = {"I64", 8}};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

/* The others, with the bits of a value. */
static const struct {
    const char *name;
    unsigned bits;
} others[] = {{"BOOL", 8},    {"U8", 8},          {"I8", 8},         {"I16", 16},    {"U16", 16},
              {"I32", 32},    {"U32", 32},        {"U64", 64},       {"F64", 64},    {"C64", 64},
              {"F4", 4},      {"F6_E2M3", 6},     {"F6_E3M2", 6},    {"F8_E5M2", 8}, {"F8_E4M3", 8},
              {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
enum { N_OTHERS = sizeof others / sizeof others[0] };

/* DUN_BAD_INPUT: "file: tensor 'name' ...". */
__attribute__((format(printf, 3, 4))) static int refuse(const char *file, const char *tensor,
                                                        const char *format, ...) {
    int rc;
    char fact[400];
    dun_str shown = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(fact, sizeof fact, format, args);
    va_end(args);
    TRY(dun_utf8_show(&shown, tensor, strlen(tensor)));
    rc = dun_error(DUN_BAD_INPUT, "%s: tensor '%s' %s", file, shown.bytes, fact);
out:
    dun_str_free(&shown);
    return rc;
}

/* Bytes of a tensor of this type and shape; false when no 64-bit size is that large. */
static bool count_bytes(uint64_t *bytes, const dun_tensor *tensor) {
    const uint64_t bits =
        tensor->dtype < DUN_OTHER ? 8 * dtypes[tensor->dtype].bytes : others[tensor->dtype - DUN_OTHER].bits;
    *bytes = bits % 8 ? bits : bits / 8; /* of less than bytes the sum is made in bits */
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        if (__builtin_mul_overflow(*bytes, tensor->dims[i], bytes))
            return false;
    *bytes = bits % 8 ? *bytes / 8 : *bytes;
    return true;
}

/* A JSON integer that is not negative. */
static bool get_count(uint64_t *value, const json_t *json) {
    *value = (uint64_t)json_integer_value(json);
    return json_is_integer(json) && json_integer_value(json) >= 0;
}

static int read_dtype(dun_tensor *tensor, const json_t *json, const char *file) {
    const char *name = json_string_value(json);
    for (size_t i = 0; name && i < N_DTYPES; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            tensor->dtype = (dun_dtype)i;
            return DUN_OK;
        }
    for (size_t i = 0; name && i < N_OTHERS; i++)
        if (strcmp(name, others[i].name) == 0) {
            tensor->dtype = (dun_dtype)(DUN_OTHER + i);
            return DUN_OK;
        }
    if (!name)
        return refuse(file, tensor->name, "has no string \"dtype\"; F32, F16, BF16 or I64 is needed");
    int shown = (int)strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_abcdefghijklmnopqrstuvwxyz");
    return refuse(file, tensor->name,
                  "has the type %.*s, which is not known; F32, F16, BF16 or I64 is needed",
                  shown < 20 ? shown : 20, name);
}

static int read_shape(dun_tensor *tensor, const json_t *json, const char *file) {
    if (!json_is_array(json))
        return refuse(file, tensor->name, "has no list \"shape\"; one of whole numbers is needed");
    if (json_array_size(json) > MAX_DIMS)
        return refuse(file, tensor->name, "has %zu dimensions; at most %d are possible",
                      json_array_size(json), MAX_DIMS);
    tensor->n_dims = (uint32_t)json_array_size(json);
    for (uint32_t i = 0; i < MAX_DIMS; i++)
        tensor->dims[i] = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        if (!get_count(&tensor->dims[i], json_array_get(json, i)))
            return refuse(file, tensor->name, "has a \"shape\" of other things than whole numbers from 0");
    return DUN_OK;
}

/* Checks where the data lie against `length` bytes of data in the file. */
static int read_offsets(dun_tensor *tensor, const json_t *json, const uint8_t *data, size_t length,
                        const char *file) {
    uint64_t begin, end, bytes;
    bool read = json_array_size(json) == 2 && get_count(&begin, json_array_get(json, 0)) &&
                get_count(&end, json_array_get(json, 1));
    if (!read || begin > end)
        return refuse(file, tensor->name,
                      "has no \"data_offsets\" [begin, end]; two whole numbers are needed");
    if (end > length)
        return refuse(file, tensor->name,
                      "ends at byte %" PRIu64 " of the data, of which the file has %zu (truncated download?)",
                      end, length);
    if (!count_bytes(&bytes, tensor))
        return refuse(file, tensor->name,
                      "has a shape of more bytes than 64 bits count; a smaller one is needed");
    if (bytes != end - begin)
        return refuse(file, tensor->name, "has %" PRIu64 " bytes of data; its shape and type need %" PRIu64,
                      end - begin, bytes);
    tensor->data = data + begin;
    tensor->bytes = (size_t)bytes;
    return DUN_OK;
}

static int compare_places(const void *left, const void *right) {
    const dun_tensor *a = left, *b = right;
    const uint8_t *x = a->data, *y = b->data;
    if (x != y)
        return x < y ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Sorts the tensors by place and refuses holes, overlaps and bytes after the last one. */
static int check_places(dun_safetensors *out, const uint8_t *data, size_t length, const char *file) {
    qsort(out->tensors, out->n_tensors, sizeof *out->tensors, compare_places);
    const uint8_t *next = data;
    for (size_t i = 0; i < out->n_tensors; i++) {
        const dun_tensor *tensor = &out->tensors[i];
        const uint8_t *begin = tensor->data;
        if (begin != next)
            return refuse(file, tensor->name, "begins at byte %zu of the data, %s; byte %zu is needed",
                          (size_t)(begin - data), begin < next ? "inside another one" : "after a hole",
                          (size_t)(next - data));
        next = begin + tensor->bytes;
    }
    size_t rest = length - (size_t)(next - data);
    if (rest)
        return dun_error(DUN_BAD_INPUT,
                         "%s: has %zu bytes after the last tensor, from byte %zu of the data; none "
                         "are needed",
                         file, rest, (size_t)(next - data));
    return DUN_OK;
}

static int check_metadata(json_t *metadata, const char *file) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return dun_error(DUN_BAD_INPUT, "%s: %s is not an object; strings by name are needed", file,
                         metadata_key);
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return dun_error(DUN_BAD_INPUT, "%s: %s has a value that is not a string; strings are needed",
                             file, metadata_key);
    }
    return DUN_OK;
}

static int read_tensors(dun_safetensors *out, const uint8_t *data, size_t length, const char *file) {
    int rc;
    const char *name;
    json_t *entry;
    TRY_NEW(out->tensors, json_object_size(out->header));
    json_object_foreach(out->header, name, entry) {
        if (strcmp(name, metadata_key) == 0) {
            out->metadata = entry;
            TRY(check_metadata(entry, file));
            continue;
        }
        dun_tensor *tensor = &out->tensors[out->n_tensors++];
        tensor->name = name;
        TRY(read_dtype(tensor, json_object_get(entry, "dtype"), file));
        TRY(read_shape(tensor, json_object_get(entry, "shape"), file));
        TRY(read_offsets(tensor, json_object_get(entry, "data_offsets"), data, length, file));
    }
    TRY(check_places(out, data, length, file));
out:
    return rc;
}

int dun_safetensors_parse(dun_safetensors *out, const uint8_t *bytes, size_t length, const char *name) {
    int rc = DUN_OK;
    uint64_t n = 0;
    *out = (dun_safetensors){0};
    if (length < LENGTH_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %zu bytes; a safetensors file has at least %d", name, length,
                      LENGTH_BYTES));
    memcpy(&n, bytes, LENGTH_BYTES); /* little-endian, as this machine is: quant.c asserts it */
    const uint8_t *header = bytes + LENGTH_BYTES;
    size_t left = length - LENGTH_BYTES;
    if (n > HEADER_BYTES)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: claims a header of %" PRIu64 " bytes; a safetensors file has at most %d", name, n,
                      HEADER_BYTES));
    if (n > left)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: claims a header of %" PRIu64 " bytes, %zu bytes left (truncated download?)", name,
                      n, left));
    if (n == 0 || header[0] != '{')
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: the header at byte %d is no JSON object; a safetensors file is needed", name,
                      LENGTH_BYTES));
    TRY(dun_json_parse(&out->header, (const char *)header, (size_t)n, name, 1));
    TRY(read_tensors(out, header + n, left - (size_t)n, name));
out:
    if (rc < 0)
        dun_safetensors_free(out);
    return rc;
}

int dun_safetensors_open(dun_safetensors *out, const char *path) {
    int rc;
    dun_file file = {0};
    *out = (dun_safetensors){0};
    TRY(dun_file_map(&file, path));
    TRY(dun_safetensors_parse(out, file.bytes, file.length, path));
    out->file = file;
    file = (dun_file){0};
out:
    dun_file_unmap(&file);
    return rc;
}

const dun_tensor *dun_safetensors_find(const dun_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *dun_tensor_type(const dun_tensor *tensor) {
    return tensor->dtype < DUN_OTHER ? dtypes[tensor->dtype].name : others[tensor->dtype - DUN_OTHER].name;
}

bool dun_tensor_is_real(const dun_tensor *tensor) {
    return tensor->dtype == DUN_F32 || tensor->dtype == DUN_F16 || tensor->dtype == DUN_BF16;
}

void dun_tensor_to_f32(float *out, const dun_tensor *tensor) {
    const size_t each = dtypes[tensor->dtype].bytes, n = tensor->bytes / each;
    const uint8_t *at = tensor->data;
    assert(dun_tensor_is_real(tensor));
    for (size_t i = 0; i < n; i++, at += each) {
        uint16_t half;
        uint32_t bits;
        memcpy(&half, at, sizeof half);
        if (tensor->dtype == DUN_F32)
            memcpy(&bits, at, sizeof bits);
        else
            bits = (uint32_t)half << 16; /* BF16: a float's upper half */
        memcpy(&out[i], &bits, sizeof bits);
        if (tensor->dtype == DUN_F16)
            out[i] = dun_half_to_f32(half);
    }
}

void dun_safetensors_free(dun_safetensors *file) {
    json_decref(file->header);
    dun_free(file->tensors);
    dun_file_unmap(&file->file);
    *file = (dun_safetensors){0};
}

/* Adds {"dtype", "shape", "data_offsets"} of a tensor whose data begin at *offset, and moves that behind. */
static int describe(json_t *header, uint64_t *offset, const dun_tensor *tensor, const char *path) {
    int rc = DUN_OK;
    uint64_t bytes = 0;
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    bool known = (size_t)tensor->dtype < N_DTYPES && tensor->n_dims <= MAX_DIMS;
    if (!known || !count_bytes(&bytes, tensor) || bytes != tensor->bytes)
        TRY(dun_error(DUN_FAILED, "%s: tensor %s has %zu bytes; its shape and type need another number", path,
                      tensor->name, tensor->bytes));
    if (strcmp(tensor->name, metadata_key) == 0 || json_object_get(header, tensor->name))
        TRY(dun_error(DUN_FAILED, "%s: the name %s is taken; every tensor needs its own", path,
                      tensor->name));
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        TRY(dun_json_append(shape, json_integer((json_int_t)tensor->dims[i])));
    TRY(dun_json_append(offsets, json_integer((json_int_t)*offset)));
    *offset += bytes;
    TRY(dun_json_append(offsets, json_integer((json_int_t)*offset)));
    TRY(dun_json_set(entry, "dtype", json_string(dtypes[tensor->dtype].name)));
    TRY(dun_json_set(entry, "shape", json_incref(shape)));
    TRY(dun_json_set(entry, "data_offsets", json_incref(offsets)));
    TRY(dun_json_set(header, tensor->name, json_incref(entry)));
out:
    json_decref(entry);
    json_decref(shape);
    json_decref(offsets);
    return rc;
}

/* The length and the JSON header, padded so that the data start at a multiple of 8. */
static int make_header(dun_str *out, size_t *data_bytes, const dun_tensor *tensors, size_t n_tensors,
                       const json_t *metadata, const char *path) {
    int rc = DUN_OK;
    uint64_t offset = 0, length = 0;
    json_t *header = json_object();
    const char *key;
    json_t *value, *strings = (json_t *)(uintptr_t)metadata; /* only its references are counted up and down */
    if (metadata && !json_is_object(metadata))
        TRY(dun_error(DUN_FAILED, "%s: the metadata are no object; strings by name are needed", path));
    json_object_foreach(strings, key, value) {
        if (!json_is_string(value))
            TRY(dun_error(DUN_FAILED, "%s: metadata %s is not a string; strings are needed", path, key));
    }
    if (metadata)
        TRY(dun_json_set(header, metadata_key, json_incref(strings)));
    for (size_t i = 0; i < n_tensors; i++)
        TRY(describe(header, &offset, &tensors[i], path));
    TRY(dun_str_add(out, (const char *)&length, LENGTH_BYTES)); /* its place */
    TRY(dun_json_dump(out, header));
    while (out->length % ALIGNMENT)
        TRY(dun_str_add(out, " ", 1));
    length = out->length - LENGTH_BYTES;
    memcpy(out->bytes, &length, LENGTH_BYTES);
    *data_bytes = (size_t)offset;
out:
    json_decref(header);
    return rc;
}

int dun_safetensors_dump(dun_str *out, const dun_tensor *tensors, size_t n_tensors, const json_t *metadata,
                         const char *name) {
    int rc;
    dun_str bytes = {0};
    size_t data_bytes = 0;
    TRY(make_header(&bytes, &data_bytes, tensors, n_tensors, metadata, name));
    TRY(dun_str_add(out, bytes.bytes, bytes.length));
    for (size_t i = 0; i < n_tensors; i++)
        TRY(dun_str_add(out, tensors[i].bytes ? tensors[i].data : "", tensors[i].bytes));
out:
    dun_str_free(&bytes);
    return rc;
}

int dun_safetensors_write(const char *path, const dun_tensor *tensors, size_t n_tensors,
                          const json_t *metadata) {
    int rc;
    dun_str bytes = {0};
    TRY(dun_safetensors_dump(&bytes, tensors, n_tensors, metadata, path));
    TRY(dun_file_write(path, bytes.bytes, bytes.length));
out:
    dun_str_free(&bytes);
    return rc;
}
