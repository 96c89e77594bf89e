/* Temperatures of probabilities: the one that made the labels is found again, it is the best on a grid, texts
 * that say nothing have none; and the sums behind a reliability diagram, by hand. */
#include "base/rng.h"
#include "data_expect.h"
#include "math/calibration.h"

#include <math.h>
#include <stdlib.h>

enum { N = 6000, K = 3 };

typedef struct {
    float *distances;
    uint32_t *labels;
    dun_judged_texts texts;
} sample;

/* Distances about 2 apart, and labels drawn from their softmax under a temperature. */
static sample make(uint32_t n, double temperature) {
    sample s = {.distances = calloc((size_t)n * K, sizeof(float)), .labels = calloc(n, sizeof(uint32_t))};
    assert_non_null(s.distances);
    assert_non_null(s.labels);
    for (uint32_t i = 0; i < n; i++) {
        double e[K], total = 0;
        for (uint32_t k = 0; k < K; k++) {
            s.distances[i * K + k] =
                (float)(10 + 2 * dun_random_normal(1, DUN_STREAM_TEST, (uint64_t)i * K + k));
            total += e[k] = exp(-(double)s.distances[i * K + k] / temperature);
        }
        double draw = total * dun_random_uniform(2, DUN_STREAM_TEST, i);
        while (s.labels[i] + 1 < K && (draw -= e[s.labels[i]]) >= 0)
            s.labels[i]++;
    }
    s.texts = (dun_judged_texts){s.distances, s.labels, n, K};
    return s;
}

static void drop(sample *s) {
    free(s->distances);
    free(s->labels);
}

/* Mean surprise under Laplace's targets. */
static double cost(const dun_judged_texts *t, double temperature) {
    double sum = 0;
    for (uint32_t i = 0; i < t->n; i++)
        for (uint32_t k = 0; k < K; k++)
            sum += ((k == t->labels[i]) * (double)t->n + 1) / ((double)t->n + K) *
                   dun_surprise(t->distances + (size_t)i * K, K, k, temperature);
    return sum / t->n;
}

static void test_fit(void **state) {
    (void)state;
    static const double true_ones[] = {0.05, 0.3, 1, 4, 30}, off[] = {0.5, 0.06, 0.06, 0.15, 0.7};
    for (size_t i = 0; i < sizeof true_ones / sizeof *true_ones; i++) {
        dun_calibration c;
        sample s = make(N, true_ones[i]);
        assert_int_equal(dun_calibrate(&c, &s.texts, 1), 1);
        if (!(fabs(log(c.temperature / true_ones[i])) < off[i]))
            fail_msg("temperature %g for %g", c.temperature, true_ones[i]);
        for (int tenths = 7; tenths < 15; tenths++)
            assert_true(cost(&s.texts, c.temperature) <= cost(&s.texts, c.temperature * tenths / 10) + 1e-12);
        for (int h = 0; h < 2; h++)
            assert_true(c.halves[h] > 0 && fabs(log(c.halves[h] / c.temperature)) < 1);
        assert_true(c.after.surprise < c.before.surprise + 1e-3);
        assert_true(c.after.error < 0.03);
        if (true_ones[i] < 0.5 || true_ones[i] > 2)
            assert_true(c.before.error > 2 * c.after.error);
        drop(&s);
    }
}

