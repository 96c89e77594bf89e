/* Principal components against scikit-learn's, and of point sets whose components are known. */
#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "math/pca.h"
#include "reference_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double most = 1e-4;

static void check_orthonormal(const dun_pca *pca) {
    for (size_t a = 0; a < 2; a++)
        for (size_t b = a; b < 2; b++) {
            double sum = 0;
            for (size_t j = 0; j < pca->width; j++)
                sum += pca->axes[a * pca->width + j] * pca->axes[b * pca->width + j];
            if (!(fabs(sum - (a == b)) <= 1e-12))
                fail_msg("axes %zu and %zu: product %g", a, b, sum);
        }
}

/* Unlike fmax, a NaN stays. */
static double larger(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

/* The largest difference over the largest coordinate, each axis with the sign that fits better. */
static double distance(const dun_pca *pca, const float *points, const double *expected, size_t n) {
    double worst = 0;
    for (size_t a = 0; a < 2; a++) {
        double plus = 0, minus = 0, largest = 0;
        for (size_t i = 0; i < n; i++) {
            float at[2];
            dun_pca_project(at, pca, points + i * pca->width);
            double e = expected[2 * i + a];
            plus = larger(plus, fabs((double)at[a] - e));
            minus = larger(minus, fabs((double)at[a] + e));
            largest = larger(largest, fabs(expected[a]) + fabs(e));
        }
        worst = larger(worst, fmin(plus, minus) / largest);
    }
    return worst;
}

static void test_reference(void **state) {
    (void)state;
    size_t at, n_values;
    json_t *one, *root = reference_open("tests/reference/pca.json");
    assert_non_null(root);
    json_array_foreach(json_object_get(root, "cases"), at, one) {
        dun_pca pca;
        const char *name = json_string_value(json_object_get(one, "name"));
        size_t n = (size_t)json_integer_value(json_object_get(one, "n"));
        size_t D = (size_t)json_integer_value(json_object_get(one, "width"));
        double *numbers = reference_numbers(json_object_get(one, "points"), &n_values);
        assert_int_equal(n_values, n * D);
        double *projected = reference_numbers(json_object_get(one, "projected"), &n_values);
        double *variance = reference_numbers(json_object_get(one, "variance"), &n_values);
        double *share = reference_numbers(json_object_get(one, "share"), &n_values);
        float *points = dun_calloc(n * D, sizeof *points);
        for (size_t i = 0; i < n * D; i++)
            points[i] = (float)numbers[i];
        check_ok(dun_pca_fit(&pca, points, n, D));
        check_orthonormal(&pca);
        double d = distance(&pca, points, projected, n);
        print_message("%-7s (%zu, %zu): %.2g\n", name, n, D, d);
        if (!(d <= most))
            fail_msg("%s: the projected points are off by %g", name, d);
        for (size_t a = 0; a < 2; a++) {
            assert_true(fabs(pca.variance[a] - variance[a]) <= most * variance[0]);
            assert_true(fabs(pca.share[a] - share[a]) <= most);
        }
        dun_pca_free(&pca);
        dun_free(points);
        dun_free(numbers);
        dun_free(projected);
        dun_free(variance);
        dun_free(share);
    }
    json_decref(root);
}

/* Wide points, as logits are: n much smaller than D, variances that fall slowly. */
static void test_wide(void **state) {
    (void)state;
    enum { N = 60, D = 8192 };
    dun_pca pca, again;
    float *points = dun_calloc((size_t)N * D, sizeof *points);
    for (size_t i = 0; i < N; i++) {
        double a = 30 * dun_random_normal(1, DUN_STREAM_TEST, i);
        double b = 29 * dun_random_normal(2, DUN_STREAM_TEST, i);
        for (size_t j = 0; j < D; j++)
            points[i * D + j] = (float)(dun_random_normal(3, DUN_STREAM_TEST, i * D + j) * 0.05 + 7 +
                                        a * ((j * 7919) % 13 == 0) + b * ((j * 7919) % 13 == 1));
    }
    check_ok(dun_pca_fit(&pca, points, N, D));
    check_orthonormal(&pca);
    assert_true(pca.share[0] + pca.share[1] > 0.99);
    check_ok(dun_pca_fit(&again, points, N, D));
    assert_memory_equal(pca.axes, again.axes, 2 * D * sizeof *pca.axes);
    dun_pca_free(&again);
    dun_pca_free(&pca);
    dun_free(points);
}

/* Corners of a square: two equal variances. One direction, one point, none. */
static void test_few_directions(void **state) {
    (void)state;
    static const float square[] = {1, 1, 0, 1, -1, 0, -1, 1, 0, -1, -1, 0};
    static const float line[] = {0, 0, 2, 2, 4, 4, 6, 6};
    static const float same[] = {3, 4, 5, 3, 4, 5, 3, 4, 5};
    static const float column[] = {1, 2, 3, 4};
    dun_pca pca;
    float at[2];
    check_ok(dun_pca_fit(&pca, square, 4, 3));
    check_orthonormal(&pca);
    assert_true(fabs(pca.share[0] - 0.5) < 1e-12 && fabs(pca.share[1] - 0.5) < 1e-12);
    dun_pca_free(&pca);
    check_ok(dun_pca_fit(&pca, line, 4, 2));
    assert_true(fabs(pca.share[0] - 1) < 1e-12 && pca.share[1] == 0 && pca.axes[0] > 0);
    dun_pca_project(at, &pca, line + 6);
    assert_true(fabs((double)at[0] - 3 * sqrt(2)) < 1e-6 && fabsf(at[1]) < 1e-6f);
    dun_pca_free(&pca);
    check_ok(dun_pca_fit(&pca, same, 3, 3));
    dun_pca_project(at, &pca, same);
    assert_true(at[0] == 0 && at[1] == 0 && pca.share[0] == 0);
    dun_pca_free(&pca);
    check_ok(dun_pca_fit(&pca, column, 4, 1));
    assert_true(pca.axes[0] == 1 && pca.axes[1] == 0);
    dun_pca_free(&pca);
    check_ok(dun_pca_fit(&pca, column, 1, 4));
    dun_pca_free(&pca);
    check_ok(dun_pca_fit(&pca, column, 0, 4));
    dun_pca_free(&pca);
}

static int live(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_reference, live),
                                       cmocka_unit_test_teardown(test_wide, live),
                                       cmocka_unit_test_teardown(test_few_directions, live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
