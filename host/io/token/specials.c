/* Special tokens in byte order. Those that begin with the bytes at hand are a range of the list, which
 * shrinks with each byte, so a place costs at most the longest token times the logarithm of their number. See
 * specials.h. */
#include "io/token/specials.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 256 };

typedef struct {
    const unsigned char *bytes;
    size_t length;
    uint32_t id;
    bool control;
} special;

struct dun_specials {
    special *list; /* in byte order, a beginning of another before it */
    size_t n;
    size_t first[257]; /* those beginning with byte b: list[first[b] .. first[b + 1] - 1] */
};

static int compare(const void *left, const void *right) {
    const special *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int gather(dun_specials *specials, const dun_vocab *vocab) {
    int rc = DUN_OK;
    size_t capacity = 0;
    const dun_token_description *from = vocab->from;
    for (uint32_t id = 0; id < vocab->n; id++) {
        size_t length;
        const char *bytes = dun_vocab_piece(vocab, id, &length);
        const uint8_t kind = from->kinds ? from->kinds[id] : DUN_TOKEN_NORMAL;
        const bool control = kind == DUN_TOKEN_CONTROL;
        if ((!control && kind != DUN_TOKEN_WHOLE) || length == 0)
            continue;
        if (length > MAX_BYTES)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s: %s[%u] is a special token of %zu bytes; at most %d are supported", from->file,
                          from->tokens_name, id, length, MAX_BYTES));
        TRY_GROW(specials->list, capacity, specials->n);
        specials->list[specials->n++] = (special){(const unsigned char *)bytes, length, id, control};
    }
out:
    return rc;
}

int dun_specials_create(dun_specials **out, const dun_vocab *vocab) {
    int rc;
    dun_specials *specials = NULL;
    TRY_NEW(specials, 1);
    TRY(gather(specials, vocab));
    if (specials->n)
        qsort(specials->list, specials->n, sizeof *specials->list, compare);
    for (size_t i = 0; i < specials->n; i++)
        specials->first[specials->list[i].bytes[0] + 1] = i + 1;
    for (size_t byte = 1; byte < 257; byte++)
        if (specials->first[byte] == 0)
            specials->first[byte] = specials->first[byte - 1];
    *out = specials;
    specials = NULL;
out:
    dun_specials_free(specials);
    return rc;
}

void dun_specials_free(dun_specials *specials) {
    if (!specials)
        return;
    dun_free(specials->list);
    dun_free(specials);
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

/* The longest special token at the front of a text, or NULL; a control token of at most so many bytes. */
static const special *longest(const dun_specials *specials, const unsigned char *text, size_t length,
                              size_t most_control) {
    const special *list = specials->list, *best = NULL;
    size_t low = specials->first[text[0]], high = specials->first[text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (list[low].length == depth) {
            best = list[low].control && depth > most_control ? best : &list[low];
            low++;
        }
        if (depth == length)
            break;
        low = lower_bound(list, low, high, depth, text[depth]);
        high = lower_bound(list, low, high, depth, text[depth] + 1u);
    }
    return best;
}

dun_special_match dun_specials_find(const dun_specials *specials, const char *text, size_t length,
                                    size_t from, dun_token_span plain) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = from; at < length; at++) {
        if (specials->first[bytes[at]] == specials->first[bytes[at] + 1])
            continue;
        const size_t most = at >= plain.end ? length : at < plain.begin ? plain.begin - at : 0;
        const special *found = longest(specials, bytes + at, length - at, most);
        if (found)
            return (dun_special_match){at, found->length, found->id};
    }
    return (dun_special_match){.at = length};
}
