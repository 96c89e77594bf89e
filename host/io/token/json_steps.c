/* Normalizers and pre-tokenizers of tokenizer.json as edits and cuts. See json_part.h. */
#include "base/err.h"
#include "base/mem.h"
#include "io/token/json_part.h"
#include "io/token/pre_tags.h"

#include <string.h>

typedef struct step_kind step_kind;

/* A kind of part: its name, what reads it. */
struct step_kind {
    const char *name;
    int (*read)(dun_json_tokenizer *r, const json_t *value, const char *where, const step_kind *kind);
    enum dun_edit_kind edit;
    const char *pattern;
    bool invert;
};

/* Reads a part by the row of its type. */
static int read_step(dun_json_tokenizer *r, const json_t *value, const char *where, const step_kind *kinds,
                     const char *known) {
    int rc;
    const char *type;
    char place[DUN_JSON_WHERE];
    if (json_is_null(value) || !value)
        return DUN_OK;
    TRY(dun_json_get_string(&type, r, value, "type", where, NULL));
    for (; kinds->name; kinds++)
        if (strcmp(kinds->name, type) == 0)
            return kinds->read(r, value, where, kinds);
    dun_json_where(place, where, "type");
    rc = dun_json_refuse_name(r, place, type, known);
out:
    return rc;
}

/* A pattern {"String": ...} or {"Regex": ...}. */
static int read_pattern(const char **out, bool *literal, const dun_json_tokenizer *r, const json_t *value,
                        const char *where) {
    char place[DUN_JSON_WHERE];
    const json_t *pattern = json_object_get(value, "pattern");
    dun_json_where(place, where, "pattern");
    *literal = json_object_get(pattern, "String") != NULL;
    int rc = dun_json_get_string(out, r, pattern, *literal ? "String" : "Regex", place, NULL);
    if (rc == DUN_OK && **out == '\0')
        rc = dun_json_refuse(r, place, "is empty; a text or a pattern is needed");
    return rc;
}

static int add_edit(dun_json_tokenizer *r, bool normal, dun_edit edit) {
    int rc;
    if (normal) {
        TRY_GROW(r->normal, r->normal_capacity, r->to.n_normal);
        r->normal[r->to.n_normal++] = edit;
    } else {
        TRY_GROW(r->prepare, r->prepare_capacity, r->to.n_prepare);
        r->prepare[r->to.n_prepare++] = edit;
    }
out:
    return rc;
}

static int read_plain_edit(dun_json_tokenizer *r, const json_t *value, const char *where,
                           const step_kind *kind) {
    (void)value;
    (void)where;
    return add_edit(r, true, (dun_edit){.kind = kind->edit});
}

static int read_strip(dun_json_tokenizer *r, const json_t *value, const char *where, const step_kind *kind) {
    int rc;
    dun_edit edit = {.kind = kind->edit};
    TRY(dun_json_get_bool(&edit.left, r, value, "strip_left", where, true));
    TRY(dun_json_get_bool(&edit.right, r, value, "strip_right", where, true));
    TRY(add_edit(r, true, edit));
out:
    return rc;
}

static int read_replace(dun_json_tokenizer *r, const json_t *value, const char *where,
                        const step_kind *kind) {
    int rc;
    bool literal;
    dun_edit edit = {.kind = kind->edit};
    TRY(read_pattern(&edit.what, &literal, r, value, where));
    edit.pattern = !literal;
    TRY(dun_json_get_string(&edit.content, r, value, "content", where, NULL));
    TRY(add_edit(r, true, edit));
out:
    return rc;
}

static int read_prepend(dun_json_tokenizer *r, const json_t *value, const char *where,
                        const step_kind *kind) {
    int rc;
    dun_edit edit = {.kind = kind->edit};
    TRY(dun_json_get_string(&edit.content, r, value, "prepend", where, NULL));
    TRY(add_edit(r, true, edit));
out:
    return rc;
}

static int read_normalizers(dun_json_tokenizer *r, const json_t *value, const char *where,
                            const step_kind *kind);

