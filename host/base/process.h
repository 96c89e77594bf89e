/* Other processes with a time limit: for what may crash or hang, as compilers and drivers do. */
#ifndef DUN_PROCESS_H
#define DUN_PROCESS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How a process ended. */
typedef struct {
    int status;     /* exit status; -1 when it did not end by itself */
    int signal;     /* what ended it, or 0 */
    bool timed_out; /* it was killed for taking too long */
    double seconds; /* from start to end */
} dun_process_end;

enum { DUN_PROCESS_OUTPUT_BYTES = 1 << 20 };

/* Where a process's stderr goes: where ours does, nowhere, or where its stdout goes. */
enum dun_process_stderr { DUN_STDERR_HERE, DUN_STDERR_NOWHERE, DUN_STDERR_WITH_STDOUT };

/* Appends the path of the running program. DUN_FAILED: the system does not say. */
int dun_process_self(dun_str *out);

/* Appends the path of the program dunlin: what DUNLIN_PROGRAM names, else the running program if it is called
 * so, else the one beside it, else the one on PATH. False: there is none, as for other programs that use
 * these rooms. */
bool dun_process_dunlin(dun_str *out);

/* Appends the path of the file on PATH that would be run for a name. False: there is none. */
bool dun_process_find(dun_str *out, const char *name);

/* When a process of this machine began, in ticks since the machine did: with its number that is one process,
 * for numbers are given out again. 0: there is none of that number any more. */
uint64_t dun_process_began(pid_t process);

/* Starts this very program, also where its file was replaced since, with other arguments (argv[0] first, NULL
 * last), stdin empty; its stdout and stderr become the files named. DUN_FAILED: it could not be started. */
int dun_process_start(pid_t *process, const char *const *argv, const char *out_path, const char *err_path);

/* Waits for its end; kills it after `limit_s` seconds, and asks it to stop when this process is interrupted.
 * Seconds in which others had the processors do not count (starved.h). */
int dun_process_wait(dun_process_end *end, pid_t process, double limit_s);

/* The same, by the clock, and looks at something many times a second meanwhile. */
typedef struct {
    void (*look)(void *self);
    void *self;
} dun_process_watch;
int dun_process_wait_watching(dun_process_end *end, pid_t process, double limit_s,
                              const dun_process_watch *watch);

/* From now on this process is killed when the one that started it ends, however that was: for what may hang,
 * whose limit is kept by who waits for it. */
void dun_process_end_with_parent(void);

/* Runs argv[0] (a path) with arguments up to a NULL and stdin empty, and waits for its end or for limit_s
 * seconds (as dun_process_wait), or until this job is interrupted, then kills it. Appends at most
 * DUN_PROCESS_OUTPUT_BYTES of its stdout. DUN_FAILED: it could not be started, or no memory. However it ends
 * is no failure. */
int dun_process_run(dun_process_end *end, dun_str *output, const char *const *argv,
                    enum dun_process_stderr err, double limit_s);

/* Appends how it ended: "exit code 4", "killed by signal 11", "no answer in 20 s". */
int dun_process_describe(dun_str *out, const dun_process_end *end, double limit_s);

/* Appends in one line, behind `before`, what a process said last: its message (from a line that begins with
 * "dunlin: " on) or the last three lines, at most some 600 bytes, as UTF-8. Nothing where it said nothing. */
int dun_process_add_words(dun_str *out, const char *before, const char *printed, size_t length);

#endif
