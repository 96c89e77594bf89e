/* The best validation loss of a training so far: after which step it was, how long ago, and what had it. */
#ifndef DUN_BEST_H
#define DUN_BEST_H

#include "config/config.h"
#include "dev/buffer.h"

#include <stdbool.h>

enum { DUN_BEST_TENSORS = 3 }; /* prompt, centroids, metric */

typedef struct {
    bool asked;        /* by train.patience or train.keep; else nothing is remembered */
    uint64_t patience; /* 0: without end */
    double loss;       /* INFINITY before the first evaluation */
    uint64_t step;     /* of that loss */
    uint64_t since;    /* evaluations after it */
    float *floats;     /* the tensors one after another, as they were then: train.keep = best; else NULL */
    dun_buffer *tensors[DUN_BEST_TENSORS]; /* borrowed: what is trained */
    size_t n_tensors;
} dun_best;

int dun_best_create(dun_best *best, const dun_config *config, dun_buffer *const *tensors, size_t n_tensors);
void dun_best_free(dun_best *best);

/* An evaluation after `step`, of what lies in the tensors. */
int dun_best_evaluated(dun_best *best, double loss, uint64_t step);

/* Has patience run out? */
bool dun_best_ran_out(const dun_best *best);

/* Writes what had the best loss into the tensors; only where floats were kept. */
int dun_best_restore(const dun_best *best);

/* As a checkpoint carries it: nothing where nobody asked, so that other runs' are as they were. */
size_t dun_best_bytes(const dun_best *best);
uint8_t *dun_best_put(uint8_t *at, const dun_best *best);
const uint8_t *dun_best_take(dun_best *best, const uint8_t *at);

#endif
