/* The ways a prompt can start: words, rows of the vocabulary, noise, a file. */
#include "session/prompt.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "session/embedding.h"
#include "session/runfile.h"

#include <string.h>
#include <unistd.h>

enum { DEFAULT_TOKENS = 5, MAX_ROWS = 4096 };

size_t dun_prompt_floats(const dun_prompt *prompt) {
    return (size_t)prompt->n_prompts * prompt->n_rows * prompt->width;
}

static int make(dun_prompt *prompt, const dun_config *config, uint32_t n_rows, uint32_t width) {
    int rc = DUN_OK;
    *prompt = (dun_prompt){.n_prompts = (uint32_t)config->prompt.count, .n_rows = n_rows, .width = width};
    TRY_NEW(prompt->rows, dun_prompt_floats(prompt));
out:
    return rc;
}

/* The words that a prompt starts as, of prompt.text or of prompt.texts, and which key has them. */
typedef struct {
    const char *text;
    size_t length;
    enum dun_config_id key;
} start_words;

static int find_words(start_words *out, const dun_config *config, uint32_t which) {
    const char *text = config->prompt.texts;
    *out = (start_words){config->prompt.text, strlen(config->prompt.text), DUN_KEY_prompt_text};
    for (uint32_t i = 1; i <= which; i++) {
        if (i > 1)
            text += strcspn(text, "|");
        if (!*text)
            return dun_error(
                DUN_USAGE,
                "%s: prompt.texts has %u text%s; prompt.count = %lld needs %lld beside prompt.text, "
                "with a bar (|) between two",
                dun_config_origin(config,
                                  *config->prompt.texts ? DUN_KEY_prompt_texts : DUN_KEY_prompt_count),
                i - 1, i == 2 ? "" : "s", (long long)config->prompt.count,
                (long long)config->prompt.count - 1);
        text += i > 1;
        *out = (start_words){text, strcspn(text, "|"), DUN_KEY_prompt_texts};
    }
    return DUN_OK;
}

/* One prompt's rows; the first one says how many there are where nothing else does. */
static int start_from_words(dun_prompt *prompt, const dun_config *config, uint32_t n_rows, uint32_t which,
                            const dun_model_file *model) {
    int rc = DUN_OK;
    dun_tokens tokens = {0};
    start_words words;
    TRY(find_words(&words, config, which));
    const dun_config_key *key = &dun_config_key_table[words.key];
    TRY(dun_tokenizer_encode_inside(&tokens, dun_model_file_tokenizer(model), words.text, words.length));
    if (tokens.n == 0 || tokens.n > MAX_ROWS)
        TRY(dun_error(DUN_USAGE, "%s: prompt.%s: \"%.*s\" has %zu tokens; 1 to %d are possible",
                      dun_config_origin(config, words.key), key->name, (int)words.length, words.text,
                      tokens.n, MAX_ROWS));
    if (which == 0)
        TRY(make(prompt, config, n_rows ? n_rows : (uint32_t)tokens.n, dun_model_file_spec(model)->width));
    if (prompt->n_rows != tokens.n)
        dun_warn("prompt.%s: \"%.*s\" has %zu token%s and the prompt %u rows: they are %s", key->name,
                 (int)words.length, words.text, tokens.n, tokens.n == 1 ? "" : "s", prompt->n_rows,
                 tokens.n < prompt->n_rows ? "repeated" : "cut");
    float *rows = prompt->rows + (size_t)which * prompt->n_rows * prompt->width;
    for (uint32_t p = 0; p < prompt->n_rows; p++)
        TRY(dun_embedding_rows(rows + (size_t)p * prompt->width, model, tokens.ids[p % tokens.n], 1));
out:
    dun_tokens_free(&tokens);
    return rc;
}

/* Fewer prompts than texts are a sweep over prompt.count, or a mistake. */
static void tell_left_over(const dun_config *config) {
    uint32_t n = *config->prompt.texts ? 1 : 0;
    for (const char *at = config->prompt.texts; *at; at++)
        n += *at == '|';
    if (n >= (uint32_t)config->prompt.count)
        dun_warn("prompt.texts (%s) has %u text%s, of which prompt.count = %lld needs %lld beside "
                 "prompt.text: the rest is not used",
                 dun_config_origin(config, DUN_KEY_prompt_texts), n, n == 1 ? "" : "s",
                 (long long)config->prompt.count, (long long)config->prompt.count - 1);
}

static int start_from_text(dun_prompt *prompt, const dun_config *config, uint32_t n_rows,
                           const dun_model_file *model) {
    int rc = DUN_OK;
    TRY(dun_config_require(config, DUN_KEY_prompt_text));
    for (uint32_t i = 0; i < (uint32_t)config->prompt.count; i++)
        TRY(start_from_words(prompt, config, n_rows, i, model));
    tell_left_over(config);
out:
    return rc;
}

