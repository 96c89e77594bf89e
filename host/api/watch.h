/* Between a job's observer and the progress function of a caller. */
#ifndef DUN_API_WATCH_H
#define DUN_API_WATCH_H

#include "api/api.h"

/* One call's. */
typedef struct {
    dunlin_progress_fn *progress; /* NULL: nobody asks */
    void *user;
    bool whole; /* what is partly done is nothing */
    double began, last;
    const char *phase;
    char stage[64];
    uint64_t done, total, step, steps;
    double loss;
    bool stop; /* it was told to stop now */
} dun_watch_call;

/* What the jobs of this thread hear, until dun_watch_call_end. */
dun_observer dun_watch_call_begin(dun_watch_call *watch, dunlin_progress_fn *progress, void *user);

/* How the call ends: DUN_INTERRUPTED where it was told to stop, although it came to its end. */
int dun_watch_call_end(const dun_watch_call *watch, int rc);

#endif
