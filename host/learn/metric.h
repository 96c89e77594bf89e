/* A matrix between points and distances: points (B, D) are compared as W x, of M components, where centroids
 * live too. It may be fitted (math/discriminant.h), trained, or both; part of the way from prompt to loss, so
 * it has a backward (host/kernels/metric.cl). */
#ifndef DUN_METRIC_H
#define DUN_METRIC_H

#include "config/config.h"
#include "learn/kernels.h"

typedef struct {
    const dun_compute *compute;
    uint32_t max_points, width; /* D */
    uint32_t dimensions;        /* M; 0: there is no matrix, points are compared as they are */
    bool fitted;                /* it has its values; until then there is nothing to compare by */
    dun_buffer matrix;          /* (M, D) */
    dun_buffer d_matrix;        /* the same; only where it is trained */
    dun_buffer points;          /* (max_points, M) */
    dun_buffer d_points;        /* the same, where there is a way back */
    float *values;              /* (M, D) on the host, as dun_metric_set or dun_metric_read left them */
} dun_metric;

/* How many components compared points have; 0: there is no matrix. */
uint32_t dun_metric_dimensions(const dun_config *config, uint32_t width);

/* Whether the matrix is trained: it is there, and the config does not say no. */
bool dun_metric_is_trained(const dun_config *config);

/* `backward`: with a way back. What is not there needs no kernel. */
int dun_metric_create(dun_metric *metric, const dun_compute *compute, const dun_config *config,
                      uint32_t max_points, uint32_t width, bool backward);
void dun_metric_free(dun_metric *metric);

/* Takes values (M, D); those that lie in the device buffer already (a checkpoint's). */
int dun_metric_set(dun_metric *metric, const float *values);
void dun_metric_adopt(dun_metric *metric);

/* Brings the values to the host: metric->values. */
int dun_metric_read(dun_metric *metric);

/* metric->points (n, M) of x (n, D); and the gradient of x, and of the matrix where that is trained, from
 * metric->d_points. Nothing to do without a matrix. */
int dun_metric_fwd(dun_metric *metric, const dun_buffer *x, uint32_t n_points);
int dun_metric_bwd(dun_metric *metric, dun_buffer *dx, const dun_buffer *x, uint32_t n_points);

#endif
