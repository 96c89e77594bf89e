/* Parsing of GGUF files: every count, length and offset is checked against the bytes that remain before it
 * is used or anything is allocated. See gguf.h. */
#include "io/store/gguf_inside.h"

#include "base/err.h"
#include "base/mem.h"
#include "model/quant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEADER_BYTES = 24,
    LEAST_KEY_BYTES = 8 + 1 + 4 + 1, /* name length, name, type, value */
    LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8,
    MAX_ENTRIES = 1 << 24,
    MAX_KEY_NAME = 65535,
    MAX_TENSOR_NAME = DUN_GGUF_NAME_BYTES - 1,
    DEFAULT_ALIGNMENT = 32,
    MAX_ALIGNMENT = 1 << 20,
    MAX_STRING_BYTES = 64 << 20,
    MAX_ELEMENTS = 1 << 26
};
static const uint64_t max_values = (uint64_t)1 << 48; /* no byte count of a tensor can overflow */

typedef struct {
    const char *file;
    const uint8_t *bytes;
    size_t length, at;
    char where[128]; /* what is being read: "key 3", "tensor 'output.weight'" */
} reader;

/* What a file with another beginning is, for people who fetched the wrong thing. */
static const struct {
    size_t at;
    const char *start;
    const char *what;
} impostors[] = {
    {0, "version https://git-lfs", "a Git LFS pointer"},
    {0, "<", "an HTML or XML page"},
    {0, "PK\x03\x04", "a zip archive or PyTorch checkpoint"},
    {0, "\x1f\x8b", "gzip-compressed"},
    {0, "lmgg", "a GGML file of the time before GGUF"},
    {0, "fmgg", "a GGML file of the time before GGUF"},
    {0, "tjgg", "a GGML file of the time before GGUF"},
    {0, "FUGG", "a big-endian GGUF file"},
    {8, "{\"", "a safetensors file"},
};

static int refuse_magic(const reader *r) {
    const char *what = r->length ? "not a GGUF file" : "empty";
    for (size_t i = 0; i < sizeof impostors / sizeof impostors[0]; i++) {
        size_t length = strlen(impostors[i].start), end = impostors[i].at + length;
        if (r->length >= end && memcmp(r->bytes + impostors[i].at, impostors[i].start, length) == 0) {
            what = impostors[i].what;
            break;
        }
    }
    return dun_error(DUN_BAD_INPUT, "%s: is %s; expected a model file that begins with \"GGUF\"", r->file,
                     what);
}

/* The next n bytes; refuses when fewer are left. */
static int take(const uint8_t **out, reader *r, uint64_t n) {
    size_t left = r->length - r->at;
    if (n > left)
        return dun_error(DUN_BAD_INPUT,
                         "%s: %s needs %" PRIu64 " bytes at byte %zu, %zu bytes left (truncated download?)",
                         r->file, r->where, n, r->at, left);
    *out = r->bytes + r->at;
    r->at += (size_t)n;
    return DUN_OK;
}

static int take_number(uint64_t *out, reader *r, size_t bytes) {
    int rc;
    const uint8_t *at = NULL;
    TRY(take(&at, r, bytes));
    *out = dun_gguf_load(at, bytes);
out:
    return rc;
}

/* A string of at most `longest` bytes with its 8-byte length. */
static int take_string(dun_gguf_string *out, reader *r, uint64_t longest) {
    int rc;
    uint64_t length;
    const uint8_t *at = NULL;
    TRY(take_number(&length, r, 8));
    if (length > longest)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %s has a string of %" PRIu64 " bytes at byte %zu; expected at most %" PRIu64,
                      r->file, r->where, length, r->at - 8, longest));
    TRY(take(&at, r, length));
    *out = (dun_gguf_string){(const char *)at, (size_t)length};
out:
    return rc;
}

