/* The table of losses, and the launches from points to value and gradients. */
#include "learn/loss.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

static const struct {
    enum dun_learn_kernel kernel;
    bool pairs; /* repels centroids from each other */
} loss_table[] = {
    [DUN_LOSS_CROSS_ENTROPY] = {DUN_K_loss_cross_entropy, false},
    [DUN_LOSS_CENTROID] = {DUN_K_loss_centroid, true},
    [DUN_LOSS_ATTRACT_REPEL] = {DUN_K_loss_attract_repel, false},
};

dun_loss_settings dun_loss_settings_from(const dun_config *config) {
    bool pull = config->loss.kind == DUN_LOSS_ATTRACT_REPEL;
    return (dun_loss_settings){
        .kind = config->loss.kind,
        .distance = config->loss.distance,
        .temperature = (float)config->loss.temperature,
        .margin = (float)config->loss.margin,
        .attraction = (float)(pull ? config->loss.attraction_factor : config->loss.distance_factor),
        .repulsion = (float)config->loss.repulsion_factor,
        .label_weight = (float)config->loss.label_weight,
        .parts = (uint32_t)config->prompt.count};
}

/* Whether pairs count: a factor of 0 asks for no work. */
static bool reads_pairs(const dun_loss *loss) {
    return loss_table[loss->settings.kind].pairs && loss->settings.repulsion != 0.0f;
}

int dun_loss_create(dun_loss *loss, const dun_compute *compute, const dun_loss_settings *settings,
                    uint32_t max_points, uint32_t n_classes, uint32_t width) {
    int rc = DUN_OK;
    dun_device *device = compute->device;
    const uint32_t parts = settings->parts ? settings->parts : 1;
    size_t B = max_points, K = n_classes;
    *loss = (dun_loss){.compute = compute,
                       .settings = *settings,
                       .max_points = max_points,
                       .n_classes = n_classes,
                       .width = width};
    assert(settings->kind < sizeof loss_table / sizeof *loss_table);
    size_t n_pairs = reads_pairs(loss) ? K * K : 1;
    TRY(dun_distance_create(&loss->between, compute, settings->distance, max_points, n_classes, width / parts,
                            parts));
    TRY(dun_buffer_create(&loss->label, device, B * sizeof(int32_t), "labels"));
    TRY(dun_buffer_create(&loss->weight, device, B * sizeof(float), "weights"));
    TRY_NEW(loss->relative, B);
    TRY(dun_buffer_create(&loss->distance, device, B * K * sizeof(float), "distances"));
    TRY(dun_buffer_create(&loss->d_distance, device, B * K * sizeof(float), "gradients of distances"));
    TRY(dun_buffer_create(&loss->pair, device, n_pairs * sizeof(float), "distances of centroids"));
    TRY(dun_buffer_create(&loss->d_pair, device, n_pairs * sizeof(float),
                          "gradients of centroids' distances"));
    TRY(dun_buffer_create(&loss->row_value, device, B * sizeof(float), "losses of points"));
    TRY(dun_buffer_create(&loss->pair_value, device, K * sizeof(float), "losses of centroids"));
    TRY(dun_buffer_create(&loss->value, device, sizeof(float), "the loss"));
out:
    if (rc < 0)
        dun_loss_free(loss);
    return rc;
}

void dun_loss_free(dun_loss *loss) {
    dun_distance_free(&loss->between);
    dun_label_words_free(&loss->words);
    dun_buffer_free(&loss->label);
    dun_buffer_free(&loss->weight);
    dun_free(loss->relative);
    dun_buffer_free(&loss->distance);
    dun_buffer_free(&loss->d_distance);
    dun_buffer_free(&loss->pair);
    dun_buffer_free(&loss->d_pair);
    dun_buffer_free(&loss->row_value);
    dun_buffer_free(&loss->pair_value);
    dun_buffer_free(&loss->value);
    *loss = (dun_loss){0};
}

int dun_loss_use_words(dun_loss *loss, const float *rows) {
    return dun_label_words_create(&loss->words, loss->compute, rows, loss->settings.label_weight,
                                  loss->max_points, loss->n_classes, loss->width);
}

const dun_buffer *dun_loss_told(const dun_loss *loss) {
    return loss->words.n_classes ? &loss->words.told : &loss->distance;
}

int dun_loss_distances(dun_loss *loss, const dun_buffer *points, const dun_buffer *centroids,
                       uint32_t n_points) {
    int rc = DUN_OK;
    TRY(dun_distance_fwd(&loss->between, &loss->distance, points, n_points, centroids, loss->n_classes));
    if (loss->words.n_classes)
        TRY(dun_label_words_fwd(&loss->words, &loss->distance, points, n_points));
out:
    return rc;
}

