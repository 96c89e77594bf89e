/* Joining, messages and leaving, for the thread that computes. */
#include "ranks/ranks_inside.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE = 45, LEAVE = 20 }; /* seconds */

dun_ranks_state dun_ranks = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .news = PTHREAD_COND_INITIALIZER,
                             .work = PTHREAD_COND_INITIALIZER,
                             .deadline = DEADLINE};

bool dun_ranks_launched(void) {
    dun_launch launch;
    return dun_launch_find(&launch) && launch.n > 1;
}

void dun_ranks_hide(void) {
    dun_launch_hide();
}

uint32_t dun_ranks_n(void) {
    return dun_ranks.phase == DUN_ALONE ? 1 : (uint32_t)dun_ranks.place.n;
}

uint32_t dun_ranks_self(void) {
    return dun_ranks.phase == DUN_ALONE ? 0 : (uint32_t)dun_ranks.place.rank;
}

uint32_t dun_ranks_local(void) {
    return dun_ranks.phase == DUN_ALONE ? 0 : (uint32_t)dun_ranks.place.local;
}

uint32_t dun_ranks_here(void) {
    return dun_ranks.phase == DUN_ALONE ? 1 : (uint32_t)dun_ranks.place.n_local;
}

const char *dun_ranks_host(uint32_t rank) {
    return dun_ranks.hosts[rank];
}

static int read_deadline(void) {
    int rc = DUN_OK;
    static const char variable[] = "DUNLIN_RANK_DEADLINE";
    const char *text = getenv(variable);
    bool lost;
    double value;
    if (!text)
        return DUN_OK;
    TRY(dun_number_read(&value, &lost, text));
    if (rc == 0 || !(value >= 2) || value > 86400)
        TRY(dun_error(DUN_USAGE, "%s = %.40s: a number of seconds from 2 to 86400 is needed", variable,
                      text));
    dun_ranks.deadline = value;
    rc = DUN_OK;
out:
    return rc;
}

static int start_thread(pthread_t *thread, void *(*run)(void *)) {
    const int code = pthread_create(thread, NULL, run, NULL);
    return code ? dun_error(DUN_FAILED, "no thread for messages between ranks: %s", strerror(code)) : DUN_OK;
}

/* Waits for news with the lock held; false: `seconds` (0: any time) are over. */
static bool await_news(double seconds) {
    if (seconds > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)seconds + 1;
        return pthread_cond_timedwait(&dun_ranks.news, &dun_ranks.lock, &until) == 0;
    }
    return pthread_cond_wait(&dun_ranks.news, &dun_ranks.lock) == 0;
}

/* The failure that the pump met; whoever is not rank 0 leaves it to the guard, which ends the process. */
static int take_failure(void) {
    if (dun_ranks.place.rank > 0 && dun_ranks.phase != DUN_STARTING) {
        pthread_mutex_unlock(&dun_ranks.lock);
        for (;;)
            (void)pause();
    }
    dun_ranks.told = true;
    return dun_error(DUN_FAILED, "%s", dun_ranks.failure);
}

static int start(const dun_launch *launch) {
    int rc = DUN_OK;
    TRY(read_deadline());
    TRY(dun_launch_load(&dun_ranks.calls, launch));
    dun_ranks.phase = DUN_STARTING;
    dun_ranks.place = (dun_mpi_place){.rank = (int)launch->rank, .n = (int)launch->n};
    dun_ranks.turned = dun_clock_seconds();
    rc = start_thread(&dun_ranks.guard, dun_ranks_guard);
    if (rc >= 0)
        rc = start_thread(&dun_ranks.pump, dun_ranks_pump);
    if (rc < 0) {
        dun_ranks.phase = DUN_ALONE;
        goto out;
    }
    pthread_mutex_lock(&dun_ranks.lock);
    while (dun_ranks.phase == DUN_STARTING)
        (void)await_news(0);
    if (dun_ranks.failed)
        rc = take_failure();
    pthread_mutex_unlock(&dun_ranks.lock);
out:
    return rc;
}

/* Rank 0 hears of each what it is; the others are told when all is well, or end. */
static int compare(const char *words) {
    int rc = DUN_OK;
    dun_str message = {0};
    static const char build[] = DUN_VERSION;
    const uint32_t n = dun_ranks_n();
    if (dun_ranks_self() > 0) {
        TRY(dun_wire_begin(&message));
        TRY(dun_wire_text(&message, build));
        TRY(dun_wire_text(&message, words));
        TRY(dun_ranks_send(0, &message));
        goto out;
    }
    for (uint32_t i = 1; i < n; i++) {
        TRY(dun_ranks_receive(&message, i));
        dun_wire wire = dun_wire_of(&message);
        const char *theirs = dun_wire_take_text(&wire), *started = dun_wire_take_text(&wire);
        if (wire.lost || strcmp(theirs, build) != 0)
            TRY(dun_error(DUN_USAGE, "rank %u on %s is dunlin %.40s, rank 0 on %s %s: all must be the same",
                          i, dun_ranks_host(i), theirs, dun_ranks_host(0), build));
        if (strcmp(started, words) != 0)
            TRY(dun_error(
                DUN_USAGE,
                "rank %u on %s was started with \"%.300s\", rank 0 on %s with \"%.300s\": one job has one "
                "command line",
                i, dun_ranks_host(i), started, dun_ranks_host(0), words));
    }
out:
    dun_str_free(&message);
    return rc;
}

/* Waits for this rank's turn to say why it cannot begin; where its launcher ends it meanwhile, nothing. */
static void await_turn(uint32_t rank) {
    const struct timespec turn = {.tv_sec = (time_t)dun_ranks_turn(rank)};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    if (rank > 0 && sigtimedwait(&ends, NULL, &turn) > 0)
        dun_ranks.end("", 1);
}

