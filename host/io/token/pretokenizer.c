/* Runs a list of cuts, one after the other, over all words of a text. See pretokenizer.h. */
#include "io/token/pretokenizer.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/alphabet.h"
#include "io/token/regex.h"

typedef struct {
    dun_word *at;
    size_t n, capacity;
} word_list;

typedef struct {
    dun_regex *regex;
    enum dun_cut_kind kind;
    bool invert, in_alphabet;
} cut;

struct dun_pretokenizer {
    cut *cuts;
    size_t n_cuts;
    dun_alphabet alphabet;
    dun_str written;          /* the word at hand in the alphabet */
    word_list words, further; /* of the cut before, of the one at work */
};

int dun_pretokenizer_create(dun_pretokenizer **out, const dun_cut *cuts, size_t n, const char *file,
                            const char *part) {
    int rc = DUN_OK;
    dun_pretokenizer *p = NULL;
    TRY_NEW(p, 1);
    TRY_NEW(p->cuts, n);
    dun_alphabet_make(&p->alphabet);
    for (; p->n_cuts < n; p->n_cuts++) {
        const dun_cut *from = &cuts[p->n_cuts];
        p->cuts[p->n_cuts] = (cut){NULL, from->kind, from->invert, from->in_alphabet};
        TRY(dun_regex_create(&p->cuts[p->n_cuts].regex, from->pattern, from->literal, file, part));
    }
    *out = p;
    p = NULL;
out:
    dun_pretokenizer_free(p);
    return rc;
}

void dun_pretokenizer_free(dun_pretokenizer *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->n_cuts; i++)
        dun_regex_free(p->cuts[i].regex);
    dun_free(p->cuts);
    dun_free(p->words.at);
    dun_free(p->further.at);
    dun_str_free(&p->written);
    dun_free(p);
}

static int add_word(word_list *list, size_t begin, size_t end) {
    int rc;
    TRY_GROW(list->at, list->capacity, list->n);
    list->at[list->n++] = (dun_word){(uint32_t)begin, (uint32_t)end};
out:
    return rc;
}

/* Does a part stay with the one before it, both matches or what lies between? */
static bool stays(enum dun_cut_kind kind, bool match, bool before) {
    switch (kind) {
    case DUN_CUT_TO_PREVIOUS:
        return match && !before;
    case DUN_CUT_TO_NEXT:
        return !match && before;
    case DUN_CUT_CONTIGUOUS:
        return match == before;
    case DUN_CUT_ISOLATED:
    case DUN_CUT_REMOVED:
        break;
    }
    return false;
}

/* The parts of one word so far. */
typedef struct {
    const cut *by;
    size_t n;    /* parts, those left out as well */
    bool before; /* was the last one a match? */
} parts;

static int add_part(word_list *list, parts *so_far, size_t begin, size_t end, bool match) {
    int rc = DUN_OK;
    match ^= so_far->by->invert;
    if (so_far->n > 0 && stays(so_far->by->kind, match, so_far->before))
        list->at[list->n - 1].end = (uint32_t)end;
    else if (so_far->by->kind != DUN_CUT_REMOVED || !match)
        TRY(add_word(list, begin, end));
    so_far->n++;
    so_far->before = match;
out:
    return rc;
}

/* The place in a word of one in its written form, asked for in order: every byte is one character there. */
typedef struct {
    const char *written;
    size_t written_at, at;
} byte_place;

static size_t place_of(byte_place *p, size_t written_at) {
    for (; p->written_at < written_at; p->at++)
        p->written_at += (p->written[p->written_at] & 0x80) ? 2 : 1;
    return p->at;
}

static int write_word(dun_str *out, const dun_alphabet *alphabet, const char *text, size_t length) {
    int rc = DUN_OK;
    dun_str_clear(out);
    for (size_t i = 0; i < length; i++) {
        char character[2];
        TRY(dun_str_add(out, character, dun_alphabet_write(character, alphabet, (unsigned char)text[i])));
    }
out:
    return rc;
}

static int cut_word(dun_pretokenizer *p, const cut *by, const char *text, dun_word word) {
    int rc;
    size_t at = 0, begin, end, length = word.end - word.begin;
    byte_place place = {0};
    parts so_far = {.by = by};
    const char *seen = text + word.begin;
    if (by->in_alphabet) {
        TRY(write_word(&p->written, &p->alphabet, seen, length));
        place.written = seen = p->written.bytes;
        length = p->written.length;
    }
    do {
        TRY(dun_regex_find(&begin, &end, by->regex, seen, length, at));
        if (rc == 0)
            begin = end = length;
        size_t between = at, match = begin, after = end;
        if (by->in_alphabet) {
            between = place_of(&place, at);
            match = place_of(&place, begin);
            after = place_of(&place, end);
        }
        if (match > between)
            TRY(add_part(&p->further, &so_far, word.begin + between, word.begin + match, false));
        if (after > match)
            TRY(add_part(&p->further, &so_far, word.begin + match, word.begin + after, true));
        at = end;
    } while (at < length);
    rc = DUN_OK;
out:
    return rc;
}

int dun_pretokenizer_cut(const dun_word **words, size_t *n, dun_pretokenizer *p, const char *text,
                         size_t length) {
    int rc = DUN_OK;
    p->words.n = 0;
    if (length > 0)
        TRY(add_word(&p->words, 0, length));
    for (size_t i = 0; i < p->n_cuts; i++) {
        p->further.n = 0;
        for (size_t j = 0; j < p->words.n; j++)
            TRY(cut_word(p, &p->cuts[i], text, p->words.at[j]));
        word_list done = p->words;
        p->words = p->further;
        p->further = done;
    }
    *words = p->words.at;
    *n = p->words.n;
out:
    return rc;
}
