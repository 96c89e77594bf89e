/* One device of a comparison; see compare.h. */
#include "cmd/compare.h"

#include "base/err.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/utf8.h"
#include "run/history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHECK_SECONDS = 300 };

/* The path of one of a device's files. */
int dun_compare_path(dun_str *out, const dun_compare_job *job, size_t number, const char *name) {
    dun_str_clear(out);
    return dun_str_addf(out, "%s/%zu-%s", job->folder, number, name);
}

/* Appends what a process said last, by the file of its stderr. */
static int add_words(dun_str *out, const char *before, const char *log_path) {
    int rc = DUN_OK;
    dun_file file = {0};
    if (dun_file_map(&file, log_path) >= 0)
        TRY(dun_process_add_words(out, before, (const char *)file.bytes, file.length));
out:
    dun_file_unmap(&file);
    return rc;
}

/* Why a process did not finish. */
int dun_compare_describe(dun_str *out, const dun_process_end *end, double limit_s, const char *log_path) {
    int rc = DUN_OK;
    if (end->timed_out)
        TRY(dun_str_addf(out, "took longer than %.0f s and was ended", limit_s));
    else if (end->signal)
        TRY(dun_str_addf(out, "killed by signal %d (%s)", end->signal, strsignal(end->signal)));
    if (!end->timed_out)
        TRY(add_words(out, end->signal ? ": " : "", log_path));
    if (!out->length)
        TRY(dun_str_addf(out, "ended with status %d", end->status));
out:
    return rc;
}

/* The losses of a run's steps; a line that a killed process left unfinished ends the list. */
int dun_compare_read_losses(json_t *result, const char *run_path) {
    int rc = DUN_OK;
    dun_history history;
    dun_step_record record;
    json_t *losses = json_array();
    TRY(dun_json_set(result, "losses", losses));
    if (dun_history_open(&history, run_path) >= 0) /* else it did not get as far */
        while (rc >= 0 && dun_history_next(&record, &history) == 1)
            rc = isnan(record.loss) ? DUN_OK : dun_json_append(losses, json_real(record.loss));
    dun_history_close(&history);
out:
    return rc;
}

/* The third column of predictions.tsv below its header. */
static int read_predictions(json_t *result, const char *path) {
    int rc = DUN_OK;
    dun_file file = {0};
    json_t *predictions = json_array();
    TRY(dun_json_set(result, "predictions", predictions));
    TRY(dun_file_map(&file, path));
    const char *at = (const char *)file.bytes, *end = at + file.length;
    bool header = true;
    for (const char *next; at < end && (next = memchr(at, '\n', (size_t)(end - at))); at = next + 1) {
        const char *column = at;
        for (int i = 0; i < 2 && column; i++) {
            column = memchr(column, '\t', (size_t)(next - column));
            column += column != NULL;
        }
        const char *stop = column ? memchr(column, '\t', (size_t)(next - column)) : NULL;
        if (!header && stop)
            TRY(dun_json_append(predictions, json_stringn(column, (size_t)(stop - column))));
        header = false;
    }
out:
    dun_file_unmap(&file);
    return rc;
}

static int read_run(json_t *result, const char *run_path) {
    int rc = DUN_OK;
    json_t *metrics = NULL;
    dun_str path = {0};
    TRY(dun_compare_read_losses(result, run_path));
    if (strcmp(json_string_value(json_object_get(result, "status")), "finished") != 0)
        goto out;
    dun_str_clear(&path);
    TRY(dun_str_addf(&path, "%s/predictions.tsv", run_path));
    TRY(read_predictions(result, path.bytes));
    dun_str_clear(&path);
    TRY(dun_str_addf(&path, "%s/metrics.json", run_path));
    TRY(dun_json_read(&metrics, path.bytes));
    TRY(dun_json_set(result, "accuracy", json_incref(json_object_get(metrics, "accuracy"))));
    TRY(dun_json_set(result, "seconds", json_incref(json_object_get(metrics, "seconds"))));
    (void)json_object_del(metrics, "files");
    TRY(dun_json_set(result, "metrics", json_incref(metrics)));
out:
    json_decref(metrics);
    dun_str_free(&path);
    return rc;
}

static void look_at_energy(void *energy) {
    dun_energy_look(energy);
}

