/* dunlin train: runs the experiment of each config and leaves a run directory. */
#include "train.h"
#include "cmd.h"
#include "err.h"
#include "experiment.h"
#include "mem.h"
#include "out.h"
#include "progress.h"

/* The verdict on stdout: what was reached, against what needs no training, and where it lies. */
static int print_result(const dun_session *session, const dun_run_result *result, const char *run_path) {
    int rc = DUN_OK;
    dun_text text = {0};
    TRY(dun_text_addf(&text, "\n"));
    TRY(dun_metrics_report(&text, &result->metrics, session->labels.names));
    TRY(dun_text_addf(&text,
                      "\naccuracy %.4f on %u validation texts after %llu steps in %.1f s\n"
                      "without training: class means %.4f, always the largest class %.4f\n"
                      "run: %s\n",
                      result->metrics.accuracy, session->n_valid, (unsigned long long)result->steps,
                      result->seconds, result->baseline.accuracy, result->majority, run_path));
    TRY(dun_out_text(&text));
out:
    dun_text_free(&text);
    return rc;
}

static int train_config(const char *path, const char *out, const dun_overrides *overrides,
                        const dun_observer *observer) {
    int rc = DUN_OK;
    dun_experiment experiment = {0};
    dun_run_dir run = {0};
    dun_run_result result = {0};
    TRY(dun_experiment_open(&experiment, path, overrides, observer));
    dun_session *session = &experiment.session;
    if (experiment.run_path)
        TRY(dun_error(DUN_USAGE, "%s: is a run directory; `dunlin train` takes config files", path));
    TRY(dun_session_read_data(session));
    TRY(dun_run_dir_create(&run, out ? out : experiment.config.output.dir, experiment.name,
                           &experiment.config));
    TRY(dun_session_start_engine(session, true));
    TRY(dun_session_read_texts(session));
    TRY(dun_train(&result, session, &run));
    TRY(print_result(session, &result, run.path));
out:
    dun_run_result_free(&result);
    dun_run_dir_close(&run);
    dun_experiment_close(&experiment);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_progress progress;
    dun_progress_init(&progress, dun_args_has(args, "quiet"));
    dun_observer observer = dun_progress_observer(&progress);
    const char *out = dun_args_value(args, "out");
    TRY(dun_overrides_read(&overrides, args));
    if (out && args->n_operands > 1)
        TRY(dun_error(DUN_USAGE, "--out names the folder of one run; with several configs leave it out"));
    for (size_t i = 0; i < args->n_operands; i++)
        TRY(train_config(dun_args_operand(args, i), out, &overrides, &observer));
out:
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    DUN_OVERRIDE_OPTIONS,
    {.name = "out", .letter = 'o', .argument = "DIR", .help = "Folder of the run; it must not hold one yet."},
    {.name = "quiet", .letter = 'q', .help = "No progress on stderr."},
    {0},
};

const dun_command dun_command_train = {
    .name = "train",
    .summary = "Train a prompt and centroids as a config says.",
    .usage = "CONFIG... [--set SECTION.KEY=VALUE]... [--device SELECTOR] [--out DIR]",
    .help = "Prints the classification report and leaves a run directory: config.ini,\n"
            "history.jsonl, metrics.json, prompt.safetensors, predictions.tsv. Without --out\n"
            "and [output] dir it is runs/NAME. Keys can also come from the environment, as\n"
            "DUNLIN_PROMPT_LR for prompt.lr.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1000,
    .run = run,
};
