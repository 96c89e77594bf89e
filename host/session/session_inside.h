/* What the files of the session share. */
#ifndef DUN_SESSION_INSIDE_H
#define DUN_SESSION_INSIDE_H

#include "session/session.h"

/* True when a text is a part of every batch that it is in, instead of lying in the cache. */
bool dun_session_runs_whole(const dun_session *session);

/* True when no text is read before it is asked for: there is no training, or nothing can be kept. */
bool dun_session_reads_as_asked(const dun_session *session);

/* What a pass takes so far: texts, rows of the batch, and rows that are read into the cache for it. */
typedef struct {
    uint32_t texts, rows, text_rows;
} dun_session_load;

/* One text more, if it still fits. */
bool dun_session_load_takes(dun_session_load *load, const dun_session *session, uint32_t text);

/* How texts that are added from now on are read: among the template's words, and what they may spell. */
void dun_session_begin_texts(dun_session *session);

/* Makes the engine a team of one; after dun_engine_resize makes it fit again, alone. */
int dun_session_start_team(dun_session *session);
int dun_session_refit_team(dun_session *session);

/* Opens a device with its kernels (those of the model, and these topics of dun_learn_kernels) and products as
 * the config wants them, in the precision that was chosen, and says what it is. */
int dun_session_open_device(dun_device **device, dun_compute *compute, const dun_session *session,
                            const char *selector, unsigned learn_topics);

/* What the config asks for of a saved prompt's normalisation and metric. DUN_BAD_INPUT: it has none. */
int dun_session_take_saved_points(dun_session *session, const dun_saved_prompt *saved, const char *path);
void dun_session_free_points(dun_session *session);

/* From what the engine left of n texts to points that are compared, and from their gradient back. */
int dun_session_shape_points(dun_session *session, uint32_t n);
int dun_session_shape_back(dun_session *session, uint32_t n);

/* Whether device.use names more than one device. */
bool dun_session_names_several(const dun_session *session);

/* Makes the other ranks of this job members of the team, where they are not yet. */
int dun_session_gather_ranks(dun_session *session);

/* Whether texts that nobody owns are shared out batch by batch among several ranks; what a pass takes then,
 * and its run. */
bool dun_session_shares_batches(const dun_session *session);
uint32_t dun_session_pass_shared(const dun_session *session, uint32_t first, uint32_t n);
int dun_session_run_shared(dun_session *session, const uint32_t *which, uint32_t n);

/* An observer (NULL: nobody) hears what takes long on a device. */
void dun_session_watch(dun_device *device, const dun_observer *observer);

#endif
