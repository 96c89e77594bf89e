/* Learning rates over a run, from their definition. No device. */
#include "base/mem.h"
#include "learn/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static double factor(enum dun_train_schedule schedule, int64_t warmup, uint64_t step, uint64_t n_steps) {
    dun_config config;
    assert_int_equal(dun_config_init(&config), 0);
    config.train.schedule = schedule;
    config.train.warmup = warmup;
    double value = dun_schedule_factor(&config, step, n_steps);
    dun_config_free(&config);
    return value;
}

static void expect(double got, double want) {
    if (!(fabs(got - want) <= 1e-12))
        fail_msg("factor %.17g, expected %.17g", got, want);
}

static void test_shapes(void **state) {
    (void)state;
    for (uint64_t step = 1; step <= 8; step++) {
        double p = (double)(step - 1) / 8.0;
        expect(factor(DUN_SCHEDULE_CONSTANT, 0, step, 8), 1.0);
        expect(factor(DUN_SCHEDULE_LINEAR, 0, step, 8), 1.0 - p);
        expect(factor(DUN_SCHEDULE_COSINE, 0, step, 8), 0.5 + 0.5 * cos(3.14159265358979323846 * p));
    }
    expect(factor(DUN_SCHEDULE_COSINE, 0, 5, 8), 0.5);
    assert_true(factor(DUN_SCHEDULE_LINEAR, 0, 8, 8) > 0.0);
}

/* Rises in equal parts to the full rate, which the first step after the warm-up has; then it falls. */
static void test_warmup(void **state) {
    (void)state;
    for (uint64_t step = 1; step <= 4; step++)
        expect(factor(DUN_SCHEDULE_LINEAR, 4, step, 10), (double)step / 5.0);
    expect(factor(DUN_SCHEDULE_LINEAR, 4, 5, 10), 1.0);
    expect(factor(DUN_SCHEDULE_LINEAR, 4, 6, 10), 1.0 - 1.0 / 6.0);
    expect(factor(DUN_SCHEDULE_COSINE, 4, 8, 10), 0.5);
    expect(factor(DUN_SCHEDULE_CONSTANT, 4, 10, 10), 1.0);
    expect(factor(DUN_SCHEDULE_LINEAR, 20, 10, 10), 10.0 / 21.0);
}

/* Beyond the end, as a run without steps asks: never negative. */
static void test_edges(void **state) {
    (void)state;
    expect(factor(DUN_SCHEDULE_LINEAR, 0, 1, 0), 1.0);
    expect(factor(DUN_SCHEDULE_LINEAR, 0, 20, 10), 0.0);
    expect(factor(DUN_SCHEDULE_COSINE, 0, 20, 10), 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_warmup),
                                       cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
