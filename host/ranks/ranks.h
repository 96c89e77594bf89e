/* Processes that a launcher of MPI started together: which one this is, messages between them, and that none
 * of them waits for one that is gone. All calls of MPI are made by one thread, which also tells the others
 * that this process is alive: what computes for long does not look dead. Rank 0 leads, and messages go
 * between it and the others.
 *
 * Of a rank that gives no sign of life for 45 seconds (DUNLIN_RANK_DEADLINE), because it died, was stopped or
 * was cut off, rank 0 says who it was and ends, and all others with it; one that hears nothing of rank 0 ends
 * by itself. */
#ifndef DUN_RANKS_H
#define DUN_RANKS_H

#include "ranks/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether a launcher started this process as one of several. */
bool dun_ranks_launched(void);

/* Ends the process at once with a status, and with words, unless they are "": nothing may wait for anything
 * then. May be called by any thread, and does not return. */
typedef void dun_ranks_end(const char *words, int status);

/* Programs that this process starts are no ranks: what a command that is not carried out together begins
 * with. */
void dun_ranks_hide(void);

/* Meets the others; nothing where there are none. `words`: what this process was started with, which must be
 * the same everywhere. To be called once, before threads and drivers are: processors of a host are shared out
 * among its ranks. DUN_USAGE: another was started otherwise, or is another build; DUN_FAILED: no way to the
 * others. Only rank 0 has a message where all know. */
int dun_ranks_join(const char *words, dun_ranks_end *end);

/* 1 and 0 where this process is alone. */
uint32_t dun_ranks_n(void);
uint32_t dun_ranks_self(void);

/* Which of its host's ranks this one is, and how many those are: 0 and 1 where it is alone. */
uint32_t dun_ranks_local(void);
uint32_t dun_ranks_here(void);

/* Of a rank; valid until leaving. */
const char *dun_ranks_host(uint32_t rank);

/* Hands a message over, whose bytes are then no longer the caller's, and does not wait. */
int dun_ranks_send(uint32_t to, dun_str *message);

/* The next message of a rank, waited for; replaces `out`. DUN_FAILED: a rank is gone. */
int dun_ranks_receive(dun_str *out, uint32_t from);

/* Whether one has come. */
bool dun_ranks_has_message(uint32_t from);

/* Waits for one of n ranks, and says whose place in `ranks` it is; any of them after a failure. */
uint32_t dun_ranks_await(const uint32_t *ranks, uint32_t n);

/* A number that was not given before, so that questions of this job are told apart. */
uint32_t dun_ranks_number(void);

/* The first number of a message after which rank 0 wants nothing more. */
enum { DUN_RANKS_END = 0 };

/* Ends it, before the process ends with that code: rank 0 sends DUN_RANKS_END, and the launcher sees an end
 * in good order; after a failure the process ends here. */
void dun_ranks_leave(int code);

#endif
