/* The order of a run. */
#include "run/order.h"

#include "base/err.h"
#include "base/mem.h"
#include "check/trust.h"
#include "run/runlog.h"
#include "run/space.h"
#include "run/train.h"
#include "session/reopen.h"

#include <math.h>
#include <string.h>

/* What was measured, beside what needs no training. */
static int add_figures(dun_str *text, const dun_session *session, const dun_run_result *result) {
    int rc = DUN_OK;
    TRY(dun_str_addf(text, "\n"));
    TRY(dun_metrics_report(text, &result->metrics, session->labels.names));
    TRY(dun_str_addf(text,
                     "\naccuracy %.4f on %u validation texts after %llu steps, %.1f s in all\n"
                     "without training: class means %.4f, always the largest class %.4f\n",
                     result->metrics.accuracy, session->n_valid, (unsigned long long)result->steps,
                     result->seconds, result->baseline.accuracy, result->majority));
    if (session->config->train.keep == DUN_KEEP_BEST)
        TRY(dun_str_addf(text, "kept: the state after step %llu, with the best validation loss, %.4f\n",
                         (unsigned long long)result->kept_step, result->valid_loss));
    if (result->calibration.temperature > 0)
        TRY(dun_str_addf(
            text,
            "calibrated: temperature %.4g; expected calibration error %.4f, before %.4f (crossed over two "
            "halves)\n",
            result->calibration.temperature, result->calibration.after.error,
            result->calibration.before.error));
    if (!isnan(result->probe_after))
        TRY(dun_str_addf(text, "linear probe on the same points: %.4f before training, %.4f after\n",
                         result->probe_before, result->probe_after));
out:
    return rc;
}

static int add_verdict(dun_str *text, const dun_session *session, const dun_run_result *result,
                       const char *run_path) {
    int rc = DUN_OK;
    if (session->n_valid > 0)
        TRY(add_figures(text, session, result));
    else
        TRY(dun_str_addf(
            text, "\n%llu steps, %.1f s in all; nothing was measured, for there are no validation texts\n",
            (unsigned long long)result->steps, result->seconds));
    if (run_path)
        TRY(dun_str_addf(text, "run: %s\n", run_path));
out:
    return rc;
}

/* The end of a run whose files are written: its verdict for the log and who listens, and its pages. */
static int finish(const dun_run_order *order, const dun_run_result *result, const dun_run_dir *run,
                  dun_run_log *log) {
    int rc = DUN_OK;
    const dun_run_hooks none = {0}, *hooks = order->hooks ? order->hooks : &none;
    dun_str text = {0};
    char *message = NULL;
    TRY(add_verdict(&text, order->session, result, run->path));
    dun_run_log_note(log, text.bytes);
    /* Pages are made even where the verdict cannot be told. */
    const int told = hooks->verdict ? hooks->verdict(hooks->self, text.bytes) : DUN_OK;
    if (told < 0)
        TRY_PTR(message, dun_strdup(dun_error_message()));
    if (hooks->report && order->config->output.report && run->path)
        TRY(hooks->report(hooks->self, run, order->config->output.pictures));
    if (told < 0)
        TRY(dun_error((enum dun_status)told, "%s", message));
out:
    dun_free(message);
    dun_str_free(&text);
    return rc;
}

/* What auto chose for the run before stands for the next one where nothing else makes the model be loaded
 * anew: it was written into that run's config, and would differ from auto here. */
static int keep_choices(dun_config *config, const dun_session *session) {
    int rc = DUN_OK;
    enum dun_scope scope;
    const struct {
        enum dun_config_id id;
        bool by_auto;
    } choices[] = {{DUN_KEY_device_weights, session->form_by_auto},
                   {DUN_KEY_device_precision, session->precision_by_auto}};
    enum { N = sizeof choices / sizeof *choices };
    bool kept[N] = {false};
    for (size_t i = 0; session->config && i < N; i++) {
        kept[i] = choices[i].by_auto && strcmp(dun_config_word(config, choices[i].id), "auto") == 0;
        if (kept[i])
            TRY(dun_config_put(config, choices[i].id, dun_config_word(session->config, choices[i].id),
                               "chosen"));
    }
    if (session->config)
        TRY(dun_config_scope_between(&scope, session->config, config));
    for (size_t i = 0; i < N; i++)
        if (kept[i] && scope == DUN_SCOPE_MODEL)
            TRY(dun_config_put(config, choices[i].id, "auto", NULL));
out:
    return rc;
}

