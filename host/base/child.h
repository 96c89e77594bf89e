/* Another process with a time limit: what it wrote to stdout and how it ended. For work that may crash or
 * hang (compilers, drivers), so that only a row is lost. */
#ifndef DUN_CHILD_H
#define DUN_CHILD_H

#include "base/str.h"

#include <stdbool.h>

typedef struct {
    dun_str output; /* at most DUN_CHILD_OUTPUT_BYTES of stdout; the caller frees it */
    int exit_code;  /* -1: it did not exit by itself */
    int signal;     /* that ended it; 0: none */
    bool timed_out; /* killed at the limit */
    double seconds;
} dun_child;

enum { DUN_CHILD_OUTPUT_BYTES = 1 << 20 };

/* Runs argv[0] (a path) with arguments up to a NULL, stdin empty and stderr as here or, when `quiet`,
 * nowhere, and waits for its end or for limit_s seconds, then kills it. DUN_FAILED: it could not be started,
 * or no memory. However it ends is no failure. */
int dun_child_run(dun_child *out, const char *const *argv, bool quiet, double limit_s);

/* Appends how it ended: "exit code 4", "killed by signal 11", "no answer in 20 s". */
int dun_child_describe(dun_str *out, const dun_child *child, double limit_s);

/* Appends the path of the running program. DUN_FAILED: the system does not say. */
int dun_child_self(dun_str *out);

#endif
