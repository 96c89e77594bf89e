/* See texts.h. */
#include "session/texts.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

/* Takes the tokens of the text beyond max_length out of those of the joined string, from token `first` on.
 * The text has the bytes [begin, end). */
static void cut(dun_tokens *tokens, const dun_tokenizer *tokenizer, size_t first, size_t begin, size_t end,
                uint32_t max_length) {
    size_t kept = first, at = 0, n_text = 0, bytes;
    for (size_t i = first; i < tokens->n; i++, at += bytes) {
        dun_tokenizer_piece(tokenizer, tokens->ids[i], &bytes);
        bool of_text = at < end && at + bytes > begin;
        if (!of_text || n_text++ < max_length)
            tokens->ids[kept++] = tokens->ids[i];
    }
    tokens->n = kept;
}

static int encode_among_words(dun_texts *texts, dun_tokenizer *tokenizer, const char *text, size_t length,
                              uint32_t max_length) {
    int rc = DUN_OK;
    dun_str *joined = &texts->joined;
    dun_str_clear(joined);
    if (texts->before)
        TRY(dun_str_addf(joined, "%s", texts->before));
    size_t begin = joined->length;
    TRY(dun_utf8_repair(joined, text, length));
    size_t end = joined->length;
    if (texts->after)
        TRY(dun_str_addf(joined, "%s", texts->after));
    if (!texts->inside)
        TRY(dun_tokenizer_encode(&texts->tokens, tokenizer, "", 0));
    size_t first = texts->tokens.n;
    TRY(dun_tokenizer_encode_inside(&texts->tokens, tokenizer, joined->bytes, joined->length));
    cut(&texts->tokens, tokenizer, first, begin, end, max_length);
out:
    return rc;
}

/* The number of ids that two lists begin with alike. */
static size_t count_common(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b) {
    size_t n = 0;
    while (n < n_a && n < n_b && a[n] == b[n])
        n++;
    return n;
}

/* A text can change the last tokens of the words before it. What these endings leave alone is shared; a text
 * that changes more of it is run whole. */
int dun_texts_share(dun_texts *texts, dun_tokenizer *tokenizer) {
    int rc = DUN_OK;
    static const char *const endings[] = {"", "a", " a", "A", "1", ".", "\n", " "};
    dun_tokens tokens = {0};
    dun_str words = {0};
    texts->shared.n = 0;
    if (texts->lead) {
        TRY(dun_tokenizer_encode(&texts->shared, tokenizer, "", 0));
        TRY(dun_tokenizer_encode_inside(&texts->shared, tokenizer, texts->lead, strlen(texts->lead)));
    }
    if (texts->inside || !texts->before)
        goto out;
    TRY(dun_tokenizer_encode(&texts->shared, tokenizer, texts->before, strlen(texts->before)));
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        tokens.n = 0;
        dun_str_clear(&words);
        TRY(dun_str_addf(&words, "%s%s", texts->before, endings[i]));
        TRY(dun_tokenizer_encode(&tokens, tokenizer, words.bytes, words.length));
        texts->shared.n = count_common(texts->shared.ids, texts->shared.n, tokens.ids, tokens.n);
    }
out:
    dun_str_free(&words);
    dun_tokens_free(&tokens);
    return rc;
}

/* Takes the shared tokens away from those of a new text, from token `first` on, if it begins with them. */
static bool leave_shared_out(dun_texts *texts, size_t first) {
    uint32_t *ids = texts->tokens.ids + first;
    size_t n = texts->tokens.n - first, n_shared = texts->shared.n;
    if (n_shared == 0 || count_common(ids, n, texts->shared.ids, n_shared) < n_shared)
        return false;
    memmove(ids, ids + n_shared, (n - n_shared) * sizeof *ids);
    texts->tokens.n -= n_shared;
    return true;
}

static int encode_alone(dun_texts *texts, dun_tokenizer *tokenizer, const char *text, size_t length,
                        uint32_t max_length) {
    int rc = DUN_OK;
    size_t before = texts->tokens.n;
    if (texts->inside)
        TRY(dun_tokenizer_encode_inside(&texts->tokens, tokenizer, text, length));
    else
        TRY(dun_tokenizer_encode(&texts->tokens, tokenizer, text, length));
    if (texts->tokens.n - before > max_length)
        texts->tokens.n = before + max_length;
out:
    return rc;
}