/* The name of the index-th key or tensor; afterwards messages call it by that name. */
static int take_name(dun_gguf_string *out, reader *r, const char *kind, size_t index, uint64_t longest) {
    int rc;
    snprintf(r->where, sizeof r->where, "%s %zu", kind, index);
    TRY(take_string(out, r, longest));
    if (out->length == 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has an empty name; expected 1 to %" PRIu64 " bytes", r->file,
                      r->where, longest));
    for (size_t i = 0; i < out->length; i++)
        if ((unsigned char)out->bytes[i] < 0x20 || out->bytes[i] == 0x7f)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: %s has a control character at byte %zu of its name; expected printable text",
                          r->file, r->where, i));
    snprintf(r->where, sizeof r->where, "%s '%.*s'", kind, dun_gguf_shown(out), out->bytes);
out:
    return rc;
}

static int read_header(dun_gguf *file, reader *r) {
    int rc = DUN_OK;
    uint64_t version, n_tensors, n_keys;
    if (r->length < 4 || memcmp(r->bytes, "GGUF", 4) != 0)
        TRY(refuse_magic(r));
    if (r->length < HEADER_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %zu bytes; a GGUF header alone takes %d (truncated download?)",
                      r->file, r->length, HEADER_BYTES));
    r->at = 4;
    TRY(take_number(&version, r, 4));
    if (version != 0 && (version & 0xffff) == 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is GGUF version %u in big-endian order; expected little-endian",
                      r->file, __builtin_bswap32((uint32_t)version)));
    if (version < 2 || version > 3)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is GGUF version %" PRIu64 "; expected version 2 or 3", r->file,
                      version));
    TRY(take_number(&n_tensors, r, 8));
    TRY(take_number(&n_keys, r, 8));
    size_t left = r->length - r->at;
    if (n_tensors > left / LEAST_TENSOR_BYTES || n_tensors > MAX_ENTRIES)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: claims %" PRIu64 " tensors, %zu bytes left; expected at most %zu (truncated?)",
                      r->file, n_tensors, left, left / LEAST_TENSOR_BYTES));
    left -= n_tensors * LEAST_TENSOR_BYTES;
    if (n_keys > left / LEAST_KEY_BYTES || n_keys > MAX_ENTRIES)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: claims %" PRIu64 " keys, %zu bytes left; expected at most %zu (truncated?)",
                      r->file, n_keys, left, left / LEAST_KEY_BYTES));
    file->n_tensors = (size_t)n_tensors;
    file->n_keys = (size_t)n_keys;
out:
    return rc;
}

/* The value type of a key, and for an array its element type and length. */
static int read_type(dun_gguf_key *key, reader *r) {
    int rc;
    uint64_t type, count = 1;
    TRY(take_number(&type, r, 4));
    key->is_array = type == DUN_GGUF_ARRAY;
    if (key->is_array) {
        TRY(take_number(&type, r, 4));
        TRY(take_number(&count, r, 8));
        if (type == DUN_GGUF_ARRAY)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s is an array of arrays; expected an array of single values",
                          r->file, r->where));
    }
    if (type >= DUN_GGUF_N_VALUES)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has value type %" PRIu64 "; the known types are 0 to %d",
                      r->file, r->where, type, DUN_GGUF_N_VALUES - 1));
    size_t left = r->length - r->at;
    size_t most = left / dun_gguf_values[type].least_bytes;
    most = most < MAX_ELEMENTS ? most : MAX_ELEMENTS;
    if (count > most)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %s claims %" PRIu64
                      " values of type %s, %zu bytes left; expected at most %zu values",
                      r->file, r->where, count, dun_gguf_values[type].name, left, most));
    key->type = (uint32_t)type;
    key->count = (size_t)count;
out:
    return rc;
}

static int read_key(dun_gguf_key *key, reader *r, size_t index) {
    int rc;
    const uint8_t *at = NULL;
    dun_gguf_string string;
    TRY(take_name(&key->name, r, "key", index, MAX_KEY_NAME));
    TRY(read_type(key, r));
    key->values = r->bytes + r->at;
    if (key->type == DUN_GGUF_STRING) {
        for (size_t i = 0; i < key->count; i++)
            TRY(take_string(&string, r, MAX_STRING_BYTES));
        goto out;
    }
    TRY(take(&at, r, key->count * dun_gguf_values[key->type].bytes));
    if (key->type == DUN_GGUF_BOOL && !key->is_array && at[0] > 1)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s is a bool of value %d; expected 0 or 1", r->file, r->where,
                      at[0]));
