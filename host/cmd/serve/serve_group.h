/* The supervisor of dunlin serve --workers: a process that listens, hands every connection to the worker that
 * has fewest, and starts workers again that die. It has one thread and no driver, so that it can be forked.
 */
#ifndef DUN_SERVE_GROUP_H
#define DUN_SERVE_GROUP_H

#include "base/observer.h"
#include "cmd/serve/serve_shared.h"

#include <stdbool.h>

typedef struct {
    dun_serve_shared *shared; /* of as many workers as there are to be */
    int listening;            /* the group's from now on */
    unsigned restarts;        /* that are allowed within a minute */
    unsigned timeout_s;       /* of clients: closing takes little longer */
    const dun_observer *observer;
    const char *address; /* for people */
} dun_serve_group;

/* Which worker this process is; -1: the supervisor. */
typedef struct {
    int worker, door;
    bool first; /* nobody was worker number 0 before */
} dun_serve_role;

/* Returns in each worker that it starts, whose role has the door that is his end from now on, and in the
 * supervisor once all have ended: DUN_OK after a signal, the status of a worker that could not start, which
 * has said why, or DUN_FAILED: they die again and again. SIGINT and SIGTERM are blocked afterwards. */
int dun_serve_group_run(dun_serve_role *role, const dun_serve_group *options);

#endif
