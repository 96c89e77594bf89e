/* Ctrl-C, of which only the program knows. */
#ifndef DUN_SIGNALS_H
#define DUN_SIGNALS_H

/* SIGINT and SIGTERM ask jobs to stop (base/interrupt.h) from now on. A second one ends the process at once.
 */
void dun_signals_watch(void);

#endif
