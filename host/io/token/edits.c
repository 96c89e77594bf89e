/* Edits one after the other, each from one buffer into another. See edits.h. */
#include "io/token/edits.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/characters.h"
#include "io/token/normal_form.h"
#include "io/token/regex.h"

#include <string.h>
#include <utf8proc.h>

/* A text that is being written, and where its bytes come from. */
typedef struct {
    dun_str text;
    uint32_t *origin; /* [capacity] */
    size_t capacity;
} buffer;

typedef struct {
    enum dun_edit_kind kind;
    char *what, *content;
    bool left, right, first;
    dun_regex *regex;        /* DUN_EDIT_REPLACE */
    dun_normal_form *normal; /* DUN_EDIT_NFC ... */
} edit;

struct dun_edits {
    edit *list;
    size_t n;
    buffer buffers[2];
    dun_str segment; /* scratch */
};

static int copy_edit(edit *to, const dun_edit *from, const char *file, const char *part) {
    int rc = DUN_OK;
    *to = (edit){.kind = from->kind, .left = from->left, .right = from->right, .first = from->first};
    TRY_PTR(to->what, dun_strdup(from->what ? from->what : ""));
    TRY_PTR(to->content, dun_strdup(from->content ? from->content : ""));
    if (from->kind <= DUN_EDIT_NFKD)
        TRY(dun_normal_form_create(&to->normal, from->kind));
    if (from->kind == DUN_EDIT_REPLACE)
        TRY(dun_regex_create(&to->regex, to->what, !from->pattern, file, part));
out:
    return rc;
}

int dun_edits_create(dun_edits **out, const dun_edit *list, size_t n, const char *file, const char *part) {
    int rc = DUN_OK;
    dun_edits *edits = NULL;
    TRY_NEW(edits, 1);
    TRY_NEW(edits->list, n);
    for (edits->n = 0; edits->n < n;) {
        const size_t i = edits->n++;
        TRY(copy_edit(&edits->list[i], &list[i], file, part));
    }
    *out = edits;
    edits = NULL;
out:
    dun_edits_free(edits);
    return rc;
}

void dun_edits_free(dun_edits *edits) {
    if (!edits)
        return;
    for (size_t i = 0; i < edits->n; i++) {
        dun_free(edits->list[i].what);
        dun_free(edits->list[i].content);
        dun_regex_free(edits->list[i].regex);
        dun_normal_form_free(edits->list[i].normal);
    }
    for (size_t i = 0; i < 2; i++) {
        dun_str_free(&edits->buffers[i].text);
        dun_free(edits->buffers[i].origin);
    }
    dun_str_free(&edits->segment);
    dun_free(edits->list);
    dun_free(edits);
}

static uint32_t origin_of(const dun_edited *from, size_t place) {
    return from->origin ? from->origin[place] : (uint32_t)place;
}

/* Room for the origins of n more bytes and of the end. */
static int reserve(buffer *to, size_t n) {
    int rc = DUN_OK;
    const size_t wanted = to->text.length + n + 1;
    if (wanted > UINT32_MAX)
        return dun_error(DUN_BAD_INPUT, "a normalised text has 4 GB or more");
    size_t capacity = to->capacity ? to->capacity : 256;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity > to->capacity) {
        uint32_t *grown;
        TRY_PTR(grown, dun_realloc(to->origin, capacity, sizeof *grown));
        to->origin = grown;
        to->capacity = capacity;
    }
out:
    return rc;
}

/* Appends n bytes that stand for from[begin .. end - 1]; those that equal them keep their places. */
static int put(buffer *to, const char *bytes, size_t n, const dun_edited *from, size_t begin, size_t end) {
    int rc;
    TRY(reserve(to, n));
    uint32_t *origin = to->origin + to->text.length;
    const bool same = n == end - begin && memcmp(bytes, from->bytes + begin, n) == 0;
    for (size_t i = 0; i < n; i++)
        origin[i] = same || i == 0 ? origin_of(from, begin + i) : origin_of(from, end);
    TRY(dun_str_add(&to->text, bytes, n));
out:
    return rc;
}

static int put_same(buffer *to, const dun_edited *from, size_t begin, size_t end) {
    return put(to, from->bytes + begin, end - begin, from, begin, end);
}

static int put_normal(buffer *to, dun_edits *edits, dun_normal_form *normal, const dun_edited *from) {
    int rc = DUN_OK;
    for (size_t at = 0, bytes; at < from->length; at += bytes) {
        bytes = dun_normal_form_segment(from->bytes + at, from->length - at);
        if (bytes == 1) { /* ASCII */
            TRY(put_same(to, from, at, at + 1));
            continue;
        }
        dun_str_clear(&edits->segment);
        TRY(dun_normal_form_add(&edits->segment, normal, from->bytes + at, bytes));
        TRY(put(to, edits->segment.bytes, edits->segment.length, from, at, at + bytes));
    }
out:
    return rc;
}

