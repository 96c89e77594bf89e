/* The list of clients that are waited for, in the order in which that began, and the thread that looks at the
 * first of it. All have the same time, so the first is always the next whose time is over. */
#include "cmd/serve/serve_clients.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct dun_serve_client {
    int fd;
    bool open, listed, cut;
    enum dun_serve_state state;
    double since;                  /* on the list: when the wait for him began */
    dun_serve_client *prev, *next; /* on the list; `next` also among the free ones */
};

struct dun_serve_clients {
    double timeout_s;
    unsigned n_stay, n_room;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, and all clients */
    pthread_cond_t wake, left;
    bool stop, closing;
    unsigned n_open, n_cut;         /* connections; those of them that are cut off and not closed yet */
    unsigned n_coming;              /* that are announced */
    dun_serve_client *first, *last; /* who is waited for, longest first */
    dun_serve_client *unused;
    dun_serve_client room[]; /* n_room */
};

static void unlist(dun_serve_clients *all, dun_serve_client *c) {
    if (!c->listed)
        return;
    *(c->prev ? &c->prev->next : &all->first) = c->next;
    *(c->next ? &c->next->prev : &all->last) = c->prev;
    c->prev = c->next = NULL;
    c->listed = false;
}

/* The wait for a client begins. */
static void list(dun_serve_clients *all, dun_serve_client *c) {
    unlist(all, c);
    c->since = dun_clock_seconds();
    c->prev = all->last;
    *(all->last ? &all->last->next : &all->first) = c;
    all->last = c;
    c->listed = true;
    if (all->first == c)
        pthread_cond_signal(&all->wake);
}

/* The web server finds the connection closed, and ends it. */
static void cut(dun_serve_clients *all, dun_serve_client *c) {
    unlist(all, c);
    c->cut = true;
    all->n_cut++;
    shutdown(c->fd, SHUT_RDWR);
}

/* What he has sent can still be read, and then the end of it; his answer reaches him. */
static void stop_reading(const dun_serve_client *c) {
    shutdown(c->fd, SHUT_RD);
}

/* Whether he has closed his side, and all that he sent is read. */
static bool said_all(const dun_serve_client *c) {
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static struct timespec as_time(double seconds) {
    double whole = floor(seconds);
    return (struct timespec){.tv_sec = (time_t)whole, .tv_nsec = (long)((seconds - whole) * 1e9)};
}

static void *watch(void *self) {
    dun_serve_clients *all = self;
    pthread_mutex_lock(&all->mutex);
    while (!all->stop) {
        double over = all->first ? all->first->since + all->timeout_s : INFINITY;
        if (!all->first) {
            pthread_cond_wait(&all->wake, &all->mutex);
        } else if (dun_clock_seconds() >= over) {
            cut(all, all->first);
        } else {
            struct timespec until = as_time(over);
            pthread_cond_timedwait(&all->wake, &all->mutex, &until);
        }
    }
    pthread_mutex_unlock(&all->mutex);
    return NULL;
}

int dun_serve_clients_start(dun_serve_clients **out, unsigned n_stay, unsigned n_room, unsigned timeout_s) {
    int rc = DUN_OK;
    pthread_condattr_t steady;
    dun_serve_clients *all = NULL;
    *out = NULL;
    TRY_PTR(all, dun_calloc(1, sizeof *all + n_room * sizeof *all->room));
    all->timeout_s = timeout_s;
    all->n_stay = n_stay;
    all->n_room = n_room;
    for (unsigned i = 0; i < n_room; i++) {
        all->room[i].next = all->unused;
        all->unused = &all->room[i];
    }
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->wake, &steady);
    pthread_cond_init(&all->left, &steady);
    pthread_condattr_destroy(&steady);
    int error = pthread_create(&all->thread, NULL, watch, all);
    if (error)
        TRY(dun_error(DUN_FAILED, "no thread for the clients' clock: %s", strerror(error)));
    *out = all;
    all = NULL;
out:
    dun_free(all);
    return rc;
}

