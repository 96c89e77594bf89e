/* A loss as training runs it: points and centroids to distances, distances to the loss, gradients back to
 * points and centroids. Shared by the loss topic and by the comparison with stored vectors. */
#ifndef LOSS_CHAIN_H
#define LOSS_CHAIN_H

#include "check/check.h"
#include "check/reference_ops.h"
#include "learn/loss.h"

/* A loss kernel, its reference, and what its stored vectors are called with which factors. */
typedef struct {
    const char *name;
    enum dun_kernel_id kernel;
    enum dun_loss_kind kind;
    ref_loss *reference;
    double attraction, repulsion;
} loss_row;

extern const loss_row loss_rows[];
extern const size_t n_loss_rows;

typedef struct {
    const loss_row *loss;
    ref_loss_shape shape;
    int D;
    ref_distance distance;
    const double *points, *centroids;
    const int32_t *labels;
} loss_chain;

/* Runs it on the device. Results: value (1), d_points (B, D), d_centroids (K, D). */
typedef struct {
    check_tensor *value, *d_points, *d_centroids;
} loss_results;
loss_results loss_chain_run(check *c, const loss_chain *chain);

/* The same in double; returns the value. */
double loss_chain_reference(check *c, double *d_points, double *d_centroids, const loss_chain *chain);

#endif
