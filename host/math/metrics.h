/* How good predictions are: confusion matrix, accuracy, and precision, recall and F1 by class with their
 * averages, as scikit-learn's classification_report defines them; a division by zero gives 0. */
#ifndef DUN_METRICS_H
#define DUN_METRICS_H

#include "base/str.h"

#include <jansson.h>
#include <stdint.h>

/* precision = right / predicted, recall = right / support, f1 = 2 right / (predicted + support). */
typedef struct {
    double precision, recall, f1;
    uint64_t support; /* texts that have the class; of averages: all texts */
} dun_score;

typedef struct {
    uint32_t n_classes;  /* K */
    uint64_t *confusion; /* (K, K): true class, predicted class */
    uint64_t n;          /* texts */
    double accuracy;
    dun_score *classes;        /* [K] */
    dun_score macro, weighted; /* means over all K classes: plain, and weighted by support */
} dun_metrics;

/* `metrics` needs dun_metrics_free only after success. */
int dun_metrics_create(dun_metrics *metrics, uint32_t n_classes);
void dun_metrics_free(dun_metrics *metrics);

/* Forgets what was counted. */
void dun_metrics_clear(dun_metrics *metrics);

/* Counts one text; both below n_classes. */
void dun_metrics_add(dun_metrics *metrics, uint32_t label, uint32_t predicted);

/* Computes everything else from the counts; may be called again after more texts. Of no texts every share is
 * NaN: there is none. */
void dun_metrics_finish(dun_metrics *metrics);

/* Appends the classification report, and under it the confusion matrix unless there are more than 20
 * classes. */
int dun_metrics_report(dun_str *out, const dun_metrics *metrics, char *const *class_names);

/* A new object: {"accuracy", "n", "classes": [{"name", "precision", "recall", "f1", "support"}], "macro_avg",
 * "weighted_avg", "confusion": [[..]]}, rows of true classes. */
int dun_metrics_json(json_t **out, const dun_metrics *metrics, char *const *class_names);

#endif
