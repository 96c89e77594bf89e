/* Room on the disk, asked before hours of computing. */
#ifndef DUN_SPACE_H
#define DUN_SPACE_H

#include "run/rundir.h"
#include "session/session.h"

/* About how many bytes a run leaves in its folder; the session has its data read. */
uint64_t dun_space_needed_bytes(const dun_session *session);

/* DUN_FAILED: the disk of the run's folder has less room than that. */
int dun_space_check(const dun_session *session, const dun_run_dir *run);

#endif
