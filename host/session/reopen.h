/* A session used again with another config, for sweeps and for several configs in one process: what the
 * changed keys do not touch (the model on the device, the texts' tokens, their keys and values) stays. The
 * outcome of a run is the same, to the byte, as in a session of its own. */
#ifndef DUN_REOPEN_H
#define DUN_REOPEN_H

#include "session/session.h"

/* Brings `session` (zeroed, or used with another config, which must still be alive) to where the data are
 * read for training under `config`: model file, starting prompt, texts. After a failure it is closed. */
int dun_session_reopen(dun_session *session, const dun_config *config, const dun_observer *observer);

/* The same with given texts instead of the config's; NULL: the config's. They must stay as long as the
 * session. */
int dun_session_reopen_given(dun_session *session, const dun_config *config, const dun_session_given *given,
                             const dun_observer *observer);

/* The rest: device, engine, the texts' keys and values, as far as they are not there already. After a failure
 * the session is closed. */
int dun_session_ready(dun_session *session);

#endif