dun_serve_client *dun_serve_clients_join(dun_serve_clients *all, int fd, bool announced) {
    pthread_mutex_lock(&all->mutex);
    dun_serve_client *c = all->unused;
    all->n_coming -= announced;
    if (c) {
        all->unused = c->next;
        all->n_open++;
        if (all->n_open - all->n_cut > all->n_stay && all->first)
            cut(all, all->first);
        *c = (dun_serve_client){.fd = fd, .open = true};
        list(all, c);
        if (all->closing)
            stop_reading(c);
    }
    pthread_mutex_unlock(&all->mutex);
    return c;
}

static void tell_if_left(dun_serve_clients *all) {
    if (all->n_open + all->n_coming == 0)
        pthread_cond_signal(&all->left);
}

void dun_serve_clients_leave(dun_serve_clients *all, dun_serve_client *c) {
    pthread_mutex_lock(&all->mutex);
    unlist(all, c);
    all->n_open--;
    all->n_cut -= c->cut;
    c->open = false;
    c->next = all->unused;
    all->unused = c;
    tell_if_left(all);
    pthread_mutex_unlock(&all->mutex);
}

void dun_serve_clients_announce(dun_serve_clients *all) {
    pthread_mutex_lock(&all->mutex);
    all->n_coming++;
    pthread_mutex_unlock(&all->mutex);
}

void dun_serve_clients_retract(dun_serve_clients *all) {
    pthread_mutex_lock(&all->mutex);
    all->n_coming--;
    tell_if_left(all);
    pthread_mutex_unlock(&all->mutex);
}

/* The host of an address: its bytes, and how many. */
static size_t host_of(const void **out, const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        *out = six;
        return sizeof *six;
    }
    const struct in_addr *four = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    *out = four;
    return sizeof *four;
}

unsigned dun_serve_clients_from(dun_serve_clients *all, const struct sockaddr_storage *address) {
    unsigned n = 0;
    const void *host, *other;
    const size_t bytes = host_of(&host, address);
    pthread_mutex_lock(&all->mutex);
    for (unsigned i = 0; i < all->n_room; i++) {
        struct sockaddr_storage found;
        socklen_t length = sizeof found;
        if (all->room[i].open && getpeername(all->room[i].fd, (struct sockaddr *)&found, &length) == 0 &&
            found.ss_family == address->ss_family && host_of(&other, &found) == bytes)
            n += memcmp(host, other, bytes) == 0;
    }
    pthread_mutex_unlock(&all->mutex);
    return n;
}

void dun_serve_clients_note(dun_serve_clients *all, dun_serve_client *c, enum dun_serve_state state) {
    pthread_mutex_lock(&all->mutex);
    c->state = state;
    if (state == DUN_SERVE_WORKING)
        unlist(all, c);
    else if (state != DUN_SERVE_ARRIVING && !c->cut)
        list(all, c);
    /* MHD waits for news of a socket (edge-triggered): where the end came together with the request, there
     * are none any more. This makes some. */
    if (state == DUN_SERVE_IDLE && (all->closing || said_all(c)))
        stop_reading(c);
    pthread_mutex_unlock(&all->mutex);
}

void dun_serve_clients_drain(dun_serve_clients *all) {
    int over = 0;
    struct timespec until = as_time(dun_clock_seconds() + all->timeout_s);
    pthread_mutex_lock(&all->mutex);
    all->closing = true;
    for (dun_serve_client *c = all->first; c; c = c->next)
        if (c->state == DUN_SERVE_IDLE)
            stop_reading(c);
    while (all->n_open + all->n_coming > 0 && over == 0)
        over = pthread_cond_timedwait(&all->left, &all->mutex, &until);
    while (all->first)
        cut(all, all->first);
    pthread_mutex_unlock(&all->mutex);
}

bool dun_serve_clients_closing(dun_serve_clients *all) {
    pthread_mutex_lock(&all->mutex);
    bool closing = all->closing;
    pthread_mutex_unlock(&all->mutex);
    return closing;
}

void dun_serve_clients_free(dun_serve_clients *all) {
    if (!all)
        return;
    pthread_mutex_lock(&all->mutex);
    all->stop = true;
    pthread_cond_signal(&all->wake);
    pthread_mutex_unlock(&all->mutex);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->left);
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->mutex);
    dun_free(all);
}
