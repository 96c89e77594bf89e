/* Points of several blocks side by side, and the matrix that points go through before they are compared: what
 * training makes of them, on a tiny model. */
#include "base/err.h"
#include "device_check.h"
#include "session/classifier.h"
#include "session/reopen.h"
#include "train_sample.h"

#include <math.h>

enum { C = 32, N_TRAIN = 10 };

#define STILL "[prompt]\ninit = vocab\n[train]\nepochs = 0\nbatch_size = 10\n"

static void train(train_run *t, const char *name, const char *more) {
    configure(t, more);
    train_run_all(t, name);
}

/* A point of several blocks is the points of each, to the bit. */
static void test_layers(void **state) {
    (void)state;
    static const char *const layers[] = {"1", "2", "last"};
    train_run one, all;
    float *parts[3], *whole;
    for (size_t i = 0; i < 3; i++) {
        char more[200], name[32];
        snprintf(more, sizeof more, STILL "[model]\nlayer = %s\n", layers[i]);
        snprintf(name, sizeof name, "layer-%s", layers[i]);
        train(&one, name, more);
        parts[i] = points_of(&one.session, 0, N_TRAIN);
        train_run_close(&one);
    }
    train(&all, "layers", STILL "[model]\nlayers = 1+2+last\n");
    assert_int_equal(dun_session_point_width(&all.session), 3 * C);
    whole = points_of(&all.session, 0, N_TRAIN);
    for (size_t i = 0; i < N_TRAIN; i++)
        for (size_t k = 0; k < 3; k++)
            assert_memory_equal(whole + (3 * i + k) * C, parts[k] + i * C, C * sizeof *whole);
    for (size_t i = 0; i < 3; i++)
        free(parts[i]);
    free(whole);
    train_run_close(&all);
}

static void test_no_layers(void **state) {
    (void)state;
    static const char *const lists[] = {"3+last", "0+1",    "1+",        "+1",         "1+1",     "2+1",
                                        "last+1", "1+ 2",   "1,2",       "1+99999999", "1+last+", "x",
                                        "-1+2",   "1+Last", "last+last", "1.5",        "1++2"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        train_run t;
        char more[100];
        snprintf(more, sizeof more, STILL "[model]\nlayers = %s\n", lists[i]);
        configure(&t, more);
        assert_int_equal(dun_session_open(&t.session, &t.config, NULL), DUN_USAGE);
        if (!strstr(dun_error_message(), "the model has 2 layers"))
            fail_msg("%s: %s", lists[i], dun_error_message());
        dun_config_free(&t.config);
    }
}

/* A matrix that leaves points as they are changes no bit of a training. */
static void test_identity(void **state) {
    (void)state;
    train_run plain, through;
    const char lines[] = "[prompt]\ninit = vocab\nlr = 0.05\n[model]\nnormalize = zscore\n";
    char more[200];
    snprintf(more, sizeof more, "%s[metric]\nstart = identity\ntrain = no\n", lines);
    train(&plain, "without", lines);
    train(&through, "identity", more);
    assert_int_equal(plain.n_losses, through.n_losses);
    assert_memory_equal(plain.losses, through.losses, plain.n_losses * sizeof *plain.losses);
    assert_memory_equal(plain.session.prompt.rows, through.session.prompt.rows,
                        (size_t)plain.session.prompt.n_rows * C * sizeof(float));
    assert_true(train_same_file(train_run_file(&plain, "predictions.tsv"),
                                train_run_file(&through, "predictions.tsv")));
    train_run_close(&through);
    train_run_close(&plain);
}

typedef struct {
    train_run run;
    dun_loss loss;
    dun_buffer centroids;
} scene;

static double loss_of(scene *s) {
    uint32_t which[N_TRAIN];
    int32_t labels[N_TRAIN];
    float value;
    dun_session *session = &s->run.session;
    for (uint32_t i = 0; i < N_TRAIN; i++) {
        which[i] = i;
        labels[i] = (int32_t)session->texts.label[i];
    }
    check_ok(dun_session_run(session, which, N_TRAIN));
    check_ok(dun_loss_run(&s->loss, dun_session_point_gradient(session), NULL, dun_session_points(session),
                          &s->centroids, labels, NULL, N_TRAIN));
    check_ok(dun_loss_read(&value, NULL, &s->loss, N_TRAIN));
    return (double)value;
}