int dun_compare_process(dun_process_end *end, const dun_compare_call *call, const dun_compare_job *job,
                        size_t number, const dun_observer *observer) {
    int rc = DUN_OK;
    const dun_process_watch watch = {look_at_energy, call->energy};
    dun_str out = {0}, err = {0}, name = {0};
    pid_t child;
    TRY(dun_str_addf(&name, "%s.out", call->what));
    TRY(dun_compare_path(&out, job, number, name.bytes));
    dun_str_clear(&name);
    TRY(dun_str_addf(&name, "%s.log", call->what));
    TRY(dun_compare_path(&err, job, number, name.bytes));
    TRY(dun_process_start(&child, call->argv, out.bytes, err.bytes));
    dun_observe_say(observer, "compare   %s in process %ld", call->what, (long)child);
    TRY(dun_process_wait_watching(end, child, call->limit_s, call->energy ? &watch : NULL));
    if (dun_interrupted())
        TRY(dun_error(DUN_INTERRUPTED, "interrupted; what has been run is in %s", job->folder));
out:
    dun_str_free(&name);
    dun_str_free(&err);
    dun_str_free(&out);
    return rc;
}

int dun_compare_words(const char ***argv, const dun_compare_job *job, const char *selector,
                      const char *const *words) {
    int rc = DUN_OK;
    size_t n = 0;
    while (words[n])
        n++;
    TRY_NEW(*argv, n + 4 + 2 * job->n_sets);
    (*argv)[0] = "dunlin";
    memcpy(*argv + 1, words, n++ * sizeof *words);
    (*argv)[n++] = "--device";
    (*argv)[n++] = selector;
    for (size_t i = 0; i < job->n_sets; i++) {
        (*argv)[n++] = "--set";
        (*argv)[n++] = job->sets[i];
    }
out:
    return rc;
}

/* The device's self-test: {"passed", "worst": {"rows": .., "gemm reg": ..}} or {"problem"}. */
static int run_check(json_t *result, const dun_compare_job *job, const char *selector, size_t number,
                     const dun_observer *observer) {
    int rc = DUN_OK;
    const char *argv[] = {"dunlin", "check", "--quick", "--json", "--quiet", "--device", selector, NULL};
    dun_process_end end;
    dun_str path = {0}, problem = {0};
    json_t *report = NULL, *check = json_object(), *worst = json_object();
    const json_t *test;
    size_t i;
    TRY(dun_json_set(result, "check", json_incref(check)));
    TRY(dun_json_set(check, "worst", json_incref(worst)));
    const double limit_s = job->limit_s < CHECK_SECONDS ? job->limit_s : CHECK_SECONDS;
    const dun_compare_call call = {.argv = argv, .what = "check", .limit_s = limit_s};
    TRY(dun_compare_process(&end, &call, job, number, observer));
    TRY(dun_compare_path(&path, job, number, "check.out"));
    const bool read = (end.status == 0 || end.status == 4) && dun_json_read(&report, path.bytes) == DUN_OK;
    const json_t *device = json_array_get(report, 0);
    TRY(dun_json_set(check, "passed", json_boolean(json_is_true(json_object_get(device, "passed")))));
    if (!read) {
        TRY(dun_compare_path(&path, job, number, "check.log"));
        TRY(dun_compare_describe(&problem, &end, limit_s, path.bytes));
        TRY(dun_json_set(check, "problem", json_string(problem.bytes)));
        goto out;
    }
    json_array_foreach(json_object_get(device, "tests"), i, test) {
        const char *gemm = json_string_value(json_object_get(test, "gemm"));
        if (json_object_get(test, "cannot"))
            continue;
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s%s%s", json_string_value(json_object_get(test, "test")), gemm ? " " : "",
                         gemm ? gemm : ""));
        TRY(dun_json_set(worst, path.bytes, json_incref(json_object_get(test, "worst"))));
    }
out:
    json_decref(worst);
    json_decref(check);
    json_decref(report);
    dun_str_free(&problem);
    dun_str_free(&path);
    return rc;
}

