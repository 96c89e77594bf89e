/* Added tokens are found first; what lies between is normalised (edits.h) and cut into words
 * (pretokenizer.h), and each word is merged (bpe.h). See tokenizer.h. */
#include "io/token/tokenizer.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/token/bpe.h"
#include "io/token/characters.h"
#include "io/token/edits.h"
#include "io/token/pretokenizer.h"
#include "io/token/specials.h"
#include "io/token/vocab.h"

#include <string.h>

enum {
    MAX_TEXT_BYTES = 1 << 30, /* repaired at most three times as many, which 32 bits count */
    REPLACEMENT_BYTES = 3,    /* U+FFFD */
    MANY = 1 << 28,           /* bounds end here, far beyond any model's room */
};

struct dun_tokenizer {
    dun_vocab vocab;
    dun_edits *normal, *prepare;
    dun_specials *raw, *normalized; /* by the text in which they are looked for */
    dun_pretokenizer *pretokenizer;
    dun_bpe *bpe;
    uint32_t *begin; /* [n_begin] */
    size_t n_begin;
    size_t growth[2]; /* tokens at most for a byte of a text, and of one in ASCII */
    size_t in_front;  /* tokens at most that are put in front of a piece of text */
    uint32_t rows;    /* ids end here; 0: with the vocabulary */
    bool begun_twice; /* a text that brings `begin` itself was warned of */
    dun_str repaired; /* the text at hand, when it was not valid UTF-8 */
};

static size_t most_of(size_t a, size_t b) {
    return a > 0 && b > MANY / a ? MANY : a * b;
}

/* Is it a character that becomes one token, whatever stands around it? */
static bool is_one_token(const dun_vocab *vocab, dun_slice content) {
    size_t bytes;
    if (vocab->byte_level || content.length == 0)
        return false;
    dun_character_at(&bytes, content.bytes);
    return bytes == content.length && dun_vocab_find(vocab, content, (dun_slice){"", 0}) != DUN_NO_TOKEN;
}

/* Edits make no more tokens than bytes. From the last to the first, as each changes what those before made.
 * What replaces a part is mostly one token, which it stays where nothing but what is put in front follows. */
static void measure_edits(dun_tokenizer *t, bool *stays, const dun_edit *edits, size_t n) {
    while (n-- > 0) {
        const dun_edit *e = &edits[n];
        const dun_slice content = {e->content, e->content ? strlen(e->content) : 0};
        if (!dun_characters_are_ascii(content.bytes, content.length))
            t->growth[1] = t->growth[0];
        if (e->kind == DUN_EDIT_PREPEND) {
            t->in_front += most_of(content.length, t->growth[0]);
            continue;
        }
        for (int ascii = 0; ascii < 2 && !(*stays && is_one_token(&t->vocab, content)); ascii++)
            t->growth[ascii] = most_of(t->growth[ascii], dun_edit_growth(e, ascii));
        *stays = false;
    }
}

int dun_tokenizer_create(dun_tokenizer **out, const dun_token_description *from) {
    int rc;
    bool stays = true;
    dun_tokenizer *t = NULL;
    TRY_NEW(t, 1);
    TRY_NEW(t->begin, from->n_begin);
    for (; t->n_begin < from->n_begin; t->n_begin++)
        t->begin[t->n_begin] = from->begin[t->n_begin];
    TRY(dun_pretokenizer_create(&t->pretokenizer, from->cuts, from->n_cuts, from->file, from->pattern_name));
    TRY(dun_edits_create(&t->normal, from->normal, from->n_normal, from->file, from->edits_name));
    TRY(dun_edits_create(&t->prepare, from->prepare, from->n_prepare, from->file, from->pattern_name));
    TRY(dun_vocab_load(&t->vocab, from));
    TRY(dun_specials_create(&t->raw, from, false, t->normal));
    TRY(dun_specials_create(&t->normalized, from, true, t->normal));
    TRY(dun_bpe_create(&t->bpe, &t->vocab, from));
    t->growth[0] = t->growth[1] = 1;
    measure_edits(t, &stays, from->prepare, from->n_prepare);
    measure_edits(t, &stays, from->normal, from->n_normal);
    dun_vocab_settle(&t->vocab);
    *out = t;
    t = NULL;
out:
    dun_tokenizer_free(t);
    return rc;
}

