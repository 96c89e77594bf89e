/* Touches a file until it is told to stop. */
#include "run/claim_keeper.h"

#include "base/err.h"
#include "base/fault.h"
#include "run/claim.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static void *keep(void *self) {
    dun_claim_keeper *keeper = self;
    struct timespec at;
    pthread_mutex_lock(&keeper->lock);
    clock_gettime(CLOCK_MONOTONIC, &at);
    while (!keeper->ending) {
        at.tv_sec += DUN_CLAIM_TOUCH_S;
        while (!keeper->ending && pthread_cond_timedwait(&keeper->end, &keeper->lock, &at) != ETIMEDOUT)
            ;
        (void)futimens(keeper->fd, NULL); /* the next one may do */
        clock_gettime(CLOCK_MONOTONIC, &at);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static void free_signs(dun_claim_keeper *keeper) {
    pthread_cond_destroy(&keeper->end);
    pthread_mutex_destroy(&keeper->lock);
}

int dun_claim_keeper_start(dun_claim_keeper *keeper, int fd, const char *path) {
    pthread_condattr_t attributes;
    *keeper = (dun_claim_keeper){.fd = fd};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->end, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&keeper->lock, NULL);
    const int code = dun_fault_here() ? EAGAIN : pthread_create(&keeper->thread, NULL, keep, keeper);
    keeper->keeps = code == 0;
    if (code)
        free_signs(keeper);
    return code ? dun_error(DUN_FAILED, "%s: no thread can be started for it: %s", path, strerror(code))
                : DUN_OK;
}

void dun_claim_keeper_stop(dun_claim_keeper *keeper) {
    if (!keeper->keeps)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->ending = true;
    pthread_cond_signal(&keeper->end);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    free_signs(keeper);
    keeper->keeps = false;
}
