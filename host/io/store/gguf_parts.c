/* GGUF files as paths; models in several, PREFIX-00001-of-00003.gguf: finding the parts and joining them. See
 * gguf.h. */
#include "io/store/gguf_inside.h"

#include "base/err.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* What a part says of itself. */
typedef struct {
    uint32_t index, count; /* of 0 .. count - 1 */
    uint32_t n_tensors;    /* of all parts; 0: not said */
} part_claim;

static int read_claim(part_claim *claim, const dun_gguf *file) {
    int rc = DUN_OK;
    *claim = (part_claim){.count = 1};
    if (!dun_gguf_has(file, "split.count"))
        goto out;
    TRY(dun_gguf_get_u32(&claim->count, file, "split.count"));
    if (claim->count <= 1)
        goto out;
    TRY(dun_gguf_get_u32(&claim->index, file, "split.no"));
    if (claim->index >= claim->count)
        TRY(dun_error(DUN_BAD_INPUT, "%s: key 'split.no' is %u; expected 0 to %u, as 'split.count' is %u",
                      file->name, claim->index, claim->count - 1, claim->count));
    if (dun_gguf_has(file, "split.tensors.count"))
        TRY(dun_gguf_get_u32(&claim->n_tensors, file, "split.tensors.count"));
out:
    return rc;
}

/* Does a part say of itself what its place and the first part demand? */
static int check_claim(const dun_gguf *part, const part_claim *first, uint32_t index) {
    int rc;
    part_claim claim;
    TRY(read_claim(&claim, part));
    if (claim.count != first->count)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: is of a model of %u parts by its 'split.count'; expected %u, as the first part says",
            part->name, claim.count, first->count));
    if (claim.index != index)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is part %u of %u by its 'split.no'; expected part %u in its place",
                      part->name, claim.index + 1, claim.count, index + 1));
    if (claim.n_tensors != first->n_tensors)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: is of a model of %u tensors by its 'split.tensors.count'; expected %u, as the first part says",
            part->name, claim.n_tensors, first->n_tensors));
out:
    return rc;
}

/* Where a part names its model at all, it is the first one's. */
static int check_same_model(const dun_gguf *first, const dun_gguf *part) {
    static const char *const keys[] = {"general.architecture", "general.name"};
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        dun_gguf_string ours = {0}, its = {0};
        if (!dun_gguf_has(first, keys[i]) || !dun_gguf_has(part, keys[i]))
            continue;
        TRY(dun_gguf_get_string(&ours, first, keys[i]));
        TRY(dun_gguf_get_string(&its, part, keys[i]));
        if (ours.length != its.length || memcmp(ours.bytes, its.bytes, its.length) != 0)
            TRY(dun_error(DUN_BAD_INPUT, "%s: key '%s' is '%.*s'; expected '%.*s', of the model in %s",
                          part->name, keys[i], dun_gguf_shown(&its), its.bytes, dun_gguf_shown(&ours),
                          ours.bytes, first->name));
    }
out:
    return rc;
}

/* The part that holds tensor number `at` of all. */
static const dun_gguf *part_of(dun_gguf *const *parts, size_t at) {
    while (at >= (*parts)->n_tensors)
        at -= (*parts++)->n_tensors;
    return *parts;
}

/* All parts' tensors in a new list, in order; each knows its own name. */
static int join_tensors(dun_gguf_entry **tensors, dun_gguf_name_entry **order, dun_gguf *const *parts,
                        size_t n_parts, size_t n) {
    int rc = DUN_OK;
    size_t at = 0;
    TRY_NEW(*tensors, n);
    TRY_NEW(*order, n);
    for (size_t p = 0; p < n_parts; p++)
        for (size_t i = 0; i < parts[p]->n_tensors; i++, at++) {
            dun_gguf_entry *entry = &(*tensors)[at];
            *entry = parts[p]->tensors[i];
            entry->tensor.name = entry->name;
            (*order)[at] = (dun_gguf_name_entry){{entry->name, strlen(entry->name)}, (uint32_t)at};
        }
    size_t twice = dun_gguf_sort_names(*order, n);
    if (twice)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is in %s too; expected it in one of the parts",
                      part_of(parts, (*order)[twice].index)->name, (*order)[twice].name.bytes,
                      part_of(parts, (*order)[twice - 1].index)->name));
out:
    return rc;
}

