/* Launches the move of the centroids, and gives it to the optimiser that the config names. */
#include "learn/calculated.h"

#include "base/err.h"

#include <math.h>

enum dun_train_optimizer dun_centroid_optimizer(const dun_config *config) {
    switch (config->centroid.optimizer) {
    case DUN_CENTROID_OPTIMIZER_ADAM:
        return DUN_OPTIMIZER_ADAM;
    case DUN_CENTROID_OPTIMIZER_ADAMW:
        return DUN_OPTIMIZER_ADAMW;
    case DUN_CENTROID_OPTIMIZER_SGD:
        return DUN_OPTIMIZER_SGD;
    case DUN_CENTROID_OPTIMIZER_DEFAULT:
        break;
    }
    return config->train.optimizer;
}

/* The optimiser that moves calculated centroids: without one named, descent at rate 1, whose momentum is the
 * config's true velocity. */
static dun_optim_settings settings_of(const dun_config *config) {
    dun_optim_settings s = dun_optim_settings_from(config);
    s.kind = dun_centroid_optimizer(config);
    s.momentum = config->centroid.momentum;
    s.clip = 0.0;
    if (config->centroid.optimizer == DUN_CENTROID_OPTIMIZER_DEFAULT) {
        s.kind = DUN_OPTIMIZER_SGD;
        s.weight_decay = 0.0;
    }
    return s;
}

int dun_calculated_create(dun_calculated *c, const dun_compute *compute, const dun_config *config,
                          dun_buffer *centroids, uint32_t n_classes, uint32_t width) {
    int rc = DUN_OK;
    bool named = config->centroid.optimizer != DUN_CENTROID_OPTIMIZER_DEFAULT;
    double lr = isnan(config->centroid.lr) ? config->prompt.lr : config->centroid.lr;
    size_t bytes = (size_t)width * sizeof(float);
    const dun_optim_settings settings = settings_of(config);
    *c = (dun_calculated){.compute = compute,
                          .rate = (float)(1.0 - config->centroid.lethargy),
                          .repulsion = (float)config->centroid.repulsion,
                          .away = config->centroid.repulsion_form == DUN_REPULSION_AWAY,
                          .scheduled = named,
                          .centroids = centroids,
                          .n_classes = n_classes,
                          .width = width};
    TRY(dun_learn_use(compute, DUN_TOPIC_points));
    TRY(dun_buffer_create(&c->gradient, compute->device, n_classes * bytes, "the centroids' moves"));
    TRY(dun_buffer_create(&c->total, compute->device, bytes, "the sum of centroids"));
    TRY(dun_optim_init(&c->optim, compute, &settings));
    TRY(dun_optim_add(&c->optim, settings.kind, centroids, &c->gradient, n_classes, width, named ? lr : 1.0));
out:
    return rc;
}

void dun_calculated_free(dun_calculated *c) {
    dun_optim_free(&c->optim);
    dun_buffer_free(&c->gradient);
    dun_buffer_free(&c->total);
    *c = (dun_calculated){0};
}

int dun_calculated_step(dun_calculated *c, const dun_buffer *points, const dun_buffer *labels,
                        const dun_buffer *weights, uint32_t n_points, double factor) {
    int rc = DUN_OK;
    uint32_t K = c->n_classes, D = c->width;
    size_t columns = 2 * (size_t)c->compute->tiles.group * c->compute->tiles.vector; /* of a group */
    if (c->repulsion != 0.0f)
        TRY(DUN_LAUNCH(dun_learn_kernel(c->compute, DUN_K_centroid_total),
                       dun_rows(c->compute, (D + columns - 1) / columns), DUN_BUF(c->total),
                       DUN_BUF(*c->centroids), DUN_INT(K), DUN_INT(D)));
    TRY(DUN_LAUNCH(dun_learn_kernel(c->compute, DUN_K_centroid_pull), dun_rows(c->compute, K),
                   DUN_BUF(c->gradient), DUN_BUF(c->optim.groups[0].active), DUN_BUF(*points),
                   DUN_BUF(*labels), DUN_BUF(*weights), DUN_BUF(*c->centroids), DUN_BUF(c->total),
                   DUN_INT(n_points), DUN_INT(K), DUN_INT(D), DUN_FLOAT(c->rate), DUN_FLOAT(c->repulsion),
                   DUN_INT(c->away)));
    TRY(dun_optim_step(&c->optim, c->scheduled ? factor : 1.0));
out:
    return rc;
}
