/* Opens model, prompt, data and engine in their order, and runs texts forward and back. */
#include "session/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "ranks/ranks.h"
#include "session/local.h"
#include "session/session_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_ROWS = 768,    /* rows a pass: enough to fill the GEMM's tiles, small enough to show progress */
    MIN_SEQUENCES = 32, /* texts scored together even when batches are smaller */
    PASS_TEXTS = 64,    /* texts a pass when none is cached; only very short ones come to as many */
};

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
    if (config->model.layer > (int64_t)spec->n_layers)
        TRY(dun_error(DUN_USAGE,
                      "%s: model.layer = %lld, but the model has %u layers; 1 to %u or last is possible",
                      dun_config_origin(config, DUN_KEY_model_layer), (long long)config->model.layer,
                      spec->n_layers, spec->n_layers));
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
    dun_normalizer_free(&session->normalizer);
    dun_free(session->saved_normalization);
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

/* The constants that the config asks for. */
static int use_normalization(dun_session *session, const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    if (!dun_normalize_is_affine(session->config->model.normalize))
        goto out;
    if (!saved->normalization)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: has no tensor normalization, which model.normalize (%s) needs: it was trained without", path,
            dun_config_origin(session->config, DUN_KEY_model_normalize)));
    session->saved_width = saved->point_width;
    TRY_NEW(session->saved_normalization, 2 * (size_t)saved->point_width);
    memcpy(session->saved_normalization, saved->normalization,
           2 * (size_t)saved->point_width * sizeof(float));
out:
    return rc;
}

int dun_session_start_normalizer(dun_session *session) {
    int rc = DUN_OK;
    uint32_t D = dun_session_point_width(session);
    dun_normalizer_free(&session->normalizer);
    TRY(dun_normalizer_create(&session->normalizer, &session->compute, session->config->model.normalize,
                              session->engine.options.max_sequences, D));
    if (!session->saved_normalization)
        goto out;
    if (session->saved_width != D)
        TRY(dun_error(DUN_BAD_INPUT, "the run's normalization is %u wide; its config makes points %u wide",
                      session->saved_width, D));
    TRY(dun_normalizer_set(&session->normalizer, session->saved_normalization));
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
    session->prompt.n_rows = saved->n_rows;
    session->prompt.width = saved->width;
    TRY_NEW(session->prompt.rows, (size_t)saved->n_rows * saved->width);
    memcpy(session->prompt.rows, saved->rows, (size_t)saved->n_rows * saved->width * sizeof(float));
    TRY(dun_template_resolve(&session->template, session->tokenizer, saved->n_rows));
    TRY(use_normalization(session, saved, path));
out:
    return rc;
}

