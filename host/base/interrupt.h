/* Whether somebody wants long jobs to stop: they ask between two steps and leave in good order. Or wants
 * trainings to save where they stand and go on. Who wants it, and how that is found out (a signal, a button),
 * is the program's affair. */
#ifndef DUN_INTERRUPT_H
#define DUN_INTERRUPT_H

#include <stdbool.h>

/* Every job of this process is to stop. May be called in a signal handler and in any thread. */
void dun_interrupt(void);

/* Whether the job that asks is to stop: because of the process, or of what its thread was told. */
bool dun_interrupted(void);

/* What the jobs of this thread are to do, until they are told otherwise: go on, end with what there is (a
 * training: as if it had no more steps), or stop as when interrupted. */
enum dun_wanted { DUN_GO_ON, DUN_END, DUN_STOP };
void dun_want(enum dun_wanted what);

/* Whether a training of this thread is to end. */
bool dun_end_wanted(void);

/* Every training of this process is to save a checkpoint and go on; likewise. A training has a wish to answer
 * while the number of wishes is not what it was when it answered last. */
void dun_save_wish(void);
unsigned dun_save_wishes(void);

#endif