void dun_tokenizer_free(dun_tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    dun_vocab_free(&tokenizer->vocab);
    dun_edits_free(tokenizer->normal);
    dun_edits_free(tokenizer->prepare);
    dun_specials_free(tokenizer->raw);
    dun_specials_free(tokenizer->normalized);
    dun_pretokenizer_free(tokenizer->pretokenizer);
    dun_bpe_free(tokenizer->bpe);
    dun_free(tokenizer->begin);
    dun_str_free(&tokenizer->repaired);
    dun_free(tokenizer);
}

/* Moves the spans of tokens from `first` on from an edited piece of text into the text around it, where the
 * piece begins at `begin`. */
static void move_spans(dun_tokens *tokens, size_t first, const dun_edited *piece, size_t begin) {
    for (size_t i = first; i < tokens->n; i++) {
        dun_token_span *span = &tokens->spans[i];
        span->begin = (uint32_t)(begin + (piece->origin ? piece->origin[span->begin] : span->begin));
        span->end = (uint32_t)(begin + (piece->origin ? piece->origin[span->end] : span->end));
    }
}

/* Bytes begin .. end - 1 of a normalised text, without added tokens. */
static int encode_words(dun_tokens *out, dun_tokenizer *t, const char *text, size_t begin, size_t end,
                        enum dun_piece_place place) {
    int rc;
    const size_t first = out->n;
    size_t n;
    const dun_word *words;
    dun_edited piece;
    TRY(dun_edits_apply(&piece, t->prepare, text + begin, end - begin, place));
    TRY(dun_pretokenizer_cut(&words, &n, t->pretokenizer, piece.bytes, piece.length));
    for (size_t i = 0; i < n; i++)
        TRY(dun_bpe_encode(out, t->bpe, piece.bytes, words[i].begin, words[i].end - words[i].begin));
    move_spans(out, first, &piece, begin);
out:
    return rc;
}

