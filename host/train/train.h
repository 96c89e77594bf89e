/* The experiment: trains prompt and centroids of a session that has its texts read. */
#ifndef DUN_TRAIN_H
#define DUN_TRAIN_H

#include "rundir.h"

/* Trains, measures, and writes the run directory's files. The session's prompt becomes the trained one.
 * DUN_FAILED: the loss is not finite any more, or a file cannot be written. */
int dun_train(dun_run_result *result, dun_session *session, dun_run_dir *run);

#endif
