/* The supervisor's loop: signals, connections, workers. It listens itself, where SO_REUSEPORT would have each
 * worker listen: the system then deals connections out by their addresses, also to a worker that is gone or
 * has its hands full, and lets any program of the same user take the port as well. Here a connection waits
 * until a worker has room, and none is lost with a worker that had not taken it. */
#define _GNU_SOURCE /* accept4, signalfd */
#include "cmd/serve/serve_group.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/serve/serve_door.h"
#include "cmd/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RETRY_MS = 10,      /* where connections wait for a worker with room */
    WINDOW_S = 60,      /* within which deaths are counted */
    CLOSING_MORE_S = 30 /* beyond the clients' timeout: the pass that is under way */
};

typedef struct {
    pid_t process; /* 0: none */
    dun_serve_door door;
} member;

typedef struct {
    const dun_serve_group *options;
    dun_serve_shared *shared;
    uint32_t n;
    member members[DUN_SERVE_MOST_WORKERS];
    int signals;
    int *held; /* [n_held] connections that no worker has room for, first come first */
    size_t n_held, held_capacity;
    double *deaths; /* [restarts + 1] the last ones; 0: none */
    unsigned n_deaths;
    bool told, stopping;
    bool pause;     /* nothing can be accepted now */
    double give_up; /* while it stops: when workers are ended */
    int status;     /* how it ends */
    int child;      /* in a worker: which; -1 */
} group;

static enum dun_serve_phase phase_of(const group *g, uint32_t i) {
    return (enum dun_serve_phase)atomic_load(&g->shared->slots[i].phase);
}

/* --- connections */

/* The worker with fewest connections, and of these the one with fewest texts; -1: none has room. */
static int choose(const group *g) {
    int best = -1;
    long long least = 0, least_waiting = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        const dun_serve_slot *slot = &g->shared->slots[i];
        const long long n = atomic_load(&slot->n_connections), waiting = atomic_load(&slot->n_waiting);
        if (phase_of(g, i) != DUN_SERVE_UP || n >= atomic_load(&slot->room))
            continue;
        if (best < 0 || n < least || (n == least && waiting < least_waiting)) {
            best = (int)i;
            least = n;
            least_waiting = waiting;
        }
    }
    return best;
}

/* Hands a connection to a worker. False: none takes it now. */
static bool pass(const group *g, int connection) {
    const int i = choose(g);
    if (i < 0)
        return false;
    dun_serve_slot *slot = &g->shared->slots[i];
    atomic_fetch_add(&slot->n_connections, 1);
    if (dun_serve_door_pass(&g->members[i].door, connection)) {
        close(connection);
        return true;
    }
    atomic_fetch_sub(&slot->n_connections, 1);
    return false;
}

static int hold(group *g, int connection) {
    int rc = DUN_OK;
    TRY_GROW(g->held, g->held_capacity, g->n_held);
    g->held[g->n_held++] = connection;
out:
    if (rc < 0)
        close(connection);
    return rc;
}

/* Those that are held, then those that wait to be accepted, while workers have room. */
static int deal(group *g) {
    int rc = DUN_OK;
    size_t done = 0;
    while (done < g->n_held && pass(g, g->held[done]))
        done++;
    g->n_held -= done;
    if (done && g->n_held)
        memmove(g->held, g->held + done, g->n_held * sizeof *g->held);
    while (g->n_held == 0 && choose(g) >= 0) {
        const int connection = accept4(g->options->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) {
            g->pause = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED; /* too many files */
            break;
        }
        if (!pass(g, connection))
            TRY(hold(g, connection));
    }
out:
    return rc;
}

/* --- workers */

/* In the worker: what is the supervisor's alone is closed. */
static void become(group *g, uint32_t which) {
    sigset_t children;
    g->child = (int)which;
    for (uint32_t i = 0; i < g->n; i++) {
        if (i == which) { /* its end is kept */
            close(g->members[i].door.ours);
            g->members[i].door.ours = -1;
        } else {
            dun_serve_door_close(&g->members[i].door);
        }
    }
    for (size_t i = 0; i < g->n_held; i++)
        close(g->held[i]);
    g->n_held = 0;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_UNBLOCK, &children, NULL);
}

static int start(group *g, uint32_t i) {
    int rc = DUN_OK;
    member *m = &g->members[i];
    TRY(dun_serve_door_open(&m->door));
    dun_serve_slot_clear(&g->shared->slots[i]);
    atomic_store(&g->shared->slots[i].phase, DUN_SERVE_LOADING);
    const pid_t process = fork();
    if (process < 0)
        TRY(dun_error(DUN_FAILED, "worker %u cannot be started: %s", i, strerror(errno)));
    if (process == 0) {
        atomic_store(&g->shared->slots[i].process, (int)getpid());
        become(g, i);
        goto out;
    }
    m->process = process;
out:
    return rc;
}

