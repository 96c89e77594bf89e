/* Which texts are suggested: the smallest margins, the first of them first, then those that are apart; no
 * text twice. */
#include "data_expect.h"
#include "session/suggest.h"

#include <math.h>
#include <stdlib.h>

enum { D = 2, K = 3 };

/* A text at a place on a line, whose two nearest centroids differ by `gap` of 10. */
static void offer(dun_suggestions *s, const char *text, float at, float gap) {
    const float point[D] = {at, 0}, distances[K] = {10, 30, 10 + gap};
    expect_ok(dun_suggestions_offer(s, text, strlen(text), distances, K, point, 1));
}

static void test_margin(void **state) {
    (void)state;
    dun_suggestions s;
    const float point[D] = {0, 0}, distances[K] = {6, 4, 2};
    expect_ok(dun_suggestions_create(&s, 1, D));
    expect_ok(dun_suggestions_offer(&s, "x", 1, distances, K, point, 2));
    assert_int_equal(s.pool[0].nearest, 2);
    assert_true(fabs(s.pool[0].margin - 2.0 / 6) < 1e-12);
    assert_true(fabs(s.pool[0].confidence - 1 / (1 + exp(-1) + exp(-2))) < 1e-12);
    dun_suggestions_free(&s);
    assert_int_equal(dun_mem_live(), 0);
}

/* Of many texts the pool holds those with the smallest margins; of equal ones the first. */
static void test_pool(void **state) {
    (void)state;
    enum { WANTED = 2, POOL = WANTED * DUN_SUGGEST_POOL, ALL = 97 };
    dun_suggestions s;
    bool there[ALL] = {false};
    expect_ok(dun_suggestions_create(&s, WANTED, D));
    for (uint32_t i = 0; i < ALL; i++) {
        char text[20];
        snprintf(text, sizeof text, "%u", i);
        offer(&s, text, (float)i, (float)(i * 31 % ALL / 2)); /* every gap twice */
    }
    assert_int_equal(s.n, POOL);
    assert_int_equal(s.n_seen, ALL);
    for (uint32_t i = 0; i < s.n; i++)
        there[atoi(s.pool[i].text)] = true;
    for (uint32_t i = 0; i < ALL; i++)
        assert_int_equal(there[i], i * 31 % ALL < POOL);
    assert_int_equal(dun_suggestions_choose(&s, WANTED), WANTED);
    assert_string_equal(s.pool[0].text, "0"); /* of gap 0 */
    dun_suggestions_free(&s);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_spread(void **state) {
    (void)state;
    dun_suggestions s;
    static const char *const expected[] = {"a", "far", "middle", "b"};
    expect_ok(dun_suggestions_create(&s, 6, D));
    offer(&s, "b", 0.1f, 2);
    offer(&s, "a", 0, 1);
    offer(&s, "far", 9, 5);
    offer(&s, "a", 0, 1); /* again, */
    offer(&s, "a", 8, 1); /* and a text that is the same wherever its point is */
    offer(&s, "middle", 5, 9);
    offer(&s, "at b", 0.1f, 3); /* another text at the same place teaches nothing new */
    assert_int_equal(dun_suggestions_choose(&s, 6), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(s.pool[i].text, expected[i]);
    dun_suggestions_free(&s);
    expect_ok(dun_suggestions_create(&s, 3, D));
    assert_int_equal(dun_suggestions_choose(&s, 3), 0);
    dun_suggestions_free(&s);
    assert_int_equal(dun_mem_live(), 0);
}

static int offer_some(void) {
    int rc;
    dun_suggestions s = {0};
    const float point[D] = {0, 0}, near[K] = {1, 2, 3}, nearer[K] = {1, 1.5f, 3};
    TRY(dun_suggestions_create(&s, 1, D));
    for (int i = 0; i < 12; i++)
        TRY(dun_suggestions_offer(&s, "x", 1, i < 10 ? near : nearer, K, point, 1));
out:
    dun_suggestions_free(&s);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walk_failures(offer_some);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_margin), cmocka_unit_test(test_pool),
                                       cmocka_unit_test(test_spread), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
