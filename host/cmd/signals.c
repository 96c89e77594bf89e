/* Signals that stop a job: the handler only asks for it. */
#include "cmd/signals.h"

#include "base/interrupt.h"

#include <signal.h>
#include <stddef.h>

static void ask(int signal_number) {
    (void)signal_number;
    dun_interrupt();
}

void dun_signals_watch(void) {
    struct sigaction action = {.sa_handler = ask, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
