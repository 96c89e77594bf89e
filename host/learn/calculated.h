/* Calculated centroids: after every batch, or every so many, each class present in it moves its centroid
 * towards the mean of its points (host/kernels/centroid.cl). */
#ifndef DUN_CALCULATED_H
#define DUN_CALCULATED_H

#include "learn/optim.h"

typedef struct {
    const dun_compute *compute;
    float rate, repulsion; /* rate: 1 - lethargy */
    bool away;
    bool scheduled;        /* the named optimiser's rate follows the schedule; the plain move does not */
    dun_optim optim;       /* makes the move; its state is the velocity, or moments */
    dun_buffer *centroids; /* (K, D), borrowed */
    dun_buffer gradient;   /* (K, D) */
    dun_buffer total;      /* (D) */
    uint32_t n_classes, width;
} dun_calculated;

/* The optimiser that [centroid] names for trained centroids, else that of [train]. */
enum dun_train_optimizer dun_centroid_optimizer(const dun_config *config);

/* `calculated` needs dun_calculated_free, whatever this returns. */
int dun_calculated_create(dun_calculated *calculated, const dun_compute *compute, const dun_config *config,
                          dun_buffer *centroids, uint32_t n_classes, uint32_t width);
void dun_calculated_free(dun_calculated *calculated);

/* Moves the centroids from n_points points (B, D), their labels (B) and weights (B) on the device; every
 * target is computed before any centroid moves. `factor` as in dun_optim_step. */
int dun_calculated_step(dun_calculated *calculated, const dun_buffer *points, const dun_buffer *labels,
                        const dun_buffer *weights, uint32_t n_points, double factor);

#endif
