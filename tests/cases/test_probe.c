/* The linear probe: its objective and gradient against plain loops and central differences, optima of sets
 * that a plane separates and of sets that none does, standardised features, and what a run watches. */
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "math/logistic.h"
#include "math/probe.h"
#include "run/watch.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    dun_logistic problem;
    float *points;
    uint32_t *labels;
} sample;

static double normal(uint64_t index) {
    return dun_random_normal(3, DUN_STREAM_TEST, index);
}

/* n points round K places that are `apart` from each other, some with another label than their place's. */
static sample make_sample(uint32_t n, uint32_t D, uint32_t K, double apart, uint32_t wrong_every) {
    sample s = {.points = dun_calloc((size_t)n * D, sizeof(float)),
                .labels = dun_calloc(n, sizeof(uint32_t))};
    assert_true(s.points && s.labels);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i % K;
        for (uint32_t j = 0; j < D; j++)
            s.points[i * D + j] = (float)(normal(i * 7919 + j) + (j == k % D ? apart * (1 + k / D) : 0));
        s.labels[i] = wrong_every && i % wrong_every == 0 ? (k + 1) % K : k;
    }
    s.problem =
        (dun_logistic){.points = s.points, .labels = s.labels, .n = n, .width = D, .n_classes = K, .l2 = 10};
    return s;
}

static void free_sample(sample *s) {
    dun_free(s->points);
    dun_free(s->labels);
}

static double objective(const dun_logistic *p, const double *w) {
    uint32_t D = p->width, K = p->n_classes;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        double total = 0, own = 0;
        for (uint32_t k = 0; k < K; k++) {
            double z = w[k * (D + 1) + D];
            for (uint32_t j = 0; j < D; j++)
                z += w[k * (D + 1) + j] * (double)p->points[i * D + j];
            total += exp(z);
            own = k == p->labels[i] ? z : own;
        }
        sum += log(total) - own;
    }
    for (uint32_t k = 0; k < K; k++)
        for (uint32_t j = 0; j < D; j++)
            squares += w[k * (D + 1) + j] * w[k * (D + 1) + j];
    return sum / p->n + p->l2 / (2 * p->n) * squares;
}

/* Central difference of the objective along one weight. */
static double slope_of(const dun_logistic *p, double *w, size_t at) {
    double keep = w[at], h = 1e-5;
    w[at] = keep + h;
    double above = objective(p, w);
    w[at] = keep - h;
    double below = objective(p, w);
    w[at] = keep;
    return (above - below) / (2 * h);
}

static void test_objective(void **state) {
    static const uint32_t shapes[][3] = {{1, 1, 2}, {5, 3, 2}, {9, 8, 3}, {12, 17, 5}, {30, 9, 100}};
    (void)state;
    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        uint32_t D = shapes[c][1], K = shapes[c][2];
        size_t n = (size_t)K * (D + 1);
        sample s = make_sample(shapes[c][0], D, K, 2, 4);
        double *w = dun_calloc(n, sizeof *w), *gradient = dun_calloc(n, sizeof *gradient);
        double *scratch = dun_calloc(n + K, sizeof *scratch);
        assert_true(w && gradient && scratch);
        for (size_t i = 0; i < n; i++)
            w[i] = 0.3 * normal(1000000 + i);
        double value = dun_logistic_value(gradient, scratch, &s.problem, w);
        if (!(fabs(value - objective(&s.problem, w)) <= 1e-12 * (1 + fabs(value))))
            fail_msg("shape %zu: value %.15g, loops give %.15g", c, value, objective(&s.problem, w));
        for (size_t i = 0; i < n; i++)
            if (!(fabs(gradient[i] - slope_of(&s.problem, w, i)) <= 1e-8))
                fail_msg("shape %zu: gradient %zu is %g, differences give %g", c, i, gradient[i],
                         slope_of(&s.problem, w, i));
        dun_free(w);
        dun_free(gradient);
        dun_free(scratch);
        free_sample(&s);
    }
}

static double accuracy_of(const dun_logistic *p, const double *w) {
    uint32_t right = 0;
    for (uint32_t i = 0; i < p->n; i++)
        right +=
            dun_logistic_predict(p->points + (size_t)i * p->width, w, p->width, p->n_classes) == p->labels[i];
    return (double)right / p->n;
}

