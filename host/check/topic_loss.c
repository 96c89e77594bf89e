/* Cases of host/kernels/loss.cl: losses on given distances, and in the chain from points and centroids. */
#include "check/check_topics.h"
#include "check/loss_chain.h"

#include <math.h>

const dun_loss_row dun_loss_rows[] = {
    {"cross_entropy", DUN_K_loss_cross_entropy, DUN_LOSS_CROSS_ENTROPY, dun_ref_loss_cross_entropy, 1.0, 1.0},
    {"centroid", DUN_K_loss_centroid, DUN_LOSS_CENTROID, dun_ref_loss_centroid, 1.0, 1.0},
    {"centroid_100_0", DUN_K_loss_centroid, DUN_LOSS_CENTROID, dun_ref_loss_centroid, 100.0, 0.0},
    {"attract_repel", DUN_K_loss_attract_repel, DUN_LOSS_ATTRACT_REPEL, dun_ref_loss_attract_repel, 1.0, 1.0},
    {"attract_repel_0.5_3", DUN_K_loss_attract_repel, DUN_LOSS_ATTRACT_REPEL, dun_ref_loss_attract_repel, 0.5,
     3.0},
};
const size_t dun_n_loss_rows = sizeof dun_loss_rows / sizeof *dun_loss_rows;

/* Distances are right to 1e-7; a softmax over them divides their difference by the temperature, so a spread
 * of 500 / T takes on 5e-5, and what is less than 1e-7 of a probability is lost. */
static const double tolerance = 3e-6, spread_tolerance = 1e-4;

enum distances { USUAL, WIDE, ALL_EQUAL, N_DISTANCES };
static const char *const distance_names[] = {"usual", "hundreds apart", "all equal"};
static const int classes[] = {2, 3, 5, 100}, batches[] = {1, 2, 7, 32};
static const double temperatures[] = {1.0, 0.5, 10.0}, margins[] = {0.0, 0.7};
static const dun_ref_distance kinds[] = {DUN_REF_EUCLIDEAN, DUN_REF_SQUARED, DUN_REF_COSINE};
enum { N_CLASSES = 4, N_BATCHES = 4, N_TEMPERATURES = 3, N_MARGINS = 2, N_KINDS = 3 };

static int32_t *make_labels(dun_check *c, int B, int K) {
    int32_t *labels = dun_check_ints(c, (size_t)B);
    for (int i = 0; labels && i < B; i++)
        labels[i] = (i * 7 + K - 1) % K;
    return labels;
}

/* Weights of points, or NULL: they differ, and some, but never all, are 0. */
static double *make_weights(dun_check *c, int B, bool weighted) {
    double *weights = weighted ? dun_check_doubles(c, (size_t)B) : NULL;
    for (int i = 0; weights && i < B; i++)
        weights[i] = i % 5 == 3 ? 0.0 : 0.25 + 0.5 * (i * 7 % 11);
    return weights;
}

/* The weights as a kernel takes them, of mean 1. */
static double *relative(dun_check *c, const double *weights, int B) {
    double sum = 0.0, *out = dun_check_doubles(c, (size_t)B);
    for (int i = 0; out && i < B; i++)
        sum += weights ? weights[i] : 1.0;
    for (int i = 0; out && i < B; i++)
        out[i] = (float)((weights ? weights[i] : 1.0) * B / sum);
    return out;
}

static dun_range one_item(void) {
    return (dun_range){{1, 1}, 1};
}

/* B*K distances: positive, of mean 10 and spread 2, or of mean 1000 and spread 200, or 10. */
static double *make_distances(dun_check *c, size_t n, enum distances kind) {
    double *d = dun_check_random(c, n, kind == WIDE ? 200.0 : 2.0);
    for (size_t i = 0; d && i < n; i++)
        d[i] = kind == ALL_EQUAL ? 10.0 : (float)fabs(d[i] + (kind == WIDE ? 1000.0 : 10.0));
    return d;
}