static int run_training(json_t *result, const dun_compare_job *job, const dun_device_info *info,
                        const char *selector, size_t number, const dun_observer *observer) {
    int rc = DUN_OK;
    const dun_energy_source source = dun_energy_of_system();
    dun_energy *energy = NULL;
    dun_str run = {0}, log = {0}, problem = {0};
    dun_process_end end;
    const char **argv = NULL;
    TRY(dun_compare_path(&run, job, number, "run"));
    TRY(dun_compare_path(&log, job, number, "train.log"));
    const char *const words[] = {"train", job->config, "--out", run.bytes, "--set", "output.report=no", NULL};
    TRY(dun_compare_words(&argv, job, selector, words));
    TRY(dun_energy_begin(&energy, &source, info));
    TRY(dun_compare_process(&end, &(dun_compare_call){argv, "train", job->limit_s, energy}, job, number,
                            observer));
    const double used = dun_energy_take(energy);
    const bool finished = end.status == 0;
    TRY(dun_json_set(result, "status", json_string(finished ? "finished" : "failed")));
    TRY(dun_json_set(result, "run", json_string(run.bytes)));
    TRY(dun_json_set(result, "wall_seconds", dun_json_real(end.seconds)));
    TRY(dun_json_set(result, "energy_joules", dun_json_real(used)));
    if (!finished) {
        TRY(dun_compare_describe(&problem, &end, job->limit_s, log.bytes));
        TRY(dun_json_set(result, "problem", json_string(problem.bytes)));
    }
    TRY(read_run(result, run.bytes));
out:
    dun_energy_end(energy);
    dun_free(argv);
    dun_str_free(&problem);
    dun_str_free(&log);
    dun_str_free(&run);
    return rc;
}

int dun_compare_run(json_t *results, const dun_compare_job *job, const dun_device_info *info, uint32_t index,
                    size_t number, const dun_observer *observer) {
    int rc = DUN_OK;
    char selector[16];
    dun_str name = {0};
    json_t *result = json_object();
    TRY(dun_json_append(results, result));
    snprintf(selector, sizeof selector, "%u", index);
    TRY(dun_utf8_repair(&name, info->name, strlen(info->name)));
    TRY(dun_json_set(result, "name", json_string(name.bytes ? name.bytes : "?")));
    dun_str_clear(&name);
    TRY(dun_utf8_repair(&name, info->platform, strlen(info->platform)));
    TRY(dun_json_set(result, "platform", json_string(name.bytes ? name.bytes : "?")));
    TRY(dun_json_set(result, "driver", json_string(info->driver)));
    TRY(dun_json_set(result, "selector", json_integer((json_int_t)index)));
    dun_observe_say(observer, "compare   device %u: %s (%s)", index, info->name, info->platform);
    TRY(run_check(result, job, selector, number, observer));
    TRY(run_training(result, job, info, selector, number, observer));
    if (job->measure)
        TRY(dun_compare_measure(result, job, info, selector, number, observer));
out:
    dun_str_free(&name);
    return rc;
}

/* How a result's losses and predictions differ from another's. */
static int add_versus(json_t *result, const json_t *with) {
    int rc = DUN_OK;
    const json_t *a = json_object_get(with, "losses"), *b = json_object_get(result, "losses");
    const json_t *p = json_object_get(with, "predictions"), *q = json_object_get(result, "predictions");
    size_t n = json_array_size(a) < json_array_size(b) ? json_array_size(a) : json_array_size(b);
    size_t n_texts = json_array_size(p), parts_at = 0, same = 0;
    double first = NAN, largest = n ? 0 : NAN;
    json_t *versus = json_object();
    TRY(dun_json_set(result, "versus", versus));
    for (size_t i = 0; i < n; i++) {
        double x = json_number_value(json_array_get(a, i)), y = json_number_value(json_array_get(b, i));
        double difference = fabs(x - y) / fmax(fabs(x), 1e-12);
        if (i == 0)
            first = difference;
        if (!(difference <= largest))
            largest = difference;
        if (!parts_at && !(difference <= DUN_COMPARE_PARTS))
            parts_at = i + 1;
    }
    for (size_t i = 0; n_texts == json_array_size(q) && i < n_texts; i++)
        same += (size_t)json_equal(json_array_get(p, i), json_array_get(q, i));
    TRY(dun_json_set(versus, "first_difference", dun_json_real(first)));
    TRY(dun_json_set(versus, "parts_at", parts_at ? json_integer((json_int_t)parts_at) : json_null()));
    TRY(dun_json_set(versus, "largest_difference", dun_json_real(largest)));
    TRY(dun_json_set(versus, "agreement",
                     n_texts && n_texts == json_array_size(q) ? json_real((double)same / (double)n_texts)
                                                              : json_null()));
out:
    return rc;
}

int dun_compare_versus(json_t *results) {
    int rc = DUN_OK;
    const json_t *reference = NULL;
    json_t *result;
    size_t i;
    json_array_foreach(results, i, result) {
        const char *status = json_string_value(json_object_get(result, "status"));
        if (reference)
            TRY(add_versus(result, reference));
        else if (status && strcmp(status, "finished") == 0)
            reference = result;
    }
out:
    return rc;
}
