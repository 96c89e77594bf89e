/* The groups of tensors, their moments, and the launches of a clipped step. */
#include "learn/optim.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>

typedef int launch_step(const dun_optim *optim, const dun_param_group *group, double lr);
static launch_step adam_step, sgd_step;

static const struct {
    uint32_t n_states;
    bool decays; /* by weight_decay */
    launch_step *step;
} optimizers[] = {
    [DUN_OPTIMIZER_ADAM] = {2, false, adam_step},
    [DUN_OPTIMIZER_ADAMW] = {2, true, adam_step},
    [DUN_OPTIMIZER_SGD] = {1, true, sgd_step},
};

dun_optim_settings dun_optim_settings_from(const dun_config *config) {
    return (dun_optim_settings){.kind = config->train.optimizer,
                                .beta1 = config->train.beta1,
                                .beta2 = config->train.beta2,
                                .eps = config->train.eps,
                                .momentum = config->train.momentum,
                                .weight_decay = config->train.weight_decay,
                                .clip = isnan(config->train.clip) ? 0.0 : config->train.clip};
}

int dun_optim_init(dun_optim *optim, const dun_compute *compute, const dun_optim_settings *settings) {
    int rc = DUN_OK;
    static const float one = 1.0f;
    *optim = (dun_optim){.compute = compute, .settings = *settings};
    TRY(dun_learn_use(compute, DUN_TOPIC_optim));
    TRY(dun_buffer_create(&optim->gain, compute->device, sizeof one, "the gradients' gain"));
    TRY(dun_buffer_write(&optim->gain, 0, &one, sizeof one));
out:
    return rc;
}

static int make_active(dun_buffer *active, dun_device *device, uint32_t rows) {
    int rc = DUN_OK;
    int32_t *ones = NULL;
    TRY_NEW(ones, rows);
    for (uint32_t i = 0; i < rows; i++)
        ones[i] = 1;
    TRY(dun_buffer_create(active, device, rows * sizeof *ones, "which rows move"));
    TRY(dun_buffer_write(active, 0, ones, rows * sizeof *ones));
out:
    dun_free(ones);
    return rc;
}

static uint32_t all_rows(const dun_optim *optim) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < optim->n_groups; i++)
        n += optim->groups[i].rows;
    return n;
}

int dun_optim_add(dun_optim *optim, enum dun_train_optimizer kind, dun_buffer *x, dun_buffer *gradient,
                  uint32_t rows, uint32_t columns, double lr) {
    static const char *const names[] = {"an optimiser's first state", "an optimiser's second state"};
    int rc = DUN_OK;
    dun_device *device = optim->compute->device;
    size_t bytes = (size_t)rows * columns * sizeof(float);
    uint32_t n_states = optimizers[kind].n_states;
    assert(optim->n_groups < DUN_MAX_GROUPS && n_states <= sizeof names / sizeof *names);
    dun_param_group *group = &optim->groups[optim->n_groups++];
    *group = (dun_param_group){
        .x = x, .gradient = gradient, .kind = kind, .rows = rows, .columns = columns, .lr = lr};
    TRY(make_active(&group->active, device, rows));
    for (uint32_t i = 0; i < n_states; i++) {
        TRY(dun_buffer_create(&group->state[i], device, bytes, names[i]));
        TRY(dun_buffer_fill(&group->state[i], 0));
    }
    if (optim->settings.clip > 0.0) {
        dun_buffer_free(&optim->squares);
        TRY(dun_buffer_create(&optim->squares, device, all_rows(optim) * sizeof(float), "squared gradients"));
    }
out:
    return rc;
}

void dun_optim_free(dun_optim *optim) {
    for (uint32_t i = 0; i < optim->n_groups; i++) {
        for (size_t k = 0; k < DUN_OPTIM_STATES; k++)
            dun_buffer_free(&optim->groups[i].state[k]);
        dun_buffer_free(&optim->groups[i].active);
    }
    dun_buffer_free(&optim->gain);
    dun_buffer_free(&optim->squares);
    *optim = (dun_optim){0};
}

static double decay_of(const dun_optim *optim, const dun_param_group *g, double lr) {
    return optimizers[g->kind].decays ? 1.0 - lr * optim->settings.weight_decay : 1.0;
}

static int adam_step(const dun_optim *optim, const dun_param_group *g, double lr) {
    const dun_optim_settings *s = &optim->settings;
    double t = (double)optim->step;
    double correction1 = 1.0 - pow(s->beta1, t), correction2 = 1.0 - pow(s->beta2, t);
    return DUN_LAUNCH(dun_learn_kernel(optim->compute, DUN_K_adam_step), dun_rows(optim->compute, g->rows),
                      DUN_BUF(*g->x), DUN_BUF(*g->gradient), DUN_BUF(optim->gain), DUN_BUF(g->active),
                      DUN_BUF(g->state[0]), DUN_BUF(g->state[1]), DUN_FLOAT(lr / correction1),
                      DUN_FLOAT(1.0 - s->beta1), DUN_FLOAT(1.0 - s->beta2), DUN_FLOAT(s->eps),
                      DUN_FLOAT(sqrt(correction2)), DUN_FLOAT(decay_of(optim, g, lr)), DUN_INT(g->columns));
}

static int sgd_step(const dun_optim *optim, const dun_param_group *g, double lr) {
    return DUN_LAUNCH(dun_learn_kernel(optim->compute, DUN_K_sgd_step), dun_rows(optim->compute, g->rows),
                      DUN_BUF(*g->x), DUN_BUF(*g->gradient), DUN_BUF(optim->gain), DUN_BUF(g->active),
                      DUN_BUF(g->state[0]), DUN_FLOAT(lr), DUN_FLOAT(optim->settings.momentum),
                      DUN_FLOAT(decay_of(optim, g, lr)), DUN_INT(g->columns));
}

/* Squares of all groups' rows, one group after another, then the gain. */
static int clip(dun_optim *optim) {
    int rc = DUN_OK;
    const dun_compute *c = optim->compute;
    uint32_t done = 0;
    if (!(optim->settings.clip > 0.0))
        goto out;
    for (uint32_t i = 0; i < optim->n_groups; i++) {
        const dun_param_group *g = &optim->groups[i];
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_row_squares), dun_rows(c, g->rows), DUN_BUF(optim->squares),
                       DUN_INT(done), DUN_BUF(*g->gradient), DUN_INT(g->columns)));
        done += g->rows;
    }
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_clip_gain), ((dun_range){{1, 1}, 1}), DUN_BUF(optim->gain),
                   DUN_BUF(optim->squares), DUN_INT(done), DUN_FLOAT(optim->settings.clip)));
out:
    return rc;
}

int dun_optim_step(dun_optim *optim, double factor) {
    int rc = DUN_OK;
    optim->step++;
    TRY(clip(optim));
    for (uint32_t i = 0; i < optim->n_groups; i++) {
        const dun_param_group *g = &optim->groups[i];
        TRY(optimizers[g->kind].step(optim, g, g->lr * factor));
    }
out:
    return rc;
}

size_t dun_optim_states(dun_buffer **out, size_t most, dun_optim *optim) {
    size_t n = 0;
    for (uint32_t i = 0; i < optim->n_groups; i++)
        for (size_t k = 0; k < optimizers[optim->groups[i].kind].n_states; k++, n++)
            if (n < most)
                out[n] = &optim->groups[i].state[k];
    return n;
}