/* The first worker loads alone: what it compiles and lays out, the others find. */
static int start_missing(group *g) {
    int rc = DUN_OK;
    const bool first_is_up = g->told || phase_of(g, 0) == DUN_SERVE_UP;
    for (uint32_t i = 0; i < g->n && g->child < 0; i++)
        if (!g->members[i].process && (i == 0 || first_is_up))
            TRY(start(g, i));
    if (g->child < 0 && !g->told && dun_serve_n_up(g->shared) == g->n) {
        g->told = true;
        dun_observe_say(g->options->observer, "workers   %u, each with its share of the processors", g->n);
        dun_observe_say(g->options->observer, "serving   %s", g->options->address);
    }
out:
    return rc;
}

static int status_of(int ended) {
    static const int by_code[] = {DUN_OK, DUN_FAILED, DUN_USAGE, DUN_BAD_INPUT, DUN_BAD_DEVICE};
    const int code = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    return code >= 0 && code < (int)(sizeof by_code / sizeof *by_code) ? by_code[code] : DUN_FAILED;
}

/* No more than `restarts` die within the window. */
static bool too_many_deaths(group *g) {
    const double now = dun_clock_seconds();
    const unsigned room = g->options->restarts + 1;
    g->deaths[g->n_deaths++ % room] = now;
    return g->n_deaths >= room && now - g->deaths[g->n_deaths % room] <= WINDOW_S;
}

static void stop(group *g, int status) {
    if (g->stopping)
        return;
    g->stopping = true;
    g->status = status;
    g->give_up = dun_clock_seconds() + g->options->timeout_s + CLOSING_MORE_S;
    close(g->options->listening);
    for (uint32_t i = 0; i < g->n; i++) {
        /* One that loads does not look at its door yet. */
        if (g->members[i].process && phase_of(g, i) == DUN_SERVE_LOADING)
            (void)kill(g->members[i].process, SIGTERM);
        dun_serve_door_shut(&g->members[i].door);
    }
}

static void tell_death(uint32_t i, pid_t process, int ended, bool again) {
    const char *then = again ? "it is started again" : "too many have died within a minute, the server ends";
    if (WIFSIGNALED(ended))
        dun_warn("worker %u (process %ld) was ended by signal %d; %s", i, (long)process, WTERMSIG(ended),
                 then);
    else
        dun_warn("worker %u (process %ld) ended with status %d; %s", i, (long)process, WEXITSTATUS(ended),
                 then);
}

/* A worker is gone. Connections that it had not taken go to others. */
static int bury(group *g, pid_t process, int ended) {
    int rc = DUN_OK, connection;
    uint32_t i = 0;
    while (i < g->n && g->members[i].process != process)
        i++;
    if (i == g->n)
        goto out;
    g->members[i].process = 0;
    dun_serve_slot_clear(&g->shared->slots[i]);
    while ((connection = dun_serve_door_take(g->members[i].door.theirs, false)) >= 0)
        TRY(hold(g, connection));
    dun_serve_door_close(&g->members[i].door);
    if (g->stopping) {
        if (g->status == DUN_OK && WIFEXITED(ended))
            g->status = status_of(ended);
    } else if (!g->told && (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0)) {
        if (WIFSIGNALED(ended))
            dun_warn("worker %u (process %ld) was ended by signal %d while it started", i, (long)process,
                     WTERMSIG(ended));
        stop(g, status_of(ended));
    } else {
        const bool again = !too_many_deaths(g);
        tell_death(i, process, ended, again);
        if (again)
            atomic_fetch_add(&g->shared->n_restarts, 1);
        else
            stop(g, WIFEXITED(ended) && WEXITSTATUS(ended) ? status_of(ended) : DUN_FAILED);
    }
out:
    return rc;
}

static void end_all(const group *g) {
    for (uint32_t i = 0; i < g->n; i++)
        if (g->members[i].process)
            (void)kill(g->members[i].process, SIGKILL);
}

/* --- the loop */

