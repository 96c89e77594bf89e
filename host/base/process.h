/* Other processes, with a time limit: for what may crash or hang, as drivers do. */
#ifndef DUN_PROCESS_H
#define DUN_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    int status;     /* exit status; -1 when it did not end by itself */
    int signal;     /* what killed it, or 0 */
    bool timed_out; /* it was killed for taking too long */
    double seconds; /* from start to end */
} dun_process_end;

/* Starts this very program with other arguments (argv[0] first, NULL last); its stdout and stderr become the
 * files named. DUN_FAILED: it could not be started. */
int dun_process_start(pid_t *child, char *const *argv, const char *out_path, const char *err_path);

/* Waits for its end; kills it after `limit_s` seconds, and asks it to stop when this process is interrupted.
 */
int dun_process_wait(dun_process_end *end, pid_t child, double limit_s);

#endif
