/* The thread waits for signals that are blocked. So it also gets them as the first process of a container,
 * where the system drops a signal that has no handler and is not blocked, and where only the process can end
 * itself. */
#include "cmd/serve/serve_signals.h"

#include "base/err.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The exit status of a process that a signal ended: with its number added. */
enum { SIGNAL_STATUS = 128 };

static sigset_t closing_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static void *take_signals(void *self) {
    dun_serve_signals *signals = self;
    sigset_t set = closing_signals();
    for (;;) {
        int which;
        sigwait(&set, &which);
        if (atomic_load(&signals->over))
            return NULL;
        if (signals->taken)
            _exit(SIGNAL_STATUS + which);
        signals->taken = true;
        dun_serve_signals_ask(signals);
    }
}

int dun_serve_signals_start(dun_serve_signals *signals) {
    sigset_t set = closing_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_init(&signals->wake, 0, 0);
    atomic_init(&signals->asked, false);
    atomic_init(&signals->over, false);
    signals->taken = false;
    int error = pthread_create(&signals->thread, NULL, take_signals, signals);
    signals->started = error == 0;
    return error ? dun_error(DUN_FAILED, "no thread for signals: %s", strerror(error)) : DUN_OK;
}

bool dun_serve_signals_asked(const dun_serve_signals *signals) {
    return atomic_load(&signals->asked);
}

void dun_serve_signals_ask(dun_serve_signals *signals) {
    atomic_store(&signals->asked, true);
    sem_post(&signals->wake);
}

void dun_serve_signals_wait(dun_serve_signals *signals) {
    while (sem_wait(&signals->wake) < 0)
        ;
}

void dun_serve_signals_stop(dun_serve_signals *signals) {
    if (!signals->started)
        return;
    atomic_store(&signals->over, true);
    /* The thread has it blocked and waits for it.
     * NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
    pthread_kill(signals->thread, SIGTERM);
    pthread_join(signals->thread, NULL);
    sem_destroy(&signals->wake);
    signals->started = false;
}
