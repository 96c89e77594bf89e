/* dunlin report: report.html of one finished run, or of several side by side; devices.html of results; the
 * table of a sweep. */
#include "report/report.h"
#include "report/results.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "run/rundir.h"
#include "run/sweep_plan.h"
#include "run/sweep_state.h"

static int say_path(const char *path) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_str_addf(&text, "%s\n", path));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

/* The table of runs made together, as their folder has them now. */
static int make_table(const dun_args *args, const char *folder) {
    int rc = DUN_OK;
    bool changed;
    dun_str text = {0};
    dun_sweep_plan plan = {0};
    if (args->n_operands > 0 || dun_args_has(args, "out"))
        TRY(dun_error(DUN_USAGE, "--sweep %s: its table goes into that folder; name no runs, and no --out",
                      folder));
    TRY(dun_sweep_plan_read(&plan, folder));
    TRY(dun_sweep_look(&changed, &plan.table, folder));
    TRY(dun_sweep_table_text(&text, &plan.table));
    TRY(dun_str_addf(&text, "\nruns: %s\n", folder));
    TRY(dun_out_text(&text));
    TRY(dun_sweep_table_write(&plan.table, folder));
out:
    dun_sweep_plan_free(&plan);
    dun_str_free(&text);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    char *path = NULL, *folder = NULL;
    const char *out = dun_args_value(args, "out"), *sweep = dun_args_value(args, "sweep");
    if (sweep) {
        TRY(make_table(args, sweep));
        goto out;
    }
    if (args->n_operands == 0)
        TRY(dun_error(DUN_USAGE, "report: a run is needed, or --sweep DIR; see dunlin report --help"));
    const bool devices = args->n_operands == 1 && dun_results_are_in(args->operands[0]);
    if (!out && args->n_operands > 1)
        TRY(dun_error(DUN_USAGE, "--out FILE is needed for a report on several runs"));
    TRY_PTR(path, out ? dun_strdup(out)
                      : dun_run_dir_file(args->operands[0], devices ? "devices.html" : "report.html"));
    TRY(dun_place_for_file(path));
    if (devices) {
        TRY(dun_results_write(path, args->operands[0]));
    } else if (out) {
        TRY(dun_report_write(path, args->operands, args->n_operands));
    } else {
        TRY_PTR(folder, dun_strdup(args->operands[0]));
        TRY(dun_report_finish(&(dun_run_dir){.path = folder}, true));
    }
    TRY(say_path(path));
out:
    dun_free(folder);
    dun_free(path);
    return rc;
}

static const dun_option options[] = {
    {.name = "out",
     .letter = 'o',
     .argument = "FILE",
     .help = "Where to write the page; without it one run's goes into its folder, with pictures."},
    {.name = "sweep",
     .argument = "DIR",
     .help =
         "Instead of a page the table of the runs in DIR, where `dunlin train` made several: prints it, and "
         "writes sweep.csv and sweep.json there."},
    {0},
};

const dun_command dun_command_report = {
    .name = "report",
    .summary = "Write a page on runs, or on a folder of devices' results.",
    .usage = "RUN...|DIR [--out FILE] | --sweep DIR",
    .help = "One self-contained HTML file: the verdict and its baselines, the held-out texts in\n"
            "the plane, training as an animation, curves, the classification report, config\n"
            "and timings; several runs stand side by side. `dunlin train` writes one for every\n"
            "run unless [output] report = no. Prints the file's name. Beside a single run's page\n"
            "stand scatter.png, scatter.svg and training.gif.\n\n"
            "A folder of files that `dunlin compare --save` wrote becomes devices.html in it: a\n"
            "table of devices to sort and to filter, each with all that was measured.",
    .options = options,
    .goes_on = true,
    .max_operands = 1000,
    .run = run,
};
