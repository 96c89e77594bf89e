/* Ctrl-C and SIGTERM while dunlin serve runs: the first asks to close, the second ends the process at once.
 */
#ifndef DUN_SERVE_SIGNALS_H
#define DUN_SERVE_SIGNALS_H

#include "cmd/signals.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    dun_signal_listener listener;
    pthread_t thread;
    sem_t wake;
    atomic_bool asked, over;
    bool taken; /* the thread's own: one signal came */
    bool started;
} dun_serve_signals;

/* Before any other thread is made, as those must not take the signals: they are blocked from now on. */
int dun_serve_signals_start(dun_serve_signals *signals);

/* Whether somebody has asked to close; the same as if somebody did, on any thread; waits until then. */
bool dun_serve_signals_asked(const dun_serve_signals *signals);
void dun_serve_signals_ask(dun_serve_signals *signals);
void dun_serve_signals_wait(dun_serve_signals *signals);

void dun_serve_signals_stop(dun_serve_signals *signals);

#endif
