/* Ctrl-C: the handler only notes it; long jobs ask between two steps and leave in good order. */
#ifndef DUN_INTERRUPT_H
#define DUN_INTERRUPT_H

#include <stdbool.h>

/* Notes SIGINT and SIGTERM from now on. A second one ends the process at once. */
void dun_interrupt_watch(void);

bool dun_interrupted(void);

#endif