static const step_kind normalizers[] = {
    {.name = "Sequence", .read = read_normalizers},
    {.name = "NFC", .read = read_plain_edit, .edit = DUN_EDIT_NFC},
    {.name = "NFD", .read = read_plain_edit, .edit = DUN_EDIT_NFD},
    {.name = "NFKC", .read = read_plain_edit, .edit = DUN_EDIT_NFKC},
    {.name = "NFKD", .read = read_plain_edit, .edit = DUN_EDIT_NFKD},
    {.name = "Lowercase", .read = read_plain_edit, .edit = DUN_EDIT_LOWERCASE},
    {.name = "Strip", .read = read_strip, .edit = DUN_EDIT_STRIP},
    {.name = "Replace", .read = read_replace, .edit = DUN_EDIT_REPLACE},
    {.name = "Prepend", .read = read_prepend, .edit = DUN_EDIT_PREPEND},
    {0},
};
static const char known_normalizers[] =
    "NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, Prepend and Sequence";

/* The parts of a sequence, one after the other. */
static int read_steps(dun_json_tokenizer *r, const json_t *value, const char *where, const char *key,
                      const step_kind *kinds, const char *known) {
    int rc = DUN_OK;
    char place[DUN_JSON_WHERE];
    const json_t *list = json_object_get(value, key);
    dun_json_where(place, where, key);
    if (!json_is_array(list))
        TRY(dun_json_refuse(r, place, "is not an array; one is needed"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        dun_json_where_at(place, where, key, i);
        TRY(read_step(r, json_array_get(list, i), place, kinds, known));
    }
out:
    return rc;
}

static int read_normalizers(dun_json_tokenizer *r, const json_t *value, const char *where,
                            const step_kind *kind) {
    (void)kind;
    return read_steps(r, value, where, "normalizers", normalizers, known_normalizers);
}

int dun_json_read_normalizer(dun_json_tokenizer *r, const json_t *value) {
    int rc = read_step(r, value, "normalizer", normalizers, known_normalizers);
    r->to.normal = r->normal;
    return rc;
}

static int add_cut(dun_json_tokenizer *r, dun_cut cut) {
    int rc;
    cut.in_alphabet = r->to.byte_level; /* what comes behind ByteLevel sees its alphabet */
    TRY_GROW(r->cuts, r->cuts_capacity, r->to.n_cuts);
    r->cuts[r->to.n_cuts++] = cut;
out:
    return rc;
}

/* Texts are changed before they are cut, so what changes them must come first. */
static int check_first(const dun_json_tokenizer *r, const char *where) {
    if (r->to.n_cuts == 0 && !r->to.byte_level)
        return DUN_OK;
    return dun_json_refuse(r, where,
                           "changes texts behind a part that cuts them; it is followed as the first");
}

static int read_behavior(enum dun_cut_kind *out, const dun_json_tokenizer *r, const json_t *value,
                         const char *where) {
    static const struct {
        const char *name;
        enum dun_cut_kind kind;
    } rows[] = {
        {"Isolated", DUN_CUT_ISOLATED},
        {"Removed", DUN_CUT_REMOVED},
        {"MergedWithPrevious", DUN_CUT_TO_PREVIOUS},
        {"MergedWithNext", DUN_CUT_TO_NEXT},
        {"Contiguous", DUN_CUT_CONTIGUOUS},
    };
    char place[DUN_JSON_WHERE];
    const char *name;
    int rc = dun_json_get_string(&name, r, value, "behavior", where, "Isolated");
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) {
            *out = rows[i].kind;
            return DUN_OK;
        }
    dun_json_where(place, where, "behavior");
    return dun_json_refuse_name(r, place, name,
                                "Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous");
}

static int read_split(dun_json_tokenizer *r, const json_t *value, const char *where, const step_kind *kind) {
    int rc;
    dun_cut cut = {0};
    (void)kind;
    TRY(read_pattern(&cut.pattern, &cut.literal, r, value, where));
    TRY(read_behavior(&cut.kind, r, value, where));
    TRY(dun_json_get_bool(&cut.invert, r, value, "invert", where, false));
    TRY(add_cut(r, cut));
out:
    return rc;
}

static int read_punctuation(dun_json_tokenizer *r, const json_t *value, const char *where,
                            const step_kind *kind) {
    int rc;
    dun_cut cut = {.pattern = kind->pattern};
    TRY(read_behavior(&cut.kind, r, value, where));
    TRY(add_cut(r, cut));
out:
    return rc;
}

static int read_removed(dun_json_tokenizer *r, const json_t *value, const char *where,
                        const step_kind *kind) {
    (void)value;
    (void)where;
    return add_cut(r, (dun_cut){.pattern = kind->pattern, .kind = DUN_CUT_REMOVED, .invert = kind->invert});
}

