/* dunlin check: does a device compute right? */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "check/trust.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "report/progress.h"

#include <stdio.h>
#include <string.h>

static int add_row(dun_table *table, const dun_self_test_row *row, bool verbose) {
    int rc = DUN_OK;
    TRY(dun_table_add(table, "%s%s%s", row->topic, row->gemm ? " " : "", row->gemm ? row->gemm : ""));
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
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&table, "%s", head[i]));
    for (size_t i = 0; verbose && i < DUN_CHECK_BINS; i++)
        TRY(dun_table_add(&table, "%s", bins[i]));
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

static int row_json(json_t *array, const dun_self_test_row *row) {
    int rc = DUN_OK;
    json_t *object = json_object(), *histogram;
    TRY(dun_json_append(array, object));
    TRY(dun_json_set(object, "test", json_string(row->topic)));
    if (row->gemm)
        TRY(dun_json_set(object, "gemm", json_string(row->gemm)));
    if (row->cannot)
        TRY(dun_json_set(object, "cannot", json_string(row->cannot)));
    TRY(dun_json_set(object, "cases", json_integer((json_int_t)row->n_cases)));
    TRY(dun_json_set(object, "compared", json_integer((json_int_t)row->n_compared)));
    TRY(dun_json_set(object, "failed", json_integer((json_int_t)row->n_failed)));
    TRY(dun_json_set(object, "worst", dun_json_real(row->worst)));
    if (row->n_failed)
        TRY(dun_json_set(object, "failure", json_string(row->message)));
    histogram = json_array();
    TRY(dun_json_set(object, "histogram", histogram));
    for (size_t i = 0; i < DUN_CHECK_BINS; i++)
        TRY(dun_json_append(histogram, json_integer((json_int_t)row->histogram[i])));
out:
    return rc;
}

static int report_json(json_t *array, const dun_self_test *report, const dun_device_info *info,
                       uint32_t index) {
    int rc = DUN_OK;
    json_t *object = json_object(), *tests;
    TRY(dun_json_append(array, object));
    TRY(dun_json_set(object, "selector", json_integer((json_int_t)index)));
    TRY(dun_json_set(object, "device", json_string(info->name)));
    TRY(dun_json_set(object, "platform", json_string(info->platform)));
    TRY(dun_json_set(object, "driver", json_string(info->driver)));
    TRY(dun_json_set(object, "passed", json_boolean(report->passed)));
    TRY(dun_json_set(object, "gemm", json_string(report->gemm)));
    TRY(dun_json_set(object, "set_aside", json_boolean(report->set_aside)));
    TRY(dun_json_set(object, "kernels", json_integer((json_int_t)report->n_kernels)));
    TRY(dun_json_set(object, "seconds", dun_json_real(report->seconds)));
    tests = json_array();
    TRY(dun_json_set(object, "tests", tests));
    for (size_t i = 0; i < report->n_rows; i++)
        TRY(row_json(tests, &report->rows[i]));
out:
    return rc;
}

typedef struct {
    const char *gemm;
    bool quick, verbose, floats;
    json_t *array; /* NULL: tables are wanted */
    const dun_observer *observer;
    unsigned n_failed;
    char failure[900];
} check_job;

static int check_device(check_job *job, uint32_t index) {
    int rc = DUN_OK;
    char selector[16];
    dun_device *device = NULL;
    dun_self_test report;
    const bool stored = !job->floats && (strcmp(job->gemm, "auto") == 0 || dun_gemm_reads_stored(job->gemm));
    snprintf(selector, sizeof selector, "%u", index);
    TRY(dun_device_open(&device, selector));
    dun_device_set_watch(device, (dun_device_watch){.self = job->observer->self, .say = job->observer->say});
    TRY(dun_self_test_run(&report, device, DUN_SELF_TEST_HEADS, job->gemm, stored, job->quick));
    const dun_device_info *info = dun_device_describe(device);
    const dun_verdict verdict = dun_verdict_of(&report);
    TRY(dun_verdict_keep(&verdict, info, DUN_SELF_TEST_HEADS, job->gemm, false));
    if (stored) /* what stands for both stands for floats */
        TRY(dun_verdict_keep(&verdict, info, DUN_SELF_TEST_HEADS, job->gemm, true));
    TRY(job->array ? report_json(job->array, &report, info, index)
                   : print_table(&report, info, job->verbose));
    if (!report.passed && job->n_failed++ == 0)
        snprintf(job->failure, sizeof job->failure, "%s fails the self-test: %s", info->name,
                 dun_self_test_failure(&report));
out:
    dun_device_close(device);
    return rc;
}

static int check_devices(check_job *job, const char *selector) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n, n_chosen;
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, selector));
    for (size_t i = 0; i < n_chosen; i++) {
        rc = check_device(job, chosen[i]);
        if (rc == DUN_BAD_DEVICE && n_chosen > 1) { /* the others still deserve their turn */
            dun_warn("%s", dun_error_message());
            if (job->n_failed++ == 0)
                snprintf(job->failure, sizeof job->failure, "%s", dun_error_message());
            continue;
        }
        TRY(rc);
    }
    if (job->array)
        TRY(dun_out_json(job->array));
    if (job->n_failed)
        TRY(dun_error(DUN_BAD_DEVICE, "%s", job->failure));
    rc = DUN_OK;
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    const char *selector = dun_args_value(args, "device"), *gemm = dun_args_value(args, "gemm");
    dun_progress progress;
    dun_progress_init(&progress, stderr, dun_args_has(args, "quiet"));
    const dun_observer observer = dun_progress_observer(&progress);
    check_job job = {.gemm = gemm ? gemm : "auto",
                     .quick = dun_args_has(args, "quick"),
                     .floats = dun_args_has(args, "floats"),
                     .verbose = dun_args_has(args, "verbose"),
                     .observer = &observer};
    if (dun_args_has(args, "json"))
        TRY_PTR(job.array, json_array());
    TRY(check_devices(&job, selector ? selector : "best"));
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
     .help = "Leave out weights as they are stored, over whose kernels some compilers take minutes."},
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
