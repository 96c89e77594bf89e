/* Cases of host/kernels/loss.cl: losses on given distances, and in the chain from points and centroids. */
#include "check_topics.h"
#include "loss_chain.h"

#include <math.h>

const loss_row loss_rows[] = {
    {"cross_entropy", DUN_K_loss_cross_entropy, ref_loss_cross_entropy, 1.0, 1.0},
    {"centroid", DUN_K_loss_centroid, ref_loss_centroid, 1.0, 1.0},
    {"centroid_100_0", DUN_K_loss_centroid, ref_loss_centroid, 100.0, 0.0},
};
const size_t n_loss_rows = sizeof loss_rows / sizeof *loss_rows;

/* Distances are right to 1e-7; a softmax over them divides their difference by the temperature, so a spread
 * of 500 / T takes on 5e-5, and what is less than 1e-7 of a probability is lost. */
static const double tolerance = 3e-6, spread_tolerance = 1e-4;

enum distances { USUAL, WIDE, ALL_EQUAL, N_DISTANCES };
static const char *const distance_names[] = {"usual", "hundreds apart", "all equal"};
static const int classes[] = {2, 3, 5, 100}, batches[] = {1, 2, 7, 32};
static const double temperatures[] = {1.0, 0.5, 10.0};
enum { N_CLASSES = 4, N_BATCHES = 4, N_TEMPERATURES = 3 };

static int32_t *make_labels(check *c, int B, int K) {
    int32_t *labels = check_ints(c, (size_t)B);
    for (int i = 0; i < B; i++)
        labels[i] = (i * 7 + K - 1) % K;
    return labels;
}

static dun_range one_item(void) {
    return (dun_range){{1, 1}, 1};
}

/* B*K distances: positive, of mean 10 and spread 2, or of mean 1000 and spread 200, or 10. */
static double *make_distances(check *c, size_t n, enum distances kind) {
    double *d = check_random(c, n, kind == WIDE ? 200.0 : 2.0);
    for (size_t i = 0; i < n; i++)
        d[i] = kind == ALL_EQUAL ? 10.0 : (float)fabs(d[i] + (kind == WIDE ? 1000.0 : 10.0));
    return d;
}

static void on_distances(check *c, const loss_row *row, const ref_loss_shape *s, enum distances kind) {
    int B = s->B, K = s->K;
    size_t n = (size_t)(B * K), n_pairs = (size_t)(K * K);
    double *d = make_distances(c, n, kind), *pair = make_distances(c, n_pairs, kind);
    double *dd = check_doubles(c, n), *d_pair = check_doubles(c, n_pairs);
    int32_t *labels = make_labels(c, B, K);
    for (int j = 0; j < K; j++)
        for (int k = 0; k <= j; k++)
            pair[j * K + k] = NAN; /* only j < k has a distance */
    check_tensor *d_in = check_input(c, "distance", d, n), *pair_in = check_input(c, "pair", pair, n_pairs);
    check_tensor *labels_in = check_input_ints(c, "label", labels, (size_t)B);
    check_tensor *value = check_output(c, "value", 1), *dd_out = check_output(c, "d_distance", n);
    check_tensor *d_pair_out = check_output(c, "d_pair", n_pairs);
    dun_arg args[] = {DUN_BUF(value->buffer),
                      DUN_BUF(dd_out->buffer),
                      DUN_BUF(d_pair_out->buffer),
                      DUN_BUF(d_in->buffer),
                      DUN_BUF(pair_in->buffer),
                      DUN_BUF(labels_in->buffer),
                      DUN_INT(B),
                      DUN_INT(K),
                      DUN_FLOAT(s->temperature),
                      DUN_FLOAT(s->attraction),
                      DUN_FLOAT(s->repulsion)};
    check_launch(c, row->kernel, one_item(), args, sizeof args / sizeof *args);
    double want = row->reference(dd, d_pair, d, pair, labels, s);
    double allowed = kind == WIDE ? spread_tolerance : tolerance;
    check_close_floor(c, value, &want, allowed, 0.1);
    check_close_floor(c, dd_out, dd, allowed, 0.1 / (s->temperature * B));
    check_close(c, d_pair_out, d_pair, tolerance);
}

