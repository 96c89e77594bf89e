/* The thread that makes all calls of MPI: sends what lies in the outbox, collects what comes, gives signs of
 * life. It polls, for an MPI has no call that waits for all of these, and rests the longer the less there is
 * to do. */
#include "ranks/ranks_inside.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void dun_ranks_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&dun_ranks.lock);
    if (!dun_ranks.failed) {
        vsnprintf(dun_ranks.failure, sizeof dun_ranks.failure, format, args);
        dun_ranks.failed = true;
        dun_ranks.failed_at = dun_clock_seconds();
        dun_ranks.stopping = dun_interrupted();
    }
    pthread_cond_broadcast(&dun_ranks.news);
    pthread_mutex_unlock(&dun_ranks.lock);
    va_end(args);
}

static void fail_by_code(const char *what, uint32_t peer, int code) {
    char why[300];
    dun_ranks.calls->say(why, sizeof why, code);
    dun_ranks_fail("%s rank %u on %s failed: %s; this job ends on all ranks", what, peer,
                   dun_ranks.hosts[peer], why);
}

static void free_letter(dun_letter *letter) {
    dun_str_free(&letter->text);
    dun_free(letter->requests);
    dun_free(letter);
}

/* Gives all pieces of a letter to MPI, which keeps them in order. */
static bool post(dun_letter *letter) {
    for (size_t i = 0; i < letter->n_pieces; i++) {
        const size_t begin = i * DUN_PIECE, left = letter->text.length - begin;
        int code =
            dun_ranks.calls->send(&letter->requests[i], letter->text.bytes + begin,
                                  (int)(left < DUN_PIECE ? left : DUN_PIECE), (int)letter->to, DUN_TAG_WORK);
        if (code) {
            fail_by_code("sending to", letter->to, code);
            return false;
        }
    }
    return true;
}

static void take_outbox(bool *something) {
    pthread_mutex_lock(&dun_ranks.lock);
    dun_letter *letter = dun_ranks.outbox;
    dun_ranks.outbox = NULL;
    pthread_mutex_unlock(&dun_ranks.lock);
    while (letter) {
        dun_letter *next = letter->next;
        *something = true;
        letter->next = dun_ranks.sent;
        dun_ranks.sent = letter;
        if (!post(letter))
            return;
        letter = next;
    }
}

/* After a failure the job ends, and what MPI has of letters stays. */
static void look_after_sent(bool *something) {
    for (dun_letter **at = &dun_ranks.sent; *at && !dun_ranks.failed;) {
        dun_letter *letter = *at;
        for (size_t i = 0; i < letter->n_pieces; i++) {
            bool done = false;
            if (!letter->requests[i])
                continue;
            int code = dun_ranks.calls->test(&done, letter->requests[i]);
            if (code) {
                fail_by_code("sending to", letter->to, code);
                return;
            }
            if (!done)
                continue;
            letter->requests[i] = NULL;
            letter->n_done++;
            *something = true;
        }
        if (letter->n_done < letter->n_pieces) {
            at = &letter->next;
            continue;
        }
        *at = letter->next;
        free_letter(letter);
    }
}

static size_t whole_length(const dun_str *text) {
    uint64_t length = 0;
    if (text->length >= DUN_WIRE_HEAD)
        memcpy(&length, text->bytes, DUN_WIRE_HEAD);
    return (size_t)length;
}

/* A whole message comes to who waits for it. */
static void deliver(dun_peer *peer) {
    dun_arrived *arrived = dun_calloc(1, sizeof *arrived);
    if (!arrived) {
        dun_ranks_fail("%s", dun_error_message());
        return;
    }
    arrived->text = peer->coming;
    peer->coming = (dun_str){0};
    pthread_mutex_lock(&dun_ranks.lock);
    if (peer->last)
        peer->last->next = arrived;
    else
        peer->first = arrived;
    peer->last = arrived;
    pthread_cond_broadcast(&dun_ranks.news);
    pthread_mutex_unlock(&dun_ranks.lock);
}

/* A piece of a message has come: the next one, or all of it. */
static void end_piece(uint32_t from) {
    dun_peer *peer = &dun_ranks.peers[from];
    peer->heard = dun_clock_seconds();
    peer->coming.length += peer->piece;
    peer->piece = 0;
    const size_t whole = whole_length(&peer->coming);
    if (whole < DUN_WIRE_HEAD || peer->coming.length > whole)
        dun_ranks_fail("rank %u on %s sent a message of wrong length; this job ends on all ranks", from,
                       dun_ranks.hosts[from]);
    else if (peer->coming.length == whole)
        deliver(peer);
}

/* Makes room for n more bytes, which are not counted yet, and for all of a message whose first piece is
 * there. */
static bool make_room(dun_str *text, size_t n) {
    const size_t whole = whole_length(text), piece = text->length + n;
    const size_t needed = (piece < whole ? whole : piece) + 1;
    if (needed > text->capacity) {
        char *bytes = dun_realloc(text->bytes, needed, 1);
        if (!bytes) {
            dun_ranks_fail("%s", dun_error_message());
            return false;
        }
        text->bytes = bytes;
        text->capacity = needed;
    }
    text->bytes[text->length + n] = '\0';
    return true;
}

