/* Linear discriminants of point sets: lengths behind the matrix against the covariance as its definition
 * says, the shrinkage likewise, and what the classes' means make of it. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/rng.h"
#include "device_check.h"
#include "math/discriminant.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 64, MOST_POINTS = 200 };

typedef struct {
    uint32_t n, D, K;
    float points[MOST_POINTS * MOST];
    uint32_t labels[MOST_POINTS];
    double weights[MOST_POINTS];
    dun_discriminant_data data;
    double within[MOST * MOST], means[MOST * MOST], total;
} set;

/* Classes apart in a few directions, points of different spread in each component; classes of different size.
 */
static void make(set *s, uint32_t n, uint32_t D, uint32_t K, bool weighted) {
    *s = (set){.n = n, .D = D, .K = K};
    for (uint32_t i = 0; i < n; i++) {
        s->labels[i] = i < K ? i : (uint32_t)(i * i) % K;
        s->weights[i] = weighted ? (double)(1 + i % 3) : 1;
        for (uint32_t j = 0; j < D; j++) {
            const double noise = dun_random_normal(1, DUN_STREAM_TEST, i * MOST + j);
            const double centre = dun_random_normal(2, DUN_STREAM_TEST, s->labels[i] * MOST + j);
            s->points[i * D + j] = (float)((0.1 + j % 5) * noise + 0.7 * centre + 3);
        }
    }
    s->data = (dun_discriminant_data){.points = s->points,
                                      .labels = s->labels,
                                      .weights = weighted ? s->weights : NULL,
                                      .n = n,
                                      .width = D,
                                      .n_classes = K};
}

/* Deviation of component j of a point from its class's mean. */
static double off(const set *s, uint32_t i, uint32_t j) {
    return (double)s->points[i * s->D + j] - s->means[s->labels[i] * s->D + j];
}

static void look(set *s) {
    double weight[MOST] = {0};
    for (uint32_t i = 0; i < s->n; i++) {
        s->total += s->weights[i];
        weight[s->labels[i]] += s->weights[i];
        for (uint32_t j = 0; j < s->D; j++)
            s->means[s->labels[i] * s->D + j] += s->weights[i] * (double)s->points[i * s->D + j];
    }
    for (uint32_t at = 0; at < s->K * s->D; at++)
        s->means[at] /= weight[at / s->D];
    for (uint32_t at = 0; at < s->D * s->D; at++)
        for (uint32_t i = 0; i < s->n; i++)
            s->within[at] += s->weights[i] / s->total * off(s, i, at / s->D) * off(s, i, at % s->D);
}

/* The shrunk covariance. */
static double shrunk(const set *s, double a, uint32_t i, uint32_t j) {
    double trace = 0;
    for (uint32_t k = 0; k < s->D; k++)
        trace += s->within[k * (s->D + 1)];
    return (1 - a) * s->within[i * s->D + j] + (i == j ? a * trace / s->D : 0);
}

/* Ledoit and Wolf's, of points that weigh alike: how far the products of single points are from their mean,
 * over how far that is from a multiple of the identity. */
static double best_shrinkage(const set *s) {
    double apart = 0, away = 0;
    for (uint32_t i = 0; i < s->D; i++)
        for (uint32_t j = 0; j < s->D; j++) {
            away += pow(s->within[i * s->D + j] - shrunk(s, 1, i, j), 2);
            for (uint32_t n = 0; n < s->n; n++)
                apart += pow(off(s, n, i) * off(s, n, j) - s->within[i * s->D + j], 2);
        }
    return fmin(1, apart / s->n / s->n / away);
}

/* matrix S matrix^T = I. */
static void check_lengths(const set *s, const float *matrix, uint32_t M, double a) {
    for (uint32_t p = 0; p < M; p++)
        for (uint32_t q = 0; q <= p; q++) {
            double sum = 0;
            for (uint32_t i = 0; i < s->D; i++)
                for (uint32_t j = 0; j < s->D; j++)
                    sum += (double)matrix[p * s->D + i] * shrunk(s, a, i, j) * (double)matrix[q * s->D + j];
            if (!(fabs(sum - (p == q)) <= 2e-5))
                fail_msg("rows %u and %u of %u: %g", p, q, M, sum);
        }
}

