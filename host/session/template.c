/* Reading prompt.template, and its words and prompt rows as rows of a batch. */
#include "session/template.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { MAX_ROWS = 4096 };

static dun_template_part *last_part(dun_template *t) {
    return t->n_parts ? &t->parts[t->n_parts - 1] : NULL;
}

static int add_part(dun_template *t, enum dun_template_kind kind, uint32_t n_rows) {
    int rc = DUN_OK;
    TRY_GROW(t->parts, t->part_capacity, t->n_parts);
    t->parts[t->n_parts++] = (dun_template_part){.kind = kind, .n_rows = n_rows};
out:
    return rc;
}

static int add_words(dun_template *t, const char *bytes, size_t length) {
    int rc = DUN_OK;
    if (!t->n_parts || last_part(t)->kind != DUN_PART_WORDS)
        TRY(add_part(t, DUN_PART_WORDS, 0));
    TRY(dun_str_add(&last_part(t)->words, bytes, length));
out:
    return rc;
}

static int add_soft(dun_template *t, uint32_t n_rows) {
    dun_template_part *last = last_part(t);
    if (last && last->kind == DUN_PART_WORDS && last->words.bytes[last->words.length - 1] == ' ') {
        last->words.bytes[--last->words.length] = '\0';
        if (last->words.length == 0) {
            dun_str_free(&last->words);
            t->n_parts--;
        }
    }
    t->n_soft += n_rows;
    return add_part(t, DUN_PART_SOFT, n_rows);
}

static int refuse(const dun_config *config, const char *what) {
    return dun_error(DUN_USAGE, "%s: prompt.template = %s: %s",
                     dun_config_origin(config, DUN_KEY_prompt_template), config->prompt.template, what);
}

/* The part between braces, `length` bytes. */
static int add_named(dun_template *t, const char *name, size_t length, const dun_config *config) {
    uint32_t n = 0;
    if (length == 4 && memcmp(name, "text", 4) == 0)
        return add_part(t, DUN_PART_TEXT, 0);
    if (length == 4 && memcmp(name, "soft", 4) == 0)
        return add_soft(t, 0);
    if (length < 5 || memcmp(name, "soft:", 5) != 0)
        return refuse(config, "known are {text}, {soft} and {soft:N}; a brace itself is {{ or }}");
    for (size_t i = 5; i < length; i++) {
        if (name[i] < '0' || name[i] > '9' || n > MAX_ROWS)
            return refuse(config, "the N of {soft:N} must be a number from 1 to 4096");
        n = 10 * n + (uint32_t)(name[i] - '0');
    }
    if (n == 0 || n > MAX_ROWS - t->n_soft)
        return refuse(config, "the N of {soft:N} must be a number from 1 to 4096, all together too");
    return add_soft(t, n);
}

static int read_parts(dun_template *t, const char *at, const dun_config *config) {
    int rc = DUN_OK;
    while (*at) {
        size_t plain = strcspn(at, "{}");
        if (plain > 0) {
            TRY(add_words(t, at, plain));
            at += plain;
        } else if (at[1] == at[0]) {
            TRY(add_words(t, at, 1));
            at += 2;
        } else {
            size_t length = strcspn(at + 1, "{}");
            if (*at == '}' || at[1 + length] != '}')
                TRY(refuse(config, "a brace without its partner; a brace itself is {{ or }}"));
            TRY(add_named(t, at + 1, length, config));
            at += length + 2;
        }
    }
out:
    return rc;
}