static int hear(group *g) {
    int rc = DUN_OK, ended;
    struct signalfd_siginfo heard;
    pid_t process;
    while (read(g->signals, &heard, sizeof heard) == (ssize_t)sizeof heard) {
        if (heard.ssi_signo == SIGCHLD)
            continue;
        if (g->stopping) {
            end_all(g);
            dun_signals_end_at_once((int)heard.ssi_signo);
        }
        dun_observe_say(g->options->observer, "closing   after the requests that have begun");
        TRY(deal(g));
        stop(g, DUN_OK);
    }
    while ((process = waitpid(-1, &ended, WNOHANG)) > 0)
        TRY(bury(g, process, ended));
out:
    return rc;
}

/* Whether there is a worker that may still end by itself, or will be started. */
static bool goes_on(const group *g) {
    for (uint32_t i = 0; g->stopping && i < g->n; i++)
        if (g->members[i].process)
            return true;
    return !g->stopping;
}

/* Waits for whatever comes next: signals, workers that are up, connections as far as a worker has room. */
static int wait_for_news(group *g) {
    struct pollfd news[2 + DUN_SERVE_MOST_WORKERS];
    const bool room = !g->stopping && g->told && !g->pause && choose(g) >= 0;
    const bool later = g->n_held > 0 || (g->told && !room);
    nfds_t n = 0;
    g->pause = false;
    int ms = later && !g->stopping ? RETRY_MS : -1;
    if (g->stopping) {
        const double left = g->give_up - dun_clock_seconds();
        ms = left > 0 ? (int)(left * 1000) + 1 : 0;
    }
    news[n++] = (struct pollfd){.fd = g->signals, .events = POLLIN};
    for (uint32_t i = 0; i < g->n; i++)
        news[n++] =
            (struct pollfd){.fd = g->members[i].process ? g->members[i].door.ours : -1, .events = POLLIN};
    news[n++] = (struct pollfd){.fd = room && !g->n_held ? g->options->listening : -1, .events = POLLIN};
    if (poll(news, n, ms) < 0 && errno != EINTR)
        return dun_error(DUN_FAILED, "the supervisor cannot wait: %s", strerror(errno));
    for (uint32_t i = 0; i < g->n; i++)
        if (news[1 + i].revents & POLLIN)
            dun_serve_door_heard(&g->members[i].door);
    return DUN_OK;
}

static int supervise(group *g) {
    int rc = DUN_OK;
    while (goes_on(g)) {
        if (!g->stopping)
            TRY(start_missing(g));
        if (g->child >= 0)
            goto out;
        if (g->told && !g->stopping)
            TRY(deal(g));
        TRY(wait_for_news(g));
        TRY(hear(g));
        if (g->stopping && goes_on(g) && dun_clock_seconds() > g->give_up) {
            dun_warn("workers have not ended in time; they are ended now");
            end_all(g);
            g->give_up += CLOSING_MORE_S;
        }
    }
    if (g->status < 0)
        dun_error_clear(); /* who ended first has said why */
    rc = g->status;
out:
    return rc;
}

static int begin(group *g) {
    sigset_t heard;
    const int flags = fcntl(g->options->listening, F_GETFL);
    sigemptyset(&heard);
    sigaddset(&heard, SIGINT);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGCHLD);
    if (fcntl(g->options->listening, F_SETFL, flags | O_NONBLOCK) == 0 &&
        sigprocmask(SIG_BLOCK, &heard, NULL) == 0)
        g->signals = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
    return g->signals >= 0
               ? DUN_OK
               : dun_error(DUN_FAILED, "signals and connections cannot be waited for: %s", strerror(errno));
}

int dun_serve_group_run(dun_serve_role *role, const dun_serve_group *options) {
    int rc = DUN_OK;
    group g = {.options = options,
               .shared = options->shared,
               .n = options->shared->n_workers,
               .signals = -1,
               .child = -1};
    for (uint32_t i = 0; i < g.n; i++)
        g.members[i].door = DUN_SERVE_NO_DOOR;
    TRY_NEW(g.deaths, options->restarts + 1);
    TRY(begin(&g));
    rc = supervise(&g);
out:
    if (rc < 0 && g.child < 0)
        end_all(&g);
    *role = (dun_serve_role){.worker = g.child, .door = -1, .first = g.child == 0 && !g.told};
    if (g.child >= 0) {
        role->door = g.members[g.child].door.theirs;
        g.members[g.child].door.theirs = -1;
    }
    for (uint32_t i = 0; i < g.n; i++)
        dun_serve_door_close(&g.members[i].door);
    for (size_t i = 0; i < g.n_held; i++)
        close(g.held[i]);
    if (!g.stopping)
        close(options->listening);
    if (g.signals >= 0)
        close(g.signals);
    dun_free(g.held);
    dun_free(g.deaths);
    return rc;
}
