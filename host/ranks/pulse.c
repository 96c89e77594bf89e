/* Signs of life: each rank gives one to rank 0 every second and rank 0 one to each, and who hears none for as
 * long as the deadline ends. MPI itself does not notice a host that is cut off, nor a process that is
 * stopped. */
#include "ranks/ranks_inside.h"

#include "base/clock.h"
#include "base/interrupt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What a sign says beside that its sender lives: it was asked to stop; it ends, and so should who hears it.
 */
enum { SIGN_ALIVE = 0, SIGN_STOP = 1, SIGN_END = 2 };

static const double every = 1.0;    /* seconds between signs */
static const double closely = 0.25; /* and between looks at who gives none */
static const double stood = 3.0;    /* a pump that was away for longer did not hear what came meanwhile */
static const double grace = 5.0;    /* so it listens for so long before it judges */
static const double patience = 8.0; /* for who takes a failure along to end the process in good order */

static bool is_watched(uint32_t peer) {
    const uint32_t self = (uint32_t)dun_ranks.place.rank;
    return peer != self && (self == 0 || peer == 0);
}

/* Whom rank 0 cannot reach hears nothing of it either, and ends by itself. */
static void hear(uint32_t from, uint32_t sign) {
    dun_ranks.peers[from].heard = dun_clock_seconds();
    if (sign & SIGN_END)
        dun_ranks_fail("%s", "");
    if (sign & SIGN_STOP && dun_ranks.place.rank == 0)
        dun_interrupt();
}

static void listen(bool *something) {
    bool found = true;
    while (found) {
        int from = 0, n = 0;
        uint32_t sign = 0;
        int code = dun_ranks.calls->look(&found, &from, &n, DUN_TAG_PULSE);
        if (code || !found)
            return; /* what fails here fails for messages, too */
        if (n != (int)sizeof sign || dun_ranks.calls->take(&sign, n, from, DUN_TAG_PULSE))
            return;
        hear((uint32_t)from, sign);
        *something = true;
    }
}

/* Whether no sign to that rank still waits to go out. */
static bool has_gone_out(dun_peer *peer) {
    bool done = true;
    if (peer->pulse)
        (void)dun_ranks.calls->test(&done, peer->pulse); /* what fails is done, too */
    if (done)
        peer->pulse = NULL;
    return done;
}

static void give_sign(uint32_t to, uint32_t sign) {
    dun_peer *peer = &dun_ranks.peers[to];
    if (!has_gone_out(peer))
        return;
    peer->sign = sign;
    (void)dun_ranks.calls->send(&peer->pulse, &peer->sign, (int)sizeof peer->sign, (int)to, DUN_TAG_PULSE);
}

static void give_signs(uint32_t sign) {
    for (uint32_t i = 0; i < (uint32_t)dun_ranks.place.n; i++)
        if (is_watched(i))
            give_sign(i, sign);
}

static void judge(double now) {
    for (uint32_t i = 0; i < (uint32_t)dun_ranks.place.n; i++) {
        const double silent = now - dun_ranks.peers[i].heard;
        if (is_watched(i) && silent > dun_ranks.deadline)
            dun_ranks_fail(
                "rank %u on %s has given no sign of life for %.0f s: it died, was stopped, or is cut off; "
                "this job ends on all ranks. A training goes on from its last checkpoint with --resume, "
                "with any number of ranks",
                i, dun_ranks.hosts[i], silent);
    }
}

void dun_ranks_pulse(double now, bool *something) {
    if (now - dun_ranks.looked > stood)
        for (uint32_t i = 0; i < (uint32_t)dun_ranks.place.n; i++)
            if (now - dun_ranks.peers[i].heard > dun_ranks.deadline - grace)
                dun_ranks.peers[i].heard = now - dun_ranks.deadline + grace;
    dun_ranks.looked = now;
    listen(something);
    if (now - dun_ranks.judged >= closely) {
        dun_ranks.judged = now;
        judge(now);
    }
    if (now - dun_ranks.pulsed < every)
        return;
    dun_ranks.pulsed = now;
    give_signs(dun_ranks.place.rank > 0 && dun_interrupted() ? SIGN_STOP : SIGN_ALIVE);
}

enum { ROUNDS = 100 }; /* a second for last words */

static void rest(double seconds) {
    const struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&time, NULL);
}

static bool all_have_gone_out(void) {
    bool all = true;
    for (uint32_t i = 0; i < (uint32_t)dun_ranks.place.n; i++)
        all &= has_gone_out(&dun_ranks.peers[i]);
    return all;
}

void dun_ranks_pulse_settle(void) {
    for (int round = 0; round < ROUNDS && !all_have_gone_out(); round++)
        rest(0.01);
}

void dun_ranks_pulse_end(void) {
    bool something;
    give_signs(SIGN_END);
    for (int round = 0; round < ROUNDS; round++) { /* for it to go out, and to be heard */
        (void)all_have_gone_out();
        listen(&something);
        rest(0.01);
    }
}

double dun_ranks_turn(uint32_t rank) {
    const uint32_t last = 3; /* so that a minute is enough for the deadline, the turn and the launcher */
    return 3.0 * (rank < last ? rank : last);
}

/* How long a failure waits here for others to end this process. Where rank 0 said that it ends, it has time
 * to say why: a launcher ends all when the first one is gone. */
static double wait_for_others(void) {
    if (dun_ranks.place.rank == 0)
        return patience;
    return *dun_ranks.failure ? dun_ranks_turn((uint32_t)dun_ranks.place.rank) : patience + 1;
}

/* Asked to end since it failed: by the launcher, to which another rank has failed before. */
static bool is_asked(void) {
    return dun_ranks.place.rank > 0 && dun_ranks.failed && !dun_ranks.stopping && dun_interrupted();
}

/* Whether the process has to end now; `words` is why. */
static bool is_over(char *words, size_t size, double now) {
    bool over = false;
    pthread_mutex_lock(&dun_ranks.lock);
    const bool at_work = dun_ranks.phase != DUN_GONE;
    const double away = now - dun_ranks.turned;
    if (is_asked() || (dun_ranks.failed && now - dun_ranks.failed_at > wait_for_others())) {
        snprintf(words, size, "%s", dun_ranks.told || is_asked() ? "" : dun_ranks.failure);
        over = true;
    } else if (at_work && away > dun_ranks.deadline + dun_ranks_turn((uint32_t)dun_ranks.place.rank)) {
        snprintf(words, size, "MPI (%s) has not answered rank %d for %.0f s; this job ends",
                 *dun_ranks.place.library ? dun_ranks.place.library : "which is still starting",
                 dun_ranks.place.rank, away);
        over = true;
    }
    pthread_mutex_unlock(&dun_ranks.lock);
    return over;
}

void *dun_ranks_guard(void *unused) {
    char words[sizeof dun_ranks.failure];
    double before = dun_clock_seconds();
    (void)unused;
    for (;;) {
        rest(0.25);
        const double now = dun_clock_seconds();
        /* After it was stopped itself, the pump shall have a turn. */
        if (now - before < stood && is_over(words, sizeof words, now))
            dun_ranks.end(words, 1);
        if (now - before >= stood)
            rest(1.0);
        before = dun_clock_seconds();
    }
    return NULL;
}
