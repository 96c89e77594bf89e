/* Trainings on some of the texts that a session has read: all are read, and run through the model, once. */
#ifndef DUN_SUBSET_H
#define DUN_SUBSET_H

#include "session/session.h"

/* Puts the training texts, just read, into an order of which every stretch has about the classes' shares:
 * each class is shuffled by the seed and evenly spread. One text of each class stands first. */
int dun_session_spread(dun_session *session, uint64_t seed);

/* From now on training goes by texts first .. first + n - 1 of their order alone. */
void dun_session_narrow(dun_session *session, uint32_t first, uint32_t n);

/* Has a stretch a text of every class that any text has? 1, 0, or DUN_FAILED. */
int dun_session_has_classes(const dun_session *session, uint32_t first, uint32_t n);

#endif
