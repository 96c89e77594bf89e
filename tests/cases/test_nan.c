/* A number that is none stays one on its way: through the weights of attention and of losses, through keys
 * and values in half precision, through a closed gate; and a text whose distance is none gets no class. */
#include "train_sample.h"

#include "base/err.h"
#include "check/check.h"
#include "session/evaluate.h"

#include <math.h>

static dun_device *device;
static dun_compute compute;

/* Rows of K = 5 classes; NaN in the second row's last distance alone. */
static void loss_rows(enum dun_learn_kernel kernel) {
    enum { B = 3, K = 5 };
    dun_check c;
    const int32_t labels[B] = {0, 1, 2};
    const double ones[B] = {1, 1, 1};
    double distances[B * K];
    for (int i = 0; i < B * K; i++)
        distances[i] = 1 + i % 7;
    distances[K + K - 1] = NAN;
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "a loss");
    dun_check_tensor *distance = dun_check_input(&c, "distance", distances, B * K),
                     *label = dun_check_input_ints(&c, "label", labels, B),
                     *weight = dun_check_input(&c, "weight", ones, B),
                     *value = dun_check_output(&c, "row_value", B),
                     *slope = dun_check_output(&c, "d_distance", B * K);
    const dun_arg args[] = {DUN_BUF(value->buffer),
                            DUN_BUF(slope->buffer),
                            DUN_BUF(distance->buffer),
                            DUN_BUF(label->buffer),
                            DUN_BUF(weight->buffer),
                            DUN_INT(B),
                            DUN_INT(K),
                            DUN_FLOAT(1.0),
                            DUN_FLOAT(0.0),
                            DUN_FLOAT(1.0),
                            DUN_FLOAT(1.0)};
    dun_check_launch(&c, &dun_learn_kernels, kernel, DUN_CHECK_ROWS(&c, B), args, sizeof args / sizeof *args);
    const double *values = dun_check_read(&c, value), *slopes = dun_check_read(&c, slope);
    check_going(&c);
    assert_true(isfinite(values[0]) && isnan(values[1]) && isfinite(values[2]));
    assert_true(isnan(slopes[K + K - 1]));
    for (int k = 0; k < K; k++)
        assert_true(isfinite(slopes[k]) && isfinite(slopes[2 * K + k]));
    dun_check_end(&c);
    assert_int_equal(c.n_failed, 0);
}

static void test_losses(void **state) {
    (void)state;
    loss_rows(DUN_K_loss_cross_entropy);
    loss_rows(DUN_K_loss_attract_repel);
}

static void test_half(void **state) {
    enum { C = 19 };
    dun_check c;
    double row[2 * C];
    const int32_t pairs[2] = {1, 0};
    (void)state;
    for (int j = 0; j < 2 * C; j++)
        row[j] = j % C == 2 || j % C == C - 1 ? NAN : j % C == 3 ? 1e6 : 1.5;
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "half precision");
    dun_check_tensor *cache = dun_check_in_out(&c, "cache", row, sizeof row / sizeof *row),
                     *kept = dun_check_output(&c, "kept", (C + 1) / 2),
                     *rows = dun_check_input_ints(&c, "rows", pairs, 2);
    DUN_CHECK_LAUNCH(&c, nn, kv_keep, DUN_CHECK_ROWS(&c, 1), DUN_BUF(kept->buffer), DUN_BUF(cache->buffer),
                     DUN_INT(0), DUN_INT(0), DUN_INT(C));
    DUN_CHECK_LAUNCH(&c, nn, kv_recall, DUN_CHECK_ROWS(&c, 1), DUN_BUF(cache->buffer), DUN_BUF(kept->buffer),
                     DUN_BUF(rows->buffer), DUN_INT(C));
    const double *back = dun_check_read(&c, cache);
    check_going(&c);
    for (int j = 0; j < C; j++)
        assert_true(isnan(row[j]) ? isnan(back[C + j]) : back[C + j] == (j == 3 ? 65504.0 : 1.5));
    dun_check_end(&c);
    assert_int_equal(c.n_failed, 0);
}

