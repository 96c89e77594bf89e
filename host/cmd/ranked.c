/* What a rank is set up with before it computes: its kernels' folder, its words, its signals. */
#include "cmd/ranked.h"

#include "base/err.h"
#include "base/str.h"
#include "cmd/signals.h"
#include "dev/driver.h"
#include "ranks/ranks.h"
#include "run/rank_work.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void print_warning(const char *message) {
    const uint32_t self = dun_ranks_self();
    fprintf(stderr, "warning: rank %u on %s: %s\n", self, dun_ranks_host(self), message);
}

static void end(const char *words, int status) {
    char line[1000];
    const int n = snprintf(line, sizeof line, "dunlin: %s\n", words);
    const size_t length = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (*words && write(STDERR_FILENO, line, length) < 0)
        _exit(status); /* nobody to tell it */
    _exit(status);
}

/* With threads that no signal reaches: it is for the one that computes. */
static int join(const char *words) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = dun_ranks_join(words, end);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int dun_ranked_join(bool *leads, const char *command, int argc, char *const *argv) {
    int rc = DUN_OK;
    dun_str words = {0};
    char place[32];
    *leads = true;
    TRY(dun_str_addf(&words, "%s", command));
    for (int i = 0; i < argc; i++)
        TRY(dun_str_addf(&words, " %s", argv[i]));
    TRY(join(words.bytes));
    *leads = dun_ranks_self() == 0;
    if (*leads)
        goto out;
    dun_warn_process(print_warning);
    snprintf(place, sizeof place, ".rank-%u", dun_ranks_self());
    dun_driver_move_cache(place);
out:
    dun_str_free(&words);
    return rc;
}

int dun_ranked_work(void) {
    int rc;
    TRY(dun_signals_watch());
    TRY(dun_rank_work());
out:
    return rc;
}
