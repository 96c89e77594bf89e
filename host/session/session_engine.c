/* The engine of a session: its sizes, whether they fit, the form of its weights, and its start. */
#include "session/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "ranks/ranks.h"
#include "session/session_inside.h"

#include <string.h>

enum {
    TEXT_ROWS = 768,    /* rows a pass: enough to fill the GEMM's tiles, small enough to show progress */
    MIN_SEQUENCES = 32, /* texts scored together even when batches are smaller */
    PASS_TEXTS = 64,    /* texts a pass when none is cached; only very short ones come to as many */
};

static uint32_t at_least(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Training keeps the texts' keys and values and runs the rows after them. Without gradients each text is run
 * once, these rows in the same pass, and nothing is kept but what texts share; so is a training batch whose
 * prompt stands before the text, all of it at once. Several prompts read a text's keys and values from the
 * cache without gradients too, where they are until the next pass. */
dun_engine_options dun_session_engine_options(const dun_session *session, bool backward) {
    const dun_config *config = session->config;
    const dun_template *template = &session->template;
    uint32_t longest = dun_template_longest(template, (uint32_t)config->data.max_length);
    uint32_t own = dun_template_own_rows(template), batch = (uint32_t)config->train.batch_size;
    uint32_t sequences = at_least(batch, MIN_SEQUENCES), prompts = at_least(session->prompt.n_prompts, 1);
    const uint32_t leads =
        dun_ranks_self() == 0 ? dun_ranks_n() : 1; /* the points of all ranks come to rank 0 */
    bool keep = (backward || prompts > 1) && !dun_template_is_prefix(template);
    dun_engine_options options = {
        .point = session->point,
        .form = session->form,
        .backward = backward,
        .max_text_rows = keep ? at_least(longest, TEXT_ROWS) : at_least((uint32_t)session->texts.shared.n, 1),
        .max_texts = keep ? TEXT_ROWS : 1,
        .max_rows = keep ? sequences * own * prompts : at_least((longest + own) * prompts, TEXT_ROWS),
        .max_sequences = keep && backward      ? sequences
                         : session->pass_texts ? session->pass_texts
                                               : PASS_TEXTS * leads,
        .max_prompt = at_least(session->prompt.n_rows, 1),
        .prompts = prompts,
        .max_position = longest + own + template->n_lead,
        .observer = session->observer,
        .common = session->common,
        .rows_after_text = own,
    };
    if (keep && !backward)
        options.max_rows = at_least(own * prompts, TEXT_ROWS);
    if (backward && !keep) {
        if (session->texts.n && session->texts.longest < longest)
            longest = session->texts.longest;
        if (session->n_train && session->n_train < batch)
            batch = session->n_train;
        options.max_sequences = sequences;
        options.max_rows = at_least(batch * (longest + own) * prompts, TEXT_ROWS);
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
        (longest + own) * (uint64_t)config->train.batch_size * (uint64_t)config->prompt.count > INT32_MAX / 8)
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
    const dun_engine_options *o = &session->engine.options;
    return (!o->backward && o->prompts == 1) || dun_template_is_prefix(&session->template);
}

bool dun_session_reads_as_asked(const dun_session *session) {
    return !session->engine.options.backward || dun_template_is_prefix(&session->template);
}

int dun_session_choose_weights(enum dun_weight_form *out, dun_str *reason, dun_session *session,
                               const char *gemm, bool backward) {
    int rc = DUN_OK;
    dun_weights_facts *facts = &session->facts;
    const dun_spec *spec = dun_model_file_spec(session->model);
    TRY(dun_session_choose_precision(session));
    const dun_shared_want want = {.fingerprint = dun_model_file_fingerprint(session->model),
                                  .point = session->point,
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
