/* Decomposes, sorts marks, composes (Unicode Standard Annex 15), with utf8proc's tables. See normal_form.h.
 *
 * utf8proc sorts marks by exchanging neighbours, which is quadratic for a long run of them; here they are
 * sorted before it sees them. */
#include "io/token/normal_form.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/characters.h"

#include <stdlib.h>
#include <utf8proc.h>

typedef struct {
    utf8proc_int32_t point;
    uint32_t place, class; /* in the segment; canonical combining class */
} part;

struct dun_normal_form {
    int decompose, compose; /* utf8proc's options */
    part *parts;
    utf8proc_int32_t *points;
    size_t capacity, points_capacity;
};

int dun_normal_form_create(dun_normal_form **out, enum dun_edit_kind form) {
    int rc = DUN_OK;
    dun_normal_form *normal = NULL;
    const bool compatible = form == DUN_EDIT_NFKC || form == DUN_EDIT_NFKD;
    const bool composed = form == DUN_EDIT_NFC || form == DUN_EDIT_NFKC;
    TRY_NEW(normal, 1);
    normal->decompose = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compatible ? UTF8PROC_COMPAT : 0);
    normal->compose = composed ? UTF8PROC_COMPOSE | UTF8PROC_STABLE : 0;
    *out = normal;
out:
    return rc;
}

void dun_normal_form_free(dun_normal_form *normal) {
    if (!normal)
        return;
    dun_free(normal->parts);
    dun_free(normal->points);
    dun_free(normal);
}

size_t dun_normal_form_segment(const char *text, size_t length) {
    size_t bytes, at;
    dun_character_at(&at, text);
    while (at < length && (text[at] & 0x80) && dun_character_is_mark(dun_character_at(&bytes, text + at)))
        at += bytes;
    return at;
}

/* Marks by their class, others where they are: those of class 0 part the runs that are sorted. */
static int compare(const void *left, const void *right) {
    const part *a = left, *b = right;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Appends the decomposition of a character. */
static int decompose(dun_normal_form *normal, size_t *n, uint32_t point) {
    int rc;
    utf8proc_int32_t points[32]; /* the longest has 18 */
    int boundary = 0;
    utf8proc_ssize_t found =
        utf8proc_decompose_char((utf8proc_int32_t)point, points, sizeof points / sizeof points[0],
                                (utf8proc_option_t)normal->decompose, &boundary);
    if (found < 0 || found > (utf8proc_ssize_t)(sizeof points / sizeof points[0]))
        return dun_error(DUN_FAILED, "normalising U+%04X failed: %s", point, utf8proc_errmsg(found));
    for (utf8proc_ssize_t i = 0; i < found; i++, ++*n) {
        TRY_GROW(normal->parts, normal->capacity, *n);
        TRY_GROW(normal->points, normal->points_capacity, *n);
        normal->parts[*n] =
            (part){points[i], (uint32_t)*n, (uint32_t)utf8proc_get_property(points[i])->combining_class};
    }
    rc = DUN_OK;
out:
    return rc;
}

static void sort_marks(part *parts, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && parts[i].class != 0 && parts[end].class != 0;)
            end++;
        if (end - i > 1)
            qsort(parts + i, end - i, sizeof *parts, compare);
    }
}

int dun_normal_form_add(dun_str *out, dun_normal_form *normal, const char *segment, size_t length) {
    int rc = DUN_OK;
    size_t n = 0;
    for (size_t at = 0, bytes; at < length; at += bytes)
        TRY(decompose(normal, &n, dun_character_at(&bytes, segment + at)));
    sort_marks(normal->parts, n);
    for (size_t i = 0; i < n; i++)
        normal->points[i] = normal->parts[i].point;
    if (normal->compose)
        n = (size_t)utf8proc_normalize_utf32(normal->points, (utf8proc_ssize_t)n,
                                             (utf8proc_option_t)normal->compose);
    for (size_t i = 0; i < n; i++) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t n_bytes = utf8proc_encode_char(normal->points[i], bytes);
        TRY(dun_str_add(out, (const char *)bytes, (size_t)n_bytes));
    }
out:
    return rc;
}