/* The optimum by its own property: no slope in any direction, by differences of plain loops; and nothing near
 * it is lower. */
static void check_optimum(sample *s, double least_accuracy, double most_accuracy) {
    size_t n = (size_t)s->problem.n_classes * (s->problem.width + 1);
    dun_logistic_fit fit;
    double *w = dun_calloc(n, sizeof *w), *again = dun_calloc(n, sizeof *again);
    assert_true(w && again);
    check_ok(dun_logistic_minimize(w, &fit, &s->problem, 1e-9, 2000));
    assert_true(fit.converged && fit.gradient <= 1e-9);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(slope_of(&s->problem, w, i)) <= 1e-8))
            fail_msg("weight %zu: slope %g at the optimum", i, slope_of(&s->problem, w, i));
    double value = objective(&s->problem, w);
    assert_true(fabs(value - fit.value) <= 1e-12);
    for (uint64_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < n; i++)
            again[i] = w[i] + 0.01 * normal(5000000 + round * n + i);
        assert_true(objective(&s->problem, again) > value);
    }
    double accuracy = accuracy_of(&s->problem, w);
    assert_true(accuracy >= least_accuracy && accuracy <= most_accuracy);
    check_ok(dun_logistic_minimize(again, &fit, &s->problem, 1e-9, 2000));
    assert_memory_equal(w, again, n * sizeof *w);
    /* Cut short, it says so. */
    check_ok(dun_logistic_minimize(again, &fit, &s->problem, 1e-9, 2));
    assert_false(fit.converged);
    assert_int_equal(fit.iterations, 2);
    assert_true(fit.value > value);
    dun_free(w);
    dun_free(again);
}

static void test_separable(void **state) {
    (void)state;
    sample s = make_sample(60, 5, 2, 20, 0);
    check_optimum(&s, 1, 1);
    s.problem.l2 = 1e-3;
    check_optimum(&s, 1, 1);
    free_sample(&s);
    s = make_sample(90, 9, 3, 20, 0);
    check_optimum(&s, 1, 1);
    free_sample(&s);
    /* More features than points: always separable. */
    s = make_sample(20, 50, 2, 0, 0);
    check_optimum(&s, 1, 1);
    free_sample(&s);
}

static void test_not_separable(void **state) {
    (void)state;
    sample s = make_sample(120, 3, 2, 1, 5);
    check_optimum(&s, 0.5, 0.9);
    free_sample(&s);
    s = make_sample(200, 6, 5, 2, 4);
    check_optimum(&s, 0.5, 0.9);
    free_sample(&s);
    /* One feature that says nothing: the weights stay small, the intercept tells the frequencies. */
    s = make_sample(100, 1, 2, 0, 0);
    for (uint32_t i = 0; i < 100; i++) {
        s.points[i] = i % 2 ? 1.0f : -1.0f;
        s.labels[i] = i % 4 == 0 || i % 4 == 1 || i < 40;
    }
    double w[4];
    dun_logistic_fit fit;
    check_ok(dun_logistic_minimize(w, &fit, &s.problem, 1e-10, 1000));
    assert_true(fabs(w[0]) < 1e-9 && fabs(w[2]) < 1e-9);
    double odds = exp(w[3] - w[1]);
    assert_true(fabs(odds - 70.0 / 30.0) < 1e-6);
    free_sample(&s);
}

