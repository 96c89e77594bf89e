/* Optimisers with parameter groups, on the device. An optimiser is one row of a table here and one kernel in
 * host/kernels/optim.cl. */
#ifndef DUN_OPTIM_H
#define DUN_OPTIM_H

#include "config/config.h"
#include "learn/kernels.h"

enum {
    DUN_MAX_GROUPS = 7, /* prompt and what it is made from, centroids, metric */
    DUN_OPTIM_STATES = 2
};

typedef struct {
    enum dun_train_optimizer kind; /* of groups that name none */
    double beta1, beta2, eps;      /* Adam */
    double momentum;               /* sgd */
    double weight_decay;           /* share of a value that a step takes away, times the rate; not for adam */
    double clip;                   /* longest gradient of all groups together; 0: any */
} dun_optim_settings;

/* What [train] says. */
dun_optim_settings dun_optim_settings_from(const dun_config *config);

/* One tensor (rows, columns) with its gradient and its own learning rate. */
typedef struct {
    dun_buffer *x, *gradient;           /* borrowed */
    dun_buffer state[DUN_OPTIM_STATES]; /* moments, or a velocity; as many as the optimiser has */
    dun_buffer active;                  /* (rows) of int: rows with 0 are left alone; 1 at first */
    enum dun_train_optimizer kind;
    uint32_t rows, columns;
    double lr;
} dun_param_group;

typedef struct {
    const dun_compute *compute;
    dun_optim_settings settings;
    uint64_t step; /* steps taken */
    dun_param_group groups[DUN_MAX_GROUPS];
    uint32_t n_groups;
    dun_buffer gain;    /* (1) factor of all gradients: clipping */
    dun_buffer squares; /* (rows of all groups) */
} dun_optim;

/* `optim` needs dun_optim_free, whatever this returns. */
int dun_optim_init(dun_optim *optim, const dun_compute *compute, const dun_optim_settings *settings);

/* Adds a tensor; settings.kind or another optimiser for it alone. */
int dun_optim_add(dun_optim *optim, enum dun_train_optimizer kind, dun_buffer *x, dun_buffer *gradient,
                  uint32_t rows, uint32_t columns, double lr);
void dun_optim_free(dun_optim *optim);

/* One step of every group from its gradient, all learning rates times `factor` (see schedule.h). */
int dun_optim_step(dun_optim *optim, double factor);

/* The states of all groups, which a checkpoint carries beside optim->step: writes at most `most` pointers to
 * `out` and returns how many there are. */
size_t dun_optim_states(dun_buffer **out, size_t most, dun_optim *optim);

#endif