static void on_distances(dun_check *c, const dun_loss_row *row, const dun_ref_loss_shape *s,
                         enum distances kind) {
    int B = s->B, K = s->K;
    size_t n = (size_t)(B * K), n_pairs = (size_t)(K * K);
    double *d = make_distances(c, n, kind), *pair = make_distances(c, n_pairs, kind);
    double *dd = dun_check_doubles(c, n), *d_pair = dun_check_doubles(c, n_pairs);
    int32_t *labels = make_labels(c, B, K);
    double *weights = relative(c, s->weight, B);
    if (c->stopped)
        return;
    bool pairs = row->kind == DUN_LOSS_CENTROID;
    for (int j = 0; j < K; j++)
        for (int k = 0; k <= j; k++)
            pair[j * K + k] = NAN; /* only j < k has a distance */
    dun_check_tensor *d_in = dun_check_input(c, "distance", d, n),
                     *pair_in = dun_check_input(c, "pair", pair, n_pairs);
    dun_check_tensor *labels_in = dun_check_input_ints(c, "label", labels, (size_t)B),
                     *weights_in = dun_check_input(c, "weight", weights, (size_t)B);
    dun_check_tensor *value = dun_check_output(c, "value", 1), *dd_out = dun_check_output(c, "d_distance", n);
    dun_check_tensor *d_pair_out = dun_check_output(c, "d_pair", n_pairs);
    dun_check_tensor *rows = dun_check_output(c, "row_value", (size_t)B);
    dun_check_tensor *pair_rows = dun_check_output(c, "pair_value", (size_t)K);
    dun_arg args[] = {DUN_BUF(rows->buffer),
                      DUN_BUF(dd_out->buffer),
                      DUN_BUF(d_in->buffer),
                      DUN_BUF(labels_in->buffer),
                      DUN_BUF(weights_in->buffer),
                      DUN_INT(B),
                      DUN_INT(K),
                      DUN_FLOAT(s->temperature),
                      DUN_FLOAT(s->margin),
                      DUN_FLOAT(s->attraction),
                      DUN_FLOAT(s->repulsion)};
    dun_check_launch(c, &dun_learn_kernels, row->kernel, DUN_CHECK_ROWS(c, B), args,
                     sizeof args / sizeof *args);
    if (pairs)
        DUN_CHECK_LAUNCH(c, learn, loss_pairs, DUN_CHECK_ROWS(c, K), DUN_BUF(pair_rows->buffer),
                         DUN_BUF(d_pair_out->buffer), DUN_BUF(pair_in->buffer), DUN_INT(K),
                         DUN_FLOAT(s->repulsion));
    DUN_CHECK_LAUNCH(c, learn, loss_total, one_item(), DUN_BUF(value->buffer), DUN_BUF(rows->buffer),
                     DUN_BUF(pair_rows->buffer), DUN_INT(B), DUN_INT(pairs ? K : 0));
    double want = row->reference(dd, d_pair, d, pair, labels, s);
    double allowed = kind == WIDE ? spread_tolerance : tolerance;
    dun_check_close_floor(c, value, &want, allowed, 0.1);
    dun_check_close_floor(c, dd_out, dd, allowed, 0.1 / (s->temperature * B));
    if (pairs)
        dun_check_close(c, d_pair_out, d_pair, tolerance);
}

static void free_loss(void *loss) {
    dun_loss_free(loss);
}

dun_loss_results dun_loss_chain_run(dun_check *c, const dun_loss_chain *chain) {
    static const enum dun_loss_distance distances[] = {[DUN_REF_EUCLIDEAN] = DUN_DISTANCE_EUCLIDEAN,
                                                       [DUN_REF_SQUARED] = DUN_DISTANCE_SQUARED,
                                                       [DUN_REF_COSINE] = DUN_DISTANCE_COSINE};
    const dun_ref_loss_shape *s = &chain->shape;
    int B = s->B, K = s->K, D = chain->D;
    dun_loss *loss = dun_check_own(c, sizeof *loss, free_loss);
    float value;
    dun_check_tensor *points = dun_check_input(c, "points", chain->points, (size_t)(B * D));
    dun_check_tensor *centroids = dun_check_input(c, "centroids", chain->centroids, (size_t)(K * D));
    dun_loss_results r = {dun_check_output(c, "value", 1), dun_check_output(c, "d_points", (size_t)(B * D)),
                          dun_check_output(c, "d_centroids", (size_t)(K * D))};
    const dun_loss_settings settings = {.kind = chain->loss->kind,
                                        .distance = distances[chain->distance],
                                        .temperature = (float)s->temperature,
                                        .margin = (float)s->margin,
                                        .attraction = (float)s->attraction,
                                        .repulsion = (float)s->repulsion};
    DUN_CHECK_TRY(c, dun_loss_create(loss, c->compute, &settings, (uint32_t)B + 3, (uint32_t)K, (uint32_t)D));
    DUN_CHECK_TRY(c, dun_loss_run(loss, &r.d_points->buffer, &r.d_centroids->buffer, &points->buffer,
                                  &centroids->buffer, chain->labels, s->weight, (uint32_t)B));
    DUN_CHECK_TRY(c, dun_loss_read(&value, NULL, loss, (uint32_t)B));
    DUN_CHECK_TRY(c, dun_buffer_write(&r.value->buffer, 0, &value, sizeof value));
    return r;
}

