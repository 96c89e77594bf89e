/* One or many runs in one process: every config, every combination of a sweep, every seed. */
#ifndef DUN_TRAIN_GROUP_H
#define DUN_TRAIN_GROUP_H

#include "cmd/experiment.h"
#include "report/runlog.h"
#include "run/sweep_table.h"

/* What the command line asks for. */
typedef struct {
    const char *const *paths; /* config files */
    size_t n_paths;
    const char *out; /* NULL: where the configs say */
    dun_sweep sweep;
    uint32_t n_seeds; /* at least 1 */
    bool as_json;
} dun_train_order;

/* Reads and checks every config first; then runs them all, prints the report of a single run or the table of
 * several, and of those with --out, a sweep or seeds leaves sweep.csv and sweep.json. A run whose loss
 * diverges is a row of the table; one that fails otherwise is too, and decides the status in the end. */
int dun_train_group(const dun_train_order *order, const dun_overrides *overrides,
                    const dun_observer *observer);

/* A run's verdict for its log, and on stdout unless it is one of several: what was reached, against what
 * needs no training, and where it lies. */
int dun_train_verdict(const dun_session *session, const dun_run_result *result, dun_run_log *log,
                      const char *run_path, bool print);

#endif
