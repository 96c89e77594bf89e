/* One candidate of `dunlin tune`: GEMM provider and tiles measured on a small model with the shapes of a real
 * one, its results held against those of the plainest kernels. */
#ifndef DUN_TUNE_H
#define DUN_TUNE_H

#include "model/spec.h"
#include "nn/kernels.h"

/* What is measured: a pass over TEXTS texts of TOKENS tokens (keys and values), then the points of a prompt
 * of ROWS rows after each, and the gradient back. What is compared: the points of the first few, and the
 * gradient of a batch of them alone. */
enum { DUN_TUNE_TEXTS = 24, DUN_TUNE_TOKENS = 32, DUN_TUNE_ROWS = 8, DUN_TUNE_CHECKED = 3 };

/* Blocks and vocabulary of the small model at most. */
enum { DUN_TUNE_BLOCKS = 2, DUN_TUNE_VOCAB = 2048 };

typedef struct {
    double build_s, text_s, step_s; /* seconds: median of several */
    float *results;                 /* [n_results] points (CHECKED, C), then gradient (ROWS, C) */
    size_t n_results;
} dun_tune_result;

/* Measures for about `enough_s` seconds; 0: not at all, only results. */
int dun_tune_measure(dun_tune_result *out, dun_device *device, const dun_spec *spec, const dun_wish *wish,
                     double enough_s);
void dun_tune_result_free(dun_tune_result *result);

/* || a - b || / || b ||, infinite when a NaN is in it or the counts differ. */
double dun_tune_difference(const dun_tune_result *a, const float *b, size_t n);

#endif
