/* Cases of host/kernels/optim.cl: optimisers over many steps, each with new gradients, on two tensors at
 * once; one row of the second is left alone. */
#include "check/check_topics.h"
#include "check/reference_ops.h"
#include "learn/optim.h"

#include <math.h>

enum { STEPS = 50, N_GROUPS = 2, ALONE = 1 };

/* Each step rounds x and the states once; 50 steps of independent roundings stay below 50 * 6e-8. */
static const double tolerance = 3e-6;

static const struct {
    enum dun_train_optimizer kind;
    int rows, columns;
    double gradient, clip;
    dun_ref_adam options;
} kinds[] = {
    {DUN_OPTIMIZER_ADAM, 1, 1, 1.0, 0.0, {1e-3, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 5, 31, 1.0, 0.0, {1e-3, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 2, 32, 1e-4, 0.0, {3e-2, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 5, 33, 1e4, 0.0, {1e-1, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 37, 127, 1.0, 0.0, {1e-2, 0.5, 0.9, 1e-3, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 3, 576, 1e-9, 0.0, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.0}}, /* eps decides */
    {DUN_OPTIMIZER_ADAM, 2, 257, 0.0, 0.0, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAM, 5, 33, 1.0, 3.0, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_ADAMW, 5, 33, 1.0, 0.0, {1e-2, 0.9, 0.999, 1e-8, 0.3, 0.0}},
    {DUN_OPTIMIZER_ADAMW, 2, 576, 1e-3, 0.01, {1e-1, 0.9, 0.999, 1e-8, 0.01, 0.0}},
    {DUN_OPTIMIZER_SGD, 5, 33, 1.0, 0.0, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.0}},
    {DUN_OPTIMIZER_SGD, 5, 31, 1.0, 0.0, {1e-2, 0.9, 0.999, 1e-8, 0.2, 0.9}},
    {DUN_OPTIMIZER_SGD, 37, 127, 1.0, 5.0, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.5}},
    {DUN_OPTIMIZER_SGD, 1, 1, 1.0, 1e9, {1e-2, 0.9, 0.999, 1e-8, 0.0, 0.9}}, /* never that long */
};

/* One tensor with its reference. */
typedef struct {
    int rows, columns, n;
    double lr;
    double *x, *g, *state[2]; /* in double */
    dun_check_tensor *x_in, *g_in;
} tensor;

static tensor make_tensor(dun_check *c, int rows, int columns, double lr) {
    size_t n = (size_t)(rows * columns);
    tensor t = {.rows = rows, .columns = columns, .n = rows * columns, .lr = lr};
    t.x = dun_check_random(c, n, 1.0);
    t.state[0] = dun_check_doubles(c, n);
    t.state[1] = dun_check_doubles(c, n);
    t.x_in = dun_check_in_out(c, "x", t.x, n);
    t.g_in = dun_check_in_out(c, "g", t.x, n);
    return t;
}

/* A gradient, not all of it noise; its squares' sum is returned. */
static double draw_gradient(dun_check *c, tensor *t, float *floats, const double *noise, double size) {
    double squares = 0.0;
    for (int i = 0; i < t->n; i++) {
        floats[i] = (float)(size * (noise[i] + 0.1));
        t->g[i] = floats[i];
        squares += t->g[i] * t->g[i];
    }
    DUN_CHECK_TRY(c, dun_buffer_write(&t->g_in->buffer, 0, floats, (size_t)t->n * sizeof *floats));
    return squares;
}

static void step_reference(tensor *t, int time, const dun_ref_adam *common, enum dun_train_optimizer kind,
                           double gain, bool one_alone) {
    dun_ref_adam o = *common;
    o.lr = t->lr;
    for (int i = 0; i < t->n; i++)
        t->g[i] *= gain;
    for (int row = 0; row < t->rows; row++) {
        int at = row * t->columns;
        if (one_alone && row == ALONE)
            continue;
        if (kind == DUN_OPTIMIZER_SGD)
            dun_ref_sgd_step(t->x + at, t->state[0] + at, t->g + at, t->columns, &o);
        else
            dun_ref_adam_step(t->x + at, t->state[0] + at, t->state[1] + at, t->g + at, t->columns, time, &o);
    }
}

static void check_states(dun_check *c, const dun_optim *optim, const tensor *t, size_t group,
                         uint32_t n_states) {
    for (uint32_t k = 0; k < n_states; k++) {
        dun_check_tensor *copy = dun_check_output(c, k ? "second state" : "first state", (size_t)t->n);
        DUN_CHECK_TRY(c, dun_buffer_copy(&copy->buffer, 0, &optim->groups[group].state[k], 0,
                                         (size_t)t->n * sizeof(float)));
        dun_check_close(c, copy, t->state[k], tolerance);
    }
}

static void free_optim(void *optim) {
    dun_optim_free(optim);
}

/* The steps, on the device and here; `noise`: the gradients of each group, step after step. */
static void take_steps(dun_check *c, dun_optim *optim, tensor *tensors, double *const *noise, size_t index) {
    float *floats = (float *)dun_check_doubles(c, (size_t)(37 * 577));
    if (c->stopped)
        return;
    for (int time = 1; time <= STEPS; time++) {
        double squares = 0.0;
        for (int k = 0; k < N_GROUPS; k++)
            squares += draw_gradient(c, &tensors[k], floats, noise[k] + (time - 1) * tensors[k].n,
                                     kinds[index].gradient);
        double gain = kinds[index].clip > 0 ? fmin(1.0, kinds[index].clip / sqrt(squares)) : 1.0;
        DUN_CHECK_TRY(c, dun_optim_step(optim, 0.5));
        for (int k = 0; k < N_GROUPS; k++)
            step_reference(&tensors[k], time, &kinds[index].options, kinds[index].kind, gain, k == 1);
    }
}

static void run(dun_check *c, size_t index) {
    int rows = kinds[index].rows, columns = kinds[index].columns;
    const dun_ref_adam *o = &kinds[index].options;
    enum dun_train_optimizer kind = kinds[index].kind;
    static const char *const names[] = {
        [DUN_OPTIMIZER_ADAM] = "adam", [DUN_OPTIMIZER_ADAMW] = "adamw", [DUN_OPTIMIZER_SGD] = "sgd"};
    dun_check_begin(c, index, "%s, %d steps on %d rows of %d, gradients of %g, clipped at %g", names[kind],
                    STEPS, rows, columns, kinds[index].gradient, kinds[index].clip);
    dun_optim *optim = dun_check_own(c, sizeof *optim, free_optim);
    const dun_optim_settings settings = {.kind = kind,
                                         .beta1 = o->beta1,
                                         .beta2 = o->beta2,
                                         .eps = o->eps,
                                         .momentum = o->momentum,
                                         .weight_decay = o->weight_decay,
                                         .clip = kinds[index].clip};
    const int32_t active[] = {1, 0, 1};
    tensor tensors[N_GROUPS] = {make_tensor(c, rows, columns, o->lr),
                                make_tensor(c, 3, columns + 1, 3 * o->lr)};
    DUN_CHECK_TRY(c, dun_optim_init(optim, c->compute, &settings));
    double *noise[N_GROUPS];
    for (int k = 0; k < N_GROUPS; k++) {
        tensor *t = &tensors[k];
        t->g = dun_check_doubles(c, (size_t)t->n);
        noise[k] = dun_check_random(c, (size_t)(STEPS * t->n), 1.0);
        DUN_CHECK_TRY(c, dun_optim_add(optim, kind, &t->x_in->buffer, &t->g_in->buffer, (uint32_t)t->rows,
                                       (uint32_t)t->columns, t->lr / 0.5));
    }
    DUN_CHECK_TRY(c, dun_buffer_write(&optim->groups[1].active, 0, active, sizeof active));
    take_steps(c, optim, tensors, noise, index);
    if (c->stopped)
        return;
    for (size_t k = 0; k < N_GROUPS; k++) {
        dun_check_close(c, tensors[k].x_in, tensors[k].x, tolerance);
        check_states(c, optim, &tensors[k], k, kind == DUN_OPTIMIZER_SGD ? 1 : 2);
    }
}

const dun_check_topic dun_check_optim = {"optim", sizeof kinds / sizeof *kinds, run, false};