static int read_digits(dun_json_tokenizer *r, const json_t *value, const char *where, const step_kind *kind) {
    int rc;
    bool each;
    TRY(dun_json_get_bool(&each, r, value, "individual_digits", where, false));
    TRY(add_cut(r,
                (dun_cut){.pattern = kind->pattern, .kind = each ? DUN_CUT_ISOLATED : DUN_CUT_CONTIGUOUS}));
out:
    return rc;
}

static int read_byte_level(dun_json_tokenizer *r, const json_t *value, const char *where,
                           const step_kind *kind) {
    int rc;
    bool space, cuts;
    (void)kind;
    TRY(dun_json_get_bool(&space, r, value, "add_prefix_space", where, true));
    TRY(dun_json_get_bool(&cuts, r, value, "use_regex", where, true));
    if (space) {
        TRY(check_first(r, where));
        TRY(add_edit(r, false, (dun_edit){.kind = DUN_EDIT_PREPEND, .what = " ", .content = " "}));
    }
    if (cuts)
        TRY(add_cut(r, (dun_cut){.pattern = dun_pre_gpt2}));
    r->to.byte_level = true;
out:
    return rc;
}

static int read_metaspace(dun_json_tokenizer *r, const json_t *value, const char *where,
                          const step_kind *kind) {
    int rc;
    const char *blank, *scheme;
    bool split, space;
    char place[DUN_JSON_WHERE];
    (void)kind;
    TRY(check_first(r, where));
    TRY(dun_json_get_string(&blank, r, value, "replacement", where, "\xe2\x96\x81"));
    TRY(dun_json_get_bool(&space, r, value, "add_prefix_space", where, true)); /* as older files say it */
    TRY(dun_json_get_string(&scheme, r, value, "prepend_scheme", where, space ? "always" : "never"));
    TRY(dun_json_get_bool(&split, r, value, "split", where, true));
    const bool first = strcmp(scheme, "first") == 0, never = strcmp(scheme, "never") == 0;
    dun_json_where(place, where, "prepend_scheme");
    if (!first && !never && strcmp(scheme, "always") != 0)
        TRY(dun_json_refuse_name(r, place, scheme, "first, always and never"));
    TRY(add_edit(r, false, (dun_edit){.kind = DUN_EDIT_REPLACE, .what = " ", .content = blank}));
    if (!never)
        TRY(add_edit(r, false,
                     (dun_edit){.kind = DUN_EDIT_PREPEND, .what = blank, .content = blank, .first = first}));
    if (split)
        TRY(add_cut(r, (dun_cut){.pattern = blank, .literal = true, .kind = DUN_CUT_TO_NEXT}));
out:
    return rc;
}

static int read_pretokenizers(dun_json_tokenizer *r, const json_t *value, const char *where,
                              const step_kind *kind);

static const step_kind pretokenizers[] = {
    {.name = "Sequence", .read = read_pretokenizers},
    {.name = "ByteLevel", .read = read_byte_level},
    {.name = "Split", .read = read_split},
    {.name = "Digits", .read = read_digits, .pattern = "\\p{N}"},
    {.name = "Punctuation", .read = read_punctuation, .pattern = "[\\p{P}$+<=>^`|~]"},
    {.name = "Metaspace", .read = read_metaspace},
    {.name = "Whitespace", .read = read_removed, .pattern = "\\w+|[^\\w\\s]+", .invert = true},
    {.name = "WhitespaceSplit", .read = read_removed, .pattern = "\\s"},
    {0},
};
static const char known_pretokenizers[] =
    "ByteLevel, Split, Digits, Punctuation, Metaspace, Whitespace, WhitespaceSplit and Sequence";

static int read_pretokenizers(dun_json_tokenizer *r, const json_t *value, const char *where,
                              const step_kind *kind) {
    (void)kind;
    return read_steps(r, value, where, "pretokenizers", pretokenizers, known_pretokenizers);
}

int dun_json_read_pretokenizer(dun_json_tokenizer *r, const json_t *value) {
    int rc = read_step(r, value, "pre_tokenizer", pretokenizers, known_pretokenizers);
    r->to.prepare = r->prepare;
    r->to.cuts = r->cuts;
    return rc;
}
