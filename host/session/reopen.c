/* See reopen.h. */
#include "session/reopen.h"

#include "base/clock.h"
#include "base/err.h"

#include <string.h>

/* By section; one that is not here touches the model. */
static const struct {
    const char *section;
    enum dun_scope scope;
} section_table[] = {
    {"experiment", DUN_SCOPE_RUN}, {"data", DUN_SCOPE_DATA},  {"centroid", DUN_SCOPE_RUN},
    {"loss", DUN_SCOPE_RUN},       {"train", DUN_SCOPE_RUN},  {"boids", DUN_SCOPE_RUN},
    {"compare", DUN_SCOPE_RUN},    {"output", DUN_SCOPE_RUN},
};

/* Keys that touch less than their section. The prompt is made anew for every run anyway; where its length, or
 * the size of a batch, is another one, the engine is cut anew round its weights. A template ties the prompt's
 * length to the words round the text: with one, only what does not shape the prompt can be shared across. */
static const struct {
    enum dun_config_id id;
    bool shapes;
} run_keys[] = {
    {DUN_KEY_prompt_tokens, true},      {DUN_KEY_prompt_init, true},    {DUN_KEY_prompt_text, true},
    {DUN_KEY_prompt_file, true},        {DUN_KEY_prompt_lr, false},     {DUN_KEY_prompt_reparametrize, false},
    {DUN_KEY_prompt_bottleneck, false}, {DUN_KEY_device_shares, false},
};

static bool shapes_prompt(enum dun_config_id id) {
    for (size_t i = 0; i < sizeof run_keys / sizeof *run_keys; i++)
        if (run_keys[i].id == id)
            return run_keys[i].shapes;
    return false;
}

enum dun_scope dun_config_scope(enum dun_config_id id) {
    for (size_t i = 0; i < sizeof run_keys / sizeof *run_keys; i++)
        if (run_keys[i].id == id)
            return DUN_SCOPE_RUN;
    for (size_t i = 0; i < sizeof section_table / sizeof *section_table; i++)
        if (strcmp(section_table[i].section, dun_config_key_table[id].section) == 0)
            return section_table[i].scope;
    return DUN_SCOPE_MODEL;
}

int dun_config_scope_between(enum dun_scope *scope, const dun_config *a, const dun_config *b) {
    int rc = DUN_OK;
    dun_str x = {0}, y = {0};
    bool template = a->prompt.template[0] || b->prompt.template[0];
    *scope = DUN_SCOPE_RUN;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        enum dun_config_id id = (enum dun_config_id)i;
        enum dun_scope touched = template && shapes_prompt(id) ? DUN_SCOPE_MODEL : dun_config_scope(id);
        if (touched <= *scope)
            continue;
        dun_str_clear(&x);
        dun_str_clear(&y);
        TRY(dun_config_get(&x, a, id));
        TRY(dun_config_get(&y, b, id));
        if (x.length != y.length || (x.length && memcmp(x.bytes, y.bytes, x.length) != 0))
            *scope = touched;
    }
out:
    dun_str_free(&x);
    dun_str_free(&y);
    return rc;
}

static int forget_texts(dun_session *session) {
    dun_text_cache_free(&session->cache);
    dun_team_forget(&session->team);
    dun_texts_free(&session->texts);
    dun_template_surround(&session->texts, &session->template);
    dun_dataset_free(session->valid);
    dun_dataset_free(session->train);
    dun_labels_free(&session->labels);
    session->valid = session->train = NULL;
    session->n_train = session->n_valid = 0;
    return dun_texts_share(&session->texts, session->tokenizer);
}

int dun_session_reopen(dun_session *session, const dun_config *config, const dun_observer *observer) {
    int rc = DUN_OK;
    enum dun_scope scope = DUN_SCOPE_MODEL;
    if (session->config)
        TRY(dun_config_scope_between(&scope, session->config, config));
    if (scope == DUN_SCOPE_MODEL) {
        dun_session_close(session);
        TRY(dun_session_open(session, config, observer));
    } else {
        TRY(dun_config_check(config));
        session->config = config;
        session->observer = observer;
        session->begun = dun_clock_seconds();
        session->timings = (dun_timings){0};
        session->patient = false;
        dun_prompt_free(&session->prompt);
    }
    TRY(dun_session_start_prompt(session));
    if (scope == DUN_SCOPE_DATA)
        TRY(forget_texts(session));
    if (scope >= DUN_SCOPE_DATA)
        TRY(dun_session_read_data(session, true));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}

static bool same_sizes(const dun_engine_options *a, const dun_engine_options *b) {
    return a->max_text_rows == b->max_text_rows && a->max_texts == b->max_texts &&
           a->max_rows == b->max_rows && a->max_sequences == b->max_sequences &&
           a->max_prompt == b->max_prompt && a->max_position == b->max_position;
}

/* The engine round its weights, for batches or a prompt of another size. */
static int resize(dun_session *session, const dun_engine_options *options) {
    int rc = DUN_OK;
    bool still_there;
    dun_batch_free(&session->batch);
    dun_team_free(&session->team); /* made again with the texts */
    TRY(dun_engine_resize(&session->engine, options));
    TRY(dun_text_cache_refit(&still_there, &session->cache));
    TRY(dun_batch_create(&session->batch, options->max_sequences, options->max_rows));
out:
    return rc;
}

int dun_session_ready(dun_session *session) {
    int rc = DUN_OK;
    dun_engine_options options = dun_session_engine_options(session, true);
    TRY(dun_session_check(session, true));
    if (!session->device)
        TRY(dun_session_start_engine(session, true));
    else if (!same_sizes(&options, &session->engine.options))
        TRY(resize(session, &options));
    TRY(dun_session_start_normalizer(session));
    TRY(dun_session_set_prompt(session, session->prompt.rows));
    if (!session->cache.engine)
        TRY(dun_session_read_texts(session));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}
