/* The clients that are connected to dunlin serve: for whom the server waits, and since when. A client that
 * lets it wait too long is cut off, by a clock that no byte of his sets back; and where there are too many,
 * the one that it has waited for longest makes room. */
#ifndef DUN_SERVE_CLIENTS_H
#define DUN_SERVE_CLIENTS_H

#include <stdbool.h>
#include <sys/socket.h>

/* What a connection is at. The server waits for the client in all but WORKING. */
enum dun_serve_state {
    DUN_SERVE_IDLE,      /* no head of a request is here */
    DUN_SERVE_ARRIVING,  /* the head is, the body is not */
    DUN_SERVE_WORKING,   /* the request is complete, its answer is not */
    DUN_SERVE_ANSWERING, /* the client takes his answer */
};

typedef struct dun_serve_client dun_serve_client;
typedef struct dun_serve_clients dun_serve_clients;

/* Starts the clock's thread. Beyond n_stay connections the longest waited for is cut off; up to n_room may be
 * open, for those that are cut off last until the web server has closed them, and those whose requests are in
 * work make no room. */
int dun_serve_clients_start(dun_serve_clients **out, unsigned n_stay, unsigned n_room, unsigned timeout_s);

/* A connection by its socket, which is open until dun_serve_clients_leave. NULL: n_room are open.
 * `announced`: dun_serve_clients_announce told of it. */
dun_serve_client *dun_serve_clients_join(dun_serve_clients *all, int fd, bool announced);

/* One is about to join, for whom dun_serve_clients_drain waits as well; or does not after all. */
void dun_serve_clients_announce(dun_serve_clients *all);
void dun_serve_clients_retract(dun_serve_clients *all);

/* How many there are from the address, by its host. */
unsigned dun_serve_clients_from(dun_serve_clients *all, const struct sockaddr_storage *address);
void dun_serve_clients_leave(dun_serve_clients *all, dun_serve_client *c);

/* The clock of a client begins when he comes and when his answer ends, for his next request, and once more
 * when his answer begins; it runs through IDLE and ARRIVING. */
void dun_serve_clients_note(dun_serve_clients *all, dun_serve_client *c, enum dun_serve_state state);

/* From now on nothing more is read from idle clients than what they have sent. Waits until all have left, at
 * most the clients' timeout; then cuts off those that the server waits for. */
void dun_serve_clients_drain(dun_serve_clients *all);
bool dun_serve_clients_closing(dun_serve_clients *all); /* whether that has begun */

/* Ends the clock's thread. All have left. */
void dun_serve_clients_free(dun_serve_clients *all);

#endif
