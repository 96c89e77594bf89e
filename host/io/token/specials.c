/* Added tokens in byte order. Those that begin with the bytes at hand are a range of the list, which shrinks
 * with each byte, so a place costs at most the longest token times the logarithm of their number. See
 * specials.h. */
#include "io/token/specials.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/characters.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 256 };

typedef struct {
    unsigned char *bytes;
    size_t length;
    uint32_t id;
    size_t order; /* of equal ones the first is meant */
    bool control, single_word, lstrip, rstrip;
} special;

struct dun_specials {
    special *list; /* in byte order, a beginning of another before it */
    size_t n;
    size_t first[257]; /* those beginning with byte b: list[first[b] .. first[b + 1] - 1] */
};

static int compare(const void *left, const void *right) {
    const special *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    if (order == 0)
        order = (a->length > b->length) - (a->length < b->length);
    if (order == 0)
        order = (a->order > b->order) - (a->order < b->order);
    return order;
}

static int add(dun_specials *specials, size_t *capacity, const dun_token_description *from,
               const dun_added_token *token, dun_edits *edits) {
    int rc = DUN_OK;
    dun_edited content = {token->content.bytes, token->content.length, NULL};
    if (token->normalized)
        TRY(dun_edits_apply(&content, edits, content.bytes, content.length, DUN_PIECE_FIRST));
    if (content.length == 0)
        goto out;
    if (content.length > MAX_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s[%u] is a special token of %zu bytes; at most %d are supported",
                      from->file, from->tokens_name, token->id, content.length, MAX_BYTES));
    TRY_GROW(specials->list, *capacity, specials->n);
    special *s = &specials->list[specials->n];
    *s = (special){.length = content.length,
                   .id = token->id,
                   .order = specials->n + (token->control ? 0 : from->n_added),
                   .control = token->control,
                   .single_word = token->single_word,
                   .lstrip = token->lstrip,
                   .rstrip = token->rstrip};
    TRY_NEW(s->bytes, content.length);
    memcpy(s->bytes, content.bytes, content.length);
    specials->n++;
out:
    return rc;
}

int dun_specials_create(dun_specials **out, const dun_token_description *from, bool normalized,
                        dun_edits *edits) {
    int rc;
    size_t capacity = 0;
    dun_specials *specials = NULL;
    TRY_NEW(specials, 1);
    for (size_t i = 0; i < from->n_added; i++)
        if (from->added[i].normalized == normalized)
            TRY(add(specials, &capacity, from, &from->added[i], edits));
    if (specials->n)
        qsort(specials->list, specials->n, sizeof *specials->list, compare);
    for (size_t i = 0; i < specials->n; i++)
        specials->first[specials->list[i].bytes[0] + 1] = i + 1;
    for (size_t byte = 1; byte < 257; byte++)
        if (specials->first[byte] == 0)
            specials->first[byte] = specials->first[byte - 1];
    *out = specials;
    specials = NULL;
    rc = DUN_OK;
out:
    dun_specials_free(specials);
    return rc;
}

void dun_specials_free(dun_specials *specials) {
    if (!specials)
        return;
    for (size_t i = 0; i < specials->n; i++)
        dun_free(specials->list[i].bytes);
    dun_free(specials->list);
    dun_free(specials);
}

size_t dun_specials_shortest(const dun_specials *specials) {
    size_t shortest = 0;
    for (size_t i = 0; i < specials->n; i++)
        if (shortest == 0 || specials->list[i].length < shortest)
            shortest = specials->list[i].length;
    return shortest;
}

/* The first of list[low .. high - 1], which agree before `depth` and are longer, whose byte there is at
 * least `byte`. */
static size_t lower_bound(const special *list, size_t low, size_t high, size_t depth, unsigned byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].bytes[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest added token at the front of a text, or NULL; a control token of at most so many bytes. */
static const special *longest(const dun_specials *specials, const unsigned char *text, size_t length,
                              size_t most_control) {
    const special *list = specials->list, *best = NULL;
    size_t low = specials->first[text[0]], high = specials->first[text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        const special *whole = NULL;
        for (; low < high && list[low].length == depth; low++)
            if (!whole && !(list[low].control && depth > most_control))
                whole = &list[low];
        best = whole ? whole : best;
        if (depth == length)
            break;
        low = lower_bound(list, low, high, depth, text[depth]);
        high = lower_bound(list, low, high, depth, text[depth] + 1u);
    }
    return best;
}

/* Does a word reach up to a token at [begin, end)? */
static bool in_word(const char *text, size_t length, size_t begin, size_t end) {
    size_t bytes;
    return (begin > 0 && dun_character_is_word(dun_character_before(&bytes, text, begin))) ||
           (end < length && dun_character_is_word(dun_character_at(&bytes, text + end)));
}

static void take_blanks(dun_special_match *match, const special *token, const char *text, size_t length,
                        dun_special_match last) {
    size_t bytes;
    while (token->lstrip && match->begin > last.end &&
           dun_character_is_space(dun_character_before(&bytes, text, match->begin)))
        match->begin -= bytes;
    if (token->lstrip && match->begin < last.end)
        match->begin = last.end;
    if (!token->rstrip)
        return;
    if (match->end < last.blanks) /* looked at before: a run of blanks is gone through once */
        match->end = last.blanks;
    while (match->end < length && dun_character_is_space(dun_character_at(&bytes, text + match->end)))
        match->end += bytes;
    match->blanks = match->end;
}

dun_special_match dun_specials_find(const dun_specials *specials, const char *text, size_t length,
                                    dun_special_match last, dun_token_span plain) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = last.next; at < length; at++) {
        if (specials->first[bytes[at]] == specials->first[bytes[at] + 1])
            continue;
        const size_t most = at >= plain.end ? length : at < plain.begin ? plain.begin - at : 0;
        const special *found = longest(specials, bytes + at, length - at, most);
        if (!found)
            continue;
        const size_t end = at + found->length;
        dun_special_match match = {at, end, end, last.blanks, found->id};
        if (found->single_word && in_word(text, length, at, end)) {
            at = end - 1;
            continue;
        }
        take_blanks(&match, found, text, length, last);
        return match;
    }
    return (dun_special_match){.begin = length, .end = length, .next = length};
}