/* What there is none for, and what is all right: a temperature that is small, but one. */
static void test_none(void **state) {
    (void)state;
    dun_calibration c;
    sample s = make(DUN_CALIBRATION_TEXTS, 1);
    s.texts.n = DUN_CALIBRATION_TEXTS - 1;
    assert_int_equal(dun_calibrate(&c, &s.texts, 1), 0);
    assert_true(c.temperature == 0 && c.n == DUN_CALIBRATION_TEXTS - 1);
    s.texts.n++;
    assert_int_equal(dun_calibrate(&c, &s.texts, 1), 1);
    for (uint32_t i = 0; i < s.texts.n; i++) { /* all right */
        s.labels[i] = 0;
        for (uint32_t k = 1; k < K; k++)
            if (s.distances[i * K + k] < s.distances[i * K + s.labels[i]])
                s.labels[i] = k;
    }
    assert_int_equal(dun_calibrate(&c, &s.texts, 1), 1);
    assert_true(c.temperature > 0 && c.temperature < 1 && isfinite(c.after.surprise));
    for (uint32_t i = 0; i < s.texts.n; i++) /* all wrong, as wrong as can be */
        for (uint32_t k = 0; k < K; k++)
            if (s.distances[i * K + k] > s.distances[i * K + s.labels[i]])
                s.labels[i] = k;
    assert_int_equal(dun_calibrate(&c, &s.texts, 1), 0);
    for (uint32_t i = 0; i < s.texts.n * K; i++)
        s.distances[i] = 3;
    assert_int_equal(dun_calibrate(&c, &s.texts, 1), 0);
    assert_true(c.temperature == 0);
    drop(&s);
}

static void test_surprise(void **state) {
    (void)state;
    const float near[] = {1, 2}, far[] = {0, 1e30f}, huge[] = {3e38f, 0};
    assert_true(fabs(dun_surprise(near, 2, 0, 1) - log(1 + exp(-1))) < 1e-12);
    assert_true(fabs(dun_surprise(near, 2, 1, 0.5) - log(1 + exp(2))) < 1e-12);
    assert_true(dun_surprise(far, 2, 0, 1) == 0);
    assert_true(fabs(dun_surprise(huge, 2, 0, 10) / 3e37 - 1) < 1e-6);
}

/* Two confidences, e^2 and e^4 to 1; of the first 30 of 40 are right, of the second all but 5 of 60. */
static void test_bins(void **state) {
    (void)state;
    enum { FIRST = 40, ALL = 100 };
    float distances[ALL * 2];
    uint32_t labels[ALL];
    dun_calibration c;
    json_t *json = NULL;
    const double a = 1 / (1 + exp(-2)), b = 1 / (1 + exp(-4));
    for (uint32_t i = 0; i < ALL; i++) {
        distances[2 * i] = i % 2 ? 1 : 3;
        distances[2 * i + 1] = i % 2 ? (i < FIRST ? 3 : 5) : (i < FIRST ? 1 : -1);
        labels[i] = (i < FIRST ? i < 30 : i < 95) ? !(i % 2) : i % 2;
    }
    const dun_judged_texts texts = {distances, labels, ALL, 2};
    assert_int_equal(dun_calibrate(&c, &texts, 1), 1);
    assert_int_equal(c.before.bins[8].n, FIRST);
    assert_int_equal(c.before.bins[9].n, ALL - FIRST);
    assert_true(fabs(c.before.bins[8].confidence - a) < 1e-6 &&
                fabs(c.before.bins[8].accuracy - 0.75) < 1e-12);
    assert_true(fabs(c.before.bins[9].confidence - b) < 1e-6);
    assert_true(fabs(c.before.error - (0.4 * fabs(0.75 - a) + 0.6 * fabs(55.0 / 60 - b))) < 1e-6);
    expect_ok(dun_calibration_json(&json, &c));
    assert_int_equal(json_integer_value(json_object_get(json, "texts")), ALL);
    const json_t *bins = json_object_get(json_object_get(json, "before"), "bins");
    assert_int_equal(json_array_size(bins), DUN_CALIBRATION_BINS);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(bins, 8), 0)), FIRST);
    json_decref(json);
}

static sample walked;

static int calibrate_and_tell(void) {
    int rc;
    dun_calibration c;
    json_t *json = NULL;
    TRY(dun_calibrate(&c, &walked.texts, 1));
    TRY(dun_calibration_json(&json, &c));
out:
    json_decref(json);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walked = make(80, 1);
    walk_failures(calibrate_and_tell);
    drop(&walked);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fit), cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_surprise), cmocka_unit_test(test_bins),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
