/* What a file of results needs beside a comparison: the job several times, and the benchmark. See compare.h.
 */
#include "cmd/compare.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPEATS = DUN_RESULT_REPEATS };

/* What the repetitions of a job come to. */
typedef struct {
    double seconds[REPEATS], joules[REPEATS];
    bool same_bits, counted; /* the losses of all; the energy of each */
} repeats;

/* Notes why nothing can be saved: what a process said. */
static int note_failure(json_t *result, const dun_process_end *end, const dun_compare_job *job, size_t number,
                        const char *what) {
    int rc = DUN_OK;
    dun_str log = {0}, name = {0}, problem = {0};
    TRY(dun_str_addf(&name, "%s.log", what));
    TRY(dun_compare_path(&log, job, number, name.bytes));
    TRY(dun_str_addf(&problem, "%s: ", what));
    TRY(dun_compare_describe(&problem, end, job->limit_s, log.bytes));
    TRY(dun_json_set(result, "unmeasured", json_string(problem.bytes)));
out:
    dun_str_free(&problem);
    dun_str_free(&name);
    dun_str_free(&log);
    return rc;
}

static int compare_losses(bool *same, const json_t *result, const char *run_path) {
    int rc = DUN_OK;
    json_t *again = json_object();
    TRY(dun_compare_read_losses(again, run_path));
    *same &= json_equal(json_object_get(again, "losses"), json_object_get(result, "losses")) != 0;
out:
    json_decref(again);
    return rc;
}

/* The job once more; *finished: it is among the repeats now. */
static int run_again(bool *finished, repeats *all, size_t i, json_t *result, dun_energy *energy,
                     const dun_compare_job *job, const char *selector, size_t number,
                     const dun_observer *observer) {
    int rc = DUN_OK;
    char what[32];
    dun_str run = {0};
    const char **argv = NULL;
    dun_process_end end;
    snprintf(what, sizeof what, "again-%zu", i + 1);
    TRY(dun_compare_path(&run, job, number, what));
    const char *const words[] = {"train", job->config, "--out", run.bytes, "--set", "output.report=no", NULL};
    TRY(dun_compare_words(&argv, job, selector, words));
    (void)dun_energy_take(energy);
    TRY(dun_compare_process(&end, &(dun_compare_call){argv, what, job->limit_s, energy}, job, number,
                            observer));
    all->joules[i] = dun_energy_take(energy);
    all->seconds[i] = end.seconds;
    all->counted &= all->joules[i] > 0;
    *finished = end.status == 0;
    if (*finished)
        TRY(compare_losses(&all->same_bits, result, run.bytes));
    else
        TRY(note_failure(result, &end, job, number, what));
out:
    dun_free(argv);
    dun_str_free(&run);
    return rc;
}

/* Times of dunlin bench as a spread. */
static int set_spread(json_t *object, const char *key, const json_t *times) {
    const double ms = 1e-3;
    return dun_json_set(object, key,
                        json_pack("{s:O?, s:f, s:f, s:f}", "n", json_object_get(times, "repetitions"),
                                  "least", ms * dun_result_number(times, "best_ms"), "median",
                                  ms * dun_result_number(times, "median_ms"), "most",
                                  ms * dun_result_number(times, "worst_ms")));
}

/* The last of the stages is the step. */
static int add_times(json_t *measured, const json_t *bench) {
    int rc = DUN_OK;
    json_t *seconds = json_object_get(measured, "seconds"), *texts = json_array();
    const json_t *stages = dun_result_at(bench, "step.stages"), *text;
    size_t i;
    TRY(dun_json_set(measured, "texts", texts));
    json_array_foreach(json_object_get(bench, "texts"), i, text) {
        json_t *entry = json_object();
        TRY(dun_json_append(texts, entry));
        TRY(dun_json_set(entry, "tokens", json_incref(json_object_get(text, "tokens"))));
        TRY(dun_json_set(entry, "texts", json_incref(json_object_get(text, "texts"))));
        TRY(set_spread(entry, "seconds", text));
    }
    if (json_object_get(bench, "builds"))
        TRY(set_spread(seconds, "build", json_object_get(bench, "builds")));
    TRY(set_spread(seconds, "step", json_array_get(stages, json_array_size(stages) - 1)));
    TRY(set_spread(seconds, "step_whole", json_object_get(bench, "whole")));
out:
    return rc;
}