/* The loss's slope along the gradient of a tensor, by a central difference, is the gradient's length. */
static void check_slope(scene *s, dun_buffer *tensor, const dun_buffer *gradient, double h,
                        const char *what) {
    const size_t n = gradient->bytes / sizeof(float);
    float *values = calloc(n, sizeof *values), *moved = calloc(n, sizeof *moved),
          *slopes = calloc(n, sizeof *slopes);
    double length = 0, sides[2];
    assert_true(values && moved && slopes);
    check_ok(dun_buffer_read(slopes, gradient, 0, n * sizeof *slopes));
    check_ok(dun_buffer_read(values, tensor, 0, n * sizeof *values));
    for (size_t i = 0; i < n; i++)
        length += (double)slopes[i] * (double)slopes[i];
    length = sqrt(length);
    assert_true(length > 0);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            moved[i] = values[i] + (float)((side ? -h : h) * (double)slopes[i] / length);
        check_ok(dun_buffer_write(tensor, 0, moved, n * sizeof *moved));
        sides[side] = loss_of(s);
    }
    check_ok(dun_buffer_write(tensor, 0, values, n * sizeof *values));
    const double slope = (sides[0] - sides[1]) / (2 * h);
    print_message("%s: slope %.6f, gradient %.6f\n", what, slope, length);
    if (!(fabs(slope - length) <= 5e-3 * length))
        fail_msg("%s: slope %g, gradient of length %g", what, slope, length);
    free(slopes);
    free(moved);
    free(values);
}

static void test_gradients(void **state) {
    (void)state;
    static const char *const cases[] = {
        "[metric]\nstart = random\ndimensions = 5\n",
        "[model]\nlayers = 1+last\nnormalize = zscore\n[metric]\nstart = lda\ndimensions = 3\n",
        ("[model]\nlayers = 1+2+last\nnormalize = unit\n[metric]\nstart = random\ndimensions = 40\n"
         "[loss]\ndistance = squared\n"),
        "[model]\nlayers = 1+2\n[metric]\nstart = identity\n[loss]\ndistance = cosine\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        char more[400], name[32];
        snprintf(name, sizeof name, "gradients-%zu", i);
        snprintf(more, sizeof more, STILL "[centroid]\nstart = random\n%s", cases[i]);
        train(&s.run, name, more);
        dun_session *session = &s.run.session;
        const uint32_t M = dun_session_point_width(session);
        const dun_loss_settings settings = dun_loss_settings_from(&s.run.config);
        assert_int_equal(M, session->metric.dimensions);
        check_ok(dun_buffer_create(&s.centroids, session->device, 2 * M * sizeof(float), "centroids"));
        check_ok(dun_buffer_write(&s.centroids, 0, s.run.result.centroids, 2 * M * sizeof(float)));
        check_ok(dun_loss_create(&s.loss, &session->compute, &settings, N_TRAIN, 2, M));
        loss_of(&s);
        check_ok(dun_session_backward(session, N_TRAIN));
        check_slope(&s, &session->metric.matrix, &session->metric.d_matrix, 0.01, "matrix");
        check_slope(&s, &session->engine.prompt, &session->engine.d_prompt, 0.02, "prompt");
        dun_loss_free(&s.loss);
        dun_buffer_free(&s.centroids);
        train_run_close(&s.run);
    }
}

static double moved_by(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum);
}

/* It is trained at its own rate, or stays; what is saved makes the same distances in a session that fits
 * nothing. */