static int check_parts(dun_template *t, const dun_config *config) {
    size_t n_text = 0, n_open = 0, n_soft = 0;
    for (size_t i = 0; i < t->n_parts; i++) {
        const dun_template_part *part = &t->parts[i];
        n_soft += part->kind == DUN_PART_SOFT;
        n_open += part->kind == DUN_PART_SOFT && part->n_rows == 0;
        if (part->kind == DUN_PART_TEXT) {
            n_text++;
            t->first = i && t->parts[i - 1].kind == DUN_PART_WORDS ? i - 1 : i;
            t->end = i + 1 < t->n_parts && t->parts[i + 1].kind == DUN_PART_WORDS ? i + 2 : i + 1;
        }
    }
    if (n_text != 1)
        return refuse(config, "{text} must stand in it once");
    if (n_soft == 0)
        return refuse(config, "{soft} or {soft:N} must stand in it: without a prompt nothing is trained");
    if (n_open > 0 && n_soft > 1)
        return refuse(config, "{soft} means all rows of the prompt; several parts need {soft:N}");
    return DUN_OK;
}

static int check_keys(const dun_template *t, const dun_config *config) {
    if (t->n_soft && config->prompt.tokens > 0 && config->prompt.tokens != t->n_soft)
        return dun_error(DUN_USAGE,
                         "%s: prompt.tokens = %lld, but prompt.template (%s) has %u rows of it; leave "
                         "prompt.tokens empty",
                         dun_config_origin(config, DUN_KEY_prompt_tokens), (long long)config->prompt.tokens,
                         dun_config_origin(config, DUN_KEY_prompt_template), t->n_soft);
    if (config->prompt.placement == DUN_PLACEMENT_PREFIX && !dun_template_is_prefix(t))
        return dun_error(DUN_USAGE,
                         "%s: prompt.placement = prefix, but prompt.template (%s) has no {soft} before "
                         "{text}; the template alone says it all",
                         dun_config_origin(config, DUN_KEY_prompt_placement),
                         dun_config_origin(config, DUN_KEY_prompt_template));
    return DUN_OK;
}

int dun_template_parse(dun_template *out, const dun_config *config) {
    int rc;
    const char *text = config->prompt.template;
    *out = (dun_template){0};
    if (!*text)
        text = config->prompt.placement == DUN_PLACEMENT_PREFIX ? "{soft}{text}" : "{text}{soft}";
    TRY(read_parts(out, text, config));
    TRY(check_parts(out, config));
    TRY(check_keys(out, config));
out:
    if (rc < 0)
        dun_template_free(out);
    return rc;
}

int dun_template_bare(dun_template *out) {
    *out = (dun_template){.end = 1};
    return add_part(out, DUN_PART_TEXT, 0);
}

static int add_row(dun_fixed_rows *rows, size_t *capacity, int32_t id) {
    int rc;
    TRY_GROW(rows->ids, *capacity, rows->n);
    rows->ids[rows->n++] = id;
out:
    return rc;
}

/* The rows of parts [from, to); prompt rows are counted on from *soft. `tokens` is scratch. */
static int make_rows(dun_fixed_rows *rows, const dun_template *t, size_t from, size_t to, uint32_t *soft,
                     uint32_t P, dun_tokenizer *tokenizer) {
    int rc = DUN_OK;
    dun_tokens tokens = {0};
    size_t capacity = 1;
    TRY_NEW(rows->ids, capacity); /* a copy of no rows begins somewhere, too */
    /* The start of everything, where a model may want its own tokens; with words they come with them. */
    if (from == 0 && to > 0 && t->parts[0].kind != DUN_PART_WORDS)
        TRY(dun_tokenizer_encode(&tokens, tokenizer, "", 0));
    for (size_t j = 0; j < tokens.n; j++)
        TRY(add_row(rows, &capacity, (int32_t)tokens.ids[j]));
    for (size_t i = from; i < to; i++) {
        const dun_template_part *part = &t->parts[i];
        uint32_t n = part->n_rows ? part->n_rows : P;
        for (uint32_t j = 0; part->kind == DUN_PART_SOFT && j < n; j++)
            TRY(add_row(rows, &capacity, -1 - (int32_t)(*soft)++));
        tokens.n = 0;
        if (part->kind == DUN_PART_WORDS && i == 0)
            TRY(dun_tokenizer_encode(&tokens, tokenizer, part->words.bytes, part->words.length));
        else if (part->kind == DUN_PART_WORDS)
            TRY(dun_tokenizer_encode_inside(&tokens, tokenizer, part->words.bytes, part->words.length));
        for (size_t j = 0; j < tokens.n; j++)
            TRY(add_row(rows, &capacity, (int32_t)tokens.ids[j]));
    }
out:
    dun_tokens_free(&tokens);
    return rc;
}