static void test_standardize(void **state) {
    enum { N = 50, VALID = 7, D = 4 };
    float points[(N + VALID) * D];
    (void)state;
    for (uint32_t i = 0; i < N + VALID; i++) {
        points[i * D] = (float)(3 + 2 * normal(i));
        points[i * D + 1] = (float)(1e-3 * normal(100 + i) - 400);
        points[i * D + 2] = 7.3f;                  /* constant */
        points[i * D + 3] = i == N ? 5.0f : -2.5f; /* constant in training */
    }
    dun_probe_data data = {.points = points, .n_train = N, .n_valid = VALID, .width = D, .n_classes = 2};
    float first_valid = points[N * D];
    double mean = 0, squares = 0;
    for (uint32_t i = 0; i < N; i++)
        mean += (double)points[i * D] / N;
    for (uint32_t i = 0; i < N; i++)
        squares += ((double)points[i * D] - mean) * ((double)points[i * D] - mean) / N;
    dun_probe_standardize(&data);
    for (uint32_t j = 0; j < 2; j++) {
        double m = 0, v = 0;
        for (uint32_t i = 0; i < N; i++)
            m += (double)points[i * D + j] / N;
        for (uint32_t i = 0; i < N; i++)
            v += ((double)points[i * D + j] - m) * ((double)points[i * D + j] - m) / N;
        assert_true(fabs(m) < 1e-6 && fabs(v - 1) < 1e-5);
    }
    for (uint32_t i = 0; i < N + VALID; i++)
        assert_true(points[i * D + 2] == 0 && points[i * D + 3] == 0);
    assert_true(fabs((double)points[N * D] - ((double)first_valid - mean) / sqrt(squares)) < 1e-5);
}

/* A probe sees what is there, and nothing where nothing is. */
static void test_probe(void **state) {
    (void)state;
    sample s = make_sample(300, 8, 3, 4, 0);
    dun_probe_data data = {
        .points = s.points, .labels = s.labels, .n_train = 200, .n_valid = 100, .width = 8, .n_classes = 3};
    double accuracy = NAN, again = NAN;
    float *copy = dun_calloc(300 * 8, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, s.points, 300 * 8 * sizeof *copy);
    check_ok(dun_probe(&accuracy, &data));
    assert_true(accuracy > 0.95);
    memcpy(s.points, copy, 300 * 8 * sizeof *copy);
    check_ok(dun_probe(&again, &data));
    assert_true(accuracy == again);
    for (uint32_t i = 0; i < 300; i++)
        s.labels[i] = (uint32_t)dun_random_below(3, 17, DUN_STREAM_TEST, i);
    check_ok(dun_probe(&accuracy, &data));
    assert_true(accuracy < 0.55);
    int rc = DUN_FAILED;
    unsigned long n = 0;
    size_t live = dun_mem_live();
    while (rc < 0) {
        dun_fault_set(++n);
        rc = dun_probe(&accuracy, &data);
        dun_fault_set(0);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n > 2 && n < 10);
    assert_true(dun_probe_fits(7792, 576) && !dun_probe_fits(1896, 49152));
    dun_free(copy);
    free_sample(&s);
}

static void test_watch(void **state) {
    dun_watch w;
    (void)state;
    dun_watch_init(&w);
    assert_int_equal(dun_watch_verdict(&w, NAN), 0);
    assert_int_equal(dun_watch_verdict(&w, 5), 0);
    dun_watch_loss(&w, 1);
    dun_watch_loss(&w, 100);
    assert_int_equal(dun_watch_verdict(&w, 2), 0);
    assert_int_equal(dun_watch_verdict(&w, 2.1), DUN_WATCH_EXPLODED);
    assert_int_equal(dun_watch_verdict(&w, INFINITY), DUN_WATCH_EXPLODED);
    assert_int_equal(dun_watch_verdict(&w, NAN), 0);
    dun_watch_valid(&w, 0.5);
    assert_int_equal(dun_watch_verdict(&w, 1), 0);
    dun_watch_valid(&w, 0.5);
    assert_int_equal(dun_watch_verdict(&w, 1), DUN_WATCH_FLAT);
    assert_int_equal(dun_watch_verdict(&w, 9), DUN_WATCH_FLAT | DUN_WATCH_EXPLODED);
    dun_watch_valid(&w, 0.51);
    assert_int_equal(dun_watch_verdict(&w, 1), 0);
    dun_watch_init(&w);
    dun_watch_valid(&w, 1);
    dun_watch_valid(&w, 1);
    assert_int_equal(dun_watch_verdict(&w, 1), 0);
}

static int nothing_left(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objective),     cmocka_unit_test(test_separable),
        cmocka_unit_test(test_not_separable), cmocka_unit_test(test_standardize),
        cmocka_unit_test(test_probe),         cmocka_unit_test(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
