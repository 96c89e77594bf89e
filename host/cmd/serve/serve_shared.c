/* The shared page, and how it is counted in. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "cmd/serve/serve_shared.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

const unsigned dun_serve_statuses[DUN_SERVE_STATUSES] = {200, 400, 404, 405, 413, 415, 500, 501, 503, 0};
const double dun_serve_bounds[DUN_SERVE_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                    0.25,  0.5,    1,     2.5,  5,     10,   30};

int dun_serve_shared_create(dun_serve_shared **out, uint32_t n_workers) {
    void *page = MAP_FAILED;
    *out = NULL;
    errno = ENOMEM;
    if (!dun_fault_here())
        page = mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return dun_error(DUN_FAILED, "no memory for the server's counters: %s", strerror(errno));
    *out = page;
    (*out)->n_workers = n_workers;
    (*out)->began = dun_clock_now();
    return DUN_OK;
}

void dun_serve_shared_free(dun_serve_shared *shared) {
    if (shared)
        munmap(shared, sizeof *shared);
}

void dun_serve_count(dun_serve_shared *shared, unsigned status) {
    size_t row = 0;
    while (row < DUN_SERVE_STATUSES - 1 && dun_serve_statuses[row] != status)
        row++;
    atomic_fetch_add(&shared->n_requests[row], 1);
}

void dun_serve_count_texts(dun_serve_shared *shared, size_t n_texts, double seconds) {
    size_t row = 0;
    while (row < DUN_SERVE_BUCKETS && seconds > dun_serve_bounds[row])
        row++;
    atomic_fetch_add(&shared->n_texts, n_texts);
    atomic_fetch_add(&shared->microseconds, (unsigned long long)(seconds * 1e6));
    atomic_fetch_add(&shared->n_answers[row], 1);
}

uint32_t dun_serve_n_up(const dun_serve_shared *shared) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < shared->n_workers; i++)
        n += atomic_load(&shared->slots[i].phase) == DUN_SERVE_UP;
    return n;
}

/* What a worker subtracts may come before what another adds. */
static uint64_t at_least_none(long long n) {
    return n > 0 ? (uint64_t)n : 0;
}

uint64_t dun_serve_n_waiting(const dun_serve_shared *shared) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < shared->n_workers; i++)
        n += at_least_none(atomic_load(&shared->slots[i].n_waiting));
    return n;
}

uint64_t dun_serve_n_connections(const dun_serve_shared *shared) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < shared->n_workers; i++)
        n += at_least_none(atomic_load(&shared->slots[i].n_connections));
    return n;
}

void dun_serve_slot_clear(dun_serve_slot *slot) {
    atomic_store(&slot->phase, DUN_SERVE_DOWN);
    atomic_store(&slot->process, 0);
    atomic_store(&slot->n_connections, 0);
    atomic_store(&slot->n_waiting, 0);
}
