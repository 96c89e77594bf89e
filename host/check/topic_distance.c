/* Cases of host/kernels/distance.cl: points to centroids, centroids to each other, and the gradients. */
#include "check/check_topics.h"
#include "check/reference_ops.h"
#include "learn/distance.h"

/* Components of a difference are right to an ulp even where points and centroids nearly meet; a sum of up to
 * 4099 squares is taken in at least 4 lanes. */
static const double tolerance = 4e-6;

/* What counts as nothing: the cosine of nearly equal directions is right to 1e-7 of 1, its gradient to 1e-7
 * of the inverse length; in one dimension all of that gradient cancels. */
static double floor_of(size_t kind, int D, bool slope) {
    return kind < 2 ? 0.0 : slope && D > 1 ? 0.03 : 1.0;
}

enum placement { APART, FAR, NEAR, EQUAL };
static const char *const placements[] = {"apart", "far out", "nearly equal", "equal"};

/* FAR: coordinates in the hundreds, as of logits. NEAR and EQUAL: the class's centroid is the point, as when
 * centroids start at an example; there the 1e-6 of the distance decides the gradient. */
static const struct {
    int B, K, D;
    enum placement placement;
    int parts; /* points in a row of D; 0: 1 */
} cases[] = {
    {1, 2, 1, APART, 0},    {5, 2, 3, APART, 0},     {5, 3, 4, APART, 0},    {3, 5, 5, APART, 0},
    {2, 2, 15, APART, 0},   {31, 3, 16, APART, 0},   {33, 2, 17, APART, 0},  {5, 5, 31, APART, 0},
    {5, 3, 32, APART, 0},   {5, 2, 33, APART, 0},    {7, 3, 127, APART, 0},  {2, 2, 255, APART, 0},
    {2, 3, 256, APART, 0},  {2, 2, 257, APART, 0},   {32, 2, 576, APART, 0}, {2, 2, 4099, APART, 0},
    {7, 100, 33, APART, 0}, {2, 3, 8195, APART, 0},  {5, 3, 33, FAR, 0},     {2, 2, 4099, FAR, 0},
    {5, 3, 33, NEAR, 0},    {5, 2, 576, NEAR, 0},    {5, 3, 33, EQUAL, 0},   {5, 2, 17, EQUAL, 0},
    {5, 2, 4099, EQUAL, 0}, {1, 3, 1, EQUAL, 0},     {5, 3, 6, APART, 2},    {33, 2, 51, APART, 3},
    {9, 5, 256, APART, 4},  {2, 3, 12297, APART, 3}, {5, 3, 66, NEAR, 2},    {5, 2, 99, EQUAL, 3},
};

/* Centroids of the case; the last repeats the first where the placement is EQUAL, and nearly so for NEAR. */
static double *place_centroids(dun_check *c, int K, int D, enum placement placement) {
    double *centroids = dun_check_random(c, (size_t)(K * D), placement == APART ? 1.0 : 200.0);
    double *noise = dun_check_random(c, (size_t)D, 1e-3);
    for (int j = 0; !c->stopped && placement >= NEAR && j < D; j++)
        centroids[(K - 1) * D + j] = (float)(centroids[j] + (placement == NEAR ? noise[j] : 0.0));
    return centroids;
}

static double *place_points(dun_check *c, const double *centroids, int B, int K, int D,
                            enum placement placement) {
    double *points = dun_check_random(c, (size_t)(B * D), placement == APART ? 1.0 : 200.0);
    double *noise = dun_check_random(c, (size_t)(B * D), 1e-3);
    for (int i = 0; !c->stopped && placement >= NEAR && i < B; i++)
        for (int j = 0; j < D; j++)
            points[i * D + j] =
                (float)(centroids[i % K * D + j] + (placement == NEAR ? noise[i * D + j] : 0.0));
    return points;
}

static const struct {
    const char *name;
    enum dun_loss_distance kind;
    dun_ref_distance reference;
} kinds[] = {{"euclidean", DUN_DISTANCE_EUCLIDEAN, DUN_REF_EUCLIDEAN},
             {"squared", DUN_DISTANCE_SQUARED, DUN_REF_SQUARED},
             {"cosine", DUN_DISTANCE_COSINE, DUN_REF_COSINE}};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_CASES = sizeof cases / sizeof *cases };

static void free_distance(void *distance) {
    dun_distance_free(distance);
}

/* Room for more rows than there are, as a partial batch leaves. */
static dun_distance *open_distance(dun_check *c, enum dun_loss_distance kind,
                                   const dun_ref_distance_shape *s) {
    dun_distance *d = dun_check_own(c, sizeof *d, free_distance);
    const uint32_t parts = s->parts ? (uint32_t)s->parts : 1;
    DUN_CHECK_TRY(c, dun_distance_create(d, c->compute, kind, (uint32_t)s->B + 3, (uint32_t)s->K,
                                         (uint32_t)s->D / parts, parts));
    return d;
}

