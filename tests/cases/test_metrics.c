/* Metrics against hand-computed values and scikit-learn's precision_recall_fscore_support with labels 0..K-1
 * and zero_division = 0. */
#include "base/err.h"
#include "base/mem.h"
#include "math/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_CLASSES = 4 };

typedef struct {
    uint32_t n_classes;
    uint64_t confusion[MAX_CLASSES * MAX_CLASSES];
    uint64_t n;
    double accuracy;
    dun_score classes[MAX_CLASSES], macro, weighted;
} metrics_row;

static const metrics_row rows[] = {
    /* By hand: 3 of 5 and 4 of 5 named rightly, 3 of 4 and 4 of 6 found. */
    {.n_classes = 2,
     .confusion = {3, 1, 2, 4},
     .n = 10,
     .accuracy = 0.7,
     .classes = {{3.0 / 5, 3.0 / 4, 6.0 / 9, 4}, {4.0 / 5, 4.0 / 6, 8.0 / 11, 6}},
     .macro = {0.7, 17.0 / 24, (6.0 / 9 + 8.0 / 11) / 2, 10},
     .weighted = {0.72, 0.7, 0.4 * 6 / 9 + 0.6 * 8 / 11, 10}},
    /* One answer to everything. */
    {.n_classes = 2,
     .confusion = {5, 0, 3, 0},
     .n = 8,
     .accuracy = 5.0 / 8,
     .classes = {{5.0 / 8, 1, 10.0 / 13, 5}, {0, 0, 0, 3}},
     .macro = {5.0 / 16, 0.5, 5.0 / 13, 8},
     .weighted = {25.0 / 64, 5.0 / 8, 50.0 / 104, 8}},
    /* scikit-learn 1.x; class 2 is named once and has no text. */
    {.n_classes = 4,
     .confusion = {82, 27, 0, 3, 21, 88, 1, 0, 0, 0, 0, 0, 5, 2, 0, 7},
     .n = 236,
     .accuracy = 0.75,
     .classes = {{0.7592592592592593, 0.7321428571428571, 0.7454545454545455, 112},
                 {0.7521367521367521, 0.8, 0.775330396475771, 110},
                 {0, 0, 0, 0},
                 {0.7, 0.5, 0.5833333333333334, 14}},
     .macro = {0.5528490028490028, 0.5080357142857143, 0.5260295688159125, 236},
     .weighted = {0.7524240668308466, 0.75, 0.7497623702114854, 236}},
    /* Nothing was counted. */
    {.n_classes = 3,
     .n = 0,
     .accuracy = NAN,
     .classes = {{NAN, NAN, NAN, 0}, {NAN, NAN, NAN, 0}, {NAN, NAN, NAN, 0}},
     .macro = {NAN, NAN, NAN, 0},
     .weighted = {NAN, NAN, NAN, 0}},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static char *names[] = {"bad", "good", "s\xc3\xb6-so", "unknown"};

static void near(double found, double wanted) {
    if (!(fabs(found - wanted) <= 1e-14 || (isnan(found) && isnan(wanted))))
        fail_msg("%.17g where %.17g was expected", found, wanted);
}

static void same_score(const dun_score *found, const dun_score *wanted) {
    near(found->precision, wanted->precision);
    near(found->recall, wanted->recall);
    near(found->f1, wanted->f1);
    assert_int_equal(found->support, wanted->support);
}

static void count_row(dun_metrics *metrics, const metrics_row *row) {
    const uint32_t K = row->n_classes;
    assert_int_equal(dun_metrics_create(metrics, K), DUN_OK);
    for (uint32_t i = 0; i < K * K; i++)
        for (uint64_t c = 0; c < row->confusion[i]; c++)
            dun_metrics_add(metrics, i / K, i % K);
    dun_metrics_finish(metrics);
}

static void test_values(void **state) {
    (void)state;
    for (size_t r = 0; r < N_ROWS; r++) {
        dun_metrics metrics;
        count_row(&metrics, &rows[r]);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(metrics.n, rows[r].n);
            near(metrics.accuracy, rows[r].accuracy);
            for (uint32_t k = 0; k < rows[r].n_classes; k++)
                same_score(&metrics.classes[k], &rows[r].classes[k]);
            same_score(&metrics.macro, &rows[r].macro);
            same_score(&metrics.weighted, &rows[r].weighted);
            dun_metrics_finish(&metrics);
        }
        dun_metrics_free(&metrics);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_report(void **state) {
    (void)state;
    static const char wanted[] = "              precision  recall  f1-score  support\n"
                                 "\n"
                                 "         bad      0.759   0.732     0.745      112\n"
                                 "        good      0.752   0.800     0.775      110\n"
                                 "       s\xc3\xb6-so      0.000   0.000     0.000        0\n"
                                 "     unknown      0.700   0.500     0.583       14\n"
                                 "\n"
                                 "    accuracy                        0.750      236\n"
                                 "   macro avg      0.553   0.508     0.526      236\n"
                                 "weighted avg      0.752   0.750     0.750      236\n"
                                 "\n"
                                 "confusion matrix, true classes down, predicted across:\n"
                                 "\n"
                                 "         bad  good  s\xc3\xb6-so  unknown\n"
                                 "    bad   82    27      0        3\n"
                                 "   good   21    88      1        0\n"
                                 "  s\xc3\xb6-so    0     0      0        0\n"
                                 "unknown    5     2      0        7\n";
    dun_metrics metrics;
    dun_str text = {0};
    count_row(&metrics, &rows[2]);
    assert_int_equal(dun_metrics_report(&text, &metrics, names), DUN_OK);
    assert_string_equal(text.bytes, wanted);
    dun_str_free(&text);
    dun_metrics_free(&metrics);
    assert_int_equal(dun_mem_live(), 0);
}

/* Many classes: the table stays, the matrix would be wider than any screen. */
static void test_many_classes(void **state) {
    (void)state;
    enum { K = 21 };
    char *many[K];
    dun_metrics metrics;
    dun_str text = {0};
    for (size_t k = 0; k < K; k++)
        many[k] = "class";
    for (uint32_t n = K - 1; n <= K; n++) {
        assert_int_equal(dun_metrics_create(&metrics, n), DUN_OK);
        dun_metrics_finish(&metrics);
        dun_str_clear(&text);
        assert_int_equal(dun_metrics_report(&text, &metrics, many), DUN_OK);
        assert_int_equal(strstr(text.bytes, "confusion") == NULL, n == K);
        dun_metrics_free(&metrics);
    }
    dun_str_free(&text);
}

static void test_json(void **state) {
    (void)state;
    dun_metrics metrics;
    json_t *root;
    count_row(&metrics, &rows[2]);
    assert_int_equal(dun_metrics_json(&root, &metrics, names), DUN_OK);
    near(json_real_value(json_object_get(root, "accuracy")), 0.75);
    assert_int_equal(json_integer_value(json_object_get(root, "n")), 236);
    json_t *classes = json_object_get(root, "classes"), *confusion = json_object_get(root, "confusion");
    assert_int_equal(json_array_size(classes), 4);
    assert_int_equal(json_array_size(confusion), 4);
    for (size_t k = 0; k < 4; k++) {
        json_t *object = json_array_get(classes, k), *row = json_array_get(confusion, k);
        const dun_score found = {json_real_value(json_object_get(object, "precision")),
                                 json_real_value(json_object_get(object, "recall")),
                                 json_real_value(json_object_get(object, "f1")),
                                 (uint64_t)json_integer_value(json_object_get(object, "support"))};
        assert_string_equal(json_string_value(json_object_get(object, "name")), names[k]);
        same_score(&found, &rows[2].classes[k]);
        assert_int_equal(json_array_size(row), 4);
        for (size_t j = 0; j < 4; j++)
            assert_int_equal(json_integer_value(json_array_get(row, j)), rows[2].confusion[k * 4 + j]);
    }
    json_t *macro = json_object_get(root, "macro_avg"), *weighted = json_object_get(root, "weighted_avg");
    near(json_real_value(json_object_get(macro, "f1")), rows[2].macro.f1);
    near(json_real_value(json_object_get(weighted, "f1")), rows[2].weighted.f1);
    assert_null(json_object_get(macro, "name"));
    json_decref(root);

    char *bad[] = {"\xff", "b", "c", "d"};
    assert_int_equal(dun_metrics_json(&root, &metrics, bad), DUN_FAILED);
    assert_null(root);
    dun_metrics_free(&metrics);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