static void test_gate(void **state) {
    const double a[2] = {NAN, -1.0}, b[1] = {1.0}, d[2] = {3.0, 3.0};
    dun_check c;
    (void)state;
    dun_check_init(&c, &compute);
    dun_check_begin(&c, 0, "a gate");
    dun_check_tensor *a_in = dun_check_input(&c, "a", a, 2), *b_in = dun_check_input(&c, "b", b, 1),
                     *hidden = dun_check_output(&c, "hidden", 2), *slope = dun_check_in_out(&c, "d", d, 2);
    DUN_CHECK_LAUNCH(&c, learn, reparam_product, DUN_CHECK_ROWS(&c, 2), DUN_BUF(hidden->buffer),
                     DUN_BUF(a_in->buffer), DUN_INT(1), DUN_INT(1), DUN_BUF(b_in->buffer), DUN_INT(1),
                     DUN_INT(1), DUN_INT(0), DUN_INT(1), DUN_INT(1), DUN_INT(1));
    DUN_CHECK_LAUNCH(&c, learn, reparam_relu_bwd, DUN_CHECK_ROWS(&c, 2), DUN_BUF(slope->buffer),
                     DUN_BUF(hidden->buffer), DUN_INT(1));
    const double *opened = dun_check_read(&c, hidden), *slopes = dun_check_read(&c, slope);
    check_going(&c);
    assert_true(isnan(opened[0]) && opened[1] == 0.0);
    assert_true(slopes[0] == 3.0 && slopes[1] == 0.0);
    dun_check_end(&c);
    assert_int_equal(c.n_failed, 0);
}

/* A NaN in one key of the texts would have weight 0; in a centroid it would be everybody's first class. */
static void test_distances(void **state) {
    train_run t;
    dun_loss loss = {0};
    dun_buffer centroids = {0};
    float numbers[2 * 32] = {0}, distances[2 * 8];
    const dun_loss_settings settings = {
        .kind = DUN_LOSS_CROSS_ENTROPY, .distance = DUN_DISTANCE_EUCLIDEAN, .temperature = 1.0f};
    (void)state;
    configure(&t, "[prompt]\ninit = vocab\ntokens = 2\n[train]\nbatch_size = 4\n");
    check_ok(train_run_open(&t, NULL));
    dun_session *s = &t.session;
    assert_int_equal(dun_session_point_width(s), 32);
    check_ok(dun_loss_create(&loss, &s->compute, &settings, s->engine.options.max_sequences, 2, 32));
    check_ok(dun_buffer_create(&centroids, s->device, sizeof numbers, "centroids"));
    check_ok(dun_buffer_write(&centroids, 0, numbers, sizeof numbers));
    check_ok(dun_evaluate(distances, s, NULL, &loss, &centroids, s->n_train, 8, "eval"));
    numbers[5] = NAN;
    check_ok(dun_buffer_write(&centroids, 0, numbers, sizeof numbers));
    assert_int_equal(dun_evaluate(distances, s, NULL, &loss, &centroids, s->n_train, 8, "eval"), DUN_FAILED);
    if (!strstr(dun_error_message(), "validation text 1 to the centroid of class 0 is"))
        fail_msg("message: %s", dun_error_message());
    dun_buffer_free(&centroids);
    dun_loss_free(&loss);
    train_run_close(&t);
}

/* One NaN in the prompt's row: its query and its key. Every point is NaN, and the loss with it. */
static void test_attention(void **state) {
    train_run t;
    const float nan = NAN;
    (void)state;
    configure(&t, "[prompt]\ninit = vocab\ntokens = 2\n[train]\nbatch_size = 4\n");
    check_ok(train_run_open(&t, NULL));
    check_ok(dun_buffer_write(&t.session.engine.prompt, 0, &nan, sizeof nan));
    float *points = points_of(&t.session, 0, 3);
    for (size_t i = 0; i < 3 * dun_session_point_width(&t.session); i++)
        assert_true(isnan(points[i]));
    free(points);
    train_run_close(&t);
}

static int begin(void **state) {
    if (make_files_and_programs(state) != 0)
        return -1;
    device = check_open_device();
    check_ok(dun_compute_create(&compute, device, 8, "naive"));
    return 0;
}

static int end(void **state) {
    dun_compute_free(&compute);
    dun_device_close(device);
    return remove_files(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_half),
                                       cmocka_unit_test(test_gate), cmocka_unit_test(test_distances),
                                       cmocka_unit_test(test_attention)};
    return cmocka_run_group_tests(tests, begin, end);
}
