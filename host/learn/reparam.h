/* Residual reparametrisation: the prompt's rows are base rows plus what a small network makes of them, and
 * both are trained (formulas in host/kernels/reparam.cl). The network ends in a norm whose gain and shift
 * start at zero, so that a run starts from the very rows of prompt.init. What is used and saved are plain
 * rows. */
#ifndef DUN_REPARAM_H
#define DUN_REPARAM_H

#include "learn/optim.h"

/* What is trained, each with its gradient. */
enum dun_reparam_tensor {
    DUN_REPARAM_BASE, /* (P, C) */
    DUN_REPARAM_DOWN, /* (M, C) */
    DUN_REPARAM_UP,   /* (C, M) */
    DUN_REPARAM_GAIN, /* (2, C): gain, then shift, of the norm */
    DUN_N_REPARAM
};

typedef struct {
    const dun_compute *compute;
    uint32_t P, C, M;
    dun_buffer value[DUN_N_REPARAM], gradient[DUN_N_REPARAM];
    dun_buffer hidden, d_hidden; /* (P, M) */
    dun_buffer u, d_u;           /* (P, C) */
    dun_buffer stats;            /* (P, 2) */
} dun_reparam;

/* A network with a middle of M for the P base rows (P, C); its weights are random by `seed`. */
int dun_reparam_create(dun_reparam *r, const dun_compute *compute, const float *rows, uint32_t P, uint32_t C,
                       uint32_t M, uint64_t seed);
void dun_reparam_free(dun_reparam *r);

/* Adds all of it to an optimiser, with one learning rate. */
int dun_reparam_add(dun_optim *optim, enum dun_train_optimizer kind, dun_reparam *r, double lr);

/* Makes the prompt's rows (P, C). */
int dun_reparam_forward(dun_buffer *rows, dun_reparam *r);

/* After forward: the gradients of everything trained from that of the rows (P, C). */
int dun_reparam_backward(dun_reparam *r, const dun_buffer *d_rows);

#endif
