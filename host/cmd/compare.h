/* dunlin compare, in pieces: running a config on each device, setting the results against each other, and
 * showing them. A result is a JSON object, so that one of today and one kept as a baseline are the same:
 *   {"name", "selector", "status": "finished" | "failed", "problem", "accuracy", "losses": [..],
 *    "predictions": [..], "seconds": {..}, "wall_seconds", "energy_joules", "metrics": {..}, "check": {..},
 *    "versus": {"with", "first_difference", "parts_at", "largest_difference", "agreement"}} */
#ifndef DUN_COMPARE_H
#define DUN_COMPARE_H

#include "base/observer.h"
#include "base/str.h"
#include "dev/device.h"

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
} dun_compare_job;

/* Tests and trains on one device, each in its own process, and appends what came of it to `results`, be it
 * only that the process was killed. An error when this process cannot go on. */
int dun_compare_run(json_t *results, const dun_compare_job *job, const dun_device_info *info, uint32_t index,
                    size_t number, const dun_observer *observer);

/* Adds "versus" to each result: against the first that finished. */
int dun_compare_versus(json_t *results);

/* Joules that the processors have used since they were switched on, or negative where the system does not
 * tell. */
double dun_energy_joules(void);

#endif
