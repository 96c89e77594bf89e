/* What is computed, whoever computes it: by which results of several machines are of the same work. */
#ifndef DUN_WORK_H
#define DUN_WORK_H

#include "session/session.h"

#include <jansson.h>

/* The work of a session whose data were read for training (session/reopen.h): {"config", "model": {"name",
 * "hash"}, "data": {"train", "valid"}, "seed", "texts", "tokens", "batch_size", "prompt_rows"}. `config` is
 * the hash of every key that is not at its default, but for those that say where to compute, where files are
 * and how they are read, what is left behind, and what comparisons do; files stand there by their content.
 * `tokens` are those of the training texts. The caller's. */
int dun_work_describe(json_t **out, const dun_session *session);

#endif
