/* A team knows its members by nothing but their table of functions: two made-up ones do what one does, in an
 * order that lets both work at once. */
#include "member_fakes.h"

/* The order of calls, and equal numbers. */
static void test_two_as_one(void **state) {
    (void)state;
    static const uint32_t batch[] = {6, 0, 3, 1, 5};
    fake alone[] = {{.name = "a", .gemm = "one"}};
    fake pair[] = {{.name = "a", .gemm = "one"}, {.name = "b", .gemm = "one"}};
    board one = new_board(), two = new_board();
    dun_team team;
    open_team(&team, &one, alone, 1, NULL);
    check_ok(dun_team_fill(&team, NULL));
    check_ok(dun_team_run(&team, NULL, batch, 5));
    check_ok(dun_team_backward(&team, 5));
    assert_string_equal(log_text,
                        "a.assign(7) a.fill(3) a.finish(0) a.fill(6) a.finish(0) a.fill(7) a.finish(0) "
                        "a.start(5) a.back(5) ");
    assert_float_equal(one.points[3 * D + 1], -2.0f * 3, 0);
    dun_team_free(&team);

    open_team(&team, &two, pair, 2, "4,3");
    check_ok(dun_team_fill(&team, NULL));
    check_ok(dun_team_run(&team, NULL, batch, 5));
    check_ok(dun_team_backward(&team, 5));
    assert_string_equal(
        log_text,
        "a.assign(4) b.assign(3) a.fill(3) b.fill(3) a.finish(0) b.finish(0) a.fill(4) b.fill(3) "
        "a.finish(0) b.finish(0) b.start(3) a.start(2) b.points(3) b.back(3) a.back(2) b.gradients(3) ");
    assert_memory_equal(one.points, two.points, sizeof one.points);
    assert_memory_equal(one.d_texts, two.d_texts, sizeof one.d_texts); /* in the batch's order */
    assert_memory_equal(one.d_prompt, two.d_prompt, sizeof one.d_prompt);
    dun_team_free(&team);
    assert_int_equal(dun_mem_live(), 0);
}

/* Who knows the prompt spares the others a wait for it; the first has it in place. */
static void test_known_prompt(void **state) {
    (void)state;
    static const float known[D] = {2, 2, 2};
    fake pair[] = {{.name = "a", .gemm = "x"}, {.name = "b", .gemm = "x"}};
    board b = new_board();
    dun_team team;
    open_team(&team, &b, pair, 2, "1,1");
    check_ok(dun_team_run(&team, known, (const uint32_t[]){0, 1}, 2));
    assert_float_equal(b.points[0 * D + 1], -2.0f * 2, 0);
    assert_float_equal(b.points[1 * D + 1], 2.0f * 3, 0);
    dun_team_free(&team);
    assert_int_equal(dun_mem_live(), 0);
}

/* A member without a text in a batch is not asked; the others' texts are all there. */
static void test_left_out(void **state) {
    (void)state;
    fake fakes[] = {{.name = "a", .gemm = "x"}, {.name = "b", .gemm = "x"}, {.name = "c", .gemm = "x"}};
    board b = new_board();
    dun_team team;
    open_team(&team, &b, fakes, 3, "0,1,0");
    assert_string_equal(log_text, "a.assign(0) b.assign(7) c.assign(0) ");
    log_text[0] = '\0';
    check_ok(dun_team_run(&team, NULL, (const uint32_t[]){4}, 1));
    check_ok(dun_team_backward(&team, 1));
    assert_string_equal(log_text, "b.start(1) b.points(1) b.back(1) b.gradients(1) ");
    assert_float_equal(b.points[0], 11, 0);
    log_text[0] = '\0';
    check_ok(dun_team_keep(&team, 1)); /* texts are dealt out anew */
    assert_string_equal(log_text, "c.free(0) b.free(0) ");
    assert_false(team.has_texts);
    dun_team_free(&team);
    assert_int_equal(dun_mem_live(), 0);
}

/* The error of a member is the team's, and nobody waits for the rest. */
static void test_gone(void **state) {
    (void)state;
    fake fakes[] = {
        {.name = "a", .gemm = "x"}, {.name = "b", .gemm = "x", .fails = true}, {.name = "c", .gemm = "x"}};
    board b = new_board();
    dun_team team;
    open_team(&team, &b, fakes, 3, "1,1,1");
    log_text[0] = '\0';
    assert_int_equal(dun_team_run(&team, NULL, (const uint32_t[]){0, 1, 2, 3, 4, 5}, 6), DUN_FAILED);
    assert_string_equal(dun_error_message(), "b is gone");
    assert_string_equal(log_text, "c.start(2) b.start(2) a.start(2) b.points(2) ");
    dun_error_clear();
    dun_team_free(&team);
}

