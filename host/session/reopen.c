/* What of a session is kept for another config, and what is made anew. */
#include "session/reopen.h"
#include "session/label_rows.h"
#include "session/session_inside.h"

#include "base/clock.h"
#include "base/err.h"

static int forget_texts(dun_session *session) {
    int rc = DUN_OK;
    TRY(dun_team_forget(&session->team));
    dun_start_points_free(&session->start_points);
    dun_texts_free(&session->texts);
    dun_session_begin_texts(session);
    dun_dataset_free(session->valid);
    dun_dataset_free(session->train);
    dun_split_off_free(&session->split);
    dun_labels_free(&session->labels);
    session->valid = session->train = NULL;
    session->first_train = session->n_train = session->first_valid = session->n_valid = 0;
    TRY(dun_texts_share(&session->texts, session->tokenizer));
out:
    return rc;
}

int dun_session_reopen(dun_session *session, const dun_config *config, const dun_observer *observer) {
    return dun_session_reopen_given(session, config, NULL, observer);
}

int dun_session_reopen_given(dun_session *session, const dun_config *config, const dun_session_given *given,
                             const dun_observer *observer) {
    int rc = DUN_OK;
    enum dun_scope scope = DUN_SCOPE_MODEL;
    if (session->config)
        TRY(dun_config_scope_between(&scope, session->config, config));
    if (scope < DUN_SCOPE_DATA && given != session->given)
        scope = DUN_SCOPE_DATA;
    if (scope == DUN_SCOPE_MODEL) {
        dun_session_close(session);
        TRY(dun_session_open(session, config, observer));
    } else {
        TRY(dun_config_check(config));
        session->config = config;
        dun_session_listen(session, observer);
        session->begun = dun_clock_seconds();
        session->timings = (dun_timings){0};
        dun_prompt_free(&session->prompt);
        dun_label_rows_free(&session->label_words);
    }
    session->given = given;
    TRY(dun_session_start_prompt(session));
    if (scope == DUN_SCOPE_DATA)
        TRY(forget_texts(session));
    if (scope >= DUN_SCOPE_DATA)
        TRY(dun_session_read_data(session, true));
    else
        TRY(dun_session_weigh_classes(session));
    TRY(dun_session_read_label_words(session, session->labels.n_classes));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}

static bool same_sizes(const dun_engine_options *a, const dun_engine_options *b) {
    return a->max_text_rows == b->max_text_rows && a->max_texts == b->max_texts &&
           a->max_rows == b->max_rows && a->max_sequences == b->max_sequences &&
           a->max_prompt == b->max_prompt && a->prompts == b->prompts && a->max_position == b->max_position &&
           a->rows_after_text == b->rows_after_text;
}

/* The engine round its weights, for batches or a prompt of another size. */
static int resize(dun_session *session, const dun_engine_options *options) {
    int rc = DUN_OK;
    dun_start_points_free(&session->start_points);
    TRY(dun_engine_resize(&session->engine, options));
    TRY(dun_session_refit_team(session));
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
    TRY(dun_session_read_texts(session));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}