double dun_loss_chain_reference(dun_check *c, double *d_points, double *d_centroids,
                                const dun_loss_chain *chain) {
    const dun_ref_distance_shape s = {chain->shape.B, chain->shape.K, chain->D, chain->distance, 0};
    double *distance = dun_check_doubles(c, (size_t)(s.B * s.K)),
           *d_distance = dun_check_doubles(c, (size_t)(s.B * s.K));
    double *pair = dun_check_doubles(c, (size_t)(s.K * s.K)),
           *d_pair = dun_check_doubles(c, (size_t)(s.K * s.K));
    double *between = dun_check_doubles(c, (size_t)(s.K * s.D));
    if (c->stopped)
        return NAN;
    dun_ref_distance_fwd(distance, chain->points, chain->centroids, &s);
    dun_ref_pair_distance_fwd(pair, chain->centroids, &s);
    double value = chain->loss->reference(d_distance, d_pair, distance, pair, chain->labels, &chain->shape);
    dun_ref_distance_bwd(d_points, d_centroids, d_distance, chain->points, chain->centroids, &s);
    dun_ref_pair_distance_bwd(between, d_pair, chain->centroids, &s);
    for (int i = 0; i < s.K * s.D; i++)
        d_centroids[i] += between[i];
    return value;
}

/* The temperature of squared distances, which are near 2 * D here, is that much higher. */
static void through_distances(dun_check *c, const dun_loss_row *row, dun_ref_loss_shape s,
                              dun_ref_distance kind) {
    enum { D = 33 };
    size_t n_points = (size_t)s.B * D, n_centroids = (size_t)s.K * D;
    double *d_points = dun_check_doubles(c, n_points), *d_centroids = dun_check_doubles(c, n_centroids);
    s.temperature *= kind == DUN_REF_SQUARED ? 10.0 : 1.0;
    dun_loss_chain chain = {row,
                            s,
                            D,
                            kind,
                            dun_check_random(c, n_points, 1.0),
                            dun_check_random(c, n_centroids, 1.0),
                            make_labels(c, s.B, s.K)};
    dun_loss_results r = dun_loss_chain_run(c, &chain);
    double want = dun_loss_chain_reference(c, d_points, d_centroids, &chain);
    dun_check_close(c, r.value, &want, tolerance);
    dun_check_close(c, r.d_points, d_points, tolerance);
    dun_check_close(c, r.d_centroids, d_centroids, tolerance);
}

static void run(dun_check *c, size_t index) {
    size_t i = index, n_kinds = N_DISTANCES + N_KINDS;
    size_t kind = i % n_kinds, k = (i /= n_kinds) % N_CLASSES, b = (i /= N_CLASSES) % N_BATCHES;
    const dun_loss_row *row = &dun_loss_rows[i / N_BATCHES];
    const bool weighted = (k + b + kind) % 2 == 1;
    dun_ref_loss_shape s = {.B = batches[b],
                            .K = classes[k],
                            .temperature = temperatures[(k + b) % N_TEMPERATURES],
                            .margin = margins[(k + b) % N_MARGINS],
                            .attraction = row->attraction,
                            .repulsion = row->repulsion};
    dun_check_begin(c, index, "loss %s, %d points%s, %d classes, temperature %g, margin %g, %s %zu",
                    row->name, s.B, weighted ? " of different weights" : "", s.K, s.temperature, s.margin,
                    kind < N_DISTANCES ? distance_names[kind] : "from points and centroids, distance", kind);
    s.weight = make_weights(c, s.B, weighted);
    if (kind < N_DISTANCES)
        on_distances(c, row, &s, (enum distances)kind);
    else
        through_distances(c, row, s, kinds[kind - N_DISTANCES]);
}

const dun_check_topic dun_check_loss = {
    "loss", sizeof dun_loss_rows / sizeof *dun_loss_rows *(N_DISTANCES + N_KINDS) * N_CLASSES *N_BATCHES, run,
    false};