static uint32_t nearest_mean(const set *s, const float *matrix, uint32_t M, uint32_t point) {
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t k = 0; k < s->K; k++) {
        double distance = 0;
        for (uint32_t m = 0; m < M; m++) {
            double along = 0;
            for (uint32_t j = 0; j < s->D; j++)
                along += (double)matrix[m * s->D + j] *
                         ((double)s->points[point * s->D + j] - s->means[k * s->D + j]);
            distance += along * along;
        }
        best = distance < least ? k : best;
        least = fmin(least, distance);
    }
    return best;
}

static const struct {
    uint32_t n, D, K;
    bool weighted;
} sets[] = {{60, 12, 3, false}, {40, 33, 2, false}, {120, 9, 5, true}, {30, 64, 4, false}, {7, 1, 2, false}};

static void test_definition(void **state) {
    (void)state;
    static set s;
    static float whole[MOST * MOST], few[MOST * MOST];
    for (size_t t = 0; t < sizeof sets / sizeof *sets; t++) {
        make(&s, sets[t].n, sets[t].D, sets[t].K, sets[t].weighted);
        look(&s);
        double a = -1, same = 0.25;
        const uint32_t M = s.K - 1 < s.D ? s.K - 1 : s.D;
        check_ok(dun_discriminant_fit(whole, &a, &s.data, s.D, 1));
        if (!sets[t].weighted && !(fabs(a - best_shrinkage(&s)) <= 1e-9))
            fail_msg("set %zu: shrunk by %.9g, not %.9g", t, a, best_shrinkage(&s));
        check_lengths(&s, whole, s.D, a);
        check_ok(dun_discriminant_fit(few, &a, &s.data, M, 1));
        check_lengths(&s, few, M, a);
        for (uint32_t i = 0; i < s.n; i++)
            assert_int_equal(nearest_mean(&s, few, M, i), nearest_mean(&s, whole, s.D, i));
        check_ok(dun_discriminant_fit(whole, &same, &s.data, (M + s.D) / 2, 1));
        assert_true(same == 0.25);
        check_lengths(&s, whole, (M + s.D) / 2, same);
    }
}

/* A class without texts, points that are all alike, more rows than there is room for directions of classes.
 */
static void test_edges(void **state) {
    (void)state;
    static set s;
    static float matrix[MOST * MOST];
    double a = -1;
    make(&s, 20, 8, 2, false);
    s.data.n_classes = 5;
    check_ok(dun_discriminant_fit(matrix, &a, &s.data, 8, 1));
    s.K = 2;
    look(&s);
    check_lengths(&s, matrix, 8, a);
    check_ok(dun_discriminant_fit(matrix, &a, &s.data, 6, 1));
    check_lengths(&s, matrix, 6, a);
    for (uint32_t i = 0; i < s.n * s.D; i++)
        s.points[i] = 2;
    check_ok(dun_discriminant_fit(matrix, &a, &s.data, 3, 1));
    for (uint32_t i = 0; i < 3 * s.D; i++)
        assert_true(isfinite(matrix[i]));
}

static void test_faults(void **state) {
    (void)state;
    static set s;
    static float matrix[MOST * MOST];
    unsigned long n = 0;
    int rc;
    make(&s, 20, 8, 3, false);
    const size_t live = dun_mem_live();
    do {
        double a = -1;
        dun_fault_set(++n);
        rc = dun_discriminant_fit(matrix, &a, &s.data, 4, 1);
        dun_fault_set(0);
        assert_int_equal(dun_mem_live(), live);
    } while (rc < 0 && n < 50);
    assert_true(n > 5 && n < 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_definition), cmocka_unit_test(test_edges),
                                       cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