loss_results loss_chain_run(check *c, const loss_chain *chain) {
    int B = chain->shape.B, K = chain->shape.K, D = chain->D;
    check_tensor *points = check_input(c, "points", chain->points, (size_t)(B * D));
    check_tensor *centroids = check_input(c, "centroids", chain->centroids, (size_t)(K * D));
    check_tensor *labels = check_input_ints(c, "labels", chain->labels, (size_t)B);
    check_tensor *distance = check_output(c, "distance", (size_t)(B * K));
    check_tensor *d_distance = check_output(c, "d_distance", (size_t)(B * K));
    check_tensor *pair = check_output(c, "pair", (size_t)(K * K));
    check_tensor *d_pair = check_output(c, "d_pair", (size_t)(K * K));
    loss_results r = {check_output(c, "value", 1), check_output(c, "d_points", (size_t)(B * D)),
                      check_output(c, "d_centroids", (size_t)(K * D))};
    size_t group = c->compute->tiles.group;
    CHECK_LAUNCH(c, distance_fwd, ((dun_range){{(size_t)K, (size_t)B}, group}), DUN_BUF(distance->buffer),
                 DUN_BUF(points->buffer), DUN_BUF(centroids->buffer), DUN_INT(K), DUN_INT(D));
    CHECK_LAUNCH(c, pair_distance_fwd, ((dun_range){{(size_t)K, (size_t)K}, group}), DUN_BUF(pair->buffer),
                 DUN_BUF(centroids->buffer), DUN_INT(K), DUN_INT(D));
    dun_arg args[] = {DUN_BUF(r.value->buffer),
                      DUN_BUF(d_distance->buffer),
                      DUN_BUF(d_pair->buffer),
                      DUN_BUF(distance->buffer),
                      DUN_BUF(pair->buffer),
                      DUN_BUF(labels->buffer),
                      DUN_INT(B),
                      DUN_INT(K),
                      DUN_FLOAT(chain->shape.temperature),
                      DUN_FLOAT(chain->shape.attraction),
                      DUN_FLOAT(chain->shape.repulsion)};
    check_launch(c, chain->loss->kernel, one_item(), args, sizeof args / sizeof *args);
    CHECK_LAUNCH(c, distance_bwd_points, CHECK_ROWS(c, B), DUN_BUF(r.d_points->buffer),
                 DUN_BUF(d_distance->buffer), DUN_BUF(distance->buffer), DUN_BUF(points->buffer),
                 DUN_BUF(centroids->buffer), DUN_INT(K), DUN_INT(D));
    CHECK_LAUNCH(c, distance_bwd_centroids, CHECK_ROWS(c, K), DUN_BUF(r.d_centroids->buffer),
                 DUN_BUF(d_distance->buffer), DUN_BUF(distance->buffer), DUN_BUF(points->buffer),
                 DUN_BUF(centroids->buffer), DUN_INT(B), DUN_INT(K), DUN_INT(D));
    CHECK_LAUNCH(c, pair_distance_bwd, CHECK_ROWS(c, K), DUN_BUF(r.d_centroids->buffer),
                 DUN_BUF(d_pair->buffer), DUN_BUF(pair->buffer), DUN_BUF(centroids->buffer), DUN_INT(K),
                 DUN_INT(D));
    return r;
}

double loss_chain_reference(check *c, double *d_points, double *d_centroids, const loss_chain *chain) {
    int B = chain->shape.B, K = chain->shape.K, D = chain->D;
    double *distance = check_doubles(c, (size_t)(B * K)), *d_distance = check_doubles(c, (size_t)(B * K));
    double *pair = check_doubles(c, (size_t)(K * K)), *d_pair = check_doubles(c, (size_t)(K * K));
    double *between = check_doubles(c, (size_t)(K * D));
    ref_distance_fwd(distance, chain->points, chain->centroids, B, K, D);
    ref_pair_distance_fwd(pair, chain->centroids, K, D);
    double value = chain->loss->reference(d_distance, d_pair, distance, pair, chain->labels, &chain->shape);
    ref_distance_bwd(d_points, d_centroids, d_distance, chain->points, chain->centroids, B, K, D);
    ref_pair_distance_bwd(between, d_pair, chain->centroids, K, D);
    for (int i = 0; i < K * D; i++)
        d_centroids[i] += between[i];
    return value;
}

static void through_distances(check *c, const loss_row *row, const ref_loss_shape *s) {
    enum { D = 33 };
    size_t n_points = (size_t)s->B * D, n_centroids = (size_t)s->K * D;
    double *d_points = check_doubles(c, n_points), *d_centroids = check_doubles(c, n_centroids);
    loss_chain chain = {row,
                        *s,
                        D,
                        check_random(c, n_points, 1.0),
                        check_random(c, n_centroids, 1.0),
                        make_labels(c, s->B, s->K)};
    loss_results r = loss_chain_run(c, &chain);
    double want = loss_chain_reference(c, d_points, d_centroids, &chain);
    check_close(c, r.value, &want, tolerance);
    check_close(c, r.d_points, d_points, tolerance);
    check_close(c, r.d_centroids, d_centroids, tolerance);
}

static void run(check *c, size_t index) {
    size_t i = index, n_kinds = N_DISTANCES + 1;
    size_t kind = i % n_kinds, k = (i /= n_kinds) % N_CLASSES, b = (i /= N_CLASSES) % N_BATCHES;
    const loss_row *row = &loss_rows[i / N_BATCHES];
    ref_loss_shape s = {batches[b], classes[k], temperatures[(k + b) % N_TEMPERATURES], row->attraction,
                        row->repulsion};
    check_begin(c, index, "loss %s, %d points, %d classes, temperature %g, %s", row->name, s.B, s.K,
                s.temperature, kind < N_DISTANCES ? distance_names[kind] : "from points and centroids");
    if (kind < N_DISTANCES)
        on_distances(c, row, &s, (enum distances)kind);
    else
        through_distances(c, row, &s);
}

const check_topic check_loss = {
    "loss", sizeof loss_rows / sizeof *loss_rows *(N_DISTANCES + 1) * N_CLASSES *N_BATCHES, run, false};