static int start_from_vocab(dun_prompt *prompt, const dun_config *config, uint32_t n_rows,
                            const dun_model_file *model) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(model);
    TRY(make(prompt, config, n_rows ? n_rows : DEFAULT_TOKENS, spec->width));
    for (uint32_t p = 0; p < prompt->n_prompts * prompt->n_rows; p++) {
        uint32_t id =
            (uint32_t)dun_random_below(spec->vocab, (uint64_t)config->experiment.seed, DUN_STREAM_PROMPT, p);
        TRY(dun_embedding_rows(prompt->rows + (size_t)p * spec->width, model, id, 1));
    }
out:
    return rc;
}

static int start_random(dun_prompt *prompt, const dun_config *config, uint32_t n_rows,
                        const dun_model_file *model) {
    int rc = DUN_OK;
    double deviation;
    TRY(make(prompt, config, n_rows ? n_rows : DEFAULT_TOKENS, dun_model_file_spec(model)->width));
    TRY(dun_embedding_deviation(&deviation, model));
    for (size_t i = 0; i < dun_prompt_floats(prompt); i++)
        prompt->rows[i] =
            (float)(deviation * dun_random_normal((uint64_t)config->experiment.seed, DUN_STREAM_PROMPT, i));
out:
    return rc;
}

/* The file that prompt.file means: itself, or that of a folder: a run's, or an adapter of PEFT's. */
static int find_file(dun_str *path, const char *named) {
    int rc = DUN_OK;
    static const char *const names[] = {"prompt.safetensors", "adapter_model.safetensors"};
    if (!dun_dir_exists(named)) {
        TRY(dun_str_addf(path, "%s", named));
        goto out;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dun_str_clear(path);
        TRY(dun_str_addf(path, "%s/%s", named, names[i]));
        if (access(path->bytes, F_OK) == 0)
            goto out;
    }
    TRY(dun_error(DUN_BAD_INPUT, "%s: a folder without %s or %s; a saved prompt is needed", named, names[0],
                  names[1]));
out:
    return rc;
}

static int start_from_file(dun_prompt *prompt, const dun_config *config, uint32_t n_rows,
                           const dun_model_file *model) {
    int rc = DUN_OK;
    dun_saved_prompt saved = {0};
    dun_str path = {0};
    const uint32_t width = dun_model_file_spec(model)->width;
    const float scale = dun_embedding_peft_scale(dun_model_file_spec(model));
    TRY(dun_config_require(config, DUN_KEY_prompt_file));
    TRY(find_file(&path, config->prompt.file));
    TRY(dun_saved_prompt_read(&saved, path.bytes));
    if (saved.n_rows > MAX_ROWS)
        TRY(dun_error(DUN_BAD_INPUT, "%s: prompt_embeddings has %u rows; 1 to %d are possible", path.bytes,
                      saved.n_rows, MAX_ROWS));
    if (saved.width != width)
        TRY(dun_error(DUN_BAD_INPUT, "%s: prompt_embeddings are %u wide; the model's embeddings are %u wide",
                      path.bytes, saved.width, width));
    TRY(dun_saved_prompt_check_count(&saved, config, path.bytes));
    if (saved.model_hash && saved.model_hash != dun_model_file_fingerprint(model))
        dun_warn("%s: was trained with another model file (%s)", path.bytes, saved.model_name);
    if (n_rows && n_rows != saved.n_rows) {
        bool by_tokens = config->prompt.tokens > 0;
        enum dun_config_id key = by_tokens ? DUN_KEY_prompt_tokens : DUN_KEY_prompt_template;
        TRY(dun_error(DUN_USAGE, "%s: %s %u rows, but prompt.file (%s) has %u rows; %s",
                      dun_config_origin(config, key), by_tokens ? "prompt.tokens =" : "prompt.template has",
                      n_rows, config->prompt.file, saved.n_rows,
                      by_tokens ? "leave prompt.tokens empty" : "use {soft}, which takes all"));
    }
    TRY(make(prompt, config, saved.n_rows, width));
    for (size_t i = 0; i < dun_prompt_floats(prompt); i++)
        prompt->rows[i] = saved.rows[i] * (saved.foreign ? scale : 1);
out:
    dun_str_free(&path);
    dun_saved_prompt_free(&saved);
    return rc;
}

int dun_prompt_start(dun_prompt *prompt, const dun_config *config, uint32_t n_soft,
                     const dun_model_file *model) {
    int rc = DUN_OK;
    uint32_t n_rows = config->prompt.tokens > 0 ? (uint32_t)config->prompt.tokens : n_soft;
    *prompt = (dun_prompt){0};
    switch (config->prompt.init) {
    case DUN_INIT_TEXT:
        TRY(start_from_text(prompt, config, n_rows, model));
        break;
    case DUN_INIT_VOCAB:
        TRY(start_from_vocab(prompt, config, n_rows, model));
        break;
    case DUN_INIT_RANDOM:
        TRY(start_random(prompt, config, n_rows, model));
        break;
    case DUN_INIT_FILE:
        TRY(start_from_file(prompt, config, n_rows, model));
        break;
    }
out:
    if (rc < 0)
        dun_prompt_free(prompt);
    return rc;
}

void dun_prompt_free(dun_prompt *prompt) {
    dun_free(prompt->rows);
    *prompt = (dun_prompt){0};
}
