/* dunlin eval: metrics of a run on its validation texts, or of the untrained class means of a config. */
#include "run/measure.h"

#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"

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
    TRY(dun_experiment_measure(&metrics, &experiment));
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
    .ranked = true,
    .run = run,
};
