/* Optimisers with parameter groups, on the device. */
#ifndef DUN_OPTIM_H
#define DUN_OPTIM_H

#include "config.h"
#include "kernels.h"

enum { DUN_MAX_GROUPS = 2 }; /* prompt, centroids */

/* One tensor (rows, columns) with its gradient and its own learning rate. */
typedef struct {
    dun_buffer *x, *gradient; /* borrowed */
    dun_buffer m, v;          /* Adam's moments */
    uint32_t rows, columns;
    double lr;
} dun_param_group;

typedef struct {
    const dun_compute *compute;
    double beta1, beta2, eps;
    uint64_t step; /* steps taken */
    dun_param_group groups[DUN_MAX_GROUPS];
    uint32_t n_groups;
} dun_optim;

void dun_optim_init(dun_optim *optim, const dun_compute *compute, const dun_config *config);
int dun_optim_add(dun_optim *optim, dun_buffer *x, dun_buffer *gradient, uint32_t rows, uint32_t columns,
                  double lr);
void dun_optim_free(dun_optim *optim);

/* One step of every group from its gradient. */
int dun_optim_step(dun_optim *optim);

#endif