static void look_for_messages(bool *something) {
    for (bool found = true; found && !dun_ranks.failed;) {
        int from = 0, n = 0, code = dun_ranks.calls->look(&found, &from, &n, DUN_TAG_WORK);
        if (code) {
            char why[300];
            dun_ranks.calls->say(why, sizeof why, code);
            dun_ranks_fail("MPI failed: %s; this job ends on all ranks", why);
        }
        if (!found)
            break;
        dun_peer *peer = &dun_ranks.peers[from];
        if (peer->request || !make_room(&peer->coming, (size_t)n))
            break; /* the next piece of one that is still coming */
        *something = true;
        peer->piece = (size_t)n;
        code = dun_ranks.calls->receive(&peer->request, peer->coming.bytes + peer->coming.length, n, from,
                                        DUN_TAG_WORK);
        if (code)
            fail_by_code("receiving from", (uint32_t)from, code);
    }
}

static void look_after_coming(bool *something) {
    for (uint32_t i = 0; i < (uint32_t)dun_ranks.place.n; i++) {
        dun_peer *peer = &dun_ranks.peers[i];
        bool done = false;
        if (!peer->request)
            continue;
        int code = dun_ranks.calls->test(&done, peer->request);
        if (code)
            fail_by_code("receiving from", i, code);
        if (!done)
            continue;
        peer->request = NULL;
        *something = true;
        if (!code)
            end_piece(i);
    }
}

/* What takes long to come is looked for less often: it is noticed late by a 64th of what it took, if that is
 * more than 50 us. A look costs tens of microseconds, which a rank with one core takes from its own work. */
static void rest_for_share(double idle) {
    const double wanted = idle / 64, least = 50e-6, most = 2e-3;
    const double seconds = wanted < least ? least : wanted > most ? most : wanted;
    (void)nanosleep(&(struct timespec){0, (long)(seconds * 1e9)}, NULL);
}

static void rest(double idle) {
    bool waiting;
    pthread_mutex_lock(&dun_ranks.lock);
    waiting = dun_ranks.waiting || dun_ranks.sent;
    if (!waiting && !dun_ranks.outbox && dun_ranks.phase == DUN_JOINED) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 20000000; /* work for it wakes it sooner */
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&dun_ranks.work, &dun_ranks.lock, &until);
    }
    pthread_mutex_unlock(&dun_ranks.lock);
    if (!waiting)
        return;
    if (idle < 100e-6)
        (void)sched_yield();
    else
        rest_for_share(idle);
}

/* Until nothing is left to be sent and somebody wants to leave. */
static void go_round(void) {
    double busy = dun_clock_seconds();
    for (;;) {
        bool something = false;
        const double now = dun_clock_seconds();
        dun_ranks.turned = now;
        take_outbox(&something);
        look_after_sent(&something);
        look_for_messages(&something);
        look_after_coming(&something);
        dun_ranks_pulse(now, &something);
        pthread_mutex_lock(&dun_ranks.lock);
        const bool over =
            dun_ranks.failed || (dun_ranks.phase == DUN_LEAVING && !dun_ranks.sent && !dun_ranks.outbox);
        pthread_mutex_unlock(&dun_ranks.lock);
        if (over)
            return;
        if (something)
            busy = now;
        else
            rest(now - busy);
    }
}

static void set_phase(enum dun_phase phase) {
    pthread_mutex_lock(&dun_ranks.lock);
    dun_ranks.phase = phase;
    pthread_cond_broadcast(&dun_ranks.news);
    pthread_mutex_unlock(&dun_ranks.lock);
}

/* MPI, who is where, and room for what comes. */
static bool begin(void) {
    int code = dun_ranks.calls->start(&dun_ranks.place);
    const size_t n = (size_t)dun_ranks.place.n;
    if (!code) {
        dun_ranks.hosts = dun_calloc(n, sizeof *dun_ranks.hosts);
        dun_ranks.peers = dun_calloc(n, sizeof *dun_ranks.peers);
        if (!dun_ranks.hosts || !dun_ranks.peers) {
            dun_ranks_fail("%s", dun_error_message());
            return false;
        }
        code = dun_ranks.calls->hosts(dun_ranks.hosts);
    }
    if (code) {
        char why[300];
        dun_ranks.calls->say(why, sizeof why, code);
        dun_ranks_fail("MPI could not be started: %s", why);
        return false;
    }
    dun_ranks.looked = dun_clock_seconds();
    for (size_t i = 0; i < n; i++)
        dun_ranks.peers[i].heard = dun_ranks.looked;
    return true;
}

void *dun_ranks_pump(void *unused) {
    (void)unused;
    if (!begin()) {
        set_phase(DUN_GONE);
        return NULL;
    }
    set_phase(DUN_JOINED);
    go_round();
    if (dun_ranks.failed) {
        dun_ranks.turned = dun_clock_seconds();
        if (dun_ranks.place.rank == 0)
            dun_ranks_pulse_end();
    } else {
        dun_ranks_pulse_settle();
        (void)dun_ranks.calls->stop();
    }
    set_phase(DUN_GONE);
    return NULL;
}
