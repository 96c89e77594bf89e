/* dunlin train: runs the experiment of each config and leaves a run directory. */
#include "train.h"
#include "cmd.h"
#include "err.h"
#include "experiment.h"
#include "interrupt.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "report.h"
#include "runlog.h"

#include <math.h>

/* The verdict on stdout and in the log: what was reached, against what needs no training, and where it lies.
 */
static int print_result(const dun_session *session, const dun_run_result *result, dun_run_log *log,
                        const char *run_path) {
    int rc = DUN_OK;
    dun_text text = {0};
    TRY(dun_text_addf(&text, "\n"));
    TRY(dun_metrics_report(&text, &result->metrics, session->labels.names));
    TRY(dun_text_addf(&text,
                      "\naccuracy %.4f on %u validation texts after %llu steps in %.1f s\n"
                      "without training: class means %.4f, always the largest class %.4f\n",
                      result->metrics.accuracy, session->n_valid, (unsigned long long)result->steps,
                      result->seconds, result->baseline.accuracy, result->majority));
    if (!isnan(result->probe_after))
        TRY(dun_text_addf(&text, "linear probe on the same points: %.4f before training, %.4f after\n",
                          result->probe_before, result->probe_after));
    TRY(dun_text_addf(&text, "run: %s\n", run_path));
    dun_run_log_note(log, text.bytes);
    TRY(dun_out_text(&text));
out:
    dun_text_free(&text);
    return rc;
}

/* Where a run comes from: a config file and the folder to make, or the folder of a run to go on with. */
typedef struct {
    const char *path, *out;
    bool resume;
} train_job;

static int train_one(const train_job *job, const dun_overrides *overrides, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_experiment experiment = {0};
    dun_run_dir run = {0};
    dun_run_result result = {0};
    dun_run_log log;
    dun_run_log_init(&log, observer);
    const dun_observer logged = dun_run_log_observer(&log);
    dun_run_log_note(&log, job->path);
    TRY(dun_experiment_open_config(&experiment, job->path, overrides, &logged));
    dun_session *session = &experiment.session;
    if (!job->resume && experiment.run_path)
        TRY(dun_error(DUN_USAGE, "%s: is a run directory; `dunlin train` takes config files, or --resume %s",
                      job->path, job->path));
    if (job->resume && !experiment.run_path)
        TRY(dun_error(DUN_USAGE, "--resume %s: is not the folder of a run", job->path));
    TRY(dun_session_read_data(session, true));
    TRY(job->resume ? dun_run_dir_resume(&run, job->path)
                    : dun_run_dir_create(&run, job->out ? job->out : experiment.config.output.dir,
                                         experiment.name, &experiment.config));
    TRY(dun_run_log_open(&log, run.path));
    TRY(dun_session_start_engine(session, true));
    TRY(dun_session_read_texts(session));
    TRY(dun_train(&result, session, &run, job->resume));
    TRY(print_result(session, &result, &log, run.path));
    if (experiment.config.output.report)
        TRY(dun_report_finish(&run, experiment.config.output.pictures));
out:
    dun_run_result_free(&result);
    dun_run_dir_close(&run);
    dun_experiment_close(&experiment);
    dun_run_log_close(&log, rc);
    return rc;
}

static int resume_run(const char *path, const dun_args *args, const dun_overrides *overrides,
                      const dun_observer *observer) {
    const train_job job = {.path = path, .resume = true};
    if (args->n_operands > 0 || dun_args_value(args, "out"))
        return dun_error(DUN_USAGE, "--resume %s: the run has its config and folder; give no other", path);
    if (!dun_run_dir_complete(path))
        return train_one(&job, overrides, observer);
    dun_observe_say(observer, "%s is complete: nothing is left to do", path);
    return DUN_OK;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    const char *out = dun_args_value(args, "out"), *resume = dun_args_value(args, "resume");
    dun_interrupt_watch();
    TRY(dun_overrides_read(&overrides, args));
    if (resume) {
        TRY(resume_run(resume, args, &overrides, &observer));
        goto out;
    }
    if (args->n_operands == 0)
        TRY(dun_error(DUN_USAGE, "train: a config file is needed; see dunlin train --help"));
    if (out && args->n_operands > 1)
        TRY(dun_error(DUN_USAGE, "--out names the folder of one run; with several configs leave it out"));
    for (size_t i = 0; i < args->n_operands; i++)
        TRY(train_one(&(train_job){.path = dun_args_operand(args, i), .out = out}, &overrides, &observer));
out:
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    DUN_OVERRIDE_OPTIONS,
    {.name = "out", .letter = 'o', .argument = "DIR", .help = "Folder of the run; it must not hold one yet."},
    {.name = "resume", .argument = "RUN", .help = "Goes on with a run that was interrupted or killed."},
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_train = {
    .name = "train",
    .summary = "Train a prompt and centroids as a config says.",
    .usage = "CONFIG... [OPTIONS] | --resume RUN",
    .help = "Prints the classification report and leaves a run directory: config.ini,\n"
            "history.jsonl, metrics.json, prompt.safetensors, predictions.tsv, checkpoint,\n"
            "tables as CSV, run.log.\n"
            "Without --out and [output] dir it is runs/NAME. Keys can also come from the\n"
            "environment, as DUNLIN_PROMPT_LR for prompt.lr. Ctrl-C saves a checkpoint;\n"
            "--resume goes on from the last one, to the same result.",
    .options = options,
    .max_operands = 1000,
    .run = run,
};
