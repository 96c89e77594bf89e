/* The way on which the supervisor of dunlin serve hands connections to a worker: a pair of sockets. What a
 * worker has not taken stays in it, also when the worker dies, for the supervisor keeps both ends. */
#ifndef DUN_SERVE_DOOR_H
#define DUN_SERVE_DOOR_H

#include <stdbool.h>

typedef struct {
    int ours, theirs; /* of the supervisor, of the worker; -1: closed */
} dun_serve_door;

#define DUN_SERVE_NO_DOOR                                                                                    \
    (dun_serve_door) {                                                                                       \
        -1, -1                                                                                               \
    }

int dun_serve_door_open(dun_serve_door *out);
void dun_serve_door_close(dun_serve_door *door);

/* Hands a connection over; the caller closes his own. False: there is no room now. */
bool dun_serve_door_pass(const dun_serve_door *door, int connection);

/* The next connection at a worker's end; -1: there is none, without `wait` now, with it any more, for the
 * supervisor hands over nothing more, or is gone. */
int dun_serve_door_take(int theirs, bool wait);

/* The worker is up: the supervisor finds a byte at his end. */
void dun_serve_door_ring(int theirs);
void dun_serve_door_heard(const dun_serve_door *door);

/* Nothing more will be handed over. */
void dun_serve_door_shut(const dun_serve_door *door);

#endif
