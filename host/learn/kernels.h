/* The kernels of what is optimised: points and their distances, losses, parameters. */
#ifndef DUN_LEARN_KERNELS_H
#define DUN_LEARN_KERNELS_H

#include "config/config.h"
#include "dev/compute.h"

/* X(topic of kernels.cl, kernel) */
#define DUN_LEARN_KERNELS(X)                                                                                 \
    X(points, affine_fwd)                                                                                    \
    X(points, affine_bwd)                                                                                    \
    X(points, unit_fwd)                                                                                      \
    X(points, unit_bwd)                                                                                      \
    X(points, distance_fwd)                                                                                  \
    X(points, distance_finish)                                                                               \
    X(points, distance_mean)                                                                                 \
    X(points, distance_weights)                                                                              \
    X(points, distance_bwd)                                                                                  \
    X(points, inverse_norm)                                                                                  \
    X(points, loss_cross_entropy)                                                                            \
    X(points, loss_centroid)                                                                                 \
    X(points, loss_attract_repel)                                                                            \
    X(points, loss_pairs)                                                                                    \
    X(points, loss_total)                                                                                    \
    X(points, words_fwd)                                                                                     \
    X(points, words_bwd)                                                                                     \
    X(points, centroid_total)                                                                                \
    X(points, centroid_pull)                                                                                 \
    X(metric, metric_fwd)                                                                                    \
    X(metric, metric_bwd)                                                                                    \
    X(metric, metric_bwd_matrix)                                                                             \
    X(boids, boids_loss)                                                                                     \
    X(optim, adam_step)                                                                                      \
    X(optim, sgd_step)                                                                                       \
    X(optim, row_squares)                                                                                    \
    X(optim, clip_gain)                                                                                      \
    X(optim, average_step)                                                                                   \
    X(reparam, reparam_product)                                                                              \
    X(reparam, reparam_relu_bwd)                                                                             \
    X(reparam, reparam_norm_fwd)                                                                             \
    X(reparam, reparam_norm_bwd)                                                                             \
    X(reparam, reparam_norm_bwd_gain)

enum dun_learn_topic {
    DUN_TOPIC_points,
    DUN_TOPIC_metric,
    DUN_TOPIC_boids,
    DUN_TOPIC_optim,
    DUN_TOPIC_reparam,
    DUN_N_LEARN_TOPICS
};

enum dun_learn_kernel {
#define X(topic, name) DUN_K_##name,
    DUN_LEARN_KERNELS(X)
#undef X
        DUN_N_LEARN_KERNELS
};

extern const dun_kernel_list dun_learn_kernels;

/* The topics that a classifier needs, or a training as the config has it: bits for dun_wish.uses. */
unsigned dun_learn_topics(const dun_config *config, bool train);

/* A topic in use (dun_compute_use). Errors as there. */
int dun_learn_use(const dun_compute *compute, enum dun_learn_topic topic);

/* A kernel whose topic is in use. */
dun_kernel *dun_learn_kernel(const dun_compute *compute, enum dun_learn_kernel kernel);

#endif
