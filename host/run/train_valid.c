/* The validation texts of a training: measured on its way, and what of it is kept at its end. See trainer.h.
 */
#include "run/trainer.h"

#include "base/clock.h"
#include "base/err.h"
#include "run/train.h"

#include <math.h>

/* What is missing for a validation loss; NULL: nothing. */
static const char *lacks_loss(const dun_session *session) {
    const dun_dataset *valid = session->valid;
    if (!valid)
        return "there are no validation texts; data.valid or data.valid_share is needed";
    for (size_t i = 0; i < valid->n; i++)
        if (session->class_weight[valid->examples[i].label] > 0)
            return NULL;
    return "by loss.class_weights all validation texts weigh 0; one of another class is needed";
}

int dun_train_check(const dun_session *session) {
    const dun_config *config = session->config;
    const bool best = config->train.keep == DUN_KEEP_BEST;
    const char *lacks = best || config->train.patience > 0 ? lacks_loss(session) : NULL;
    return lacks ? dun_error(DUN_USAGE, "%s: train.%s goes by the validation loss, and %s",
                             dun_config_origin(config, best ? DUN_KEY_train_keep : DUN_KEY_train_patience),
                             best ? "keep = best" : "patience", lacks)
                 : DUN_OK;
}

/* After a step that went too far no text has a nearest centroid. The loss of the next step would show it, but
 * there need not be one; that it is no number is how a sweep's table knows such a run. */
static int check_distances(dun_trainer *t) {
    dun_run_result *result = t->result;
    uint32_t K = t->loss.n_classes;
    for (size_t i = 0; i < (size_t)t->session->n_valid * K; i++) {
        if (isfinite(result->distances[i]))
            continue;
        result->last_loss = NAN;
        return dun_error(
            DUN_FAILED,
            "the distance of validation text %u to a centroid is %g after step %llu, and the loss no number "
            "from there on: training stopped; try a lower %s",
            (unsigned)(i / K) + 1, (double)result->distances[i], (unsigned long long)result->steps,
            dun_watch_keys_to_lower(t->session->config));
    }
    return DUN_OK;
}

/* Metrics of the validation texts under what is in use. */
static int measure(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_run_result *result = t->result;
    dun_metrics_clear(&result->metrics);
    if (session->n_valid == 0)
        goto out;
    TRY(dun_evaluate_valid(result->distances, &t->kept, session, &t->pass, &t->loss, &t->centroids,
                           "validation"));
    TRY(check_distances(t));
    dun_evaluate_metrics(&result->metrics, session, result->distances);
    result->valid_loss = dun_evaluate_loss(session, result->distances);
out:
    return rc;
}

/* Says when patience has run out. */
static void tell_patience(const dun_trainer *t) {
    const dun_best *best = &t->best;
    if (dun_best_ran_out(best))
        dun_observe_say(
            t->session->observer,
            "patience  step %llu: the validation loss %.4f of step %llu was not bettered in %llu evaluations",
            (unsigned long long)t->result->steps, best->loss, (unsigned long long)best->step,
            (unsigned long long)best->since);
}

int dun_trainer_validate(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_run_result *result = t->result;
    double begun = dun_clock_seconds();
    t->measured_step = result->steps;
    TRY(dun_average_swap_in(&t->average));
    TRY(measure(t));
    if (session->n_valid > 0)
        TRY(dun_best_evaluated(&t->best, result->valid_loss, result->steps));
    TRY(dun_average_swap_out(&t->average));
    if (session->n_valid == 0)
        goto out;
    dun_watch_valid(&t->watch, result->metrics.accuracy);
    dun_observe_say(session->observer, "valid     step %llu: accuracy %.4f, loss %.4f",
                    (unsigned long long)result->steps, result->metrics.accuracy, result->valid_loss);
    tell_patience(t);
out:
    session->timings.eval += dun_clock_seconds() - begun;
    return rc;
}

static double majority_accuracy(const dun_session *session, const dun_metrics *metrics) {
    uint64_t most = 0;
    for (uint32_t k = 0; k < metrics->n_classes; k++) {
        uint64_t support = 0;
        for (uint32_t p = 0; p < metrics->n_classes; p++)
            support += metrics->confusion[(size_t)k * metrics->n_classes + p];
        if (most < support)
            most = support;
    }
    return session->n_valid ? (double)most / session->n_valid : NAN;
}

/* One class for every text is never a result: the prompt or the centroids ran away. */
static void warn_one_class(const dun_session *session, const dun_metrics *metrics) {
    uint32_t K = metrics->n_classes;
    for (uint32_t p = 0; p < K; p++) {
        uint64_t predicted = 0;
        for (uint32_t k = 0; k < K; k++)
            predicted += metrics->confusion[(size_t)k * K + p];
        if (predicted == metrics->n && metrics->n > 1)
            dun_warn(
                "every validation text got the class \"%s\"; try a lower prompt.lr, or another prompt.text",
                session->labels.names[p]);
    }
}

/* The temperature of probabilities, from the distances that were measured last. */
static int calibrate(dun_trainer *t) {
    int rc = DUN_OK;
    const dun_session *session = t->session;
    const dun_calibration *c = &t->result->calibration;
    const dun_judged_texts texts = {.distances = t->result->distances,
                                    .labels = session->texts.label + session->first_valid,
                                    .n = session->n_valid,
                                    .n_classes = session->labels.n_classes};
    if (!session->config->output.calibrate)
        goto out;
    TRY(dun_calibrate(&t->result->calibration, &texts, session->config->loss.temperature));
    if (rc == 1)
        dun_observe_say(
            session->observer,
            "calibrate temperature %.4g instead of %.4g: expected calibration error %.4f, before %.4f",
            c->temperature, c->before_temperature, c->after.error, c->before.error);
    else if (texts.n < DUN_CALIBRATION_TEXTS)
        dun_warn("output.calibrate: %u validation texts are too few to fit a temperature on, %d are needed; "
                 "probabilities stay as loss.temperature makes them",
                 texts.n, DUN_CALIBRATION_TEXTS);
    else
        dun_warn(
            "output.calibrate: no temperature fits the validation texts, whose distances say nothing of their "
            "classes; probabilities stay as loss.temperature makes them");
    rc = DUN_OK;
out:
    return rc;
}

int dun_trainer_take_kept(dun_trainer *t) {
    int rc = DUN_OK;
    dun_run_result *result = t->result;
    double begun = dun_clock_seconds();
    TRY(dun_average_swap_in(&t->average));
    result->kept_step = result->steps;
    /* Without a step, none is better than the start. */
    if (t->best.floats && isfinite(t->best.loss) && t->best.step != result->steps) {
        result->kept_step = t->best.step;
        TRY(dun_best_restore(&t->best));
        TRY(measure(t));
        dun_observe_say(t->session->observer, "kept      step %llu: accuracy %.4f, loss %.4f",
                        (unsigned long long)result->kept_step, result->metrics.accuracy, result->valid_loss);
    }
    dun_metrics_finish(&result->metrics);
    result->majority = majority_accuracy(t->session, &result->metrics);
    warn_one_class(t->session, &result->metrics);
    TRY(calibrate(t));
out:
    t->session->timings.eval += dun_clock_seconds() - begun;
    return rc;
}