static uint32_t at_least(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static dun_point_spec point_of(const dun_session *session) {
    const dun_config *config = session->config;
    const bool last = config->model.layer == DUN_CONFIG_UNSET;
    return (dun_point_spec){.n_blocks = last ? dun_model_file_spec(session->model)->n_layers
                                             : (uint32_t)config->model.layer,
                            .final_norm = last,
                            .logits = config->model.point == DUN_POINT_LOGITS,
                            .mean = session->mean};
}

/* Training keeps the texts' keys and values and runs the rows after them. Without gradients each text is run
 * once, these rows in the same pass, and nothing is kept but what texts share; so is a training batch whose
 * prompt stands before the text, all of it at once. */
dun_engine_options dun_session_engine_options(const dun_session *session, bool backward) {
    const dun_config *config = session->config;
    const dun_template *template = &session->template;
    uint32_t longest = dun_template_longest(template, (uint32_t)config->data.max_length);
    uint32_t own = dun_template_own_rows(template), batch = (uint32_t)config->train.batch_size;
    uint32_t sequences = at_least(batch, MIN_SEQUENCES);
    const uint32_t leads =
        dun_ranks_self() == 0 ? dun_ranks_n() : 1; /* the points of all ranks come to rank 0 */
    bool keep = backward && !dun_template_is_prefix(template);
    dun_engine_options options = {
        .point = point_of(session),
        .form = session->form,
        .backward = backward,
        .max_text_rows = keep ? at_least(longest, TEXT_ROWS) : at_least((uint32_t)session->texts.shared.n, 1),
        .max_texts = keep ? TEXT_ROWS : 1,
        .max_rows = keep ? sequences * own : at_least(longest + own, TEXT_ROWS),
        .max_sequences = keep                  ? sequences
                         : session->pass_texts ? session->pass_texts
                                               : PASS_TEXTS * leads,
        .max_prompt = at_least(session->prompt.n_rows, 1),
        .max_position = longest + own + template->n_lead,
        .observer = session->observer,
        .common = session->common,
        .rows_after_text = own,
    };
    if (backward && !keep) {
        if (session->texts.n && session->texts.longest < longest)
            longest = session->texts.longest;
        if (session->n_train && session->n_train < batch)
            batch = session->n_train;
        options.max_sequences = sequences;
        options.max_rows = at_least(batch * (longest + own), TEXT_ROWS);
    }
    return options;
}

bool dun_session_names_several(const dun_session *session) {
    char second[256];
    return dun_device_selector(second, sizeof second, session->config->device.use, 1);
}

/* Positions that the model knows, rows that can be counted, and shares for as many devices as there are. */
int dun_session_check(const dun_session *session, bool backward) {
    const dun_config *config = session->config;
    const dun_template *template = &session->template;
    uint32_t context = dun_model_file_spec(session->model)->context, own = dun_template_own_rows(template);
    uint64_t longest = dun_template_longest(template, (uint32_t)config->data.max_length) + template->n_lead;
    bool words = longest > (uint64_t)config->data.max_length;
    if (longest + own > context)
        return dun_error(DUN_USAGE,
                         "data.max_length %lld%s and the prompt's %u rows exceed the model's %u positions",
                         (long long)config->data.max_length,
                         words ? ", the template's words beside the text" : "", own, context);
    if (backward && dun_template_is_prefix(template) &&
        (longest + own) * (uint64_t)config->train.batch_size > INT32_MAX / 8)
        return dun_error(
            DUN_USAGE,
            "%s: train.batch_size = %lld whole texts of up to data.max_length = %lld tokens are too "
            "many rows for a prompt before the text; a smaller batch is needed",
            dun_config_origin(config, DUN_KEY_train_batch_size), (long long)config->train.batch_size,
            (long long)config->data.max_length);
    if (backward && config->device.shares[0] && !dun_session_names_several(session))
        return dun_error(DUN_USAGE, "%s: device.shares = %s, but device.use = %s (%s) is one device",
                         dun_config_origin(config, DUN_KEY_device_shares), config->device.shares,
                         config->device.use, dun_config_origin(config, DUN_KEY_device_use));
    return DUN_OK;
}

bool dun_session_runs_whole(const dun_session *session) {
    return !session->engine.options.backward || dun_template_is_prefix(&session->template);
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

int dun_session_choose_weights(enum dun_weight_form *out, dun_str *reason, dun_session *session,
                               const char *gemm, bool backward) {
    int rc = DUN_OK;
    dun_weights_facts *facts = &session->facts;
    const dun_spec *spec = dun_model_file_spec(session->model);
    TRY(dun_session_choose_precision(session));
    const dun_shared_want want = {.fingerprint = dun_model_file_fingerprint(session->model),
                                  .point = point_of(session),
                                  .backward = backward,
                                  .gemm = gemm,
                                  .precision = session->precision};
    const unsigned both = DUN_FORWARD | DUN_BACKWARD;
    if (facts->f32 == 0) /* by both copies, whatever products there will be */
        TRY(dun_weights_facts_of(facts, session->config, session->model, &want));
    if (session->common && dun_common_is_filled(session->common))
        facts->free = 0; /* whoever filled it had enough */
    facts->precision = strcmp(session->precision, "f32") == 0 ? NULL : session->precision;
    facts->f32 = dun_model_bytes_as_floats(spec, dun_gemm_value_bytes("auto", session->precision, both));
    facts->f32_loaded = dun_model_bytes_as_floats(
        spec, dun_gemm_value_bytes(gemm, session->precision, backward ? both : DUN_FORWARD));
    facts->reads_stored = strcmp(gemm, "auto") == 0 || dun_gemm_reads_stored(gemm);
    TRY(dun_weights_choose(out, reason, facts, session->config->device.weights));
out:
    return rc;
}

/* The form of the weights, for every device alike: halves of the local tile are the provider's own matter. */
static int choose_weights(dun_session *session, bool backward) {
    int rc = DUN_OK;
    dun_str reason = {0};
    const char *gemm = dun_gemm_name(session->compute.gemm);
    const enum dun_device_weights wanted = session->config->device.weights;
    session->form = DUN_FORM_F32;
    session->form_by_auto = wanted == DUN_WEIGHTS_AUTO;
    if (session->compute.tiles.half_weights && wanted == DUN_WEIGHTS_F16)
        goto out;
    TRY(dun_session_choose_weights(&session->form, &reason, session, gemm, backward));
    dun_observe_say(session->observer, "weights   %s: %s", dun_weights_word(session->form), reason.bytes);
out:
    dun_str_free(&reason);
    return rc;
}

int dun_session_start_engine(dun_session *session, bool backward) {
    int rc = DUN_OK;
    const dun_spec *spec = dun_model_file_spec(session->model);
    const dun_weight_source *source = dun_model_file_source(session->model);
    char selector[256];
    dun_engine_options options;
    double begun = dun_clock_seconds();
    TRY(dun_session_check(session, backward));
    options = dun_session_engine_options(session, backward);
    dun_device_selector(selector, sizeof selector, session->config->device.use, 0);
    TRY(dun_session_choose_precision(session));
    TRY(dun_session_open_device(&session->device, &session->compute, session, selector,
                                dun_learn_topics(session->config, backward)));
    session->precision_by_auto = session->config->device.precision == DUN_PRECISION_AUTO;
    session->timings.build += dun_clock_seconds() - begun;
    begun = dun_clock_seconds();
    TRY(choose_weights(session, backward));
    options.form = session->form;
    TRY(dun_shared_model_take(&session->weights, &session->compute, session->model, &options));
    options.loaded = dun_shared_model_weights(session->weights);
    TRY(dun_engine_create(&session->engine, &session->compute, spec, source, &options));
    TRY(dun_session_set_prompt(session, session->prompt.rows));
    TRY(dun_session_start_normalizer(session));
    TRY(dun_session_start_team(session));
    TRY(dun_device_finish(session->device));
    dun_observe_say(session->observer,
                    "model     %s: %u of %u layers, width %u, %.0f MB of weights, %.0f MB of activations",
                    spec->name, options.point.n_blocks, spec->n_layers, spec->width,
                    (double)dun_model_bytes(&session->engine.model) / 1e6,
                    (double)session->engine.memory.bytes / 1e6);
    if (session->common)
        dun_observe_say(session->observer,
                        "common    %.0f MB of them laid out in memory that processes share",
                        (double)dun_common_bytes(session->common) / 1e6);
    session->timings.load += dun_clock_seconds() - begun;
out:
    return rc;
}

int dun_session_set_prompt(dun_session *session, const float *rows) {
    return dun_buffer_write(&session->engine.prompt, 0, rows,
                            (size_t)session->prompt.n_rows * session->prompt.width * sizeof *rows);
}

uint32_t dun_session_point_width(const dun_session *session) {
    return dun_engine_point_width(&session->engine);
}

/* Rows a text takes in the batch of dun_session_run. */
uint32_t dun_session_rows(const dun_session *session, uint32_t text) {
    uint32_t own = dun_template_own_rows(&session->template);
    return dun_session_runs_whole(session) ? dun_texts_length(&session->texts, text) + own : own;
}

uint32_t dun_session_pass(const dun_session *session, uint32_t first, uint32_t n) {
    const dun_engine_options *o = &session->engine.options;
    uint32_t count = 0, rows = 0;
    if (dun_session_shares_batches(session))
        return dun_session_pass_shared(session, first, n);
    while (count < n && count < o->max_sequences &&
           rows + dun_session_rows(session, first + count) <= o->max_rows)
        rows += dun_session_rows(session, first + count++);
    return count;
}

int dun_session_run(dun_session *session, const uint32_t *which, uint32_t n) {
    return dun_session_run_known(session, NULL, which, n);
}

int dun_session_run_known(dun_session *session, const float *prompt, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    TRY(dun_session_shares_batches(session) ? dun_session_run_shared(session, which, n)
                                            : dun_team_run(&session->team, prompt, which, n));
    TRY(dun_normalizer_fwd(&session->normalizer, dun_engine_point_buffer(&session->engine), n));
out:
    return rc;
}

int dun_session_backward(dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    dun_engine *engine = &session->engine;
    TRY(dun_normalizer_bwd(&session->normalizer, dun_engine_point_gradient(engine),
                           dun_engine_point_buffer(engine), n));
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
        TRY(dun_session_run(session, which, count));
        if (sink)
            TRY(dun_buffer_read(sink + (size_t)(first + done) * D, dun_engine_point_buffer(&session->engine),
                                0, count * D * sizeof *sink));
        TRY(each(self, first + done, count));
        dun_observe_advance(session->observer, done + count, NULL);
    }
out:
    dun_observe_end(session->observer);
    dun_free(which);
    return rc;
}
