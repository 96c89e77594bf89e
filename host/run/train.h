/* The experiment: trains prompt and centroids of a session that has its texts read. */
#ifndef DUN_TRAIN_H
#define DUN_TRAIN_H

#include "run/rundir.h"

/* Trains, measures, and writes the run directory's files. The session's prompt becomes the trained one.
 * `resume`: goes on from the run's checkpoint, or from the start when it got to none; the outcome is the same
 * to the last bit. DUN_FAILED: the loss is not finite any more, or a file cannot be written. DUN_INTERRUPTED:
 * Ctrl-C; the checkpoint is saved. */
int dun_train(dun_run_result *result, dun_session *session, dun_run_dir *run, bool resume);

/* DUN_USAGE: the config asks for what validation texts decide, and there are none. */
int dun_train_check(const dun_session *session);

/* Does the run's checkpoint, if there is one, belong to the session's model, config and data? Asked before a
 * device is opened and the texts are run. DUN_BAD_INPUT: no; the message says what is another. */
int dun_train_look(const dun_session *session, const dun_run_dir *run);

#endif