out:
    return rc;
}

/* Refuses a name, of a key or a tensor, that occurs twice, with both places. */
static int sort_names(dun_gguf_name_entry *order, size_t n, const char *kind, const char *file) {
    size_t twice = dun_gguf_sort_names(order, n);
    if (!twice)
        return DUN_OK;
    const dun_gguf_name_entry *first = &order[twice - 1], *second = &order[twice];
    return dun_error(DUN_BAD_INPUT, "%s: %s '%.*s' appears twice, as number %u and %u; expected once", file,
                     kind, dun_gguf_shown(&second->name), second->name.bytes, first->index, second->index);
}

static int read_keys(dun_gguf *file, reader *r) {
    int rc = DUN_OK;
    TRY_NEW(file->keys, file->n_keys);
    TRY_NEW(file->key_order, file->n_keys);
    for (size_t i = 0; i < file->n_keys; i++) {
        TRY(read_key(&file->keys[i], r, i));
        file->key_order[i] = (dun_gguf_name_entry){file->keys[i].name, (uint32_t)i};
    }
    TRY(sort_names(file->key_order, file->n_keys, "key", r->file));
out:
    return rc;
}

static int read_alignment(uint32_t *alignment, const dun_gguf *file) {
    int rc = DUN_OK;
    *alignment = DEFAULT_ALIGNMENT;
    if (!dun_gguf_has(file, "general.alignment"))
        goto out;
    TRY(dun_gguf_get_u32(alignment, file, "general.alignment"));
    if (*alignment == 0 || (*alignment & (*alignment - 1)) || *alignment > MAX_ALIGNMENT)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key 'general.alignment' is %u; expected a power of two up to %d",
                      file->name, *alignment, MAX_ALIGNMENT));
out:
    return rc;
}

static int read_shape(dun_gguf_tensor *tensor, reader *r) {
    int rc;
    uint64_t n_dims, values = 1;
    char shape[96];
    TRY(take_number(&n_dims, r, 4));
    if (n_dims < 1 || n_dims > 4)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has %" PRIu64 " dimensions; expected 1 to 4", r->file, r->where,
                      n_dims));
    tensor->n_dims = (uint32_t)n_dims;
    for (uint32_t i = 0; i < 4; i++)
        tensor->dims[i] = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        TRY(take_number(&tensor->dims[i], r, 8));
    dun_gguf_shape(shape, sizeof shape, tensor->n_dims, tensor->dims);
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        if ((int64_t)tensor->dims[i] <= 0)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s has shape %s; expected dimensions of at least 1", r->file,
                          r->where, shape));
        if (tensor->dims[i] > max_values / values)
            TRY(dun_error(DUN_BAD_INPUT, "%s: %s has shape %s; expected at most 2^48 values", r->file,
                          r->where, shape));
        values *= tensor->dims[i];
    }
out:
    return rc;
}

/* The type of a tensor and with it its size in bytes. */
static int read_storage(dun_gguf_tensor *tensor, reader *r) {
    int rc;
    uint64_t id;
    char text[128];
    TRY(take_number(&id, r, 4));
    const dun_quant_type *type = id < DUN_QUANT_OWN ? dun_quant_find((uint32_t)id) : NULL;
    if (!type || !type->block_bytes) {
        dun_quant_supported(text, sizeof text);
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: %s has type %s (%" PRIu64 "), which is not read; a file in %s is needed (supported: %s)",
            r->file, r->where, type ? type->name : "unknown", id, type ? type->instead : "Q8_0", text));
    }
    if (tensor->dims[0] % type->block_values) {
        dun_gguf_shape(text, sizeof text, tensor->n_dims, tensor->dims);
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has shape %s; rows of type %s must be a multiple of %u long",
                      r->file, r->where, text, type->name, type->block_values));
    }
    tensor->type = (uint32_t)id;
    tensor->bytes = type->block_bytes;
    for (uint32_t i = 0; i < 4; i++)
        tensor->bytes *= (size_t)(i == 0 ? tensor->dims[0] / type->block_values : tensor->dims[i]);
out:
    return rc;
}

