/* What the files of the room share: the state of the one thread that speaks with MPI (pump.c), of who watches
 * over it (pulse.c), and of those who ask it (ranks.c). */
#ifndef DUN_RANKS_INSIDE_H
#define DUN_RANKS_INSIDE_H

#include "ranks/launch.h"
#include "ranks/ranks.h"

#include <pthread.h>
#include <stdatomic.h>

/* Kinds of messages of MPI. */
enum { DUN_TAG_WORK = 1, DUN_TAG_PULSE = 2 };

/* Bytes of a message that MPI, which counts in int, gets at a time. */
#define DUN_PIECE ((size_t)1 << 28)

/* A message on its way out, in pieces that MPI can count. */
typedef struct dun_letter {
    struct dun_letter *next;
    dun_str text;
    uint32_t to;
    size_t n_pieces, n_done;
    void **requests; /* [n_pieces]; NULL: that piece is there */
} dun_letter;

/* One that has come. */
typedef struct dun_arrived {
    struct dun_arrived *next;
    dun_str text;
} dun_arrived;

typedef struct {
    dun_arrived *first, *last; /* whole ones, to be fetched */
    dun_str coming;            /* the one that is on its way */
    size_t piece;              /* bytes that are being received now, */
    void *request;             /* or NULL */
    double heard;              /* dun_clock_seconds of the last sign of life */
    void *pulse;               /* the sign that was sent last, until it has gone out */
    uint32_t sign;             /* its bytes */
} dun_peer;

enum dun_phase { DUN_ALONE, DUN_STARTING, DUN_JOINED, DUN_LEAVING, DUN_GONE };

typedef struct {
    const dun_mpi_calls *calls;
    dun_ranks_end *end;
    dun_mpi_place place;
    char (*hosts)[DUN_MPI_HOST_BYTES]; /* [n] */
    double deadline;                   /* seconds */
    pthread_t pump, guard;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t news;  /* to who waits for a message, or for another phase */
    pthread_cond_t work;  /* to the pump */
    enum dun_phase phase;
    uint32_t numbers;   /* given so far */
    bool waiting;       /* somebody waits for news */
    dun_letter *outbox; /* not yet taken by the pump, in order */
    dun_peer *peers;    /* [n] */
    bool failed;        /* nothing more will come; `failure` says why, "": others say it */
    char failure[800];  /* */
    bool told;          /* somebody takes `failure` along */
    double failed_at;   /* */
    bool stopping;      /* it was asked to stop before that */
    /* Of the pump alone: */
    dun_letter *sent;              /* on their way */
    double looked, judged, pulsed; /* when it last looked, judged the others, and gave a sign */
    _Atomic double turned;         /* when it last went round, for the guard */
} dun_ranks_state;

extern dun_ranks_state dun_ranks;

/* The thread that speaks with MPI. */
void *dun_ranks_pump(void *unused);

/* Signs of life to and of the others, from the pump. Moves `something` to true where something came. */
void dun_ranks_pulse(double now, bool *something);

/* Last words to the others: this rank ends, and they with it. */
void dun_ranks_pulse_end(void);

/* Before MPI is left in good order: signs that were given have gone out, in a second at most. */
void dun_ranks_pulse_settle(void);

/* The thread that ends the process when the pump does not come back from MPI, or nobody takes a failure
 * along. */
void *dun_ranks_guard(void *unused);

/* Seconds that a rank's last words wait. What one rank meets others may meet at the same time, as that rank 0
 * is silent: the first to say so is rank 0, else rank 1, and its launcher ends the others before their turn.
 */
double dun_ranks_turn(uint32_t rank);

/* Notes why nothing more will come, for whoever waits; the first reason stays. Takes the lock. */
void dun_ranks_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
