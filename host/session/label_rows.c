/* Reads label words, makes rows of the head of them, and finds their offsets. */
#include "session/label_rows.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

enum { MOST_TOKENS = 64 };

/* A word of a class, as it was written, and its tokens. */
typedef struct {
    dun_slice text;
    uint32_t class_id;
    dun_tokens tokens;
} label_word;

typedef struct {
    label_word *words;
    size_t n;
} word_list;

static int refuse(const dun_session *session, const char *what, const label_word *word) {
    const dun_config *config = session->config;
    return dun_error(DUN_USAGE, "%s: loss.label_words = %s: %s%.*s%s",
                     dun_config_origin(config, DUN_KEY_loss_label_words), config->loss.label_words, what,
                     word ? (int)word->text.length : 0, word ? word->text.bytes : "", word ? "\"" : "");
}

/* As prompt.text and templates are encoded; the space makes it a word of its own, where a text has it. */
static int encode(label_word *word, const dun_session *session) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_str_add(&text, " ", 1));
    TRY(dun_str_add(&text, word->text.bytes, word->text.length));
    TRY(dun_tokenizer_encode_inside(&word->tokens, session->tokenizer, text.bytes, text.length));
    if (word->tokens.n == 0 || word->tokens.n > MOST_TOKENS)
        TRY(refuse(session, "1 to 64 tokens are possible, which is not so of \"", word));
out:
    dun_str_free(&text);
    return rc;
}

static bool same_tokens(const dun_tokens *a, const dun_tokens *b) {
    return a->n == b->n && memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0;
}

/* Encodes the last word of the list, and looks whether it was there before. */
static int take_word(word_list *list, const dun_session *session) {
    int rc;
    label_word *word = &list->words[list->n - 1];
    if (word->text.length == 0)
        TRY(refuse(session, "a word is empty; needed are words for the classes, as in terrible, great",
                   NULL));
    TRY(encode(word, session));
    for (size_t i = 0; i + 1 < list->n; i++)
        if (same_tokens(&word->tokens, &list->words[i].tokens))
            TRY(refuse(session,
                       list->words[i].class_id == word->class_id ? "a class has twice the word \""
                                                                 : "two classes have the word \"",
                       word));
    rc = DUN_OK;
out:
    return rc;
}

/* The words of K classes: classes apart by ',', words of one by '+'. */
static int read_list(word_list *list, const dun_session *session, uint32_t K) {
    int rc = DUN_OK;
    uint32_t k = 0;
    const dun_config *config = session->config;
    const char *all = config->loss.label_words;
    TRY_NEW(list->words, strlen(all) + 1);
    for (const char *at = all;; at++) {
        const size_t length = strcspn(at, ",+");
        list->words[list->n++] = (label_word){.text = dun_utf8_trim(at, length), .class_id = k};
        TRY(take_word(list, session));
        at += length;
        if (!*at)
            break;
        k += *at == ',';
    }
    if (k + 1 != K)
        TRY(dun_error(DUN_USAGE,
                      "%s: loss.label_words = %s: words for %u classes; there are %u, each needs a word, or "
                      "several as in awful+terrible",
                      dun_config_origin(config, DUN_KEY_loss_label_words), all, k + 1, K));
out:
    return rc;
}

static void free_list(word_list *list) {
    for (size_t i = 0; i < list->n; i++)
        dun_tokens_free(&list->words[i].tokens);
    dun_free(list->words);
}

/* Adds a word's row, which counts `share` of its class's. */
static int add_row(double *sum, float *scratch, const dun_session *session, const label_word *word,
                   double share) {
    int rc = DUN_OK;
    const uint32_t D = dun_model_file_spec(session->model)->width;
    for (size_t t = 0; t < word->tokens.n; t++) {
        TRY(dun_model_file_read(scratch, session->model, DUN_W_HEAD, 0, word->tokens.ids[t], 1));
        for (uint32_t j = 0; j < D; j++)
            sum[j] += share / (double)word->tokens.n * (double)scratch[j];
    }
out:
    return rc;
}

/* rows (K, D) of the classes' words, less their mean. */
static int make_rows(float *rows, const dun_session *session, const word_list *list, uint32_t K) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(session->model);
    const size_t D = spec->width;
    const double scale = (double)dun_spec_weight_scale(spec, DUN_W_HEAD);
    double *sums = NULL;
    float *scratch = NULL;
    uint32_t *n_words = NULL;
    TRY_NEW(sums, K * D);
    TRY_NEW(scratch, D);
    TRY_NEW(n_words, K);
    for (size_t i = 0; i < list->n; i++)
        n_words[list->words[i].class_id]++;
    for (size_t i = 0; i < list->n; i++) {
        const label_word *word = &list->words[i];
        TRY(add_row(sums + word->class_id * D, scratch, session, word, 1.0 / n_words[word->class_id]));
    }
    for (size_t j = 0; j < D; j++) {
        double mean = 0;
        for (uint32_t k = 0; k < K; k++)
            mean += sums[k * D + j] / K;
        for (uint32_t k = 0; k < K; k++)
            rows[k * D + j] = (float)(scale * (sums[k * D + j] - mean));
    }