static int run_bench(json_t *result, json_t *measured, const dun_compare_job *job, const char *selector,
                     size_t number, const dun_observer *observer) {
    int rc = DUN_OK;
    char builds[16];
    dun_str path = {0};
    json_t *bench = NULL;
    const char **argv = NULL;
    dun_process_end end;
    snprintf(builds, sizeof builds, "%d", REPEATS);
    const char *const words[] = {"bench",
                                 job->config,
                                 "--json",
                                 "--quiet",
                                 "--no-products",
                                 "--whole",
                                 job->builds ? "--builds" : NULL,
                                 builds,
                                 NULL};
    TRY(dun_compare_words(&argv, job, selector, words));
    TRY(dun_compare_process(&end, &(dun_compare_call){argv, "bench", job->limit_s, NULL}, job, number,
                            observer));
    if (end.status != 0) {
        TRY(note_failure(result, &end, job, number, "bench"));
        goto out;
    }
    TRY(dun_compare_path(&path, job, number, "bench.out"));
    TRY(dun_json_read(&bench, path.bytes));
    TRY(add_times(measured, bench));
    TRY(dun_json_set(result, "measured", json_incref(measured)));
out:
    dun_free(argv);
    json_decref(bench);
    dun_str_free(&path);
    return rc;
}

static int add_repeats(json_t *measured, repeats *all, const dun_energy *energy) {
    int rc = DUN_OK;
    const char *by = dun_energy_by(energy), *reason = dun_energy_reason(energy);
    json_t *seconds = json_object(), *about = json_object();
    TRY(dun_json_set(measured, "seconds", seconds));
    TRY(dun_json_set(measured, "energy", about));
    TRY(dun_json_set(measured, "same_bits", json_boolean(all->same_bits)));
    TRY(dun_json_set(seconds, "job", dun_result_spread(all->seconds, REPEATS)));
    if (!all->counted && !*reason)
        reason = "the job is too short for the counter";
    TRY(dun_json_set(about, "by", all->counted ? json_string(by) : json_null()));
    TRY(dun_json_set(about, "joules", all->counted ? dun_result_spread(all->joules, REPEATS) : json_null()));
    TRY(dun_json_set(about, "reason", all->counted ? json_null() : json_string(reason)));
out:
    return rc;
}

int dun_compare_measure(json_t *result, const dun_compare_job *job, const dun_device_info *info,
                        const char *selector, size_t number, const dun_observer *observer) {
    int rc = DUN_OK;
    const dun_energy_source source = dun_energy_of_system();
    repeats all = {.same_bits = true, .counted = true};
    dun_energy *energy = NULL;
    json_t *measured = json_object();
    bool finished = strcmp(dun_result_text(result, "status"), "finished") == 0;
    if (!finished)
        TRY(dun_json_set(result, "unmeasured", json_string(dun_result_text(result, "problem"))));
    else if (!json_is_true(dun_result_at(result, "check.passed"))) {
        TRY(dun_json_set(result, "unmeasured", json_string("it fails the self-test")));
        finished = false;
    }
    TRY(dun_energy_begin(&energy, &source, info));
    for (size_t i = 0; finished && i < REPEATS; i++)
        TRY(run_again(&finished, &all, i, result, energy, job, selector, number, observer));
    if (!finished)
        goto out;
    TRY(add_repeats(measured, &all, energy));
    TRY(run_bench(result, measured, job, selector, number, observer));
out:
    dun_energy_end(energy);
    json_decref(measured);
    return rc;
}
