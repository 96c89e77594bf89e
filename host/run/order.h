/* The order of a run, the same for a fresh one, a resumed one and one of several: model, prompt and texts,
 * trust in the device, the run's folder, engine, training, its files, its verdict, its pages. */
#ifndef DUN_ORDER_H
#define DUN_ORDER_H

#include "run/experiment.h"
#include "run/rundir.h"

/* What lies above a run; each may be NULL, as may the hooks. Both can fail the run. */
typedef struct {
    void *self;
    /* What was reached, against what needs no training, and where it lies: some lines for people. */
    int (*verdict)(void *self, const char *text);
    /* All files are there and output.report asks for pages; `pictures` as output.pictures says. */
    int (*report)(void *self, const dun_run_dir *run, bool pictures);
} dun_run_hooks;

typedef struct {
    dun_session *session; /* zeroed, or as another run left it, whose config must still be alive: what both
                             configs share is not made again */
    dun_config *config;   /* overridden and checked; gets what is measured, or put aside, for the run */
    const char *folder;   /* wanted; "": runs/NAME */
    const char *name;     /* of the config */
    dun_kept *kept;       /* the run's files come here instead of into a folder; NULL: a folder */
    const dun_session_given *given; /* texts instead of those that the config names; NULL: these */
    dun_run_dir
        *run;    /* whose folder is claimed already; it is closed with the run; NULL: a new one is made */
    bool resume; /* goes on with that run, which was begun before */
    const dun_observer *observer; /* hears what run.log gets as well; NULL: nobody */
    const dun_run_hooks *hooks;
} dun_run_order;

typedef struct {
    dun_run_result result;
    char *path;    /* of the run; NULL: no folder was made */
    bool began;    /* training began; what failed before is no fault of the loss */
    bool finished; /* it ended, and `result` is whole */
} dun_run_outcome;

/* Carries a run out. The session stays open, for the next run. DUN_BAD_DEVICE: the device is not to be
 * trusted; DUN_FAILED: the folder is not for a new run, no room, a loss that is not finite; DUN_INTERRUPTED:
 * the checkpoint is saved; DUN_USAGE, DUN_BAD_INPUT: config, model or data. `outcome` is for
 * dun_run_outcome_free in any case. */
int dun_run_carry_out(dun_run_outcome *outcome, const dun_run_order *order);

/* Goes on with the run of a folder by its own config. Where it is complete, that is said and nothing is done.
 * DUN_USAGE: not the folder of a run; DUN_FAILED: another process works on it. */
int dun_run_resume(dun_run_outcome *outcome, const char *path, const dun_overrides *overrides,
                   const dun_observer *observer, const dun_run_hooks *hooks);

/* The same of a run that was trained with given texts, which are given again. */
int dun_run_resume_given(dun_run_outcome *outcome, const char *path, const dun_session_given *given,
                         const dun_overrides *overrides, const dun_observer *observer,
                         const dun_run_hooks *hooks);

void dun_run_outcome_free(dun_run_outcome *outcome);

#endif
