/* What all processes of a server share: counters that only grow, and of each worker what it is at. It lies in
 * a page of their own, so that one scrape of any worker shows the sum, and what a worker counted stays when
 * it dies. */
#ifndef DUN_SERVE_SHARED_H
#define DUN_SERVE_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DUN_SERVE_MOST_WORKERS = 64,
    DUN_SERVE_STATUSES = 10, /* rows of dun_serve_statuses */
    DUN_SERVE_BUCKETS = 14,  /* rows of dun_serve_bounds */
};

extern const unsigned dun_serve_statuses[DUN_SERVE_STATUSES]; /* of HTTP; the last, 0, is any other */
extern const double dun_serve_bounds[DUN_SERVE_BUCKETS];      /* seconds, of the histogram */

enum dun_serve_phase { DUN_SERVE_DOWN, DUN_SERVE_LOADING, DUN_SERVE_UP, DUN_SERVE_CLOSING };

typedef struct {
    atomic_int phase;           /* of dun_serve_phase */
    atomic_int process;         /* its number; 0: there is none */
    atomic_llong n_connections; /* that are open, or on their way to it */
    atomic_llong n_waiting;     /* texts that wait or are being answered */
    atomic_llong room;          /* for connections */
} dun_serve_slot;

typedef struct {
    uint32_t n_workers;
    atomic_int form;                                /* of the first worker's weights, plus 1; 0: not yet */
    double began;                                   /* dun_clock_now */
    atomic_ullong n_requests[DUN_SERVE_STATUSES];   /* by status */
    atomic_ullong n_texts;                          /* answered */
    atomic_ullong n_rejected;                       /* requests for which too much waited */
    atomic_ullong n_restarts;                       /* of workers */
    atomic_ullong n_answers[DUN_SERVE_BUCKETS + 1]; /* requests by the bucket of their time, each once */
    atomic_ullong microseconds;                     /* of all of them */
    dun_serve_slot slots[DUN_SERVE_MOST_WORKERS];   /* [n_workers] */
} dun_serve_shared;

/* All zero, of n_workers; every process that is forked from now on has the same. */
int dun_serve_shared_create(dun_serve_shared **out, uint32_t n_workers);
void dun_serve_shared_free(dun_serve_shared *shared);

/* A request was answered with a status of HTTP; texts of one were classified, so many seconds after it was
 * complete. */
void dun_serve_count(dun_serve_shared *shared, unsigned status);
void dun_serve_count_texts(dun_serve_shared *shared, size_t n_texts, double seconds);

/* Sums over the workers: those that are up, texts that wait, connections. */
uint32_t dun_serve_n_up(const dun_serve_shared *shared);
uint64_t dun_serve_n_waiting(const dun_serve_shared *shared);
uint64_t dun_serve_n_connections(const dun_serve_shared *shared);

/* A worker is gone, with what it had open. */
void dun_serve_slot_clear(dun_serve_slot *slot);

#endif
