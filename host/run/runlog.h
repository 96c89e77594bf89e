/* run.log of a run directory: all that a run said, line by line with the time in UTC: facts, details, stages
 * with their speed, warnings, the result, and why it failed. What is said before the folder exists waits. */
#ifndef DUN_RUNLOG_H
#define DUN_RUNLOG_H

#include "base/observer.h"
#include "base/str.h"
#include "base/stream.h"

#include <stdbool.h>

typedef struct {
    const dun_observer *inner; /* who listens besides; may be NULL */
    dun_str waiting;           /* lines for a file that is not open yet */
    dun_stream file;
    bool ended;                          /* it could not be written any more */
    char stage[64], unit[32], note[160]; /* of the stage under way; no stage: "" */
    uint64_t done, total;
    double began;
} dun_run_log;

/* Begins to listen, to warnings as well; the log must stay where it is until dun_run_log_close. */
void dun_run_log_init(dun_run_log *log, const dun_observer *inner);

/* Goes on at the end of RUN/run.log. DUN_FAILED: it cannot be written. Once it is open, a line that cannot be
 * written gives one warning and ends the log: the run itself goes on. */
int dun_run_log_open(dun_run_log *log, const char *run_path);

/* What the run reports to: the log, and through it the inner observer. */
dun_observer dun_run_log_observer(dun_run_log *log);

/* Adds lines to the log alone. */
void dun_run_log_note(dun_run_log *log, const char *text);

/* Adds how the run ended: `rc`, and the recorded message of a failure. */
void dun_run_log_close(dun_run_log *log, int rc);

#endif