/* The loss from the distances, with its gradients to them. */
static int compute_value(dun_loss *loss, const dun_buffer *centroids, uint32_t n_points) {
    int rc = DUN_OK;
    const dun_loss_settings *s = &loss->settings;
    const dun_compute *c = loss->compute;
    uint32_t K = loss->n_classes;
    TRY(DUN_LAUNCH(dun_learn_kernel(c, loss_table[s->kind].kernel), dun_rows(c, n_points),
                   DUN_BUF(loss->row_value), DUN_BUF(loss->d_distance), DUN_BUF(*dun_loss_told(loss)),
                   DUN_BUF(loss->label), DUN_BUF(loss->weight), DUN_INT(n_points), DUN_INT(K),
                   DUN_FLOAT(s->temperature), DUN_FLOAT(s->margin), DUN_FLOAT(s->attraction),
                   DUN_FLOAT(s->repulsion)));
    if (reads_pairs(loss)) {
        TRY(dun_distance_pairs_fwd(&loss->between, &loss->pair, centroids, K));
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_loss_pairs), dun_rows(c, K), DUN_BUF(loss->pair_value),
                       DUN_BUF(loss->d_pair), DUN_BUF(loss->pair), DUN_INT(K), DUN_FLOAT(s->repulsion)));
    }
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_loss_total), ((dun_range){{1, 1}, 1}), DUN_BUF(loss->value),
                   DUN_BUF(loss->row_value), DUN_BUF(loss->pair_value), DUN_INT(n_points),
                   DUN_INT(reads_pairs(loss) ? K : 0)));
out:
    return rc;
}

/* Weights as the kernels want them, of mean 1; all 0 where they are. The largest is divided out first, so
 * that no sum of finite ones is too large. */
static void make_relative(float *out, const double *weights, uint32_t n) {
    double most = 0.0, sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        most = weights[i] > most ? weights[i] : most;
    for (uint32_t i = 0; i < n; i++)
        sum += most > 0.0 ? weights[i] / most : 0.0;
    for (uint32_t i = 0; i < n; i++)
        out[i] = sum > 0.0 ? (float)(weights[i] / most * n / sum) : 0.0f;
}

/* Puts the batch's weights in place. Those that are all 1 stay for the next batches. */
static int write_weights(dun_loss *loss, const double *weights, uint32_t n_points) {
    int rc = DUN_OK;
    const uint32_t n = weights ? n_points : loss->max_points;
    if (!weights && loss->alike)
        goto out;
    for (uint32_t i = 0; !weights && i < n; i++)
        loss->relative[i] = 1.0f;
    if (weights)
        make_relative(loss->relative, weights, n);
    loss->alike = !weights;
    TRY(dun_buffer_write(&loss->weight, 0, loss->relative, n * sizeof *loss->relative));
out:
    return rc;
}

int dun_loss_run(dun_loss *loss, dun_buffer *d_points, dun_buffer *d_centroids, const dun_buffer *points,
                 const dun_buffer *centroids, const int32_t *labels, const double *weights,
                 uint32_t n_points) {
    int rc = DUN_OK;
    uint32_t K = loss->n_classes;
    assert(n_points <= loss->max_points);
    TRY(dun_buffer_write(&loss->label, 0, labels, n_points * sizeof *labels));
    TRY(write_weights(loss, weights, n_points));
    TRY(dun_loss_distances(loss, points, centroids, n_points));
    TRY(compute_value(loss, centroids, n_points));
    if (d_points)
        TRY(dun_distance_bwd_a(&loss->between, d_points, &loss->d_distance, &loss->distance, points, n_points,
                               centroids, K));
    if (d_points && loss->words.n_classes)
        TRY(dun_label_words_bwd(&loss->words, d_points, &loss->d_distance, n_points));
    if (d_centroids)
        TRY(dun_distance_bwd_b(&loss->between, d_centroids, &loss->d_distance, &loss->distance, points,
                               n_points, centroids, K));
    if (d_centroids && reads_pairs(loss))
        TRY(dun_distance_pairs_bwd(&loss->between, d_centroids, &loss->d_pair, &loss->pair, centroids, K,
                                   true));
out:
    return rc;
}

void dun_loss_parts(dun_buffer_part parts[DUN_LOSS_PARTS], float *value, float *distances,
                    const dun_loss *loss, uint32_t n_points) {
    const size_t bytes = (size_t)n_points * loss->n_classes * sizeof *distances;
    parts[0] = (dun_buffer_part){value, &loss->value, 0, value ? sizeof *value : 0};
    parts[1] = (dun_buffer_part){distances, dun_loss_told(loss), 0, distances ? bytes : 0};
}

int dun_loss_read(float *value, float *distances, const dun_loss *loss, uint32_t n_points) {
    dun_buffer_part parts[DUN_LOSS_PARTS];
    dun_loss_parts(parts, value, distances, loss, n_points);
    return dun_buffer_read_parts(parts, DUN_LOSS_PARTS);
}
