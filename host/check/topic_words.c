/* Cases of host/kernels/words.cl: told distances and their way back, alone and in the chain from points to
 * the loss. */
#include "check/check_topics.h"
#include "check/reference_ops.h"
#include "learn/loss.h"

static const double tolerance = 3e-6;
static const int batches[] = {1, 5, 33}, classes[] = {2, 3, 7};
enum { N_BATCHES = 3, N_CLASSES = 3, N_KINDS = 2, MOST_CLASSES = 7, MOST_WIDTH = 576 };

/* What a case is made of: points, centroids, the words' rows and offsets, labels. */
typedef struct {
    dun_ref_words_shape s;
    double *points, *centroids, *row, *offset;
    int32_t *labels;
} sample;

static sample make_sample(dun_check *c, dun_ref_words_shape s) {
    const size_t B = (size_t)s.B, K = (size_t)s.K, D = (size_t)s.D;
    sample x = {s,
                dun_check_random(c, B * D, 1.0),
                dun_check_random(c, K * D, 1.0),
                dun_check_random(c, K * D, 0.5),
                dun_check_random(c, K, 2.0),
                dun_check_ints(c, B)};
    for (int i = 0; x.labels && i < s.B; i++)
        x.labels[i] = (i * 5 + 1) % s.K;
    return x;
}

static void kernels(dun_check *c, const sample *x) {
    const dun_ref_words_shape *s = &x->s;
    const size_t n = (size_t)(s->B * s->K), n_points = (size_t)(s->B * s->D), n_rows = (size_t)(s->K * s->D);
    double *distance = dun_check_random(c, n, 3.0), *d_told = dun_check_random(c, n, 1.0);
    double *d_points = dun_check_random(c, n_points, 1.0), *want = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    dun_check_tensor *told = dun_check_output(c, "told", n),
                     *distance_in = dun_check_input(c, "distance", distance, n),
                     *points = dun_check_input(c, "points", x->points, n_points),
                     *row = dun_check_input(c, "row", x->row, n_rows),
                     *offset = dun_check_input(c, "offset", x->offset, (size_t)s->K),
                     *gradient = dun_check_in_out(c, "d_points", d_points, n_points),
                     *d_told_in = dun_check_input(c, "d_told", d_told, n);
    DUN_CHECK_LAUNCH(c, learn, words_fwd, DUN_CHECK_ROWS(c, n), DUN_BUF(told->buffer),
                     DUN_BUF(distance_in->buffer), DUN_BUF(points->buffer), DUN_BUF(row->buffer),
                     DUN_BUF(offset->buffer), DUN_INT(s->K), DUN_INT(s->D), DUN_FLOAT(s->weight));
    DUN_CHECK_LAUNCH(c, learn, words_bwd, DUN_CHECK_ROWS(c, s->B), DUN_BUF(gradient->buffer),
                     DUN_BUF(d_told_in->buffer), DUN_BUF(row->buffer), DUN_INT(s->K), DUN_INT(s->D),
                     DUN_FLOAT(s->weight));
    dun_ref_words_fwd(want, distance, x->points, x->row, x->offset, s);
    dun_ref_words_bwd(d_points, d_told, x->row, s);
    dun_check_close_floor(c, told, want, tolerance, 1.0);
    dun_check_close_floor(c, gradient, d_points, tolerance, 1.0);
}

static void free_loss(void *loss) {
    dun_loss_free(loss);
}