static void points_to_centroids(dun_check *c, size_t kind, const dun_ref_distance_shape *s,
                                enum placement placement) {
    size_t n_points = (size_t)(s->B * s->D), n_centroids = (size_t)(s->K * s->D);
    size_t n_distance = (size_t)(s->B * s->K);
    uint32_t B = (uint32_t)s->B, K = (uint32_t)s->K;
    double *centroids = place_centroids(c, s->K, s->D, placement);
    double *points = place_points(c, centroids, s->B, s->K, s->D, placement);
    double *want = dun_check_doubles(c, n_distance), *d_distance = dun_check_random(c, n_distance, 1.0);
    double *d_points = dun_check_doubles(c, n_points), *d_centroids = dun_check_doubles(c, n_centroids);
    if (c->stopped)
        return;
    dun_check_tensor *points_in = dun_check_input(c, "points", points, n_points);
    dun_check_tensor *centroids_in = dun_check_input(c, "centroids", centroids, n_centroids);
    dun_check_tensor *d_distance_in = dun_check_input(c, "d_distance", d_distance, n_distance);
    dun_check_tensor *distance = dun_check_output(c, "distance", n_distance);
    dun_check_tensor *d_points_out = dun_check_output(c, "d_points", n_points);
    dun_check_tensor *d_centroids_out = dun_check_output(c, "d_centroids", n_centroids);
    dun_distance *d = open_distance(c, kinds[kind].kind, s);
    DUN_CHECK_TRY(c, dun_distance_fwd(d, &distance->buffer, &points_in->buffer, B, &centroids_in->buffer, K));
    dun_check_freeze(c, distance);
    DUN_CHECK_TRY(c, dun_distance_bwd_a(d, &d_points_out->buffer, &d_distance_in->buffer, &distance->buffer,
                                        &points_in->buffer, B, &centroids_in->buffer, K));
    DUN_CHECK_TRY(c, dun_distance_bwd_b(d, &d_centroids_out->buffer, &d_distance_in->buffer,
                                        &distance->buffer, &points_in->buffer, B, &centroids_in->buffer, K));
    dun_ref_distance_fwd(want, points, centroids, s);
    dun_ref_distance_bwd(d_points, d_centroids, d_distance, points, centroids, s);
    dun_check_close_floor(c, distance, want, tolerance, floor_of(kind, s->D, false));
    dun_check_close_floor(c, d_points_out, d_points, tolerance, floor_of(kind, s->D, true));
    dun_check_close_floor(c, d_centroids_out, d_centroids, tolerance, floor_of(kind, s->D, true));
}

static void between_centroids(dun_check *c, size_t kind, const dun_ref_distance_shape *s,
                              enum placement placement) {
    size_t n_centroids = (size_t)(s->K * s->D), n_pairs = (size_t)(s->K * s->K);
    double *centroids = place_centroids(c, s->K, s->D, placement), *want = dun_check_doubles(c, n_pairs);
    double *d_pair = dun_check_random(c, n_pairs, 1.0), *old = dun_check_random(c, n_centroids, 1.0);
    double *d_centroids = dun_check_doubles(c, n_centroids);
    if (c->stopped)
        return;
    dun_check_tensor *centroids_in = dun_check_input(c, "centroids", centroids, n_centroids);
    dun_check_tensor *d_pair_in = dun_check_input(c, "d_pair", d_pair, n_pairs);
    dun_check_tensor *pair = dun_check_output(c, "pair", n_pairs);
    dun_check_tensor *added = dun_check_in_out(c, "d_centroids", old, n_centroids);
    dun_check_tensor *written = dun_check_output(c, "d_centroids overwritten", n_centroids);
    dun_distance *d = open_distance(c, kinds[kind].kind, s);
    DUN_CHECK_TRY(c, dun_distance_pairs_fwd(d, &pair->buffer, &centroids_in->buffer, (uint32_t)s->K));
    dun_check_freeze(c, pair);
    DUN_CHECK_TRY(c, dun_distance_pairs_bwd(d, &added->buffer, &d_pair_in->buffer, &pair->buffer,
                                            &centroids_in->buffer, (uint32_t)s->K, true));
    DUN_CHECK_TRY(c, dun_distance_pairs_bwd(d, &written->buffer, &d_pair_in->buffer, &pair->buffer,
                                            &centroids_in->buffer, (uint32_t)s->K, false));
    dun_ref_pair_distance_fwd(want, centroids, s);
    dun_ref_pair_distance_bwd(d_centroids, d_pair, centroids, s);
    dun_check_close_floor(c, pair, want, tolerance, floor_of(kind, s->D, false));
    dun_check_close_floor(c, written, d_centroids, tolerance, floor_of(kind, s->D, true));
    for (size_t i = 0; i < n_centroids; i++)
        d_centroids[i] += old[i];
    dun_check_close_floor(c, added, d_centroids, tolerance, floor_of(kind, s->D, true));
}

static void run(dun_check *c, size_t index) {
    size_t i = index / 2 % N_CASES, kind = index / 2 / N_CASES;
    dun_ref_distance_shape s = {cases[i].B, cases[i].K, cases[i].D, kinds[kind].reference, cases[i].parts};
    enum placement placement = cases[i].placement;
    dun_check_begin(c, index, "%s distance %s, %d points, %d centroids of %d, %s, %d in a row",
                    kinds[kind].name, index % 2 ? "of pairs" : "to centroids", s.B, s.K, s.D,
                    placements[placement], s.parts ? s.parts : 1);
    if (index % 2)
        between_centroids(c, kind, &s, placement);
    else
        points_to_centroids(c, kind, &s, placement);
}

const dun_check_topic dun_check_distance = {"distance", 2 * N_KINDS *N_CASES, run, false};
