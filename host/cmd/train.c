/* dunlin train: runs the experiment of each config and leaves a run directory. */
#include "run/train.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "check/trust.h"
#include "cmd/cmd.h"
#include "cmd/experiment.h"
#include "cmd/train_group.h"
#include "report/progress.h"
#include "report/report.h"
#include "report/runlog.h"
#include "run/space.h"

#include <stdlib.h>

/* Goes on with the run of a folder. */
static int go_on(const char *path, const dun_overrides *overrides, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_experiment experiment = {0};
    dun_run_dir run = {0};
    dun_run_result result = {0};
    dun_run_log log;
    dun_run_log_init(&log, observer);
    const dun_observer logged = dun_run_log_observer(&log);
    dun_run_log_note(&log, path);
    TRY(dun_experiment_open_config(&experiment, path, overrides, &logged));
    dun_session *session = &experiment.session;
    if (!experiment.run_path)
        TRY(dun_error(DUN_USAGE, "--resume %s: is not the folder of a run", path));
    TRY(dun_session_read_data(session, true));
    TRY(dun_trust_config(&experiment.config, &logged));
    TRY(dun_run_dir_resume(&run, path));
    TRY(dun_run_log_open(&log, run.path));
    TRY(dun_space_check(session, &run));
    TRY(dun_session_start_engine(session, true));
    TRY(dun_session_read_texts(session));
    TRY(dun_run_dir_settle(&run, &experiment.config, session));
    TRY(dun_train(&result, session, &run, true));
    TRY(dun_train_verdict(session, &result, &log, run.path, true));
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
    static const char *const others[] = {"out", "sweep", "seeds", "json"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (args->n_operands > 0 || dun_args_has(args, others[i]))
            return dun_error(DUN_USAGE,
                             "--resume %s: the run has its config and folder; give no other, and no --%s",
                             path, others[i]);
    if (!dun_run_dir_complete(path))
        return go_on(path, overrides, observer);
    dun_observe_say(observer, "%s is complete: nothing is left to do", path);
    return DUN_OK;
}

static int read_seeds(uint32_t *n_seeds, const dun_args *args) {
    enum { MOST = 1000 };
    const char *word = dun_args_value(args, "seeds");
    char *end;
    *n_seeds = 1;
    if (!word)
        return DUN_OK;
    long n = strtol(word, &end, 10);
    if (end == word || *end || n < 1 || n > MOST)
        return dun_error(DUN_USAGE, "train: --seeds %.40s: a whole number from 1 to %d is needed", word,
                         MOST);
    *n_seeds = (uint32_t)n;
    return DUN_OK;
}

/* --sweep and --seeds. */
static int read_grid(dun_train_order *order, const dun_args *args) {
    int rc = DUN_OK;
    const char **sweeps = NULL;
    size_t n_sweeps;
    TRY(dun_args_all(&sweeps, &n_sweeps, args, "sweep"));
    TRY(read_seeds(&order->n_seeds, args));
    for (size_t i = 0; i < n_sweeps; i++)
        TRY(dun_sweep_add(&order->sweep, sweeps[i]));
    for (size_t i = 0; i < order->sweep.n_axes && order->n_seeds > 1; i++)
        if (order->sweep.axes[i].id == DUN_KEY_experiment_seed)
            TRY(dun_error(DUN_USAGE,
                          "--seeds does not go with --sweep experiment.seed; one of the two is needed"));
out:
    dun_free(sweeps);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    dun_train_order order = {.paths = args->operands,
                             .n_paths = args->n_operands,
                             .out = dun_args_value(args, "out"),
                             .as_json = dun_args_has(args, "json")};
    const char *resume = dun_args_value(args, "resume");
    dun_interrupt_watch();
    TRY(dun_overrides_read(&overrides, args));
    if (dun_args_has(args, "force")) /* it was given, so there is room for it */
        overrides.sets[overrides.n_sets++] = "device.check=force";
    if (resume) {
        TRY(resume_run(resume, args, &overrides, &observer));
        goto out;
    }
    if (args->n_operands == 0)
        TRY(dun_error(DUN_USAGE, "train: a config file is needed; see dunlin train --help"));
    TRY(read_grid(&order, args));
    TRY(dun_train_group(&order, &overrides, &observer));
out:
    dun_progress_close(&progress);
    dun_overrides_free(&overrides);
    dun_sweep_free(&order.sweep);
    return rc;
}

static const dun_option options[] = {
    DUN_OVERRIDE_OPTIONS,
    {.name = "sweep",
     .argument = "SECTION.KEY=V,V...",
     .repeatable = true,
     .help = "Runs with each of the values; several make a grid."},
    {.name = "seeds", .argument = "N", .help = "Runs with N seeds, the config's and those after it."},
    {.name = "force", .help = "Trains even on a device that fails its self-test (see dunlin check)."},
    {.name = "out",
     .letter = 'o',
     .argument = "DIR",
     .help = "Folder of the run, or of all runs and their table; it must not hold one yet."},
    {.name = "json", .help = "The table of all runs as one JSON object."},
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
            "Without --out and [output] dir it is runs/NAME. Several configs, --sweep and\n"
            "--seeds run in one process, which loads the model and reads the texts once\n"
            "where it can, and end in one table, best first; those with --sweep, --seeds or\n"
            "--out leave it as sweep.csv and sweep.json beside their runs, else in\n"
            "runs/NAME-sweep. Keys can also come from the\n"
            "environment, as DUNLIN_PROMPT_LR for prompt.lr. Ctrl-C saves a checkpoint;\n"
            "--resume goes on from the last one, to the same result.",
    .options = options,
    .max_operands = 1000,
    .run = run,
};
