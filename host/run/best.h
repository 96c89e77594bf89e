/* The best validation loss of a training so far: after which step it was, how long ago, and what had it. */
#ifndef DUN_BEST_H
#define DUN_BEST_H

#include "config/config.h"
#include "dev/buffer.h"

#include <stdbool.h>

typedef struct {
    bool asked;        /* by train.patience or train.keep; else nothing is remembered */
    uint64_t patience; /* 0: without end */
    double loss;       /* INFINITY before the first evaluation */
    uint64_t step;     /* of that loss */
    uint64_t since;    /* evaluations after it */
    float *floats;     /* prompt, then centroids, as they were then: train.keep = best; else NULL */
    size_t n_prompt, n_centroids;
} dun_best;

int dun_best_create(dun_best *best, const dun_config *config, size_t n_prompt, size_t n_centroids);
void dun_best_free(dun_best *best);

/* An evaluation after `step`, of what lies in the buffers. */
int dun_best_evaluated(dun_best *best, double loss, uint64_t step, const dun_buffer *prompt,
                       const dun_buffer *centroids);

/* Has patience run out? */
bool dun_best_ran_out(const dun_best *best);

/* Writes what had the best loss into the buffers; only where floats were kept. */
int dun_best_restore(const dun_best *best, dun_buffer *prompt, dun_buffer *centroids);

/* As a checkpoint carries it: nothing where nobody asked, so that other runs' are as they were. */
size_t dun_best_bytes(const dun_best *best);
uint8_t *dun_best_put(uint8_t *at, const dun_best *best);
const uint8_t *dun_best_take(dun_best *best, const uint8_t *at);

#endif
