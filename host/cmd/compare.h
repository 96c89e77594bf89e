/* dunlin compare, in pieces: running a config on each device, setting the results against each other, and
 * showing them. A result is a JSON object, so that one of today and one kept as a baseline are the same:
 *   {"name", "selector", "status": "finished" | "failed", "problem", "accuracy", "losses": [..],
 *    "predictions": [..], "seconds": {..}, "wall_seconds", "energy_joules", "metrics": {..}, "check": {..},
 *    "versus": {"with", "first_difference", "parts_at", "largest_difference", "agreement"},
 *    "measured": {"seconds": {..}, "texts": [..], "energy": {..}, "same_bits"} | "unmeasured": why} */
#ifndef DUN_COMPARE_H
#define DUN_COMPARE_H

#include "base/observer.h"
#include "base/process.h"
#include "base/str.h"
#include "dev/device.h"
#include "dev/energy.h"

#include <jansson.h>

/* Losses part where they differ by more than this, relatively. */
#define DUN_COMPARE_PARTS 1e-4

/* What is run on each device: `train` arguments and where everything goes. */
typedef struct {
    const char *config;      /* path */
    const char *const *sets; /* "section.key=value", n_sets of them */
    size_t n_sets;
    const char *folder;
    double limit_s;
    bool measure; /* what a file of results needs beside: the job again and again, and the benchmark, */
    bool builds;  /* with how long kernels take to be compiled */
} dun_compare_job;

/* Tests and trains on one device, each in its own process, and appends what came of it to `results`, be it
 * only that the process was killed. An error when this process cannot go on. */
int dun_compare_run(json_t *results, const dun_compare_job *job, const dun_device_info *info, uint32_t index,
                    size_t number, const dun_observer *observer);

/* Adds "versus" to each result: against the first that finished. */
int dun_compare_versus(json_t *results);

/* Adds "measured" to the result of a device that finished, or "unmeasured" with the reason. An error when
 * this process cannot go on. */
int dun_compare_measure(json_t *result, const dun_compare_job *job, const dun_device_info *info,
                        const char *selector, size_t number, const dun_observer *observer);

/* The file of a device's result (report/result.h) from what came of it, which must be measured. */
int dun_compare_result(json_t **out, const json_t *result, const json_t *work, const char *cache_kv,
                       const dun_device_info *info);

/* DUN_BAD_INPUT: a read file is a result of other work than `work`; the first field that differs is named. */
int dun_compare_same_work(const json_t *read, const json_t *work, const char *name);

/* A read file as a result of a comparison, to stand beside others. */
int dun_compare_from_result(json_t **out, const json_t *read);

/* A read file beside what came of the same work here: {"wrong", "apart", "step", "own_build"}, and a table.
 */
int dun_compare_verify(json_t **verdict, dun_str *table, const json_t *read, const json_t *here);

/* Private to compare*.c: a process of this program. What it prints goes to NUMBER-WHAT.out and .log in the
 * job's folder; `energy` is looked at meanwhile, or NULL. */
typedef struct {
    const char *const *argv;
    const char *what;
    double limit_s;
    dun_energy *energy;
} dun_compare_call;
int dun_compare_process(dun_process_end *end, const dun_compare_call *call, const dun_compare_job *job,
                        size_t number, const dun_observer *observer);
int dun_compare_path(dun_str *out, const dun_compare_job *job, size_t number, const char *name);
int dun_compare_read_losses(json_t *result, const char *run_path);

/* Why the process WHAT did not finish. */
int dun_compare_describe(dun_str *out, const dun_process_end *end, double limit_s, const char *log_path);

/* "dunlin", `words` up to a NULL, "--device SELECTOR" and the job's sets; to be freed with dun_free. */
int dun_compare_words(const char ***argv, const dun_compare_job *job, const char *selector,
                      const char *const *words);

#endif
