/* Texts tokenised among their words, cut by place, and the tokens that they share left out. */
#include "session/texts.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

static int add_ids(dun_id_list *out, const uint32_t *ids, size_t n) {
    int rc = DUN_OK;
    for (size_t i = 0; i < n; i++) {
        TRY_GROW(out->ids, out->capacity, out->n);
        out->ids[out->n++] = ids[i];
    }
out:
    return rc;
}

/* Takes the tokens of the text beyond max_length out of those of the joined string. The text has the bytes
 * [begin, end). */
static bool cut(dun_tokens *tokens, size_t begin, size_t end, uint32_t max_length) {
    size_t kept = 0, n_text = 0;
    for (size_t i = 0; i < tokens->n; i++) {
        const dun_token_span *span = &tokens->spans[i];
        bool of_text = span->begin < end && span->end > begin;
        if (!of_text || n_text++ < max_length)
            tokens->ids[kept++] = tokens->ids[i];
    }
    const bool lost = kept < tokens->n;
    tokens->n = kept;
    return lost;
}

/* Leaves the tokens of words and the text, bytes [begin, end) of them, in `scratch`. */
static int encode(dun_texts *texts, dun_tokenizer *tokenizer, const char *words, size_t length,
                  dun_token_span text) {
    const dun_token_span nothing = {0};
    return dun_tokenizer_encode_plain(&texts->scratch, tokenizer, words, length,
                                      texts->plain ? text : nothing, texts->inside);
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
    const dun_token_span place = {(uint32_t)begin, (uint32_t)end};
    TRY(encode(texts, tokenizer, joined->bytes, joined->length, place));
    texts->n_cut += cut(&texts->scratch, begin, end, max_length);
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

/* Keeps those of the shared tokens that every ending of the words before a text leaves alone. */
static int share_beginning(dun_texts *texts, dun_tokenizer *tokenizer, dun_str *words) {
    int rc = DUN_OK;
    static const char *const endings[] = {"", "a", " a", "A", "1", ".", "\n", " "};
    dun_tokens *tokens = &texts->scratch;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        tokens->n = 0;
        dun_str_clear(words);
        TRY(dun_str_addf(words, "%s%s", texts->before, endings[i]));
        TRY(dun_tokenizer_encode(tokens, tokenizer, words->bytes, words->length));
        if (i == 0)
            TRY(add_ids(&texts->shared, tokens->ids, tokens->n));
        texts->shared.n = count_common(texts->shared.ids, texts->shared.n, tokens->ids, tokens->n);
    }
out:
    return rc;
}

/* A text can change the last tokens of the words before it. What some endings leave alone is shared; a text
 * that changes more of it is run whole. */
int dun_texts_share(dun_texts *texts, dun_tokenizer *tokenizer) {
    int rc = DUN_OK;
    dun_str words = {0};
    texts->shared.n = texts->scratch.n = 0;
    if (texts->lead) {
        TRY(dun_tokenizer_encode(&texts->scratch, tokenizer, texts->lead, strlen(texts->lead)));
        TRY(add_ids(&texts->shared, texts->scratch.ids, texts->scratch.n));
    }
    if (!texts->inside && texts->before)
        TRY(share_beginning(texts, tokenizer, &words));
out:
    dun_str_free(&words);
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
    dun_tokens *tokens = &texts->scratch;
    TRY(encode(texts, tokenizer, text, length, (dun_token_span){0, UINT32_MAX}));
    texts->n_cut += tokens->n > max_length;
    if (tokens->n > max_length)
        tokens->n = max_length;
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
    TRY_GROW(texts->weight, texts->weight_capacity, texts->n);
    TRY_GROW(texts->shares, texts->share_capacity, texts->n);
out:
    return rc;
}

/* Makes what stands behind the last text's tokens the next text. */
static void end_text(dun_texts *texts, uint32_t label, bool shares) {
    uint32_t length = (uint32_t)texts->tokens.n - texts->start[texts->n];
    texts->label[texts->n] = label;
    texts->weight[texts->n] = 1;
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
    texts->scratch.n = 0;
    if (texts->before || texts->after)
        TRY(encode_among_words(texts, tokenizer, text, length, max_length));
    else
        TRY(encode_alone(texts, tokenizer, text, length, max_length));
    TRY(add_ids(&texts->tokens, texts->scratch.ids, texts->scratch.n));
    bool shares = texts->lead || leave_shared_out(texts, before);
    if (texts->tokens.n > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "the texts have more than %d tokens together; use fewer", INT32_MAX));
    end_text(texts, label, shares);
out:
    if (rc < 0)
        texts->tokens.n = before;
    return rc;
}

int dun_texts_begin_part(dun_texts *part, const dun_texts *whole) {
    return add_ids(&part->shared, whole->shared.ids, whole->shared.n);
}

int dun_texts_take(dun_texts *part, const dun_texts *whole, uint32_t index) {
    int rc = DUN_OK;
    TRY(make_room(part));
    TRY(add_ids(&part->tokens, whole->tokens.ids + whole->start[index], dun_texts_length(whole, index)));
    end_text(part, whole->label[index], whole->shares[index]);
    part->weight[part->n - 1] = whole->weight[index];
out:
    return rc;
}

int dun_texts_add_dataset(dun_texts *texts, dun_tokenizer *tokenizer, const dun_dataset *dataset,
                          uint32_t max_length) {
    int rc = DUN_OK;
    for (size_t i = 0; i < dataset->n; i++) {
        const dun_example *example = &dataset->examples[i];
        TRY(dun_texts_add(texts, tokenizer, example->text, example->length, example->label, max_length));
        texts->weight[texts->n - 1] = example->weight;
    }
out:
    return rc;
}

int dun_texts_arrange(dun_texts *texts, const uint32_t *order, uint32_t n) {
    int rc = DUN_OK;
    dun_texts part = {0}, old = *texts;
    for (uint32_t i = 0; i < texts->n; i++)
        TRY(dun_texts_take(&part, texts, i < n ? order[i] : i));
    texts->tokens = part.tokens;
    texts->start = part.start;
    texts->label = part.label;
    texts->weight = part.weight;
    texts->shares = part.shares;
    texts->start_capacity = part.start_capacity;
    texts->label_capacity = part.label_capacity;
    texts->weight_capacity = part.weight_capacity;
    texts->share_capacity = part.share_capacity;
    part = (dun_texts){.tokens = old.tokens,
                       .start = old.start,
                       .label = old.label,
                       .weight = old.weight,
                       .shares = old.shares};
out:
    dun_texts_free(&part);
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
    memmove(texts->weight, texts->weight + n, texts->n * sizeof *texts->weight);
    memmove(texts->shares, texts->shares + n, texts->n * sizeof *texts->shares);
}

void dun_texts_free(dun_texts *texts) {
    dun_free(texts->tokens.ids);
    dun_free(texts->shared.ids);
    dun_tokens_free(&texts->scratch);
    dun_free(texts->shares);
    dun_free(texts->start);
    dun_free(texts->label);
    dun_free(texts->weight);
    dun_str_free(&texts->joined);
    *texts = (dun_texts){0};
}

uint32_t dun_texts_length(const dun_texts *texts, uint32_t index) {
    return texts->start[index + 1] - texts->start[index];
}

uint32_t dun_texts_n_shared(const dun_texts *texts, uint32_t index) {
    return texts->shares[index] ? (uint32_t)texts->shared.n : 0;
}
