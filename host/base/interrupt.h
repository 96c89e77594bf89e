/* Whether somebody wants long jobs to stop: they ask between two steps and leave in good order. Who wants it,
 * and how that is found out (a signal, a button), is the program's affair. */
#ifndef DUN_INTERRUPT_H
#define DUN_INTERRUPT_H

#include <stdbool.h>

/* Every job of this process is to stop. May be called in a signal handler and in any thread. */
void dun_interrupt(void);

bool dun_interrupted(void);

#endif
