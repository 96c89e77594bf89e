/* Byte-level BPE: special tokens are found first, what lies between is cut into words (pretokenizer.h), and
 * the bytes of each word are merged (bpe.h). See tokenizer.h. */
#include "io/token/tokenizer.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/bpe.h"
#include "io/token/pretokenizer.h"
#include "io/token/specials.h"
#include "io/token/vocab.h"

#include <string.h>

enum {
    MAX_TEXT_BYTES = 1 << 30, /* repaired at most three times as many, which 32 bits count */
    REPLACEMENT_BYTES = 3,    /* U+FFFD */
};

struct dun_tokenizer {
    dun_vocab vocab;
    dun_specials *specials;
    dun_pretokenizer *pretokenizer;
    dun_bpe *bpe;
    bool add_bos;
    uint32_t bos;
    dun_str repaired; /* the text at hand, when it was not valid UTF-8 */
};

/* Merge `rank` of a description into the table. */
static int add_merge(dun_tokenizer *tokenizer, const dun_token_description *from, uint32_t rank) {
    const dun_vocab *vocab = &tokenizer->vocab;
    const dun_slice nothing = {"", 0}, left = from->merges[rank].left, right = from->merges[rank].right;
    const uint32_t left_id = dun_vocab_find(vocab, left, nothing);
    const uint32_t right_id = dun_vocab_find(vocab, right, nothing);
    const uint32_t merged = dun_vocab_find(vocab, left, right);
    const char *fault = NULL;
    dun_str text = {0};
    int rc = DUN_OK;
    if (left_id == DUN_NO_TOKEN)
        fault = "begins with an unknown token; one of the vocabulary is needed";
    else if (right_id == DUN_NO_TOKEN)
        fault = "ends with an unknown token; one of the vocabulary is needed";
    else if (merged == DUN_NO_TOKEN)
        fault = "makes an unknown token; one of the vocabulary is needed";
    else if (dun_bpe_add(tokenizer->bpe, left_id, right_id, rank, merged) != rank)
        fault = "is there twice; every merge once is needed";
    if (!fault)
        goto out;
    TRY(dun_str_add(&text, left.bytes, left.length));
    TRY(dun_str_add(&text, " ", 1));
    TRY(dun_str_add(&text, right.bytes, right.length));
    TRY(dun_token_refuse(from->file, from->merges_name, rank, (dun_slice){text.bytes, text.length}, fault));
out:
    dun_str_free(&text);
    return rc;
}

int dun_tokenizer_create(dun_tokenizer **out, const dun_token_description *from) {
    int rc;
    dun_tokenizer *tokenizer = NULL;
    TRY_NEW(tokenizer, 1);
    tokenizer->add_bos = from->add_bos;
    tokenizer->bos = from->bos;
    TRY(dun_pretokenizer_create(&tokenizer->pretokenizer, from->pattern, from->file, from->pattern_name));
    TRY(dun_vocab_load(&tokenizer->vocab, from));
    TRY(dun_specials_create(&tokenizer->specials, &tokenizer->vocab));
    TRY(dun_bpe_create(&tokenizer->bpe, from->n_merges));
    for (uint32_t rank = 0; rank < from->n_merges; rank++)
        TRY(add_merge(tokenizer, from, rank));
    dun_vocab_settle(&tokenizer->vocab);
    *out = tokenizer;
    tokenizer = NULL;
out:
    dun_tokenizer_free(tokenizer);
    return rc;
}

void dun_tokenizer_free(dun_tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    dun_vocab_free(&tokenizer->vocab);
    dun_specials_free(tokenizer->specials);
    dun_pretokenizer_free(tokenizer->pretokenizer);
    dun_bpe_free(tokenizer->bpe);
    dun_str_free(&tokenizer->repaired);
    dun_free(tokenizer);
}

/* Bytes begin .. end - 1 of a text, without special tokens. */
static int encode_plain(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t begin,
                        size_t end) {
    int rc = DUN_OK;
    for (size_t at = begin, word; at < end; at += word) {
        TRY(dun_pretokenizer_next(&word, tokenizer->pretokenizer, text + begin, end - begin, at - begin));
        TRY(dun_bpe_encode(out, tokenizer->bpe, tokenizer->vocab.byte_ids, text, at, word));
    }
out:
    return rc;
}

/* Where the parts of a text lie in its repaired form: `whole` valid bytes at both places, then `bad` bytes
 * for which U+FFFD stands (none at the end). */
typedef struct {
    const char *text;
    size_t length;
    size_t at, repaired_at, whole, bad;
} repair;

