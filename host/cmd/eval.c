/* dunlin eval: metrics of a run on its validation texts, or of the untrained class means of a config. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "report/progress.h"
#include "session/centroid.h"
#include "session/classifier.h"
#include "session/evaluate.h"

/* The run's centroids, or the class means under the config's starting prompt. */
static int open_classifier(dun_classifier *classifier, dun_experiment *e) {
    int rc = DUN_OK;
    float *means = NULL;
    uint32_t K = e->session.labels.n_classes;
    if (e->run_path && e->saved.n_classes != K)
        TRY(dun_error(DUN_BAD_INPUT, "%s: it has %u classes; the data of its config have %u", e->run_path,
                      e->saved.n_classes, K));
    if (e->run_path) {
        TRY(dun_classifier_open(classifier, &e->session, &e->saved));
        goto out;
    }
    TRY_NEW(means, (size_t)K * dun_session_point_width(&e->session));
    TRY(dun_centroid_means(means, &e->session, NULL));
    TRY(dun_classifier_create(classifier, &e->session, means, K));
out:
    dun_free(means);
    return rc;
}

static int measure(dun_metrics *metrics, dun_experiment *e) {
    int rc = DUN_OK;
    dun_session *session = &e->session;
    dun_classifier classifier = {0};
    float *distances = NULL;
    TRY(open_classifier(&classifier, e));
    TRY_NEW(distances, (size_t)session->n_valid * session->labels.n_classes);
    TRY(dun_classifier_evaluate(distances, &classifier));
    TRY(dun_metrics_create(metrics, session->labels.n_classes));
    dun_evaluate_metrics(metrics, session, distances);
out:
    dun_free(distances);
    dun_classifier_free(&classifier);
    return rc;
}

static int print_metrics(const dun_metrics *metrics, const dun_experiment *e, bool as_json) {
    int rc = DUN_OK;
    json_t *object = NULL;
    dun_str text = {0};
    if (as_json) {
        TRY(dun_metrics_json(&object, metrics, e->session.labels.names));
        TRY(dun_out_json(object));
        goto out;
    }
    TRY(dun_metrics_report(&text, metrics, e->session.labels.names));
    TRY(dun_str_addf(&text, "\naccuracy %.4f on %u validation texts, %s\n", metrics->accuracy,
                     e->session.n_valid,
                     e->run_path ? "trained prompt and centroids"
                                 : "class means under the starting prompt, nothing trained"));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    json_decref(object);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_metrics metrics = {0};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    TRY(dun_session_read_data(&experiment.session, !experiment.run_path));
    TRY(dun_session_start_engine(&experiment.session, false));
    TRY(measure(&metrics, &experiment));
    TRY(print_metrics(&metrics, &experiment, dun_args_has(args, "json")));
out:
    dun_progress_close(&progress);
    dun_metrics_free(&metrics);
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    DUN_OVERRIDE_OPTIONS,
    {.name = "json", .help = "The metrics as one JSON object."},
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_eval = {
    .name = "eval",
    .summary = "Measure a run, or the untrained class means of a config.",
    .usage = "RUN|CONFIG [--json] [--set SECTION.KEY=VALUE]... [--device SELECTOR]",
    .help = "A run directory: its trained prompt and centroids on its validation texts. A\n"
            "config file: the class means of the training texts under the starting prompt,\n"
            "the baseline that training must beat.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
