/* See loss.h. */
#include "loss.h"

#include "err.h"

#include <assert.h>

static const struct {
    enum dun_kernel_id kernel;
    bool pairs; /* reads the distances between centroids */
} loss_table[] = {
    [DUN_LOSS_CROSS_ENTROPY] = {DUN_K_loss_cross_entropy, false},
    [DUN_LOSS_CENTROID] = {DUN_K_loss_centroid, true},
};

dun_loss_settings dun_loss_settings_from(const dun_config *config) {
    bool pull = config->loss.kind == DUN_LOSS_ATTRACT_REPEL;
    return (dun_loss_settings){
        .kind = config->loss.kind,
        .temperature = (float)config->loss.temperature,
        .attraction = (float)(pull ? config->loss.attraction_factor : config->loss.distance_factor),
        .repulsion = (float)config->loss.repulsion_factor};
}

int dun_loss_create(dun_loss *loss, const dun_compute *compute, const dun_loss_settings *settings,
                    uint32_t max_points, uint32_t n_classes, uint32_t width) {
    int rc = DUN_OK;
    dun_device *device = compute->device;
    size_t B = max_points, K = n_classes;
    *loss = (dun_loss){.compute = compute,
                       .settings = *settings,
                       .max_points = max_points,
                       .n_classes = n_classes,
                       .width = width};
    assert(settings->kind < sizeof loss_table / sizeof *loss_table);
    TRY(dun_buffer_create(&loss->label, device, B * sizeof(int32_t), "labels"));
    TRY(dun_buffer_create(&loss->distance, device, B * K * sizeof(float), "distances"));
    TRY(dun_buffer_create(&loss->d_distance, device, B * K * sizeof(float), "gradients of distances"));
    TRY(dun_buffer_create(&loss->pair, device, K * K * sizeof(float), "distances of centroids"));
    TRY(dun_buffer_create(&loss->d_pair, device, K * K * sizeof(float), "gradients of centroids' distances"));
    TRY(dun_buffer_create(&loss->value, device, sizeof(float), "the loss"));
out:
    if (rc < 0)
        dun_loss_free(loss);
    return rc;
}

void dun_loss_free(dun_loss *loss) {
    dun_buffer_free(&loss->label);
    dun_buffer_free(&loss->distance);
    dun_buffer_free(&loss->d_distance);
    dun_buffer_free(&loss->pair);
    dun_buffer_free(&loss->d_pair);
    dun_buffer_free(&loss->value);
    *loss = (dun_loss){0};
}

int dun_loss_distances(dun_loss *loss, const dun_buffer *points, const dun_buffer *centroids,
                       uint32_t n_points) {
    dun_range range = dun_rows(loss->compute, loss->n_classes);
    range.groups[1] = n_points;
    return DUN_LAUNCH(loss->compute->kernel[DUN_K_distance_fwd], range, DUN_BUF(loss->distance),
                      DUN_BUF(*points), DUN_BUF(*centroids), DUN_INT(loss->n_classes), DUN_INT(loss->width));
}

static int pair_distances(dun_loss *loss, const dun_buffer *centroids) {
    dun_range range = dun_rows(loss->compute, loss->n_classes);
    range.groups[1] = loss->n_classes;
    return DUN_LAUNCH(loss->compute->kernel[DUN_K_pair_distance_fwd], range, DUN_BUF(loss->pair),
                      DUN_BUF(*centroids), DUN_INT(loss->n_classes), DUN_INT(loss->width));
}

static int backward(dun_loss *loss, dun_buffer *d_points, dun_buffer *d_centroids, const dun_buffer *points,
                    const dun_buffer *centroids, uint32_t n_points) {
    int rc = DUN_OK;
    const dun_compute *c = loss->compute;
    uint32_t K = loss->n_classes, D = loss->width;
    if (d_points)
        TRY(DUN_LAUNCH(c->kernel[DUN_K_distance_bwd_points], dun_rows(c, n_points), DUN_BUF(*d_points),
                       DUN_BUF(loss->d_distance), DUN_BUF(loss->distance), DUN_BUF(*points),
                       DUN_BUF(*centroids), DUN_INT(K), DUN_INT(D)));
    if (!d_centroids)
        goto out;
    TRY(DUN_LAUNCH(c->kernel[DUN_K_distance_bwd_centroids], dun_rows(c, K), DUN_BUF(*d_centroids),
                   DUN_BUF(loss->d_distance), DUN_BUF(loss->distance), DUN_BUF(*points), DUN_BUF(*centroids),
                   DUN_INT(n_points), DUN_INT(K), DUN_INT(D)));
    if (loss_table[loss->settings.kind].pairs)
        TRY(DUN_LAUNCH(c->kernel[DUN_K_pair_distance_bwd], dun_rows(c, K), DUN_BUF(*d_centroids),
                       DUN_BUF(loss->d_pair), DUN_BUF(loss->pair), DUN_BUF(*centroids), DUN_INT(K),
                       DUN_INT(D)));
out:
    return rc;
}

int dun_loss_run(dun_loss *loss, dun_buffer *d_points, dun_buffer *d_centroids, const dun_buffer *points,
                 const dun_buffer *centroids, const int32_t *labels, uint32_t n_points) {
    int rc = DUN_OK;
    const dun_loss_settings *s = &loss->settings;
    assert(n_points <= loss->max_points);
    TRY(dun_buffer_write(&loss->label, 0, labels, n_points * sizeof *labels));
    TRY(dun_loss_distances(loss, points, centroids, n_points));
    if (loss_table[s->kind].pairs)
        TRY(pair_distances(loss, centroids));
    TRY(DUN_LAUNCH(loss->compute->kernel[loss_table[s->kind].kernel], ((dun_range){{1, 1}, 1}),
                   DUN_BUF(loss->value), DUN_BUF(loss->d_distance), DUN_BUF(loss->d_pair),
                   DUN_BUF(loss->distance), DUN_BUF(loss->pair), DUN_BUF(loss->label), DUN_INT(n_points),
                   DUN_INT(loss->n_classes), DUN_FLOAT(s->temperature), DUN_FLOAT(s->attraction),
                   DUN_FLOAT(s->repulsion)));
    TRY(backward(loss, d_points, d_centroids, points, centroids, n_points));
out:
    return rc;
}

int dun_loss_read(float *value, float *distances, const dun_loss *loss, uint32_t n_points) {
    int rc = DUN_OK;
    if (value)
        TRY(dun_buffer_read(value, &loss->value, 0, sizeof *value));
    if (distances)
        TRY(dun_buffer_read(distances, &loss->distance, 0,
                            (size_t)n_points * loss->n_classes * sizeof *distances));
out:
    return rc;
}