/* Loss and gradients on the device, of a sample of which the words are used. */
static void run_loss(dun_check *c, dun_check_tensor *d_points, dun_check_tensor *d_centroids,
                     dun_check_tensor *value, const sample *x) {
    const dun_ref_words_shape *s = &x->s;
    const size_t K = (size_t)s->K, D = (size_t)s->D;
    dun_loss *loss = dun_check_own(c, sizeof *loss, free_loss);
    float rows[MOST_CLASSES * MOST_WIDTH], got;
    dun_check_tensor *points = dun_check_input(c, "points", x->points, (size_t)s->B * D),
                     *centroids = dun_check_input(c, "centroids", x->centroids, K * D),
                     *offset = dun_check_input(c, "offset", x->offset, K);
    const dun_loss_settings settings = {.kind = DUN_LOSS_CROSS_ENTROPY,
                                        .distance = DUN_DISTANCE_EUCLIDEAN,
                                        .temperature = 2.0f,
                                        .label_weight = (float)s->weight};
    if (c->stopped)
        return;
    for (size_t i = 0; i < K * D; i++)
        rows[i] = (float)x->row[i];
    DUN_CHECK_TRY(
        c, dun_loss_create(loss, c->compute, &settings, (uint32_t)s->B + 3, (uint32_t)s->K, (uint32_t)s->D));
    DUN_CHECK_TRY(c, dun_loss_use_words(loss, rows));
    DUN_CHECK_TRY(c, dun_buffer_copy(&loss->words.offset, 0, &offset->buffer, 0, K * sizeof(float)));
    DUN_CHECK_TRY(c, dun_loss_run(loss, &d_points->buffer, &d_centroids->buffer, &points->buffer,
                                  &centroids->buffer, x->labels, NULL, (uint32_t)s->B));
    DUN_CHECK_TRY(c, dun_loss_read(&got, NULL, loss, (uint32_t)s->B));
    DUN_CHECK_TRY(c, dun_buffer_write(&value->buffer, 0, &got, sizeof got));
}

static void chain(dun_check *c, const sample *x) {
    const dun_ref_words_shape *s = &x->s;
    const size_t n = (size_t)(s->B * s->K), n_points = (size_t)(s->B * s->D), n_rows = (size_t)(s->K * s->D);
    const dun_ref_distance_shape of_distance = {s->B, s->K, s->D, DUN_REF_EUCLIDEAN, 0};
    const dun_ref_loss_shape of_loss = {.B = s->B, .K = s->K, .temperature = 2.0};
    double *distance = dun_check_doubles(c, n), *told = dun_check_doubles(c, n),
           *d_told = dun_check_doubles(c, n), *pair = dun_check_doubles(c, (size_t)(s->K * s->K));
    double *d_points = dun_check_doubles(c, n_points), *d_centroids = dun_check_doubles(c, n_rows);
    dun_check_tensor *value = dun_check_output(c, "value", 1),
                     *points_out = dun_check_output(c, "d_points", n_points),
                     *centroids_out = dun_check_output(c, "d_centroids", n_rows);
    if (c->stopped)
        return;
    run_loss(c, points_out, centroids_out, value, x);
    dun_ref_distance_fwd(distance, x->points, x->centroids, &of_distance);
    dun_ref_words_fwd(told, distance, x->points, x->row, x->offset, s);
    double want = dun_ref_loss_cross_entropy(d_told, pair, told, NULL, x->labels, &of_loss);
    dun_ref_distance_bwd(d_points, d_centroids, d_told, x->points, x->centroids, &of_distance);
    dun_ref_words_bwd(d_points, d_told, x->row, s);
    dun_check_close_floor(c, value, &want, tolerance, 1.0);
    dun_check_close_floor(c, points_out, d_points, tolerance, 0.1);
    dun_check_close_floor(c, centroids_out, d_centroids, tolerance, 0.1);
}

static void run(dun_check *c, size_t index) {
    static void (*const kinds[])(dun_check *, const sample *) = {kernels, chain};
    static const char *const names[] = {"their kernels", "from points to the loss"};
    size_t i = index;
    const int B = batches[i % N_BATCHES], K = classes[(i /= N_BATCHES) % N_CLASSES];
    const int D = dun_check_widths[(i /= N_CLASSES) % DUN_CHECK_N_WIDTHS];
    const size_t kind = i / DUN_CHECK_N_WIDTHS;
    dun_check_begin(c, index, "label words, %s: %d points of %d, %d classes", names[kind], B, D, K);
    const sample x = make_sample(c, (dun_ref_words_shape){B, K, D, 0.25});
    if (!c->stopped)
        kinds[kind](c, &x);
}

const dun_check_topic dun_check_words = {"words", (size_t)N_KINDS *N_BATCHES *N_CLASSES *DUN_CHECK_N_WIDTHS,
                                         run, false};
