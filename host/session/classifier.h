/* Texts against centroids, nothing trained: the session's validation texts, or new ones, which are queued,
 * run together, and answered with their distances. */
#ifndef DUN_CLASSIFIER_H
#define DUN_CLASSIFIER_H

#include "learn/loss.h"
#include "session/session.h"

typedef struct {
    dun_session *session;
    dun_loss loss;
    dun_buffer centroids; /* (K, D) */
    uint32_t *which;      /* 0, 1, 2, ... */
    float *distances;     /* (answered, K) after dun_classifier_run */
} dun_classifier;

/* Centroids (K, D) for a session whose engine is started without gradients; or those of a run (DUN_BAD_INPUT:
 * they are as wide as the points of another config). */
int dun_classifier_create(dun_classifier *classifier, dun_session *session, const float *centroids,
                          uint32_t K);
int dun_classifier_open(dun_classifier *classifier, dun_session *session, const dun_saved_prompt *saved);
void dun_classifier_free(dun_classifier *classifier);

/* Distances (n_valid, K) of the session's validation texts. */
int dun_classifier_evaluate(float *distances, dun_classifier *classifier);

/* The rest is for a session that reads no data sets of its own. Queues a text (any bytes, empty too), cut to
 * the config's max_length. */
int dun_classifier_add(dun_classifier *classifier, const char *text, size_t length);
uint32_t dun_classifier_queued(const dun_classifier *classifier);

/* True once more is queued than one run answers, so that a run now fills the device. */
bool dun_classifier_full(const dun_classifier *classifier);

/* Answers the texts at the front of the queue, as many as one pass takes, and takes them off: their distances
 * are then in classifier->distances. */
int dun_classifier_run(uint32_t *n_answered, dun_classifier *classifier);

/* The points (n, D) of the n texts that were answered last. */
int dun_classifier_points(float *points, const dun_classifier *classifier, uint32_t n);

#endif
