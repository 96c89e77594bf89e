/* dunlin check: does a device compute right? */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "check/check_devices.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "report/progress.h"

#include <stdio.h>
#include <string.h>

static int add_row(dun_table *table, const dun_self_test_row *row, bool verbose) {
    int rc = DUN_OK;
    TRY(dun_table_add(table, "%s%s%s%s%s", row->topic, row->precision ? " " : "",
                      row->precision ? row->precision : "", row->gemm ? " " : "",
                      row->gemm ? row->gemm : ""));
    TRY(dun_table_add(table, "%zu", row->n_cases));
    TRY(dun_table_add(table, "%zu", row->n_compared));
    TRY(row->cannot ? dun_table_add(table, "%s", "") : dun_table_add(table, "%.3g", row->worst));
    TRY(row->cannot     ? dun_table_add(table, "%s", row->cannot)
        : row->n_failed ? dun_table_add(table, "FAILED %zu", row->n_failed)
                        : dun_table_add(table, "passed"));
    for (size_t i = 0; verbose && i < DUN_CHECK_BINS; i++)
        TRY(row->histogram[i] ? dun_table_add(table, "%zu", row->histogram[i])
                              : dun_table_add(table, "%s", "."));
out:
    return rc;
}

static int print_table(const dun_self_test *report, const dun_device_info *info, bool verbose) {
    int rc = DUN_OK;
    static const char *const head[] = {"test", "cases", "compared", "worst", "verdict"};
    static const char *const bins[DUN_CHECK_BINS] = {"exact", "< 1%",   "< 3%", "< 10%",
                                                     "< 30%", "< 100%", "over"};
    dun_table table;
    dun_str text = {0};
    dun_table_init(&table, verbose ? "lrrrlrrrrrrr" : "lrrrl");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    TRY(dun_table_add_all(&table, bins, verbose ? DUN_CHECK_BINS : 0));
    for (size_t i = 0; i < report->n_rows; i++)
        TRY(add_row(&table, &report->rows[i], verbose));
    TRY(dun_str_addf(&text, "%s (%s, driver %s)\n\n", info->name, info->platform, info->driver));
    TRY(dun_table_print(&text, &table));
    TRY(dun_str_addf(&text, "\nworst: the largest error as a part of what is allowed%s\n",
                     verbose ? "; then how many comparisons came how near to that" : ""));
    for (size_t i = 0; i < report->n_rows; i++)
        if (report->rows[i].n_failed)
            TRY(dun_str_addf(&text, "failed: %s\n", report->rows[i].message));
    if (report->set_aside)
        TRY(dun_str_addf(&text, "the usual matrix products fail; %s stands in, slower\n", report->gemm));
    TRY(dun_str_addf(&text, "%s in %.1f s: %zu kernels%s%s\n\n",
                     report->passed ? "passed" : "FAILED: do not trust this device", report->seconds,
                     report->n_kernels, *report->gemm ? ", matrix products by " : "", report->gemm));
    TRY(dun_out_text(&text));
out:
    dun_table_free(&table);
    dun_str_free(&text);
    return rc;
}

typedef struct {
    bool verbose;
    json_t *array; /* NULL: tables are wanted */
} check_job;

static int show(void *self, const dun_self_test *report, const dun_device_info *info, uint32_t index) {
    check_job *job = self;
    return job->array ? dun_self_test_json(job->array, report, info, index)
                      : print_table(report, info, job->verbose);
}

static int show_all(void *self) {
    const check_job *job = self;
    return job->array ? dun_out_json(job->array) : DUN_OK;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    const char *selector = dun_args_value(args, "device"), *gemm = dun_args_value(args, "gemm");
    dun_progress progress;
    dun_progress_init(&progress, stderr, dun_args_has(args, "quiet"));
    const dun_observer observer = dun_progress_observer(&progress);
    check_job job = {.verbose = dun_args_has(args, "verbose")};
    const dun_check_order order = {.gemm = gemm ? gemm : "auto",
                                   .quick = dun_args_has(args, "quick"),
                                   .floats = dun_args_has(args, "floats"),
                                   .observer = &observer,
                                   .self = &job,
                                   .each = show,
                                   .done = show_all};
    if (dun_args_has(args, "json"))
        TRY_PTR(job.array, json_array());
    TRY(dun_check_devices(&order, selector ? selector : "best"));
out:
    dun_progress_close(&progress);
    json_decref(job.array);
    return rc;
}

static const dun_option options[] = {
    {.name = "device",
     .letter = 'd',
     .argument = "SELECTOR",
     .environment = "DUNLIN_DEVICE_USE",
     .help = "The device or devices, as `dunlin devices` shows them; all tests every one."},
    {.name = "gemm", .argument = "NAME", .help = "This way to multiply matrices, not what is usual there."},
    {.name = "quick", .help = "A few cases of each test, as before a first training."},
    {.name = "floats",
     .help =
         "Leave out weights as they are stored, over whose kernels some compilers take minutes, and other "
         "precisions than a run would take."},
    {.name = "verbose", .letter = 'v', .help = "Show how the errors are spread."},
    {.name = "json", .help = "Print one JSON array of objects instead of tables."},
    {.name = "quiet", .letter = 'q', .help = "No progress on stderr."},
    {0},
};

const dun_command dun_command_check = {
    .name = "check",
    .summary = "Test whether a device computes right.",
    .usage = "[--device SELECTOR] [--verbose] [--quick] [--floats] [--json]",
    .help = "Runs every kernel, every way to multiply matrices, and a whole training step on\n"
            "the device, and compares with plain double loops on the host. Status 4 when the\n"
            "device cannot be trusted. `dunlin train` does it by itself, quickly, before the\n"
            "first training on a device, and whenever driver or kernels have changed.",
    .options = options,
    .run = run,
};