static size_t repaired_end(const repair *r) {
    return r->repaired_at + r->whole + (r->bad ? REPLACEMENT_BYTES : 0);
}

static void next_part(repair *r) {
    r->repaired_at = repaired_end(r);
    r->at += r->whole + r->bad;
    r->whole = dun_utf8_valid(r->text + r->at, r->length - r->at);
    size_t bad = r->at + r->whole;
    r->bad = bad < r->length ? dun_utf8_invalid(r->text + bad, r->length - bad) : 0;
}

/* The place in the text of one in the repaired text, asked for in order; what lies inside U+FFFD is its end.
 */
static uint32_t place_before_repair(repair *r, size_t place) {
    while (place >= repaired_end(r) && r->at + r->whole + r->bad < r->length)
        next_part(r);
    size_t offset = place - r->repaired_at;
    return (uint32_t)(r->at + (offset <= r->whole ? offset : r->whole + r->bad));
}

static void place_spans(dun_token_span *spans, size_t n, const char *text, size_t length) {
    repair r = {.text = text, .length = length};
    for (size_t i = 0; i < n; i++) {
        spans[i].begin = place_before_repair(&r, spans[i].begin);
        spans[i].end = place_before_repair(&r, spans[i].end);
    }
}

static int encode_valid(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                        dun_token_span plain) {
    int rc = DUN_OK;
    for (size_t at = 0; at < length;) {
        dun_special_match special = dun_specials_find(tokenizer->specials, text, length, at, plain);
        TRY(encode_plain(out, tokenizer, text, at, special.at));
        at = special.at + special.bytes;
        if (special.at < length)
            TRY(dun_tokens_add(out, special.id, special.at, at));
    }
out:
    return rc;
}

/* Without a beginning-of-text token. */
static int encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                         dun_token_span plain) {
    int rc = DUN_OK;
    size_t before = out->n;
    if (length > MAX_TEXT_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "a text has %zu bytes; at most %d are supported", length,
                      MAX_TEXT_BYTES));
    if (dun_utf8_valid(text, length) == length) {
        TRY(encode_valid(out, tokenizer, text, length, plain));
        goto out;
    }
    dun_str_clear(&tokenizer->repaired);
    TRY(dun_utf8_repair(&tokenizer->repaired, text, length));
    TRY(encode_valid(out, tokenizer, tokenizer->repaired.bytes, tokenizer->repaired.length, plain));
    place_spans(out->spans + before, out->n - before, text, length);
out:
    return rc;
}

int dun_tokenizer_encode_plain(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                               dun_token_span plain, bool inside) {
    int rc = DUN_OK;
    size_t before = out->n;
    if (tokenizer->add_bos && !inside)
        TRY(dun_tokens_add(out, tokenizer->bos, 0, 0));
    TRY(encode_inside(out, tokenizer, text, length, plain));
out:
    if (rc < 0)
        out->n = before;
    return rc;
}

int dun_tokenizer_encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    return dun_tokenizer_encode_plain(out, tokenizer, text, length, (dun_token_span){0}, true);
}

int dun_tokenizer_encode(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    return dun_tokenizer_encode_plain(out, tokenizer, text, length, (dun_token_span){0}, false);
}

/* A token spells at least one byte, and U+FFFD, which may stand for a single byte, has three. */
size_t dun_tokenizer_most(const dun_tokenizer *tokenizer, const char *text, size_t length) {
    (void)tokenizer; /* of every byte-level vocabulary */
    return dun_utf8_valid(text, length) == length ? length : REPLACEMENT_BYTES * length;
}

const char *dun_tokenizer_piece(const dun_tokenizer *tokenizer, uint32_t id, size_t *length) {
    if (id < tokenizer->vocab.n)
        return dun_vocab_piece(&tokenizer->vocab, id, length);
    *length = 0;
    return "";
}

uint32_t dun_tokenizer_vocab(const dun_tokenizer *tokenizer) {
    return tokenizer->vocab.n;
}

int dun_tokens_add(dun_tokens *tokens, uint32_t id, size_t begin, size_t end) {
    int rc;
    TRY_GROW(tokens->ids, tokens->capacity, tokens->n);
    TRY_GROW(tokens->spans, tokens->span_capacity, tokens->n);
    tokens->spans[tokens->n] = (dun_token_span){(uint32_t)begin, (uint32_t)end};
    tokens->ids[tokens->n++] = id;
out:
    return rc;
}

void dun_tokens_free(dun_tokens *tokens) {
    dun_free(tokens->ids);
    dun_free(tokens->spans);
    *tokens = (dun_tokens){0};
}
