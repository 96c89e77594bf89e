/* argv -> subcommand; the only file that may end the process. */
#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "dev/driver.h"
#include "ranks/ranks.h"

#include <signal.h>
#include <stdio.h>

static void print_warning(const char *message) {
    fprintf(stderr, "warning: %s\n", message);
}

/* As a program ends that a closed pipe's signal ends: the shell sees 141, nobody sees a message. */
static int end_by_pipe(void) {
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &pipes, NULL);
    raise(SIGPIPE);
    return 128 + SIGPIPE; /* the first process of a container is not ended by its own signals */
}

int main(int argc, char **argv) {
    dun_json_own_memory();
    dun_warn_process(print_warning);
    dun_signals_init();
    dun_out_init();
    int rc = dun_command_run(argc, argv);
    dun_driver_dismiss();
    if (rc >= 0)
        rc = dun_out_flush();
    if (rc < 0 && !*dun_error_message() && dun_out_is_gone())
        return end_by_pipe();
    if (rc < 0 && *dun_error_message())
        fprintf(stderr, "dunlin: %s\n", dun_error_message());
    if (rc < 0) /* what was printed before the failure */
        (void)dun_out_flush();
    dun_ranks_leave(dun_exit_code(rc));
    return dun_exit_code(rc);
}
