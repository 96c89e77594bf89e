/* The list of all handles that are alive, so that a freed one is known without touching it. */
#include "api/handle.h"

#include "api/api.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    dun_handle **handles;
    size_t n, capacity;
} alive = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static const char *const kinds[] = {"a dunlin_config", "a dunlin_texts", "a dunlin_run"};

static void lock(void) {
    pthread_mutex_lock(&alive.lock);
}

static void unlock(void) {
    pthread_mutex_unlock(&alive.lock);
}

/* A child of fork() has the lock in a known state. */
static void follow_forks(void) {
    (void)pthread_atfork(lock, unlock, unlock);
}

static size_t find(const dun_handle *handle) {
    size_t i = alive.n;
    while (i > 0 && alive.handles[i - 1] != handle) /* the youngest are the ones used most */
        i--;
    return i;
}

int dun_handle_begin(dun_handle *handle, enum dun_handle_kind kind) {
    int rc = DUN_OK;
    (void)pthread_once(&alive.once, follow_forks);
    *handle = (dun_handle){.kind = kind, .users = -1};
    lock();
    TRY_GROW(alive.handles, alive.capacity, alive.n);
    alive.handles[alive.n++] = handle;
out:
    unlock();
    return rc;
}

/* With the lock. */
static int check(const dun_handle *handle, enum dun_handle_kind kind, bool alone, const char *name) {
    if (find(handle) == 0)
        return dun_error(DUN_USAGE, "%s: is no handle, or was freed; %s is needed", name, kinds[kind]);
    if (handle->kind != kind)
        return dun_error(DUN_USAGE, "%s: is %s; %s is needed", name, kinds[handle->kind], kinds[kind]);
    if (handle->users < 0 || (alone && handle->users > 0))
        return dun_error(DUN_USAGE, "%s: another thread, or a call that has not returned, is at work with it",
                         name);
    return DUN_OK;
}

int dun_handle_enter(dun_handle *handle, enum dun_handle_kind kind, bool alone, const char *name) {
    int rc = DUN_OK;
    if (!handle)
        return dun_api_need(handle, name);
    lock();
    TRY(check(handle, kind, alone, name));
    handle->users = alone ? -1 : handle->users + 1;
out:
    unlock();
    return rc;
}

void dun_handle_leave(dun_handle *handle) {
    lock();
    handle->users = handle->users < 0 ? 0 : handle->users - 1;
    unlock();
}

bool dun_handle_end(dun_handle *handle, enum dun_handle_kind kind) {
    dun_handle **empty = NULL;
    lock();
    const bool good = check(handle, kind, true, "freeing a handle") == DUN_OK;
    if (good) {
        const size_t at = find(handle) - 1;
        alive.handles[at] = alive.handles[--alive.n];
    }
    if (good && alive.n == 0) { /* nothing is left of the library in memory */
        empty = alive.handles;
        alive.handles = NULL;
        alive.capacity = 0;
    }
    unlock();
    dun_free(empty);
    if (!good)
        dun_api_log(DUNLIN_LOG_WARNING, dun_error_message());
    return good;
}
