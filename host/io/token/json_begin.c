/* Post-processors of tokenizer.json: what begins a text. See json_part.h. */
#include "base/err.h"
#include "base/mem.h"
#include "io/token/json_part.h"

#include <string.h>

/* The ids of a special token of a template, each one of the tokens; they join `ids`. */
static int add_ids(dun_json_tokenizer *r, const json_t *template, const char *name, const char *where,
                   size_t *n) {
    int rc = DUN_OK;
    const json_t *ids =
        json_object_get(json_object_get(json_object_get(template, "special_tokens"), name), "ids");
    if (!json_is_array(ids))
        TRY(dun_json_refuse(r, where, "names a token without ids in special_tokens; they are needed"));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            (uint64_t)json_integer_value(id) >= r->to.n_tokens)
            TRY(dun_json_refuse(r, where, "has an id that is none of the tokens; one of them is needed"));
        TRY_GROW(r->begin, r->begin_capacity, *n);
        r->begin[(*n)++] = (uint32_t)json_integer_value(id);
    }
out:
    return rc;
}

/* One element of a template: a special token, which is kept before the text, or the text. */
static int read_piece(dun_json_tokenizer *r, const json_t *template, const json_t *piece, const char *where,
                      bool *text, size_t *n) {
    int rc;
    const char *name;
    const json_t *token = json_object_get(piece, "SpecialToken"), *part = json_object_get(piece, "Sequence");
    if (!token && !part)
        TRY(dun_json_refuse(r, where, "is neither a SpecialToken nor a Sequence; one is needed"));
    TRY(dun_json_get_string(&name, r, token ? token : part, "id", where, NULL));
    if (part && (*text || strcmp(name, "A") != 0))
        TRY(dun_json_refuse(r, where, "is a second text; one, 'A', is needed"));
    if (part)
        *text = true;
    else if (!*text)
        TRY(add_ids(r, template, name, where, n));
    else
        dun_warn("%s: %s puts a token behind texts; it is left out, as a prompt follows them", r->path,
                 where);
out:
    return rc;
}

static void reverse(uint32_t *ids, size_t begin, size_t end) {
    while (begin + 1 < end) {
        const uint32_t last = ids[--end];
        ids[end] = ids[begin];
        ids[begin++] = last;
    }
}

/* A template around what the one before made: its tokens come first. */
static int read_template(dun_json_tokenizer *r, const json_t *value, const char *where) {
    int rc = DUN_OK;
    bool text = false;
    char place[DUN_JSON_WHERE];
    const size_t before = r->to.n_begin;
    size_t n = before;
    const json_t *single = json_object_get(value, "single");
    dun_json_where(place, where, "single");
    if (!json_is_array(single))
        TRY(dun_json_refuse(r, place, "is not an array; one is needed"));
    for (size_t i = 0; i < json_array_size(single); i++) {
        dun_json_where_at(place, where, "single", i);
        TRY(read_piece(r, value, json_array_get(single, i), place, &text, &n));
    }
    dun_json_where(place, where, "single");
    if (!text)
        TRY(dun_json_refuse(r, place, "has no text; a Sequence 'A' is needed"));
    reverse(r->begin, 0, n); /* the new ones, then those from before */
    reverse(r->begin, 0, n - before);
    reverse(r->begin, n - before, n);
    r->to.n_begin = n;
    r->has_template = true;
out:
    return rc;
}

static int read_processor(dun_json_tokenizer *r, const json_t *value, const char *where) {
    int rc = DUN_OK;
    const char *type;
    char place[DUN_JSON_WHERE];
    if (!value || json_is_null(value))
        return DUN_OK;
    TRY(dun_json_get_string(&type, r, value, "type", where, NULL));
    if (strcmp(type, "ByteLevel") == 0)
        return DUN_OK; /* it moves offsets alone */
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, value, where);
    dun_json_where(place, where, "type");
    if (strcmp(type, "Sequence") != 0)
        TRY(dun_json_refuse_name(r, place, type, "TemplateProcessing, ByteLevel and Sequence"));
    const json_t *list = json_object_get(value, "processors");
    dun_json_where(place, where, "processors");
    if (!json_is_array(list))
        TRY(dun_json_refuse(r, place, "is not an array; one is needed"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        dun_json_where_at(place, where, "processors", i);
        TRY(read_processor(r, json_array_get(list, i), place));
    }
out:
    return rc;
}

int dun_json_read_postprocessor(dun_json_tokenizer *r, const json_t *value) {
    int rc = read_processor(r, value, "post_processor");
    r->to.begin = r->begin;
    return rc;
}