/* Room for one more text. */
static int make_room(dun_texts *texts) {
    int rc = DUN_OK;
    if (texts->start_capacity == 0) {
        TRY_GROW(texts->start, texts->start_capacity, 0);
        texts->start[0] = 0;
    }
    TRY_GROW(texts->start, texts->start_capacity, (size_t)texts->n + 1);
    TRY_GROW(texts->label, texts->label_capacity, texts->n);
    TRY_GROW(texts->shares, texts->share_capacity, texts->n);
out:
    return rc;
}

/* Makes what stands behind the last text's tokens the next text. */
static void end_text(dun_texts *texts, uint32_t label, bool shares) {
    uint32_t length = (uint32_t)texts->tokens.n - texts->start[texts->n];
    texts->label[texts->n] = label;
    texts->shares[texts->n++] = shares;
    texts->start[texts->n] = (uint32_t)texts->tokens.n;
    if (texts->longest < length)
        texts->longest = length;
}

int dun_texts_add(dun_texts *texts, dun_tokenizer *tokenizer, const char *text, size_t length, uint32_t label,
                  uint32_t max_length) {
    int rc = DUN_OK;
    size_t before = texts->tokens.n;
    TRY(make_room(texts));
    if (texts->before || texts->after)
        TRY(encode_among_words(texts, tokenizer, text, length, max_length));
    else
        TRY(encode_alone(texts, tokenizer, text, length, max_length));
    bool shares = texts->lead || leave_shared_out(texts, before);
    if (texts->tokens.n > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "the texts have more than %d tokens together; use fewer", INT32_MAX));
    end_text(texts, label, shares);
out:
    if (rc < 0)
        texts->tokens.n = before;
    return rc;
}

static int add_tokens(dun_tokens *out, const uint32_t *ids, size_t n) {
    int rc = DUN_OK;
    for (size_t i = 0; i < n; i++) {
        TRY_GROW(out->ids, out->capacity, out->n);
        out->ids[out->n++] = ids[i];
    }
out:
    return rc;
}

int dun_texts_begin_part(dun_texts *part, const dun_texts *whole) {
    return add_tokens(&part->shared, whole->shared.ids, whole->shared.n);
}

int dun_texts_take(dun_texts *part, const dun_texts *whole, uint32_t index) {
    int rc = DUN_OK;
    TRY(make_room(part));
    TRY(add_tokens(&part->tokens, whole->tokens.ids + whole->start[index], dun_texts_length(whole, index)));
    end_text(part, whole->label[index], whole->shares[index]);
out:
    return rc;
}

int dun_texts_add_dataset(dun_texts *texts, dun_tokenizer *tokenizer, const dun_dataset *dataset,
                          uint32_t max_length) {
    int rc = DUN_OK;
    for (size_t i = 0; i < dataset->n; i++) {
        const dun_example *example = &dataset->examples[i];
        TRY(dun_texts_add(texts, tokenizer, example->text, example->length, example->label, max_length));
    }
out:
    return rc;
}

void dun_texts_drop(dun_texts *texts, uint32_t n) {
    if (n == 0)
        return;
    uint32_t gone = texts->start[n];
    texts->n -= n;
    texts->tokens.n -= gone;
    if (texts->tokens.n) /* without a token there may be no array */
        memmove(texts->tokens.ids, texts->tokens.ids + gone, texts->tokens.n * sizeof *texts->tokens.ids);
    for (uint32_t i = 0; i <= texts->n; i++)
        texts->start[i] = texts->start[n + i] - gone;
    memmove(texts->label, texts->label + n, texts->n * sizeof *texts->label);
    memmove(texts->shares, texts->shares + n, texts->n * sizeof *texts->shares);
}

void dun_texts_free(dun_texts *texts) {
    dun_tokens_free(&texts->tokens);
    dun_tokens_free(&texts->shared);
    dun_free(texts->shares);
    dun_free(texts->start);
    dun_free(texts->label);
    dun_str_free(&texts->joined);
    *texts = (dun_texts){0};
}

uint32_t dun_texts_length(const dun_texts *texts, uint32_t index) {
    return texts->start[index + 1] - texts->start[index];
}

uint32_t dun_texts_n_shared(const dun_texts *texts, uint32_t index) {
    return texts->shares[index] ? (uint32_t)texts->shared.n : 0;
}