/* The form that the weights will have, for the self-test. DUN_BAD_DEVICE: there is too little memory, before
 * anything was made. */
static int foresee_weights(enum dun_weight_form *form, dun_session *session) {
    dun_str reason = {0};
    int rc = dun_session_choose_weights(form, &reason, session,
                                        dun_config_word(session->config, DUN_KEY_device_gemm), true);
    dun_str_free(&reason);
    return rc;
}

/* The folder of a new run, with its log; or none. */
static int settle_folder(dun_run_outcome *outcome, dun_run_dir *run, const dun_run_order *order,
                         dun_run_log *log) {
    int rc = DUN_OK;
    if (order->kept) {
        TRY(dun_run_dir_keep(run, order->kept, order->config));
        goto out;
    }
    if (!run->path)
        TRY(dun_run_dir_create(run, order->folder, order->name, order->config));
    else if (!order->resume)
        TRY(dun_run_dir_begin(run, order->config));
    TRY_PTR(outcome->path, dun_strdup(run->path));
    TRY(dun_run_log_open(log, run->path));
    TRY(dun_space_check(order->session, run));
out:
    return rc;
}

int dun_run_carry_out(dun_run_outcome *outcome, const dun_run_order *order) {
    int rc = DUN_OK;
    dun_session *session = order->session;
    dun_config *config = order->config;
    dun_run_dir run = {0};
    dun_run_log log;
    enum dun_weight_form form;
    *outcome = (dun_run_outcome){0};
    dun_run_log_init(&log, order->observer);
    const dun_observer logged = dun_run_log_observer(&log);
    if (order->run) {
        run = *order->run;
        *order->run = (dun_run_dir){0};
        dun_run_log_note(&log, run.path);
        dun_claim_tell(run.claim);
    }
    TRY(keep_choices(config, session));
    TRY(dun_session_reopen_given(session, config, order->given, &logged));
    TRY(dun_train_check(session));
    if (order->resume)
        TRY(dun_train_look(session, &run));
    TRY(foresee_weights(&form, session));
    TRY(dun_trust_config(config, dun_model_file_spec(session->model)->head_dim, session->precision, form,
                         &logged));
    TRY(settle_folder(outcome, &run, order, &log));
    TRY(dun_session_ready(session));
    TRY(dun_run_dir_settle(&run, config, session));
    outcome->began = true;
    TRY(dun_train(&outcome->result, session, &run, order->resume));
    outcome->finished = true;
    TRY(finish(order, &outcome->result, &run, &log));
out:
    dun_session_listen(session, order->observer); /* the log ends before the session */
    dun_run_log_close(&log, rc);
    const bool in_vain =
        rc < 0 && run.path && rc != DUN_INTERRUPTED && outcome->result.steps == 0 && !order->resume;
    if (in_vain && dun_run_dir_withdraw(&run)) {
        dun_free(outcome->path);
        outcome->path = NULL;
    }
    dun_run_dir_close(&run);
    return rc;
}

int dun_run_resume(dun_run_outcome *outcome, const char *path, const dun_overrides *overrides,
                   const dun_observer *observer, const dun_run_hooks *hooks) {
    return dun_run_resume_given(outcome, path, NULL, overrides, observer, hooks);
}

int dun_run_resume_given(dun_run_outcome *outcome, const char *path, const dun_session_given *given,
                         const dun_overrides *overrides, const dun_observer *observer,
                         const dun_run_hooks *hooks) {
    int rc = DUN_OK;
    dun_config config = {0};
    dun_session session = {0};
    dun_run_dir run = {0};
    *outcome = (dun_run_outcome){0};
    if (dun_run_dir_complete(path)) {
        dun_observe_say(observer, "%s is complete: nothing is left to do", path);
        goto out;
    }
    TRY(dun_run_dir_resume(&run, path)); /* before its config is read, which may be written until then */
    TRY(dun_experiment_run_config(&config, path, overrides));
    const dun_run_order order = {.session = &session,
                                 .config = &config,
                                 .folder = path,
                                 .name = "",
                                 .given = given,
                                 .run = &run,
                                 .resume = true,
                                 .observer = observer,
                                 .hooks = hooks};
    TRY(dun_run_carry_out(outcome, &order));
out:
    dun_run_dir_close(&run);
    dun_session_close(&session);
    dun_config_free(&config);
    return rc;
}

void dun_run_outcome_free(dun_run_outcome *outcome) {
    dun_run_result_free(&outcome->result);
    dun_free(outcome->path);
    *outcome = (dun_run_outcome){0};
}
