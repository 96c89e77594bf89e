/* What serve makes of the signals that the program's thread (cmd/signals.h) hears for it. */
#include "cmd/serve/serve_signals.h"

#include "base/err.h"

#include <signal.h>

static bool hear(void *self, int which, bool again) {
    dun_serve_signals *signals = self;
    (void)again; /* of another kind is as good */
    if (atomic_load(&signals->over))
        return false;
    if (signals->taken)
        dun_signals_end_at_once(which);
    signals->taken = true;
    dun_serve_signals_ask(signals);
    return true;
}

int dun_serve_signals_start(dun_serve_signals *signals) {
    static const int closing[] = {SIGINT, SIGTERM};
    int rc;
    *signals = (dun_serve_signals){.listener = {closing, sizeof closing / sizeof *closing, hear, signals}};
    sem_init(&signals->wake, 0, 0);
    TRY(dun_signals_listen(&signals->thread, &signals->listener));
    signals->started = true;
out:
    return rc;
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
