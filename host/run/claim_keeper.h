/* The thread that touches the file of a claim, so that other hosts see that somebody works there. */
#ifndef DUN_CLAIM_KEEPER_H
#define DUN_CLAIM_KEEPER_H

#include <pthread.h>
#include <stdbool.h>

typedef struct {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of `ending` */
    pthread_cond_t end;
    bool keeps, ending;
} dun_claim_keeper;

/* Touches an open file every DUN_CLAIM_TOUCH_S seconds. A thread, for neither a step nor what comes before
 * the first (a driver that compiles, texts that are read) need end within ten minutes. DUN_FAILED: none can
 * be started for `path`. */
int dun_claim_keeper_start(dun_claim_keeper *keeper, int fd, const char *path);

/* Fine where none was started. */
void dun_claim_keeper_stop(dun_claim_keeper *keeper);

#endif