static int put_lower(buffer *to, const dun_edited *from) {
    int rc = DUN_OK;
    for (size_t at = 0, bytes; at < from->length; at += bytes) {
        const uint32_t point = dun_character_at(&bytes, from->bytes + at);
        utf8proc_uint8_t lower[8];
        size_t n = (size_t)utf8proc_encode_char(utf8proc_tolower((utf8proc_int32_t)point), lower);
        if (point == 0x130) { /* the one character whose small form is two: i and a dot above */
            lower[0] = 'i';
            n = 1 + (size_t)utf8proc_encode_char(0x307, lower + 1);
        }
        TRY(put(to, (const char *)lower, n, from, at, at + bytes));
    }
out:
    return rc;
}

static int put_stripped(buffer *to, const edit *e, const dun_edited *from) {
    size_t begin = 0, end = from->length, bytes;
    while (e->left && begin < end && dun_character_is_space(dun_character_at(&bytes, from->bytes + begin)))
        begin += bytes;
    while (e->right && begin < end && dun_character_is_space(dun_character_before(&bytes, from->bytes, end)))
        end -= bytes;
    return put_same(to, from, begin, end);
}

static int put_replaced(buffer *to, const edit *e, const dun_edited *from) {
    int rc;
    size_t at = 0, begin, end;
    for (;; at = end) {
        TRY(dun_regex_find(&begin, &end, e->regex, from->bytes, from->length, at));
        if (rc == 0)
            break;
        TRY(put_same(to, from, at, begin));
        TRY(put(to, e->content, strlen(e->content), from, begin, end));
    }
    TRY(put_same(to, from, at, from->length));
out:
    return rc;
}

/* Would an edit change nothing, as far as is known without doing it? */
static bool is_idle(const edit *e, const dun_edited *from, enum dun_piece_place place) {
    const size_t n = strlen(e->what);
    switch (e->kind) {
    case DUN_EDIT_NFC:
    case DUN_EDIT_NFD:
    case DUN_EDIT_NFKC:
    case DUN_EDIT_NFKD:
        return dun_characters_are_ascii(from->bytes, from->length);
    case DUN_EDIT_PREPEND:
        return from->length == 0 || place == DUN_PIECE_INSIDE || (e->first && place != DUN_PIECE_FIRST) ||
               (n > 0 && n <= from->length && memcmp(from->bytes, e->what, n) == 0);
    case DUN_EDIT_LOWERCASE:
    case DUN_EDIT_STRIP:
    case DUN_EDIT_REPLACE:
        break;
    }
    return false;
}

static int apply(buffer *to, dun_edits *edits, const edit *e, const dun_edited *from) {
    int rc = DUN_OK;
    switch (e->kind) {
    case DUN_EDIT_NFC:
    case DUN_EDIT_NFD:
    case DUN_EDIT_NFKC:
    case DUN_EDIT_NFKD:
        TRY(put_normal(to, edits, e->normal, from));
        break;
    case DUN_EDIT_LOWERCASE:
        TRY(put_lower(to, from));
        break;
    case DUN_EDIT_STRIP:
        TRY(put_stripped(to, e, from));
        break;
    case DUN_EDIT_REPLACE:
        TRY(put_replaced(to, e, from));
        break;
    case DUN_EDIT_PREPEND:
        TRY(put(to, e->content, strlen(e->content), from, 0, 0));
        TRY(put_same(to, from, 0, from->length));
        break;
    }
out:
    return rc;
}

int dun_edits_apply(dun_edited *out, dun_edits *edits, const char *text, size_t length,
                    enum dun_piece_place place) {
    int rc = DUN_OK;
    buffer *to = &edits->buffers[0];
    *out = (dun_edited){text, length, NULL};
    for (size_t i = 0; i < edits->n; i++) {
        if (is_idle(&edits->list[i], out, place))
            continue;
        dun_str_clear(&to->text);
        TRY(reserve(to, 0));
        TRY(apply(to, edits, &edits->list[i], out));
        to->origin[to->text.length] = origin_of(out, out->length);
        *out = (dun_edited){to->text.bytes ? to->text.bytes : "", to->text.length, to->origin};
        to = to == &edits->buffers[0] ? &edits->buffers[1] : &edits->buffers[0];
    }
out:
    return rc;
}

/* Unicode Standard Annex 15 has a table of how normal forms of UTF-8 grow. */
size_t dun_edit_growth(const dun_edit *e, bool ascii) {
    const size_t content = e->content ? strlen(e->content) : 0;
    switch (e->kind) {
    case DUN_EDIT_NFC:
    case DUN_EDIT_NFD:
        return ascii ? 1 : 3;
    case DUN_EDIT_NFKC:
    case DUN_EDIT_NFKD:
        return ascii ? 1 : 11;
    case DUN_EDIT_LOWERCASE:
        return ascii ? 1 : 2;
    case DUN_EDIT_REPLACE:
        return content > 1 ? content : 1;
    case DUN_EDIT_STRIP:
    case DUN_EDIT_PREPEND:
        break;
    }
    return 1;
}
