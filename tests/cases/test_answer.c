/* Answers of a classified text: confidence, the unsure word, JSON. */
#include "base/json.h"
#include "data_expect.h"
#include "session/answer.h"

#include <math.h>
#include <string.h>

static char *names[] = {"bad", "good", "fair"};
static const dun_saved_prompt saved = {.n_classes = 3, .class_names = names};

static void test_confidence(void **state) {
    (void)state;
    const dun_answer_rule rule = {.saved = &saved, .temperature = 2};
    const float distances[] = {5.0f, 1.0f, 3.0f};
    dun_answer answer = dun_answer_of(&rule, distances);
    double expected = 1 / (exp(-2.0) + 1 + exp(-1.0));
    assert_string_equal(answer.label, "good");
    assert_string_equal(answer.nearest, "good");
    if (!(fabs(answer.confidence - expected) <= 1e-12))
        fail_msg("confidence %.17g, expected %.17g", answer.confidence, expected);
    const float far[] = {4e8f, 3e8f, 5e8f}, equal[] = {7.0f, 7.0f, 7.0f};
    assert_true(dun_answer_of(&rule, far).confidence == 1);
    answer = dun_answer_of(&rule, equal);
    assert_string_equal(answer.label, "bad");
    if (!(fabs(answer.confidence - 1.0 / 3) <= 1e-12))
        fail_msg("confidence %.17g of equal distances", answer.confidence);
}

static void test_unsure(void **state) {
    (void)state;
    const float distances[] = {1.0f, 1.5f, 9.0f}; /* confidence 0.62 */
    dun_answer_rule rule = {.saved = &saved, .temperature = 1, .unsure = 0.6};
    assert_string_equal(dun_answer_of(&rule, distances).label, "bad");
    rule.unsure = 0.65;
    assert_string_equal(dun_answer_of(&rule, distances).label, DUN_ANSWER_UNSURE);
    assert_string_equal(dun_answer_of(&rule, distances).nearest, "bad");
    const float broken[] = {NAN, NAN, NAN};
    assert_string_equal(dun_answer_of(&rule, broken).label, DUN_ANSWER_UNSURE);
    expect_ok(dun_answer_check(&rule));
    char *clash[] = {"bad", "unsure", "fair"};
    const dun_saved_prompt other = {.n_classes = 3, .class_names = clash};
    rule.saved = &other;
    assert_int_equal(dun_answer_check(&rule), DUN_USAGE);
    rule.unsure = 0;
    expect_ok(dun_answer_check(&rule));
}

static void test_json(void **state) {
    (void)state;
    const float distances[] = {1.0f, 1.5f, 9.0f};
    dun_answer_rule rule = {.saved = &saved, .temperature = 1, .unsure = 1};
    dun_str text = {0};
    json_t *object = json_object();
    expect_ok(dun_answer_json(object, &rule, distances));
    expect_ok(dun_json_dump(&text, object));
    assert_string_equal(text.bytes, "{\"label\":\"unsure\",\"nearest\":\"bad\",\"confidence\":0.622329381,"
                                    "\"distances\":{\"bad\":1.0,\"good\":1.5,\"fair\":9.0}}");
    json_decref(object);
    dun_str_free(&text);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_confidence),
        cmocka_unit_test(test_unsure),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
