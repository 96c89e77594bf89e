/* One or many runs: every config, every combination of a sweep, every seed; in one process, or shared by
 * several, on one machine or on many that have a folder in common. */
#ifndef DUN_GROUP_H
#define DUN_GROUP_H

#include "run/order.h"
#include "run/sweep_table.h"

typedef struct {
    const char *const *paths; /* config files */
    size_t n_paths;
    const char *out; /* folder of the run, or of all runs and their table; NULL: where the configs say */
    dun_sweep sweep;
    uint32_t n_seeds;       /* at least 1: the config's seed and those after it */
    bool shared;            /* other processes take runs of the same folder, `out` */
    uint32_t part, n_parts; /* of the shared runs those with number % n_parts == part, from 0; n_parts 0:
                               any */
    const dun_overrides *overrides; /* NULL: none */
    const dun_observer *observer;   /* NULL: nobody */
    const dun_run_hooks *hooks;     /* of each run */
} dun_group_order;

typedef struct {
    const dun_group_order *order;
    dun_config *configs; /* [n_rows] */
    char **names;        /* [n_paths] */
    dun_sweep_table table;
    char *folder;     /* of the runs and their table; NULL: each has its own */
    dun_claim *claim; /* on it; NULL: others share it */
    bool began;       /* one of the runs did, or was interrupted: there is something to keep */
    dun_session session;
    int status;      /* of the first run that failed here */
    size_t n_failed; /* here */
    char *failure;   /* message of the first */
} dun_group;

/* Reads and checks every config, and makes the folder of all where there is one. The order stays borrowed.
 * The group is for dun_group_close whatever is returned. DUN_USAGE: a config, a run directory among them, too
 * many runs, a single one that is to be shared, shared ones without a folder; DUN_FAILED: a folder is not for
 * new runs, or not for these. */
int dun_group_open(dun_group *group, const dun_group_order *order);

/* Is it a single run, without a table of its own? */
bool dun_group_is_single(const dun_group *group);

/* Runs them all, each a row of the table. Of several, with a folder, sweep.csv and sweep.json stand beside
 * the runs and grow with them; a run whose loss diverges, or that fails otherwise, is a row too, and what a
 * single run returns is returned.
 *
 * Of shared runs it takes those that nobody has, goes on with those that were begun and left, and ends when
 * none is left to take, though others may be at work; the rows are then those of all processes. Whoever ends
 * last leaves the table of all. */
int dun_group_run(dun_group *group);

/* How several runs ended: the status of the first failure; a loss that diverged is a result while another run
 * has one. A single run's status is dun_group_run's. */
int dun_group_verdict(const dun_group *group);
void dun_group_close(dun_group *group);

#endif
