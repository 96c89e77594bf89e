/* Opens model and prompt in their order, and runs texts forward and back. The engine: session_engine.c. */
#include "session/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "session/label_rows.h"
#include "session/local.h"
#include "session/point.h"
#include "session/session_inside.h"

#include <stdio.h>
#include <string.h>

void dun_session_begin_texts(dun_session *session) {
    dun_template_surround(&session->texts, &session->template);
    session->texts.plain = session->config->data.special_tokens == DUN_SPECIAL_TOKENS_TEXT;
}

/* The rest of opening a session whose config and template are there. */
static int open_model(dun_session *session) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    dun_session_begin_texts(session);
    TRY(dun_config_require(config, DUN_KEY_model_path));
    TRY(dun_model_file_open(&session->model, config->model.path, DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER));
    session->tokenizer = dun_model_file_tokenizer(session->model);
    TRY(dun_texts_share(&session->texts, session->tokenizer));
    const dun_spec *spec = dun_model_file_spec(session->model);
    TRY(dun_point_of(&session->point, config, spec));
    session->point.mean = session->mean;
    if (!session->bare && config->data.max_length >= spec->context)
        TRY(dun_error(DUN_USAGE,
                      "%s: data.max_length = %lld; the model reads at most %u tokens, prompt included",
                      dun_config_origin(config, DUN_KEY_data_max_length), (long long)config->data.max_length,
                      spec->context));
out:
    session->timings.load += dun_clock_seconds() - session->begun;
    return rc;
}

int dun_session_open(dun_session *session, const dun_config *config, const dun_observer *observer) {
    int rc = DUN_OK;
    *session = (dun_session){.config = config, .observer = observer, .begun = dun_clock_seconds()};
    TRY(dun_config_check(config));
    TRY(dun_template_parse(&session->template, config));
    TRY(open_model(session));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}

int dun_session_open_bare(dun_session *session, const dun_config *config, bool mean,
                          const dun_observer *observer) {
    int rc = DUN_OK;
    *session = (dun_session){
        .config = config, .observer = observer, .bare = true, .mean = mean, .begun = dun_clock_seconds()};
    TRY(dun_config_check(config));
    TRY(dun_template_bare(&session->template));
    TRY(open_model(session));
    TRY(dun_template_resolve(&session->template, session->tokenizer, 0));
out:
    if (rc < 0)
        dun_session_close(session);
    return rc;
}

void dun_session_close(dun_session *session) {
    dun_team_free(&session->team);
    dun_session_free_points(session);
    dun_label_rows_free(&session->label_words);
    dun_start_points_free(&session->start_points);
    dun_engine_free(&session->engine);
    dun_shared_model_give_back(session->weights);
    dun_compute_free(&session->compute);
    dun_device_close(session->device);
    dun_texts_free(&session->texts);
    dun_dataset_free(session->valid);
    dun_dataset_free(session->train);
    dun_split_off_free(&session->split);
    dun_labels_free(&session->labels);
    dun_free(session->class_weight);
    dun_prompt_free(&session->prompt);
    dun_template_free(&session->template);
    dun_model_file_free(session->model);
    *session = (dun_session){0};
}

int dun_session_start_prompt(dun_session *session) {
    int rc;
    TRY(dun_prompt_start(&session->prompt, session->config, session->template.n_soft, session->model));
    TRY(dun_template_resolve(&session->template, session->tokenizer, session->prompt.n_rows));
out:
    return rc;
}

int dun_session_use_prompt(dun_session *session, const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(session->model);
    if (saved->width != spec->width)
        TRY(dun_error(DUN_BAD_INPUT, "%s: made for embeddings of width %u; %s has width %u", path,
                      saved->width, dun_model_file_path(session->model), spec->width));
    if (saved->model_hash && saved->model_hash != dun_model_file_fingerprint(session->model))
        TRY(dun_error(
            DUN_BAD_INPUT, "%s: belongs to another model file (%s, hash %016llx), running %s (%016llx)", path,
            saved->model_name, (unsigned long long)saved->model_hash, dun_model_file_path(session->model),
            (unsigned long long)dun_model_file_fingerprint(session->model)));
    if (session->template.n_soft && session->template.n_soft != saved->n_rows)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has %u prompt rows; prompt.template (%s) has room for %u", path,
                      saved->n_rows, dun_config_origin(session->config, DUN_KEY_prompt_template),
                      session->template.n_soft));
    TRY(dun_saved_prompt_check_count(saved, session->config, path));
    session->prompt = (dun_prompt){
        .n_prompts = saved->n_prompts ? saved->n_prompts : 1, .n_rows = saved->n_rows, .width = saved->width};
    TRY_NEW(session->prompt.rows, dun_prompt_floats(&session->prompt));
    memcpy(session->prompt.rows, saved->rows, dun_prompt_floats(&session->prompt) * sizeof(float));
    TRY(dun_template_resolve(&session->template, session->tokenizer, saved->n_rows));
    TRY(dun_session_take_saved_points(session, saved, path));
    TRY(dun_session_use_label_words(session, saved, path));
out:
    return rc;
}

void dun_session_listen(dun_session *session, const dun_observer *observer) {
    session->observer = observer;
    dun_session_watch(session->device, observer);
    for (uint32_t i = 0; i < session->team.n; i++) {
        const dun_member *member = &session->team.members[i];
        if (member->kind == &dun_local_kind) /* another has no device here */
            dun_session_watch(((const dun_local *)member->self)->device, observer);
    }
}

int dun_session_set_prompt(dun_session *session, const float *rows) {
    return dun_buffer_write(&session->engine.prompt, 0, rows,
                            dun_prompt_floats(&session->prompt) * sizeof *rows);
}

int dun_session_run(dun_session *session, const uint32_t *which, uint32_t n) {
    return dun_session_run_known(session, NULL, which, n);
}

int dun_session_run_known(dun_session *session, const float *prompt, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_session_shares_batches(session) ? dun_session_run_shared(session, which, n)
                                            : dun_team_run(&session->team, prompt, which, n));
    TRY(dun_session_shape_points(session, n));
out:
    return rc;
}

int dun_session_backward(dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_session_shape_back(session, n));
    TRY(dun_team_backward(&session->team, n));
out:
    return rc;
}

int dun_session_run_all(dun_session *session, const dun_pass *pass, uint32_t first, uint32_t n,
                        const char *stage, dun_batch_visitor *each, void *self) {
    int rc = DUN_OK;
    float *sink = pass ? pass->sink : NULL;
    size_t D = dun_session_point_width(session);
    uint32_t count, *which = NULL;
    dun_observe_begin(session->observer, stage, "texts", n);
    TRY_NEW(which, session->engine.options.max_sequences);
    for (uint32_t done = 0; done < n; done += count) {
        count = dun_session_pass(session, first + done, n - done);
        for (uint32_t i = 0; i < count; i++)
            which[i] = first + done + i;
        if (!(pass && pass->patient) && dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        TRY(pass && pass->at_start ? dun_session_run_start(session, which, count)
                                   : dun_session_run(session, which, count));
        if (sink)
            TRY(dun_buffer_read(sink + (size_t)(first + done) * D, dun_session_points(session), 0,
                                count * D * sizeof *sink));
        TRY(each(self, first + done, count));
        dun_observe_advance(session->observer, done + count, NULL);
    }
out:
    dun_observe_end(session->observer);
    dun_free(which);
    return rc;
}
