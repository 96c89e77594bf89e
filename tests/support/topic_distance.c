/* Cases of host/kernels/distance.cl: points to centroids, centroids to each other, and the gradients. */
#include "check_topics.h"
#include "reference_ops.h"

/* Components of a difference are right to an ulp even where points and centroids nearly meet; a sum of up to
 * 4099 squares is taken in at least 4 lanes. */
static const double tolerance = 4e-6;

enum placement { APART, FAR, NEAR, EQUAL };
static const char *const placements[] = {"apart", "far out", "nearly equal", "equal"};

/* FAR: coordinates in the hundreds, as of logits. NEAR and EQUAL: the class's centroid is the point, as when
 * centroids start at an example; there the 1e-6 of the distance decides the gradient. */
static const struct {
    int B, K, D;
    enum placement placement;
} cases[] = {
    {1, 2, 1, APART},    {5, 2, 3, APART},    {5, 3, 4, APART},   {3, 5, 5, APART},    {2, 2, 15, APART},
    {31, 3, 16, APART},  {33, 2, 17, APART},  {5, 5, 31, APART},  {5, 3, 32, APART},   {5, 2, 33, APART},
    {7, 3, 127, APART},  {2, 2, 255, APART},  {2, 3, 256, APART}, {2, 2, 257, APART},  {32, 2, 576, APART},
    {2, 2, 4099, APART}, {7, 100, 33, APART}, {5, 3, 33, FAR},    {2, 2, 4099, FAR},   {5, 3, 33, NEAR},
    {5, 2, 576, NEAR},   {5, 3, 33, EQUAL},   {5, 2, 17, EQUAL},  {5, 2, 4099, EQUAL}, {1, 3, 1, EQUAL},
};

/* Centroids of the case; the last repeats the first where the placement is EQUAL, and nearly so for NEAR. */
static double *place_centroids(check *c, int K, int D, enum placement placement) {
    double *centroids = check_random(c, (size_t)(K * D), placement == APART ? 1.0 : 200.0);
    double *noise = check_random(c, (size_t)D, 1e-3);
    for (int j = 0; placement >= NEAR && j < D; j++)
        centroids[(K - 1) * D + j] = (float)(centroids[j] + (placement == NEAR ? noise[j] : 0.0));
    return centroids;
}

static double *place_points(check *c, const double *centroids, int B, int K, int D,
                            enum placement placement) {
    double *points = check_random(c, (size_t)(B * D), placement == APART ? 1.0 : 200.0);
    double *noise = check_random(c, (size_t)(B * D), 1e-3);
    for (int i = 0; placement >= NEAR && i < B; i++)
        for (int j = 0; j < D; j++)
            points[i * D + j] =
                (float)(centroids[i % K * D + j] + (placement == NEAR ? noise[i * D + j] : 0.0));
    return points;
}

static void points_to_centroids(check *c, int B, int K, int D, enum placement placement) {
    size_t n_points = (size_t)(B * D), n_centroids = (size_t)(K * D), n_distance = (size_t)(B * K);
    double *centroids = place_centroids(c, K, D, placement);
    double *points = place_points(c, centroids, B, K, D, placement);
    double *want = check_doubles(c, n_distance), *d_distance = check_random(c, n_distance, 1.0);
    double *d_points = check_doubles(c, n_points), *d_centroids = check_doubles(c, n_centroids);
    check_tensor *points_in = check_input(c, "points", points, n_points);
    check_tensor *centroids_in = check_input(c, "centroids", centroids, n_centroids);
    check_tensor *d_distance_in = check_input(c, "d_distance", d_distance, n_distance);
    check_tensor *distance = check_output(c, "distance", n_distance);
    check_tensor *d_points_out = check_output(c, "d_points", n_points);
    check_tensor *d_centroids_out = check_output(c, "d_centroids", n_centroids);
    dun_range pairs = {{(size_t)K, (size_t)B}, c->compute->tiles.group};
    CHECK_LAUNCH(c, distance_fwd, pairs, DUN_BUF(distance->buffer), DUN_BUF(points_in->buffer),
                 DUN_BUF(centroids_in->buffer), DUN_INT(K), DUN_INT(D));
    check_freeze(c, distance);
    CHECK_LAUNCH(c, distance_bwd_points, CHECK_ROWS(c, B), DUN_BUF(d_points_out->buffer),
                 DUN_BUF(d_distance_in->buffer), DUN_BUF(distance->buffer), DUN_BUF(points_in->buffer),
                 DUN_BUF(centroids_in->buffer), DUN_INT(K), DUN_INT(D));
    CHECK_LAUNCH(c, distance_bwd_centroids, CHECK_ROWS(c, K), DUN_BUF(d_centroids_out->buffer),
                 DUN_BUF(d_distance_in->buffer), DUN_BUF(distance->buffer), DUN_BUF(points_in->buffer),
                 DUN_BUF(centroids_in->buffer), DUN_INT(B), DUN_INT(K), DUN_INT(D));
    ref_distance_fwd(want, points, centroids, B, K, D);
    ref_distance_bwd(d_points, d_centroids, d_distance, points, centroids, B, K, D);
    check_close(c, distance, want, tolerance);
    check_close(c, d_points_out, d_points, tolerance);
    check_close(c, d_centroids_out, d_centroids, tolerance);
}

static void between_centroids(check *c, int K, int D, enum placement placement) {
    size_t n_centroids = (size_t)(K * D), n_pairs = (size_t)(K * K);
    double *centroids = place_centroids(c, K, D, placement), *want = check_doubles(c, n_pairs);
    double *d_pair = check_random(c, n_pairs, 1.0), *old = check_random(c, n_centroids, 1.0);
    double *d_centroids = check_doubles(c, n_centroids);
    check_tensor *centroids_in = check_input(c, "centroids", centroids, n_centroids);
    check_tensor *d_pair_in = check_input(c, "d_pair", d_pair, n_pairs);
    check_tensor *pair = check_output(c, "pair", n_pairs);
    check_tensor *d_centroids_out = check_in_out(c, "d_centroids", old, n_centroids);
    dun_range pairs = {{(size_t)K, (size_t)K}, c->compute->tiles.group};
    CHECK_LAUNCH(c, pair_distance_fwd, pairs, DUN_BUF(pair->buffer), DUN_BUF(centroids_in->buffer),
                 DUN_INT(K), DUN_INT(D));
    check_freeze(c, pair);
    CHECK_LAUNCH(c, pair_distance_bwd, CHECK_ROWS(c, K), DUN_BUF(d_centroids_out->buffer),
                 DUN_BUF(d_pair_in->buffer), DUN_BUF(pair->buffer), DUN_BUF(centroids_in->buffer), DUN_INT(K),
                 DUN_INT(D));
    ref_pair_distance_fwd(want, centroids, K, D);
    ref_pair_distance_bwd(d_centroids, d_pair, centroids, K, D);
    for (size_t i = 0; i < n_centroids; i++)
        d_centroids[i] += old[i];
    check_close(c, pair, want, tolerance);
    check_close(c, d_centroids_out, d_centroids, tolerance);
}

static void run(check *c, size_t index) {
    int B = cases[index / 2].B, K = cases[index / 2].K, D = cases[index / 2].D;
    enum placement placement = cases[index / 2].placement;
    check_begin(c, index, "%s, %d points, %d centroids of %d, %s", index % 2 ? "pair_distance" : "distance",
                B, K, D, placements[placement]);
    if (index % 2)
        between_centroids(c, K, D, placement);
    else
        points_to_centroids(c, B, K, D, placement);
}

const check_topic check_distance = {"distance", 2 * sizeof cases / sizeof *cases, run, false};
