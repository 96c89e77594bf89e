/* Results of devices against each other: which are wrong, which are of one device again, which are own
 * builds; and spreads and losses by hand. What a file must hold is tests/results.sh's. */
#include "base/mem.h"
#include "device_check.h"
#include "report/result.h"
#include "report/results.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char kernels[] = "0123456789abcdef";

/* What a result is judged by. */
typedef struct {
    const char *device, *precision, *weights;
    int seed;
    double loss, job; /* the first of two steps; seconds */
    const char *kernels;
} row;

static json_t *make(const row *rows, size_t n) {
    json_t *results = json_array();
    for (size_t i = 0; i < n; i++) {
        const row *r = &rows[i];
        json_t *result = json_pack(
            "{s:{s:s}, s:{s:i}, s:{s:s,s:s,s:s}, s:{s:s,s:i}, s:{s:s,s:s,s:s}, s:[f,f], s:{s:{s:f}}}",
            "program", "kernels", r->kernels ? r->kernels : kernels, "work", "seed", r->seed, "device",
            "name", r->device, "platform", "P", "driver", "1", "machine", "processor", "X", "cores", 2,
            "setup", "precision", r->precision, "weights", r->weights, "cache_kv", "auto", "losses", r->loss,
            0.25, "seconds", "job", "median", r->job);
        assert_non_null(result);
        json_array_append_new(results, json_pack("{s:s, s:o}", "file", "x.json", "result", result));
    }
    check_ok(dun_results_judge(results, kernels));
    return results;
}

static const json_t *verdict(const json_t *results, size_t i, const char *key) {
    return json_object_get(json_object_get(json_array_get(results, i), "verdict"), key);
}

static bool is_wrong(const json_t *results, size_t i) {
    return json_is_true(verdict(results, i, "wrong"));
}

/* The median of three says which one is off; two that disagree are both in doubt; one alone is its own. */
static void test_losses(void **state) {
    (void)state;
    const row rows[] = {
        {"a", "f32", "f32", 1, 0.5, 1, NULL},
        {"b", "split, portable", "stored", 1, 0.5002, 1, NULL},
        {"c", "f32", "f32", 1, 0.51, 1, NULL},
        {"a", "f32", "f32", 2, 0.5, 1, NULL},
        {"b", "f32", "f32", 2, 0.51, 1, NULL},
        {"a", "f32", "f32", 3, 0.7, 1, NULL},
        {"a", "half, portable", "f32", 1, 0.6, 1, NULL},
        {"a", "f32", "f16", 1, 0.7, 1, NULL},
    };
    static const char *const classes[] = {"float32", "float32", "float32", "float32",
                                          "float32", "float32", "half",    "f32, weights f16"};
    static const bool wrong[] = {false, false, true, true, true, false, false, false};
    json_t *results = make(rows, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < json_array_size(results); i++) {
        assert_string_equal(json_string_value(verdict(results, i, "class")), classes[i]);
        if (is_wrong(results, i) != wrong[i])
            fail_msg("result %zu: wrong %d", i, is_wrong(results, i));
        assert_false(json_is_true(verdict(results, i, "own_build")));
    }
    assert_int_equal(json_integer_value(verdict(results, 2, "step")), 1);
    json_decref(results);
}

static void test_twins(void **state) {
    (void)state;
    const row rows[] = {
        {"a", "f32", "f32", 1, 0.5, 10, NULL},   {"a", "f32", "f32", 1, 0.5, 11.4, NULL},
        {"a", "f32", "f32", 1, 0.5, 11.6, NULL}, {"a", "f32", "stored", 1, 0.5, 10, NULL},
        {"b", "f32", "f32", 1, 0.5, 10, NULL},   {"a", "f32", "f32", 1, 0.5, 10, "fedcba9876543210"},
        {"a", "f32", "f32", 2, 0.5, 10, NULL},   {"a", "f32", "f32", 1, 0.5, 9, NULL},
        {"a", "f32", "f32", 1, 0.9, 10, NULL},
    };
    /* -1: shown */
    static const int same_as[] = {-1, 0, -1, -1, -1, -1, -1, 0, -1};
    json_t *results = make(rows, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *same = verdict(results, i, "same_as");
        const int got = json_is_null(same) ? -1 : (int)json_integer_value(same);
        if (got != same_as[i])
            fail_msg("result %zu: the same as %d", i, got);
        assert_int_equal(json_is_true(verdict(results, i, "own_build")), i == 5);
    }
    assert_int_equal(json_integer_value(verdict(results, 0, "others")), 2);
    assert_true(fabs(json_number_value(verdict(results, 0, "differs")) - 0.16) < 1e-9);
    assert_true(fabs(json_number_value(verdict(results, 2, "differs")) - 0.16) < 1e-9);
    assert_true(json_is_null(verdict(results, 4, "differs")));
    assert_true(is_wrong(results, 8) && json_is_null(verdict(results, 8, "differs")));
    json_decref(results);
}

static void test_apart(void **state) {
    (void)state;
    static const struct {
        const char *losses, *reference;
        double apart;
        size_t step;
    } cases[] = {
        {"[1, 2]", "[1, 2]", 0, 0},
        {"[1, 2.2, 3]", "[1, 2, 3]", 0.1, 2},
        {"[1, 2]", "[1, 2, 3]", INFINITY, 3},
        {"[1, 0.002]", "[1, 0.001]", 0.1, 2}, /* of a hundredth of the first */
        {"[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,9]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *a = json_loads(cases[i].losses, 0, NULL), *b = json_loads(cases[i].reference, 0, NULL);
        size_t step;
        const double apart = dun_result_apart(&step, a, b);
        if (!(apart == cases[i].apart || fabs(apart - cases[i].apart) < 1e-9) || step != cases[i].step)
            fail_msg("case %zu: %g at step %zu", i, apart, step);
        json_decref(a);
        json_decref(b);
    }
}

static void test_spread(void **state) {
    (void)state;
    double values[] = {3, 1, 2, 9};
    json_t *spread = dun_result_spread(values, 4);
    assert_true(dun_result_number(spread, "least") == 1 && dun_result_number(spread, "median") == 2.5 &&
                dun_result_number(spread, "most") == 9 && dun_result_number(spread, "n") == 4);
    assert_true(isnan(dun_result_number(spread, "mean")));
    json_decref(spread);
}

static int live(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_losses, live), cmocka_unit_test_teardown(test_twins, live),
        cmocka_unit_test_teardown(test_apart, live), cmocka_unit_test_teardown(test_spread, live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