/* The first place of a piece whose bytes come from `place` of the text or after. */
static uint32_t place_in(const dun_edited *piece, uint32_t place) {
    size_t low = 0, high = piece->length;
    if (!piece->origin)
        return place < piece->length ? place : (uint32_t)piece->length;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (piece->origin[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* Bytes begin .. end - 1 of a text, without the added tokens that are looked for first; `inside`: the text is
 * a part of a longer one. */
static int encode_piece(dun_tokens *out, dun_tokenizer *t, const char *text, size_t begin, size_t end,
                        dun_token_span plain, bool inside) {
    int rc;
    const size_t first = out->n;
    const enum dun_piece_place start = inside ? DUN_PIECE_INSIDE : DUN_PIECE_FIRST;
    dun_edited piece;
    TRY(dun_edits_apply(&piece, t->normal, text + begin, end - begin, begin ? DUN_PIECE_LATER : start));
    plain.begin = place_in(&piece, plain.begin > begin ? plain.begin - (uint32_t)begin : 0);
    plain.end = place_in(&piece, plain.end > begin ? plain.end - (uint32_t)begin : 0);
    for (dun_special_match last = {0}, next; last.end < piece.length || last.next < piece.length;
         last = next) {
        next = dun_specials_find(t->normalized, piece.bytes, piece.length, last, plain);
        const size_t origin = begin + (piece.origin ? piece.origin[last.end] : last.end);
        if (next.begin > last.end)
            TRY(encode_words(out, t, piece.bytes, last.end, next.begin, origin ? DUN_PIECE_LATER : start));
        if (next.begin < next.end)
            TRY(dun_tokens_add(out, next.id, next.begin, next.end));
    }
    move_spans(out, first, &piece, begin);
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

/* Tokens among the blanks that the one before took have none of them. */
static void order_spans(dun_token_span *spans, size_t n) {
    for (size_t i = 1; i < n; i++) {
        if (spans[i].begin < spans[i - 1].end)
            spans[i].begin = spans[i - 1].end;
        if (spans[i].end < spans[i].begin)
            spans[i].end = spans[i].begin;
    }
}

static int encode_valid(dun_tokens *out, dun_tokenizer *t, const char *text, size_t length,
                        dun_token_span plain, bool inside) {
    int rc = DUN_OK;
    const size_t first = out->n;
    for (dun_special_match last = {0}, next; last.end < length || last.next < length; last = next) {
        next = dun_specials_find(t->raw, text, length, last, plain);
        if (next.begin > last.end)
            TRY(encode_piece(out, t, text, last.end, next.begin, plain, inside));
        if (next.begin < next.end)
            TRY(dun_tokens_add(out, next.id, next.begin, next.end));
    }
    if (out->n > first)
        order_spans(out->spans + first, out->n - first);
out:
    return rc;
}

/* Without a beginning-of-text token. */
static int encode_text(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                       dun_token_span plain, bool inside) {
    int rc = DUN_OK;
    size_t before = out->n;
    if (length > MAX_TEXT_BYTES)
        TRY(dun_error(DUN_BAD_INPUT, "a text has %zu bytes; at most %d are supported", length,
                      MAX_TEXT_BYTES));
    if (dun_utf8_valid(text, length) == length) {
        TRY(encode_valid(out, tokenizer, text, length, plain, inside));
        goto out;
    }
    dun_str_clear(&tokenizer->repaired);
    TRY(dun_utf8_repair(&tokenizer->repaired, text, length));
    TRY(encode_valid(out, tokenizer, tokenizer->repaired.bytes, tokenizer->repaired.length, plain, inside));
    place_spans(out->spans + before, out->n - before, text, length);
out:
    return rc;
}

/* A text whose tokens are from `first` on has `begin` before it. */
static void warn_of_begun_twice(dun_tokenizer *t, const dun_tokens *tokens, size_t first) {
    size_t length;
    if (t->begun_twice || t->n_begin == 0 || tokens->n == first || tokens->ids[first] != t->begin[0])
        return;
    t->begun_twice = true;
    dun_warn(
        "a text begins with '%s', which the model's tokenizer puts before every text: it is there twice; "
        "leave it out of texts and templates",
        dun_tokenizer_piece(t, t->begin[0], &length));
}

int dun_tokenizer_encode_plain(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                               dun_token_span plain, bool inside) {
    int rc = DUN_OK;
    size_t before = out->n;
    for (size_t i = 0; i < tokenizer->n_begin && !inside; i++)
        TRY(dun_tokens_add(out, tokenizer->begin[i], 0, 0));
    const size_t first = out->n;
    TRY(encode_text(out, tokenizer, text, length, plain, inside));
    if (!inside)
        warn_of_begun_twice(tokenizer, out, first);
    for (size_t i = before; i < out->n && tokenizer->rows; i++)
        if (out->ids[i] >= tokenizer->rows)
            TRY(dun_error(
                DUN_BAD_INPUT,
                "token %u of the text has no row in the model's table of embeddings, which has %u; expected "
                "a tokenizer of the same model",
                out->ids[i], tokenizer->rows));
out:
    if (rc < 0)
        out->n = before;
    return rc;
}

void dun_tokenizer_limit(dun_tokenizer *tokenizer, uint32_t rows) {
    tokenizer->rows = rows;
}

int dun_tokenizer_encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    return dun_tokenizer_encode_plain(out, tokenizer, text, length, (dun_token_span){0}, true);
}

int dun_tokenizer_encode(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length) {
    return dun_tokenizer_encode_plain(out, tokenizer, text, length, (dun_token_span){0}, false);
}

/* A token spells at least one byte of what the edits leave, and U+FFFD, which may stand for a single byte,
 * has three. What is put in front stands before the text, or behind an added token. */
size_t dun_tokenizer_most(const dun_tokenizer *t, const char *text, size_t length) {
    size_t most = most_of(length, t->growth[dun_characters_are_ascii(text, length)]);
    if (dun_utf8_valid(text, length) != length)
        most = most_of(most, REPLACEMENT_BYTES);
    if (t->in_front) {
        const size_t raw = dun_specials_shortest(t->raw), normalized = dun_specials_shortest(t->normalized);
        const size_t shortest = raw && (!normalized || raw < normalized) ? raw : normalized;
        most += most_of(t->in_front, 1 + (shortest ? most / shortest : 0));
    }
    return most < MANY ? most : MANY;
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
