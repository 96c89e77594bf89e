/* Texts to their points on the host, in order: texts are queued and run together, as many as fill a pass. */
#ifndef DUN_VECTORS_H
#define DUN_VECTORS_H

#include "base/spool.h"
#include "io/data/asked.h"
#include "session/session.h"

typedef struct {
    dun_session *session;
    uint32_t *which; /* [most] of a pass: texts that have a row, */
    float *points;   /* (most, D) and the points of all, after dun_vectors_run */
    uint32_t most;
    uint64_t n_empty; /* texts so far without a token, whose point is 0 */
} dun_vectors;

/* For a session that reads no data sets of its own and whose engine is started without gradients. */
int dun_vectors_create(dun_vectors *vectors, dun_session *session);
void dun_vectors_free(dun_vectors *vectors);

/* Runs the texts at the front of the session's queue (dun_session_queue) and takes them off; the points (n,
 * D) are then in vectors->points. n is 0 when none is queued. DUN_FAILED: a point is not finite. */
int dun_vectors_run(uint32_t *n, dun_vectors *vectors);

/* The points (n, D) of n texts in memory; lengths NULL: they are zero-terminated. DUN_INTERRUPTED. */
int dun_vectors_of(float *points, dun_vectors *vectors, const char *const *texts, const size_t *lengths,
                   size_t n);

/* Appends the points of all texts that are asked about to a spool, row by row, and says how many. What is
 * amiss with the texts is told at the end. DUN_INTERRUPTED; DUN_FAILED: they cannot be kept; errors of
 * dun_asked_next. */
int dun_vectors_of_asked(uint64_t *n, dun_spool *out, dun_vectors *vectors, dun_asked *asked);

/* Warns of texts that were cut, and of those without a token. */
void dun_vectors_tell(const dun_vectors *vectors);

#endif
