/* dunlin train: runs the experiment of each config and leaves a run directory. */
#include "run/group.h"

#include "base/err.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/part.h"
#include "cmd/shell/common.h"
#include "cmd/signals.h"
#include "report/report.h"

#include <string.h>

static int print_verdict(void *self, const char *text) {
    (void)self;
    return dun_out_write(text, strlen(text));
}

static int make_pages(void *self, const dun_run_dir *run, bool pictures) {
    (void)self;
    return dun_report_finish(run, pictures);
}

static int resume_run(const char *path, const dun_args *args, const dun_overrides *overrides,
                      const dun_observer *observer) {
    int rc = DUN_OK;
    static const char *const others[] = {"out", "sweep", "seeds", "part", "claim", "json"};
    const dun_run_hooks hooks = {.verdict = print_verdict, .report = make_pages};
    dun_run_outcome outcome = {0};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (args->n_operands > 0 || dun_args_has(args, others[i]))
            TRY(dun_error(DUN_USAGE,
                          "--resume %s: the run has its config and folder; give no other, and no --%s", path,
                          others[i]));
    TRY(dun_run_resume(&outcome, path, overrides, observer, &hooks));
out:
    dun_run_outcome_free(&outcome);
    return rc;
}

/* --part and --claim. */
static int read_share(dun_group_order *order, const dun_args *args) {
    int rc = DUN_OK;
    dun_part part = {0};
    const char *text = dun_args_value(args, "part");
    const bool claim = dun_args_has(args, "claim");
    if (text && claim)
        TRY(dun_error(DUN_USAGE,
                      "--part says which runs are this process's, --claim that any are; one of the two "
                      "is needed"));
    if (text)
        TRY(dun_part_read(&part, text));
    order->shared = text || claim;
    order->part = part.part;
    order->n_parts = part.n_parts;
out:
    return rc;
}

/* --sweep and --seeds. */
static int read_grid(dun_group_order *order, const dun_args *args) {
    int rc = DUN_OK;
    enum { MOST = 1000 };
    const char **sweeps = NULL;
    size_t n_sweeps;
    int64_t n_seeds = 1;
    TRY(dun_args_all(&sweeps, &n_sweeps, args, "sweep"));
    TRY(dun_args_count(&n_seeds, args, "seeds", 1, MOST));
    order->n_seeds = (uint32_t)n_seeds;
    for (size_t i = 0; i < n_sweeps; i++)
        TRY(dun_sweep_add(&order->sweep, sweeps[i]));
out:
    dun_free(sweeps);
    return rc;
}

static int print_table(const dun_group *group, bool as_json) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *object = NULL;
    if (as_json) {
        TRY(dun_sweep_table_json(&object, &group->table));
        TRY(dun_out_json(object));
        goto out;
    }
    if (dun_group_is_single(group))
        goto out;
    TRY(dun_sweep_table_text(&text, &group->table));
    if (group->folder && (group->began || group->order->shared))
        TRY(dun_str_addf(&text, "\nruns: %s\n", group->folder));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    json_decref(object);
    return rc;
}

/* The report of a single run, or the table of several. `hooks` are the order's. */
static int run_group(const dun_group_order *order, dun_run_hooks *hooks, bool as_json) {
    int rc = DUN_OK;
    dun_group group = {0};
    TRY(dun_group_open(&group, order));
    if (dun_group_is_single(&group) && !as_json)
        hooks->verdict = print_verdict;
    TRY(dun_group_run(&group));
    TRY(print_table(&group, as_json));
    TRY(dun_group_verdict(&group));
out:
    dun_group_close(&group);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    dun_run_hooks hooks = {.report = make_pages};
    dun_group_order order = {.paths = args->operands,
                             .n_paths = args->n_operands,
                             .out = dun_args_value(args, "out"),
                             .overrides = &overrides,
                             .observer = &observer,
                             .hooks = &hooks};
    const char *resume = dun_args_value(args, "resume");
    TRY(dun_talk(&progress, args));
    TRY(dun_signals_watch());
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
    TRY(read_share(&order, args));
    TRY(run_group(&order, &hooks, dun_args_has(args, "json")));
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
     .help =
         "Folder of the run, or of all runs and their table; it must not hold one yet, unless it is shared."},
    {.name = "part",
     .argument = "I/N",
     .help = "Of the runs every N-th from the I-th on, beside other processes that do the others in "
             "the same --out; `slurm`: the part of this task of a job array."},
    {.name = "claim", .help = "Of the runs those that no other process has, in the same --out."},
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
            "runs/NAME-sweep. Processes on one machine or many share such runs in one --out with\n"
            "--part or --claim: each takes a run that nobody has or that was left unfinished,\n"
            "and whoever ends last leaves the table of all. Keys can also come from the\n"
            "environment, as DUNLIN_PROMPT_LR for prompt.lr. Ctrl-C, SIGTERM and SIGHUP save a\n"
            "checkpoint and end with status 130, SIGUSR1 saves one and goes on; --resume goes on\n"
            "from the last one, to the same result. Under mpirun all ranks train one prompt\n"
            "(docs/scale.md).",
    .options = options,
    .goes_on = true,
    .max_operands = 1000,
    .ranked = true,
    .run = run,
};
