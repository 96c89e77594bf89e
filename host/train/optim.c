/* See optim.h. */
#include "optim.h"

#include "err.h"

#include <assert.h>
#include <math.h>

void dun_optim_init(dun_optim *optim, const dun_compute *compute, const dun_config *config) {
    *optim = (dun_optim){.compute = compute,
                         .beta1 = config->train.beta1,
                         .beta2 = config->train.beta2,
                         .eps = config->train.eps};
}

int dun_optim_add(dun_optim *optim, dun_buffer *x, dun_buffer *gradient, uint32_t rows, uint32_t columns,
                  double lr) {
    int rc = DUN_OK;
    size_t bytes = (size_t)rows * columns * sizeof(float);
    assert(optim->n_groups < DUN_MAX_GROUPS);
    dun_param_group *group = &optim->groups[optim->n_groups++];
    *group = (dun_param_group){.x = x, .gradient = gradient, .rows = rows, .columns = columns, .lr = lr};
    TRY(dun_buffer_create(&group->m, optim->compute->device, bytes, "the optimiser's first moments"));
    TRY(dun_buffer_create(&group->v, optim->compute->device, bytes, "the optimiser's second moments"));
    TRY(dun_buffer_fill(&group->m, 0));
    TRY(dun_buffer_fill(&group->v, 0));
out:
    return rc;
}

void dun_optim_free(dun_optim *optim) {
    for (uint32_t i = 0; i < optim->n_groups; i++) {
        dun_buffer_free(&optim->groups[i].m);
        dun_buffer_free(&optim->groups[i].v);
    }
    *optim = (dun_optim){0};
}

int dun_optim_step(dun_optim *optim) {
    int rc = DUN_OK;
    double t = (double)++optim->step;
    double correction1 = 1.0 - pow(optim->beta1, t), correction2 = 1.0 - pow(optim->beta2, t);
    for (uint32_t i = 0; i < optim->n_groups; i++) {
        dun_param_group *g = &optim->groups[i];
        TRY(DUN_LAUNCH(optim->compute->kernel[DUN_K_adam_step], dun_rows(optim->compute, g->rows),
                       DUN_BUF(*g->x), DUN_BUF(g->m), DUN_BUF(g->v), DUN_BUF(*g->gradient),
                       DUN_FLOAT(g->lr / correction1), DUN_FLOAT(1.0 - optim->beta1),
                       DUN_FLOAT(1.0 - optim->beta2), DUN_FLOAT(optim->eps), DUN_FLOAT(sqrt(correction2)),
                       DUN_INT(g->columns)));
    }
out:
    return rc;
}