static void test_saved(void **state) {
    (void)state;
    static const char lines[] =
        "[prompt]\ninit = vocab\nlr = 0.05\n[model]\nlayers = 1+last\nnormalize = zscore\n"
        "[metric]\nstart = lda\ndimensions = 4\n";
    static const char *const rates[] = {"lr = 0\n", "lr = 1e-2\n", "train = no\n"};
    float *first = NULL;
    for (size_t i = 0; i < 3; i++) {
        train_run t, again;
        dun_saved_prompt saved;
        dun_classifier classifier;
        char more[400], name[32];
        snprintf(more, sizeof more, "%s%s", lines, rates[i]);
        snprintf(name, sizeof name, "saved-%zu", i);
        train(&t, name, more);
        check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
        assert_non_null(saved.metric);
        assert_int_equal(saved.point_width, 4);
        assert_int_equal(saved.metric_width, 2 * C);
        assert_non_null(saved.normalization);
        const size_t n = 4 * 2 * C;
        if (!first) {
            first = calloc(n, sizeof *first);
            assert_non_null(first);
            memcpy(first, saved.metric, n * sizeof *first);
        }
        const double moved = moved_by(first, saved.metric, n);
        assert_true(i == 1 ? moved > 1e-3 : moved == 0);
        configure(&again, more);
        check_ok(dun_session_open(&again.session, &again.config, NULL));
        check_ok(dun_session_use_prompt(&again.session, &saved, "saved"));
        check_ok(dun_session_read_data(&again.session, false));
        check_ok(dun_session_start_engine(&again.session, false));
        check_ok(dun_classifier_open(&classifier, &again.session, &saved));
        float *distances = calloc((size_t)again.session.n_valid * 2, sizeof *distances);
        assert_non_null(distances);
        check_ok(dun_classifier_evaluate(distances, &classifier));
        for (uint32_t k = 0; k < again.session.n_valid * 2; k++)
            assert_true(fabs((double)distances[k] - (double)t.result.distances[k]) <=
                        1e-5 * fabs((double)t.result.distances[k]));
        free(distances);
        dun_classifier_free(&classifier);
        dun_session_close(&again.session);
        dun_config_free(&again.config);
        dun_saved_prompt_free(&saved);
        train_run_close(&t);
    }
    free(first);
}

/* A saved prompt without the matrix, or with one of another size, is refused, before anything is made of it.
 */
static void test_other_sizes(void **state) {
    (void)state;
    static const struct {
        const char *more, *message;
    } rows[] = {
        {"[metric]\nstart = lda\ndimensions = 5\n", "saved: the run's metric is (4, 32)"},
        {"[model]\nlayers = 1+last\n[metric]\nstart = lda\ndimensions = 4\n",
         "saved: the run's metric is (4, 32)"},
        {"[model]\nnormalize = zscore\n[metric]\nstart = lda\ndimensions = 4\n", "no tensor normalization"},
        {"", "saved: the run's centroids are 4 wide; its config makes points 32 wide"}};
    train_run t;
    dun_saved_prompt saved;
    train(&t, "four", STILL "[metric]\nstart = lda\ndimensions = 4\n");
    check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        train_run again;
        char more[300];
        snprintf(more, sizeof more, STILL "%s", rows[i].more);
        configure(&again, more);
        check_ok(dun_session_open(&again.session, &again.config, NULL));
        assert_int_equal(dun_session_use_prompt(&again.session, &saved, "saved"), DUN_BAD_INPUT);
        if (!strstr(dun_error_message(), rows[i].message))
            fail_msg("%zu: %s", i, dun_error_message());
        dun_session_close(&again.session);
        dun_config_free(&again.config);
    }
    dun_saved_prompt_free(&saved);
    train_run_close(&t);
}

/* Points that do not go through all that the run's went through are not compared with its centroids. */
static void test_left_out(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"[metric]\nstart = whiten\n", "the run has a metric, which metric.start = none ("},
        {"[model]\nnormalize = center\n", "the run has a normalization, which model.normalize = none ("}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        train_run t, again;
        dun_saved_prompt saved;
        dun_classifier classifier;
        char more[300], name[32];
        snprintf(more, sizeof more, STILL "%s", rows[i][0]);
        snprintf(name, sizeof name, "left-%zu", i);
        train(&t, name, more);
        check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
        configure(&again, STILL);
        check_ok(dun_session_open(&again.session, &again.config, NULL));
        check_ok(dun_session_use_prompt(&again.session, &saved, "saved"));
        check_ok(dun_session_start_engine(&again.session, false));
        assert_int_equal(dun_classifier_open(&classifier, &again.session, &saved), DUN_BAD_INPUT);
        if (!strstr(dun_error_message(), rows[i][1]))
            fail_msg("%s", dun_error_message());
        dun_session_close(&again.session);
        dun_config_free(&again.config);
        dun_saved_prompt_free(&saved);
        train_run_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers),   cmocka_unit_test(test_no_layers),
                                       cmocka_unit_test(test_identity), cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_saved),    cmocka_unit_test(test_other_sizes),
                                       cmocka_unit_test(test_left_out)};
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
