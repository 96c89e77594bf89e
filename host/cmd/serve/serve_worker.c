/* The queue of jobs between the HTTP thread and the device, and the loop that answers them in passes. */
#include "cmd/serve/serve_worker.h"

#include "base/err.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

/* Jobs in the order in which they came. */
typedef struct {
    dun_serve_job *first, **end;
} job_list;

struct dun_serve_worker {
    dun_classifier *classifier;
    uint32_t n_classes;
    const dun_pca *map;
    float *points; /* (most of a pass, D), where there is a map */
    size_t max_pending;
    void (*failed)(void *self);
    void *self;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, up to active */
    pthread_cond_t wake;
    job_list inbox;
    size_t n_pending; /* texts of all jobs that are not done */
    bool stop;
    job_list active; /* the thread's own: jobs with texts that are not answered */
    int status;      /* of the pass that failed */
    char *message;
};

static void append(job_list *list, dun_serve_job *job) {
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static void empty(job_list *list) {
    list->first = NULL;
    list->end = &list->first;
}

/* Moves the inbox to the active jobs; with none of these, waits for one. False: nothing is to be answered. */
static bool collect(dun_serve_worker *w) {
    pthread_mutex_lock(&w->mutex);
    while (!w->active.first && !w->inbox.first && !w->stop)
        pthread_cond_wait(&w->wake, &w->mutex);
    if (w->inbox.first) {
        *w->active.end = w->inbox.first;
        w->active.end = w->inbox.end;
        empty(&w->inbox);
    }
    bool go_on = !w->stop;
    pthread_mutex_unlock(&w->mutex);
    return go_on;
}

static void finish(dun_serve_worker *w, dun_serve_job *job) {
    pthread_mutex_lock(&w->mutex);
    w->n_pending -= job->n_texts;
    pthread_mutex_unlock(&w->mutex);
    job->done(job); /* job may be gone from here on */
}

static void finish_first(dun_serve_worker *w) {
    dun_serve_job *job = w->active.first;
    w->active.first = job->next;
    if (!w->active.first)
        w->active.end = &w->active.first;
    finish(w, job);
}

/* The active jobs get no distances. */
static void fail_all(dun_serve_worker *w, int status) {
    while (w->active.first) {
        w->active.first->status = status;
        finish_first(w);
    }
}

/* Queues texts of the active jobs until the classifier has more than a pass takes. */
static int fill(dun_serve_worker *w) {
    int rc = DUN_OK;
    for (dun_serve_job *job = w->active.first; job; job = job->next)
        while (job->n_queued < job->n_texts) {
            if (dun_classifier_full(w->classifier))
                goto out;
            TRY(dun_classifier_add(w->classifier, job->texts[job->n_queued], job->lengths[job->n_queued]));
            job->n_queued++;
        }
out:
    return rc;
}

/* Reads the points of a pass, if one of those whose texts are in it wants to know their places. */
static int read_points(dun_serve_worker *w, uint32_t n) {
    int rc = DUN_OK;
    bool wanted = false;
    for (const dun_serve_job *job = w->active.first; job; job = job->next)
        wanted |= job->places && job->n_queued > job->n_answered;
    if (wanted && n)
        TRY(dun_classifier_points(w->points, w->classifier, n));
out:
    return rc;
}

static int answer_pass(dun_serve_worker *w) {
    int rc = DUN_OK;
    uint32_t n = 0, K = w->n_classes;
    const float *distances = w->classifier->distances, *points = w->points;
    TRY(fill(w));
    TRY(dun_classifier_run(&n, w->classifier));
    TRY(read_points(w, n));
    while (w->active.first) {
        dun_serve_job *job = w->active.first;
        size_t open = job->n_texts - job->n_answered, count = open < n ? open : n;
        if (count)
            memcpy(job->distances + job->n_answered * K, distances, count * K * sizeof *distances);
        for (size_t i = 0; job->places && i < count; i++)
            dun_pca_project(job->places + 2 * (job->n_answered + i), w->map, points + i * w->map->width);
        points += w->map ? count * w->map->width : 0;
        job->n_answered += count;
        distances += count * K;
        n -= (uint32_t)count;
        if (job->n_answered < job->n_texts)
            break;
        finish_first(w);
    }
out:
    return rc;
}

static void *work(void *self) {
    dun_serve_worker *w = self;
    while (collect(w)) {
        int rc = w->status < 0 ? w->status : answer_pass(w);
        if (rc >= 0)
            continue;
        if (w->status >= 0) {
            w->status = rc;
            w->message = dun_strdup(dun_error_message());
            w->failed(w->self);
        }
        fail_all(w, rc);
    }
    fail_all(w, DUN_INTERRUPTED);
    return NULL;
}

int dun_serve_worker_start(dun_serve_worker **out, dun_classifier *classifier, uint32_t n_classes,
                           const dun_pca *map, size_t max_pending, void (*failed)(void *self), void *self) {
    int rc = DUN_OK;
    dun_serve_worker *w = NULL;
    *out = NULL;
    TRY_NEW(w, 1);
    w->classifier = classifier;
    w->n_classes = n_classes;
    w->map = map;
    if (map)
        TRY_NEW(w->points, (size_t)classifier->session->engine.options.max_sequences * map->width);
    w->max_pending = max_pending;
    w->failed = failed;
    w->self = self;
    empty(&w->inbox);
    empty(&w->active);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, NULL);
    int error = pthread_create(&w->thread, NULL, work, w);
    if (error)
        TRY(dun_error(DUN_FAILED, "no thread for the device: %s", strerror(error)));
    *out = w;
    w = NULL;
out:
    if (w)
        dun_free(w->points);
    dun_free(w);
    return rc;
}

bool dun_serve_submit(dun_serve_worker *w, dun_serve_job *job) {
    pthread_mutex_lock(&w->mutex);
    bool fits = !w->stop && w->n_pending + job->n_texts <= w->max_pending;
    if (fits) {
        w->n_pending += job->n_texts;
        append(&w->inbox, job);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->mutex);
    return fits;
}

int dun_serve_worker_stop(dun_serve_worker *w) {
    if (!w)
        return DUN_OK;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    int rc = w->status;
    if (rc < 0)
        (void)dun_error((enum dun_status)rc, "%s", w->message ? w->message : "out of memory");
    return rc;
}

void dun_serve_worker_free(dun_serve_worker *w) {
    if (!w)
        return;
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->wake);
    dun_free(w->message);
    dun_free(w->points);
    dun_free(w);
}
