/* A trained run used on new texts: queue some, run them together, read their distances to the centroids. */
#ifndef DUN_CLASSIFIER_H
#define DUN_CLASSIFIER_H

#include "loss.h"
#include "session.h"

typedef struct {
    dun_session *session;
    dun_loss loss;
    dun_buffer centroids; /* (K, D) */
    uint32_t scratch_rows;
    uint32_t *which;  /* 0, 1, 2, ... */
    float *distances; /* (queued, K) after dun_classifier_run */
} dun_classifier;

/* For a session whose engine is started and that reads no data sets of its own. */
int dun_classifier_create(dun_classifier *classifier, dun_session *session, const dun_saved_prompt *saved);
void dun_classifier_free(dun_classifier *classifier);

/* Queues a text (any bytes, empty too), cut to the config's max_length. 1: queued; 0: the queue is full, run
 * it and clear it first; negative: failure. */
int dun_classifier_add(dun_classifier *classifier, const char *text, size_t length);
uint32_t dun_classifier_queued(const dun_classifier *classifier);

/* Fills classifier->distances for everything queued. */
int dun_classifier_run(dun_classifier *classifier);
void dun_classifier_clear(dun_classifier *classifier);

#endif
