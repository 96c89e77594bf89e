/* Files that are being written, before they get their name, and what processes that were killed left of them:
 * NAME.tmpPID-TAG, the number of the process and the tag of the machine where it has it (base/machine.h). */
#ifndef DUN_LEFTOVERS_H
#define DUN_LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The name beside `path` for this process. False: it does not fit. */
bool dun_leftover_name(char *out, size_t size, const char *path);

/* Removes what was left in a folder: of processes of this machine that are no more, of others (another host
 * or container, an older version) what has not been written for ten minutes. `name`: only beside the file of
 * that name; NULL: any. `gone`: also of this number, which a process had that is known to be no more; 0: of
 * none. What cannot be done is left. */
void dun_leftovers_clear(const char *folder, const char *name, pid_t gone);

#endif
