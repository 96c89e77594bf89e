/* Probabilities by softmax of -distance / temperature: how well they say what is true, and the temperature
 * under which they say it best. */
#ifndef DUN_CALIBRATION_H
#define DUN_CALIBRATION_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Bins of equal width that confidences fall into; the fewest texts that a temperature is fitted on. */
enum { DUN_CALIBRATION_BINS = 10, DUN_CALIBRATION_TEXTS = 50 };

/* Distances (n, K) of texts to the classes' centroids, with the true classes. */
typedef struct {
    const float *distances; /* (n, K) */
    const uint32_t *labels; /* [n] */
    uint32_t n, n_classes;
} dun_judged_texts;

/* How confidences (the probability of the nearest class) fit the share of right answers. */
typedef struct {
    double error;    /* expected calibration error: mean over texts of |accuracy - confidence| of their bin */
    double surprise; /* mean of dun_surprise */
    struct {
        uint64_t n;
        double confidence, accuracy; /* means; 0 of no texts */
    } bins[DUN_CALIBRATION_BINS];    /* bin i: from i / BINS on, the last with 1 itself */
} dun_reliability;

/* A temperature, and what it is worth on texts that it was not fitted on. */
typedef struct {
    uint32_t n;                             /* texts */
    double before_temperature, temperature; /* the one that was; fitted on all texts, 0: none was */
    double halves[2];                       /* fitted on the first and on the second half of every class */
    dun_reliability before;                 /* with the temperature that was */
    dun_reliability after;                  /* each text with that of the half it is not in */
} dun_calibration;

/* -log of the probability that the distances (K) of a text give its label; finite where they are. */
double dun_surprise(const float *distances, uint32_t K, uint32_t label, double temperature);

/* Fits by the least mean surprise, with a text's right class at (n + 1) / (n + K) and each other at 1 / (n +
 * K) (Laplace's rule, so that texts without a mistake do not make it 0). The halves: texts of a class in
 * turns. 1: fitted; 0: not, for there are fewer than DUN_CALIBRATION_TEXTS texts, or distances say nothing of
 * classes (temperature then 0). DUN_FAILED: no memory. */
int dun_calibrate(dun_calibration *out, const dun_judged_texts *texts, double temperature);

/* A new object: {"temperature", "texts", "halves": [a, b], "before": {"temperature", "error", "surprise",
 * "bins":
 * [[texts, confidence, accuracy]..]}, "after": {..}}. */
int dun_calibration_json(json_t **out, const dun_calibration *calibration);

#endif