out:
    dun_free(n_words);
    dun_free(scratch);
    dun_free(sums);
    return rc;
}

/* 0: " terrible"; 1: " great" + " un|like|ly" (3 tokens, averaged) */
static int tell(const dun_session *session, const word_list *list) {
    int rc = DUN_OK;
    dun_str text = {0};
    for (size_t i = 0; i < list->n; i++) {
        const label_word *word = &list->words[i];
        const dun_tokens *tokens = &word->tokens;
        const bool first = i == 0 || word[-1].class_id != word->class_id;
        TRY(first ? dun_str_addf(&text, "%s%u: \"", i ? "; " : "", word->class_id)
                  : dun_str_addf(&text, " + \""));
        for (size_t t = 0; t < tokens->n; t++) {
            size_t length;
            const char *piece = dun_tokenizer_piece(session->tokenizer, tokens->ids[t], &length);
            TRY(dun_str_addf(&text, "%s%.*s", t ? "|" : "", (int)length, piece));
        }
        TRY(dun_str_addf(&text, "\""));
        if (tokens->n > 1)
            TRY(dun_str_addf(&text, " (%zu tokens, averaged)", tokens->n));
    }
    dun_observe_say(session->observer, "words     %s", text.bytes);
out:
    dun_str_free(&text);
    return rc;
}

/* Rows (K, C) for points of several prompts side by side: what the words get is the mean over these. From the
 * end on, so that nothing is written over before it was read. */
static void spread(float *rows, uint32_t K, uint32_t C, uint32_t prompts) {
    for (size_t k = K; prompts > 1 && k-- > 0;)
        for (size_t i = prompts; i-- > 0;)
            for (size_t j = 0; j < C; j++)
                rows[(k * prompts + i) * C + j] = rows[k * C + j] / (float)prompts;
}

int dun_session_read_label_words(dun_session *session, uint32_t K) {
    int rc = DUN_OK;
    word_list list = {0};
    dun_label_rows *words = &session->label_words;
    const dun_spec *spec = dun_model_file_spec(session->model);
    const uint32_t prompts = (uint32_t)session->config->prompt.count;
    if (session->bare || !*session->config->loss.label_words || words->rows)
        return DUN_OK;
    if (spec->logit_cap > 0)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: the model caps its logits at %g, which loss.label_words (%s) do not follow; leave them empty",
            dun_model_file_path(session->model), (double)spec->logit_cap,
            dun_config_origin(session->config, DUN_KEY_loss_label_words)));
    TRY(read_list(&list, session, K));
    TRY_NEW(words->rows, (size_t)K * spec->width * prompts);
    TRY(make_rows(words->rows, session, &list, K));
    spread(words->rows, K, spec->width, prompts);
    words->n_classes = K;
    TRY(tell(session, &list));
out:
    free_list(&list);
    if (rc < 0)
        dun_label_rows_free(words);
    return rc;
}

static bool is_zero(const float *row, size_t n) {
    for (size_t j = 0; j < n; j++)
        if (row[j] < 0 || row[j] > 0)
            return false;
    return true;
}

int dun_label_rows_new_offsets(dun_label_rows *words) {
    int rc = DUN_OK;
    dun_free(words->offsets);
    words->offsets = NULL;
    TRY_NEW(words->offsets, words->n_classes);
out:
    return rc;
}

int dun_session_fit_label_words(dun_session *session, const float *means) {
    int rc = DUN_OK;
    dun_label_rows *words = &session->label_words;
    const size_t D = dun_session_point_width(session), K = words->n_classes;
    double *centre = NULL, n = 0;
    if (!words->rows)
        return DUN_OK;
    TRY(dun_label_rows_new_offsets(words));
    TRY_NEW(centre, D);
    for (size_t k = 0; k < K; k++) {
        n += !is_zero(means + k * D, D);
        for (size_t j = 0; j < D; j++)
            centre[j] += (double)means[k * D + j];
    }
    for (size_t k = 0; k < K; k++) {
        double logit = 0;
        for (size_t j = 0; j < D; j++)
            logit += (double)words->rows[k * D + j] * centre[j];
        words->offsets[k] = n > 0 ? (float)(logit / n) : 0.0f;
    }
out:
    dun_free(centre);
    return rc;
}

int dun_session_use_label_words(dun_session *session, const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    dun_label_rows *words = &session->label_words;
    const uint32_t K = saved->n_classes;
    if (K == 0 || !*config->loss.label_words)
        return DUN_OK;
    if (!saved->label_words || strcmp(saved->label_words, config->loss.label_words) != 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: was trained %s%s; loss.label_words is %s (%s), which it has no offsets for", path,
                      saved->label_words ? "with the label words " : "without label words",
                      saved->label_words ? saved->label_words : "", config->loss.label_words,
                      dun_config_origin(config, DUN_KEY_loss_label_words)));
    TRY(dun_session_read_label_words(session, K));
    TRY(dun_label_rows_new_offsets(words));
    memcpy(words->offsets, saved->label_offsets, K * sizeof *words->offsets);
out:
    return rc;
}

void dun_label_rows_free(dun_label_rows *words) {
    dun_free(words->rows);
    dun_free(words->offsets);
    *words = (dun_label_rows){0};
}
