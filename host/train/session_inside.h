/* What the files of the session share. */
#ifndef DUN_SESSION_INSIDE_H
#define DUN_SESSION_INSIDE_H

#include "session.h"

/* True when a text is a part of every batch that it is in, instead of lying in the cache. */
bool dun_session_runs_whole(const dun_session *session);

/* How the config wants kernels and products to be. */
dun_wish dun_session_wish(const dun_session *session);

/* A dun_weight_source's way to the session's dun_weights. */
int dun_session_read_weights(float *out, const void *self, enum dun_slot slot, uint32_t layer,
                             uint32_t first_row, uint32_t n_rows);

#endif
