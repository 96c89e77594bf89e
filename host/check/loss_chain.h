/* A loss as training runs it: points and centroids to distances, distances to the loss, gradients back to
 * points and centroids. Shared by the loss topic and by the comparison with stored vectors. */
#ifndef DUN_LOSS_CHAIN_H
#define DUN_LOSS_CHAIN_H

#include "check/check.h"
#include "check/reference_ops.h"
#include "learn/loss.h"

/* A loss kernel, its reference, and what its stored vectors are called with which factors. */
typedef struct {
    const char *name;
    enum dun_learn_kernel kernel;
    enum dun_loss_kind kind;
    dun_ref_loss *reference;
    double attraction, repulsion;
} dun_loss_row;

extern const dun_loss_row dun_loss_rows[];
extern const size_t dun_n_loss_rows;

typedef struct {
    const dun_loss_row *loss;
    dun_ref_loss_shape shape;
    int D;
    dun_ref_distance distance;
    const double *points, *centroids;
    const int32_t *labels;
} dun_loss_chain;

/* Runs it on the device. Results: value (1), d_points (B, D), d_centroids (K, D). */
typedef struct {
    dun_check_tensor *value, *d_points, *d_centroids;
} dun_loss_results;
dun_loss_results dun_loss_chain_run(dun_check *c, const dun_loss_chain *chain);

/* The same in double; returns the value. */
double dun_loss_chain_reference(dun_check *c, double *d_points, double *d_centroids,
                                const dun_loss_chain *chain);

#endif
