/* How long a process was ready to run and others had the processors: under load a limit in seconds of the
 * clock would call slow what only waits its turn. */
#ifndef DUN_STARVED_H
#define DUN_STARVED_H

#include <stdbool.h>
#include <sys/types.h>

/* Seconds that the thread which waited longest spent so, of those whose folders lie in `folder`
 * (/proc/PID/task): the second number of THREAD/schedstat, nanoseconds. 0: the system does not say. */
double dun_starved_threads(const char *folder);

/* The same of a process. */
double dun_starved(pid_t process);

/* Whether a process that began `spent` seconds ago is over its limit when what it starved is left out, or ten
 * times the limit when it is not. */
bool dun_starved_is_late(double spent, double starved, double limit_s);

#endif