/* Shares are measured by trials when nobody names them, and members that compute otherwise are told apart. */
static void test_trials_and_identity(void **state) {
    (void)state;
    fake fakes[] = {{.name = "a", .gemm = "x"}, {.name = "b", .gemm = "x"}};
    board b = new_board();
    dun_team team;
    bool changed, alike;
    uint64_t same, other;
    dun_str shares = {0};
    open_team(&team, &b, fakes, 2, "3,1");
    check_ok(dun_team_shares(&shares, &team));
    assert_string_equal(shares.bytes, "75,25");
    check_ok(dun_team_arithmetic(&same, &alike, &team));
    assert_true(alike);
    fakes[1].gemm = "y";
    check_ok(dun_team_arithmetic(&other, &alike, &team));
    assert_false(alike);
    assert_true(same != other);
    dun_team_free(&team);
    const dun_home home = home_on(&b);
    dun_team_init(&team, &home);
    check_ok(dun_team_add(&team, &fake_kind, &fakes[0]));
    check_ok(dun_team_add(&team, &fake_kind, &fakes[1]));
    log_text[0] = '\0';
    check_ok(dun_team_share(&changed, &team, "", "the test"));
    assert_non_null(strstr(log_text, "a.trial(0) a.finish(0) a.trial(0) a.finish(0) "));
    assert_non_null(strstr(log_text, "b.trial(0) b.finish(0) "));
    assert_int_equal(team.members[0].share + team.members[1].share, 100);
    dun_team_free(&team);
    dun_str_free(&shares);
    assert_int_equal(dun_mem_live(), 0);
}

/* Members elsewhere: they try all at once and tell how long it took, and run texts that nobody owns. */
static int far_tried(double *seconds, void *self) {
    fake *f = self;
    note(f->name, "tried", 0);
    *seconds = f->seconds;
    return DUN_OK;
}

static int far_start_texts(void *self, const dun_texts *given, const uint32_t *which, uint32_t n) {
    fake *f = self;
    f->in_place = false;
    f->n = n;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < D; j++)
            f->points[i * D + j] = f->place->prompt[j] * (float)given->tokens.ids[given->start[which[i]]];
    note(f->name, "texts", n);
    return DUN_OK;
}

static void test_far(void **state) {
    (void)state;
    dun_member_kind far_kind = fake_kind;
    far_kind.tried = far_tried;
    far_kind.start_texts = far_start_texts;
    fake fakes[] = {{.name = "a", .gemm = "x", .seconds = 1},
                    {.name = "b", .gemm = "x", .seconds = 2},
                    {.name = "c", .gemm = "x", .seconds = 1}};
    board b = new_board();
    dun_team team;
    bool changed;
    const dun_home home = home_on(&b);
    dun_team_init(&team, &home);
    for (int i = 0; i < 3; i++) {
        fakes[i].place = &b;
        check_ok(dun_team_add(&team, &far_kind, &fakes[i]));
    }
    check_ok(dun_team_prepare(&team, &(dun_team_sizes){N, D, D}));
    log_text[0] = '\0';
    check_ok(dun_team_share(&changed, &team, "", "the test"));
    assert_string_equal(log_text, "a.trial(0) b.trial(0) c.trial(0) a.tried(0) b.tried(0) c.tried(0) ");
    assert_int_equal(team.members[1].share, 20);
    assert_int_equal(team.members[2].share, 40);
    check_ok(dun_team_assign(&team, &texts)); /* the first has those of `texts` */
    fake_assign(&team.members[0].n_kept, &fakes[0], &texts, NULL, N);
    log_text[0] = '\0';
    check_ok(dun_team_run_texts(&team, &texts, (const uint32_t[]){6, 0, 3, 1}, (const uint32_t[]){1, 0, 3}));
    assert_string_equal(log_text, "c.texts(3) a.start(1) c.points(3) ");
    static const float first[] = {17, 2, 7, 3};
    for (int i = 0; i < 4; i++)
        assert_float_equal(b.points[i * D], first[i], 0);
    check_ok(dun_team_run_texts(&team, &texts, (const uint32_t[]){4}, (const uint32_t[]){1, 0, 0}));
    assert_float_equal(b.points[0], 11, 0);
    dun_team_free(&team);
    assert_int_equal(dun_mem_live(), 0);
}

/* A few percent are chance: far members that are nearly as fast as each other share evenly. */
static void test_nearly_even(void **state) {
    (void)state;
    dun_member_kind far_kind = fake_kind;
    far_kind.tried = far_tried;
    enum { MANY = 24 };
    fake fakes[MANY];
    board b = new_board();
    dun_team team;
    bool changed;
    const dun_home home = home_on(&b);
    dun_team_init(&team, &home);
    for (int i = 0; i < MANY; i++) {
        fakes[i] = (fake){.name = "f", .gemm = "x", .place = &b, .seconds = 1 + i * 0.005};
        check_ok(dun_team_add(&team, &far_kind, &fakes[i]));
    }
    check_ok(dun_team_share(&changed, &team, "", "the test"));
    assert_int_equal(team.whole, 100 * MANY); /* percents would be too coarse */
    for (int i = 0; i < MANY; i++)
        assert_int_equal(team.members[i].share, 100);
    dun_team_free(&team);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_as_one),
                                       cmocka_unit_test(test_known_prompt),
                                       cmocka_unit_test(test_left_out),
                                       cmocka_unit_test(test_gone),
                                       cmocka_unit_test(test_trials_and_identity),
                                       cmocka_unit_test(test_far),
                                       cmocka_unit_test(test_nearly_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