int dun_ranks_join(const char *words, dun_ranks_end *end) {
    int rc = DUN_OK;
    dun_launch launch;
    dun_ranks.end = end;
    if (!dun_launch_find(&launch))
        return DUN_OK;
    dun_launch_hide();
    if (launch.n == 1) {
        dun_launch_share_processors(&launch, 0, 1);
        return DUN_OK;
    }
    TRY(start(&launch));
    dun_launch_share_processors(&launch, (uint32_t)dun_ranks.place.local, (uint32_t)dun_ranks.place.n_local);
    TRY(compare(words));
out:
    if (rc < 0 && dun_ranks.phase == DUN_ALONE)
        await_turn(launch.rank);
    return rc;
}

int dun_ranks_send(uint32_t to, dun_str *message) {
    int rc = DUN_OK;
    dun_letter *letter = NULL;
    const uint64_t length = message->length;
    TRY_PTR(letter, dun_calloc(1, sizeof *letter));
    letter->to = to;
    letter->n_pieces = (message->length + DUN_PIECE - 1) / DUN_PIECE;
    TRY_NEW(letter->requests, letter->n_pieces);
    memcpy(message->bytes, &length, DUN_WIRE_HEAD);
    letter->text = *message;
    *message = (dun_str){0};
    pthread_mutex_lock(&dun_ranks.lock);
    dun_letter **at = &dun_ranks.outbox;
    while (*at)
        at = &(*at)->next;
    *at = letter;
    letter = NULL;
    pthread_cond_signal(&dun_ranks.work);
    pthread_mutex_unlock(&dun_ranks.lock);
out:
    dun_free(letter);
    return rc;
}

int dun_ranks_receive(dun_str *out, uint32_t from) {
    int rc = DUN_OK;
    dun_peer *peer = &dun_ranks.peers[from];
    pthread_mutex_lock(&dun_ranks.lock);
    dun_ranks.waiting = true;
    pthread_cond_signal(&dun_ranks.work);
    while (!peer->first && !dun_ranks.failed)
        (void)await_news(0);
    dun_ranks.waiting = false;
    dun_arrived *arrived = dun_ranks.failed ? NULL : peer->first;
    if (arrived) {
        peer->first = arrived->next;
        peer->last = peer->first ? peer->last : NULL;
    } else {
        rc = take_failure();
    }
    pthread_mutex_unlock(&dun_ranks.lock);
    if (arrived) {
        dun_str_free(out);
        *out = arrived->text;
        dun_free(arrived);
    }
    return rc;
}

bool dun_ranks_has_message(uint32_t from) {
    pthread_mutex_lock(&dun_ranks.lock);
    const bool has = dun_ranks.peers[from].first != NULL || dun_ranks.failed;
    pthread_mutex_unlock(&dun_ranks.lock);
    return has;
}

/* With the lock held; n: of none. */
static uint32_t find_message(const uint32_t *ranks, uint32_t n) {
    uint32_t at = 0;
    while (at < n && !dun_ranks.peers[ranks[at]].first)
        at++;
    return at;
}

uint32_t dun_ranks_await(const uint32_t *ranks, uint32_t n) {
    uint32_t at;
    pthread_mutex_lock(&dun_ranks.lock);
    dun_ranks.waiting = true;
    pthread_cond_signal(&dun_ranks.work);
    while ((at = find_message(ranks, n)) == n && !dun_ranks.failed)
        (void)await_news(0);
    dun_ranks.waiting = false;
    pthread_mutex_unlock(&dun_ranks.lock);
    return at < n ? at : 0;
}

uint32_t dun_ranks_number(void) {
    return ++dun_ranks.numbers;
}

static void free_messages(void) {
    for (int i = 0; dun_ranks.peers && i < dun_ranks.place.n; i++) {
        dun_peer *peer = &dun_ranks.peers[i];
        while (peer->first) {
            dun_arrived *next = peer->first->next;
            dun_str_free(&peer->first->text);
            dun_free(peer->first);
            peer->first = next;
        }
        dun_str_free(&peer->coming);
    }
    dun_free(dun_ranks.peers);
    dun_free(dun_ranks.hosts);
    dun_ranks.peers = NULL;
    dun_ranks.hosts = NULL;
}

/* The others wait for what rank 0 wants next. */
static void dismiss(void) {
    dun_str message = {0};
    for (uint32_t i = 1; dun_ranks_self() == 0 && i < dun_ranks_n(); i++)
        if (dun_wire_begin(&message) == DUN_OK && dun_wire_u32(&message, DUN_RANKS_END) == DUN_OK)
            (void)dun_ranks_send(i, &message);
    dun_str_free(&message);
}

void dun_ranks_leave(int code) {
    if (dun_ranks.phase == DUN_ALONE)
        return;
    if (code && dun_ranks_self() > 0) /* rank 0 waits for answers; its launcher ends it */
        dun_ranks.end("", code);
    if (dun_ranks.phase == DUN_JOINED)
        dismiss();
    pthread_mutex_lock(&dun_ranks.lock);
    bool in_time = true;
    if (dun_ranks.phase == DUN_JOINED)
        dun_ranks.phase = DUN_LEAVING;
    pthread_cond_signal(&dun_ranks.work);
    while (dun_ranks.phase != DUN_GONE && in_time)
        in_time = await_news(LEAVE);
    const bool whole = dun_ranks.phase == DUN_GONE && !dun_ranks.failed;
    pthread_mutex_unlock(&dun_ranks.lock);
    if (!whole)
        dun_ranks.end("", code);
    (void)pthread_join(dun_ranks.pump, NULL);
    free_messages();
    dun_ranks.place = (dun_mpi_place){.n = 1, .n_local = 1};
    dun_ranks.phase = DUN_GONE;
}