static int read_tensor(dun_gguf_entry *entry, reader *r, size_t index, uint32_t alignment) {
    int rc;
    dun_gguf_string name;
    TRY(take_name(&name, r, "tensor", index, MAX_TENSOR_NAME));
    memcpy(entry->name, name.bytes, name.length);
    entry->tensor.name = entry->name;
    TRY(read_shape(&entry->tensor, r));
    TRY(read_storage(&entry->tensor, r));
    TRY(take_number(&entry->offset, r, 8));
    if (entry->offset % alignment || entry->offset > INT64_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s has offset %" PRIu64 "; expected a multiple of the alignment %u",
                      r->file, r->where, entry->offset, alignment));
out:
    return rc;
}

static int read_directory(dun_gguf *file, reader *r, uint32_t alignment) {
    int rc = DUN_OK;
    TRY_NEW(file->tensors, file->n_tensors);
    TRY_NEW(file->tensor_order, file->n_tensors);
    for (size_t i = 0; i < file->n_tensors; i++) {
        dun_gguf_entry *entry = &file->tensors[i];
        TRY(read_tensor(entry, r, i, alignment));
        file->tensor_order[i] = (dun_gguf_name_entry){{entry->name, strlen(entry->name)}, (uint32_t)i};
    }
    TRY(sort_names(file->tensor_order, file->n_tensors, "tensor", r->file));
    file->head_bytes = r->at;
out:
    return rc;
}

static int compare_extents(const void *left, const void *right) {
    const dun_gguf_entry *a = *(const dun_gguf_entry *const *)left,
                         *b = *(const dun_gguf_entry *const *)right;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Points the tensors at their data; refuses those beyond the file and those that share bytes. */
static int place_tensors(dun_gguf *file, const reader *r, uint32_t alignment) {
    int rc = DUN_OK;
    const dun_gguf_entry **order = NULL;
    uint64_t start = (r->at + alignment - 1) / alignment * alignment;
    TRY_NEW(order, file->n_tensors);
    for (size_t i = 0; i < file->n_tensors; i++) {
        dun_gguf_entry *entry = &file->tensors[i];
        uint64_t end = start + entry->offset + entry->tensor.bytes;
        if (end > r->length)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: tensor '%s' ends at byte %" PRIu64
                          ", the file has %zu bytes (truncated download?)",
                          r->file, entry->name, end, r->length));
        entry->tensor.data = r->bytes + start + entry->offset;
        order[i] = entry;
    }
    qsort(order, file->n_tensors, sizeof *order, compare_extents);
    for (size_t i = 1; i < file->n_tensors; i++)
        if (order[i - 1]->offset + order[i - 1]->tensor.bytes > order[i]->offset)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: tensors '%s' and '%s' overlap at byte %" PRIu64
                          "; expected each its own bytes",
                          r->file, order[i - 1]->name, order[i]->name, start + order[i]->offset));
out:
    dun_free(order);
    return rc;
}

int dun_gguf_read(dun_gguf **out, const uint8_t *bytes, size_t length, const char *name, bool keys_only) {
    int rc = DUN_OK;
    uint32_t alignment;
    reader r = {.file = name, .bytes = bytes, .length = length, .where = "the header"};
    dun_gguf *file = NULL;
    TRY_NEW(file, 1);
    TRY_PTR(file->name, dun_strdup(name));
    file->bytes = bytes;
    TRY(read_header(file, &r));
    TRY(read_keys(file, &r));
    TRY(read_alignment(&alignment, file));
    if (keys_only) {
        file->n_tensors = 0;
    } else {
        TRY(read_directory(file, &r, alignment));
        TRY(place_tensors(file, &r, alignment));
    }
    *out = file;
    file = NULL;
out:
    dun_gguf_free(file);
    return rc;
}

void dun_gguf_free(dun_gguf *file) {
    if (!file)
        return;
    dun_free(file->keys);
    dun_free(file->key_order);
    dun_free(file->tensors);
    dun_free(file->tensor_order);
    dun_free(file->name);
    for (size_t i = 0; i < file->n_others; i++)
        dun_gguf_free(file->others[i]);
    dun_free(file->others);
    dun_file_unmap(&file->file);
    dun_free(file);
}
