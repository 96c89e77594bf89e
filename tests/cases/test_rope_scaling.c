/* Schemes of rotary scaling as divisors of angles: against values worked out apart from the program by the
 * formulas of their papers, and at the ends where they must be 1 or the factor. */
#include "model/rope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_divisors(const dun_rope_scaling *scaling, uint32_t n, const double *want) {
    for (uint32_t i = 0; i < n; i++)
        if (!(fabs((double)scaling->divisor[i] - want[i]) <= 1e-6 * want[i]))
            fail_msg("pair %u: divisor %.9g, expected %.9g", i, (double)scaling->divisor[i], want[i]);
    assert_true(scaling->divisor[n] == 0); /* beyond the pairs that turn */
}

static void test_linear(void **state) {
    dun_rope_scaling scaling = {0};
    (void)state;
    dun_rope_linear(&scaling, 6, 2.5);
    expect_divisors(&scaling, 3, (const double[]){2.5, 2.5, 2.5});
    assert_true(scaling.magnitude == 0 && scaling.long_from == 0);
}

/* Llama 3.2 1B: heads of 64, base 500000, factor 32. */
static void test_llama3(void **state) {
    static const double bend[] = {1.6513292, 3.2922621, 9.666729};
    dun_rope_scaling scaling = {0};
    double want[32];
    (void)state;
    for (int i = 0; i < 32; i++)
        want[i] = i < 15 ? 1 : i < 18 ? bend[i - 15] : 32;
    dun_rope_llama3(&scaling, 64, 500000, &(dun_rope_llama3_parameters){32, 1, 4, 8192});
    expect_divisors(&scaling, 32, want);
}

static void test_yarn(void **state) {
    static const double bend[] = {1.0612245, 1.1304348, 1.2093023, 1.3,       1.4054054, 1.5294118,
                                  1.6774194, 1.8571429, 2.08,      2.3636364, 2.7368421, 3.25};
    dun_rope_scaling scaling = {0};
    double want[32];
    (void)state;
    for (int i = 0; i < 32; i++)
        want[i] = i < 11 ? 1 : i < 23 ? bend[i - 11] : 4;
    dun_rope_yarn(&scaling, 64, 10000, &(dun_rope_yarn_parameters){4, 32, 1, 0, 4096});
    expect_divisors(&scaling, 32, want);
    assert_true(fabs((double)scaling.magnitude - 1.138629436111989) < 1e-6);
    dun_rope_yarn(&scaling, 64, 10000, &(dun_rope_yarn_parameters){4, 32, 1, 1.5, 4096});
    assert_true(scaling.magnitude == 1.5f); /* the file's own */
    dun_rope_yarn(&scaling, 64, 10000, &(dun_rope_yarn_parameters){0.5, 32, 1, 0, 4096});
    assert_true(scaling.magnitude == 1.0f); /* of a factor below 1 */
}

static void test_long(void **state) {
    (void)state;
    assert_true(fabs((double)dun_rope_long_magnitude(131072, 4096) - 1.1902380714238083) < 1e-6);
    assert_true(dun_rope_long_magnitude(4096, 4096) == 1.0f && dun_rope_long_magnitude(2048, 4096) == 1.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_yarn),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