static void free_rows(dun_template *t) {
    dun_free(t->head.ids);
    dun_free(t->tail.ids);
    t->head = t->tail = (dun_fixed_rows){0};
}

/* The words that begin every sequence where a row of the prompt comes next. */
static const dun_str *lead(const dun_template *t) {
    return t->first > 0 && t->parts[0].kind == DUN_PART_WORDS ? &t->parts[0].words : NULL;
}

static const dun_str *neighbour(const dun_template *t, bool before) {
    size_t i = before ? t->first : t->end - 1;
    return t->n_parts && t->parts[i].kind == DUN_PART_WORDS ? &t->parts[i].words : NULL;
}

static uint32_t most_around(const dun_template *t, const dun_tokenizer *tokenizer) {
    size_t most = 0;
    for (int before = 0; before < 2; before++) {
        const dun_str *words = neighbour(t, before);
        if (words)
            most += dun_tokenizer_most(tokenizer, words->bytes, words->length);
    }
    return (uint32_t)(most + (most > 0)); /* one more may begin the text */
}

int dun_template_resolve(dun_template *t, dun_tokenizer *tokenizer, uint32_t P) {
    int rc;
    uint32_t soft = 0;
    assert(t->n_soft == 0 || t->n_soft == P);
    free_rows(t);
    TRY(make_rows(&t->head, t, 0, t->first, &soft, P, tokenizer));
    t->n_lead = 0;
    while (lead(t) && t->n_lead < t->head.n &&
           t->head.ids[t->n_lead] >= 0) /* a prompt row stands behind them */
        t->n_lead++;
    t->n_around = most_around(t, tokenizer);
    TRY(make_rows(&t->tail, t, t->end, t->n_parts, &soft, P, tokenizer));
out:
    return rc;
}

void dun_template_free(dun_template *t) {
    for (size_t i = 0; i < t->n_parts; i++)
        dun_str_free(&t->parts[i].words);
    dun_free(t->parts);
    free_rows(t);
    *t = (dun_template){0};
}

void dun_template_surround(dun_texts *texts, const dun_template *t) {
    const dun_str *before = neighbour(t, true), *after = neighbour(t, false), *first = lead(t);
    texts->before = before ? before->bytes : NULL;
    texts->after = after ? after->bytes : NULL;
    texts->lead = first ? first->bytes : NULL;
    texts->inside = dun_template_is_prefix(t);
}

uint32_t dun_template_longest(const dun_template *t, uint32_t max_length) {
    return max_length + t->n_around;
}

uint32_t dun_template_own_rows(const dun_template *t) {
    return t->head.n - t->n_lead + t->tail.n;
}

bool dun_template_is_prefix(const dun_template *t) {
    return t->first > 0;
}

void dun_template_batch(dun_batch *batch, const dun_template *t, const dun_texts *texts,
                        const uint32_t *which, uint32_t n) {
    dun_batch_clear(batch);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = dun_texts_length(texts, which[i]), head = t->head.n - t->n_lead;
        const uint32_t *tokens = texts->tokens.ids + texts->start[which[i]];
        int32_t *ids = dun_batch_add_shared(batch, dun_template_own_rows(t) + length,
                                            dun_texts_n_shared(texts, which[i]), 0, 0);
        memcpy(ids, t->head.ids + t->n_lead, head * sizeof *ids);
        for (uint32_t j = 0; j < length; j++)
            ids[head + j] = (int32_t)tokens[j];
        memcpy(ids + head + length, t->tail.ids, t->tail.n * sizeof *ids);
    }
}
