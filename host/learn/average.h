/* An exponential moving average of what is trained, over the steps; it takes the place of the live values
 * while something is measured or saved. */
#ifndef DUN_AVERAGE_H
#define DUN_AVERAGE_H

#include "learn/kernels.h"

enum { DUN_MAX_AVERAGED = 3 }; /* prompt, centroids, metric */

typedef struct {
    const dun_compute *compute;
    double decay; /* 0: nothing is averaged, every call does nothing */
    struct {
        dun_buffer *live; /* borrowed */
        dun_buffer mean, kept;
    } tensors[DUN_MAX_AVERAGED];
    size_t n_tensors;
} dun_average;

void dun_average_init(dun_average *average, const dun_compute *compute, double decay);
int dun_average_add(dun_average *average, dun_buffer *live, const char *what);
void dun_average_free(dun_average *average);

/* The average becomes the live values. */
int dun_average_start(dun_average *average);

/* Takes in the live values after step 1, 2, ...: mean += (1 - d) (live - mean), d = min(decay, (1 + step) /
 * (10 + step)), so that the start is soon forgotten. */
int dun_average_step(dun_average *average, uint64_t step);

/* Puts the average in the place of the live values, and these back. */
int dun_average_swap_in(dun_average *average);
int dun_average_swap_out(dun_average *average);

#endif
