/* Whether somebody wants long jobs to stop: they ask between two steps and leave in good order. Or wants
 * trainings to save where they stand and go on. Who wants it, and how that is found out (a signal, a button),
 * is the program's affair. */
#ifndef DUN_INTERRUPT_H
#define DUN_INTERRUPT_H

#include <stdbool.h>

/* Every job of this process is to stop. May be called in a signal handler and in any thread. */
void dun_interrupt(void);

bool dun_interrupted(void);

/* Every training of this process is to save a checkpoint and go on; likewise. A training has a wish to answer
 * while the number of wishes is not what it was when it answered last. */
void dun_save_wish(void);
unsigned dun_save_wishes(void);

#endif