int dun_gguf_join(dun_gguf **out, dun_gguf **parts, size_t n_parts) {
    int rc;
    part_claim claim;
    size_t n_tensors = 0;
    dun_gguf_entry *tensors = NULL;
    dun_gguf_name_entry *order = NULL;
    dun_gguf *first = parts[0], **others = NULL;
    TRY(read_claim(&claim, first));
    if (claim.count != n_parts)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is of a model of %u parts by its 'split.count'; found %zu",
                      first->name, claim.count, n_parts));
    for (size_t i = 0; i < n_parts; i++) {
        if (n_parts > 1)
            TRY(check_claim(parts[i], &claim, (uint32_t)i));
        TRY(check_same_model(first, parts[i]));
        n_tensors += parts[i]->n_tensors;
    }
    if (claim.n_tensors && claim.n_tensors != n_tensors)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: key 'split.tensors.count' is %u; expected %zu, the tensors of all %zu parts",
                      first->name, claim.n_tensors, n_tensors, n_parts));
    TRY(join_tensors(&tensors, &order, parts, n_parts, n_tensors));
    TRY_NEW(others, n_parts - 1);
    memcpy(others, parts + 1, (n_parts - 1) * sizeof *others);
    dun_free(first->tensors);
    dun_free(first->tensor_order);
    first->tensors = tensors;
    first->tensor_order = order;
    first->n_tensors = n_tensors;
    first->others = others;
    first->n_others = n_parts - 1;
    memset(parts, 0, n_parts * sizeof *parts);
    tensors = NULL;
    order = NULL;
    *out = first;
out:
    dun_free(tensors);
    dun_free(order);
    return rc;
}

enum { DIGITS = 5, TAIL_BYTES = sizeof "-00001-of-00003.gguf" - 1 };

/* Does a path end as that of one of so many parts? Its number may be any. */
static bool is_part_path(const char *path, uint32_t count) {
    size_t length = strlen(path);
    char tail[TAIL_BYTES + 16];
    snprintf(tail, sizeof tail, "-of-%05u.gguf", count);
    if (length <= TAIL_BYTES || path[length - TAIL_BYTES] != '-')
        return false;
    const char *number = path + length - TAIL_BYTES + 1;
    for (int i = 0; i < DIGITS; i++)
        if (!isdigit((unsigned char)number[i]))
            return false;
    return strcmp(number + DIGITS, tail) == 0;
}

/* Opens part `index`, whose path is that of another part with its own number. */
static int open_part(dun_gguf **out, const char *path, uint32_t index, uint32_t count) {
    int rc;
    dun_str name = {0};
    TRY(dun_str_addf(&name, "%.*s-%05u-of-%05u.gguf", (int)(strlen(path) - TAIL_BYTES), path, index + 1,
                     count));
    if (access(name.bytes, F_OK) != 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not there; expected part %u of %u of the model beside %s",
                      name.bytes, index + 1, count, path));
    TRY(dun_gguf_open_one(out, name.bytes));
out:
    dun_str_free(&name);
    return rc;
}

static int open_parts(dun_gguf **out, const char *path, uint32_t count) {
    int rc;
    dun_gguf **parts = NULL;
    if (!is_part_path(path, count)) /* so count has at most five digits below */
        return dun_error(
            DUN_BAD_INPUT,
            "%s: is one of %u parts of a model by its 'split.count'; expected a name that ends in "
            "-00001-of-%05u.gguf, by which the others are found",
            path, count, count);
    TRY_NEW(parts, count);
    for (uint32_t i = 0; i < count; i++)
        TRY(open_part(&parts[i], path, i, count));
    TRY(dun_gguf_join(out, parts, count));
out:
    for (uint32_t i = 0; parts && i < count; i++)
        dun_gguf_free(parts[i]);
    dun_free(parts);
    return rc;
}

int dun_gguf_parse(dun_gguf **out, const uint8_t *bytes, size_t length, const char *name) {
    return dun_gguf_read(out, bytes, length, name, false);
}

static int open_file(dun_gguf **out, const char *path, bool keys_only) {
    int rc;
    dun_file bytes = {0};
    TRY(dun_file_map(&bytes, path));
    TRY(dun_gguf_read(out, bytes.bytes, bytes.length, path, keys_only));
    (*out)->file = bytes;
    bytes = (dun_file){0};
out:
    dun_file_unmap(&bytes);
    return rc;
}

int dun_gguf_open_one(dun_gguf **out, const char *path) {
    return open_file(out, path, false);
}

int dun_gguf_open_keys(dun_gguf **out, const char *path) {
    return open_file(out, path, true);
}

int dun_gguf_open(dun_gguf **out, const char *path) {
    int rc;
    part_claim claim;
    dun_gguf *named = NULL;
    TRY(dun_gguf_open_one(&named, path));
    TRY(read_claim(&claim, named));
    if (claim.count > 1) {
        TRY(open_parts(out, path, claim.count));
    } else {
        *out = named;
        named = NULL;
    }
out:
    dun_gguf_free(named);
    return rc;
}
