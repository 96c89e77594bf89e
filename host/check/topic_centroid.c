/* Cases of host/kernels/centroid.cl: calculated centroids over several batches, by the plain rule. */
#include "check/check_topics.h"
#include "check/reference_ops.h"
#include "learn/calculated.h"

static const double tolerance = 3e-6;
enum { BATCHES = 6 };

static const struct {
    int B, K, D;
    dun_ref_update options; /* repulsion, lethargy, momentum, away */
} cases[] = {
    {9, 3, 16, {0.5, 0.3, 0.0, 1}},   {8, 2, 33, {0.1, 0.9, 0.0, 0}},  {1, 2, 1, {0.1, 0.5, 0.0, 1}},
    {8, 2, 7, {0.0, 0.9, 0.0, 0}},    {32, 5, 17, {0.2, 0.9, 0.8, 1}}, {32, 100, 64, {0.2, 0.9, 0.5, 0}},
    {3, 100, 31, {0.1, 0.0, 0.0, 1}}, {7, 3, 64, {0.0, 1.0, 0.0, 1}},
};

static void free_calculated(void *calculated) {
    dun_calculated_free(calculated);
}

static void free_config(void *config) {
    dun_config_free(config);
}

static void run(dun_check *c, size_t index) {
    int B = cases[index].B, K = cases[index].K, D = cases[index].D;
    const dun_ref_update *o = &cases[index].options;
    size_t n_points = (size_t)(B * D), n_centroids = (size_t)(K * D);
    dun_calculated *calculated = dun_check_own(c, sizeof *calculated, free_calculated);
    dun_config *config = dun_check_own(c, sizeof *config, free_config);
    dun_check_begin(
        c, index,
        "calculated centroids, %d points, %d classes of %d, repulsion %g%s, lethargy %g, momentum %g", B, K,
        D, o->repulsion, o->away ? " away" : "", o->lethargy, o->momentum);
    DUN_CHECK_TRY(c, dun_config_init(config));
    if (c->stopped)
        return;
    config->centroid.repulsion = o->repulsion;
    config->centroid.repulsion_form = o->away ? DUN_REPULSION_AWAY : DUN_REPULSION_ORIGINAL;
    config->centroid.lethargy = o->lethargy;
    config->centroid.momentum = o->momentum;
    double *centroids = dun_check_random(c, n_centroids, 1.0), *velocity = dun_check_doubles(c, n_centroids);
    int32_t *labels = dun_check_ints(c, (size_t)B);
    double *weights = dun_check_doubles(c, (size_t)B);
    dun_check_tensor *centroids_in = dun_check_in_out(c, "centroids", centroids, n_centroids);
    DUN_CHECK_TRY(c, dun_calculated_create(calculated, c->compute, config, &centroids_in->buffer, (uint32_t)K,
                                           (uint32_t)D));
    for (int batch = 0; batch < BATCHES; batch++) {
        double *points = dun_check_random(c, n_points, 1.0);
        if (c->stopped)
            return;
        for (int i = 0; i < B; i++) { /* in some batches the last class is absent, or counts for nothing */
            labels[i] = (i * 7 + batch) % (K - (batch % 2 && K > 2));
            weights[i] = (i + batch) % 6 == 5 ? 0.0 : batch % 3 ? 0.5 + 0.75 * ((i * 5 + batch) % 4) : 1.0;
        }
        dun_check_tensor *points_in = dun_check_input(c, "points", points, n_points);
        dun_check_tensor *labels_in = dun_check_input_ints(c, "labels", labels, (size_t)B);
        dun_check_tensor *weights_in = dun_check_input(c, "weights", weights, (size_t)B);
        DUN_CHECK_TRY(c, dun_calculated_step(calculated, &points_in->buffer, &labels_in->buffer,
                                             &weights_in->buffer, (uint32_t)B, 0.3));
        dun_ref_calculated(centroids, velocity, points, labels, weights, B, K, D, o);
    }
    dun_check_close(c, centroids_in, centroids, tolerance);
}

const dun_check_topic dun_check_centroid = {"centroid", sizeof cases / sizeof *cases, run, false};
