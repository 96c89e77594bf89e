/* The thread that owns the device while dunlin serves: texts of all requests that wait are answered together,
 * as many as a pass takes, in the order in which they came. */
#ifndef DUN_SERVE_WORKER_H
#define DUN_SERVE_WORKER_H

#include "math/pca.h"
#include "session/classifier.h"

/* A request's texts and, once `done` was called, their distances. Owned by the caller, untouched by him from
 * dun_serve_submit until then. */
typedef struct dun_serve_job {
    const char *const *texts; /* [n_texts] */
    const size_t *lengths;
    size_t n_texts;
    float *distances;                        /* (n_texts, K), the caller's memory */
    float *places;                           /* (n_texts, 2) on the map, likewise, or NULL: not wanted */
    int status;                              /* DUN_OK, or why there are no distances */
    void (*done)(struct dun_serve_job *job); /* on the worker's thread */
    void *self;
    size_t n_queued, n_answered;
    struct dun_serve_job *next;
} dun_serve_job;

typedef struct dun_serve_worker dun_serve_worker;

/* Starts the thread. The classifier is the worker's alone until dun_serve_worker_stop; `map`, of the
 * classifier's points, or NULL where no job wants places, is only read. `failed` is called once, on the
 * worker's thread, when a pass fails: every job then fails. */
int dun_serve_worker_start(dun_serve_worker **out, dun_classifier *classifier, uint32_t n_classes,
                           const dun_pca *map, size_t max_pending, void (*failed)(void *self), void *self);

/* True: taken, `done` will be called. False: more than max_pending texts would wait. */
bool dun_serve_submit(dun_serve_worker *worker, dun_serve_job *job);

/* Ends the thread after the pass that it is at: jobs that are not answered then fail with DUN_INTERRUPTED,
 * and nothing can be submitted any more. Returns the status of the pass that failed, its message recorded for
 * this thread. */
int dun_serve_worker_stop(dun_serve_worker *worker);
void dun_serve_worker_free(dun_serve_worker *worker);

#endif
