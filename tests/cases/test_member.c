/* A team knows its members by nothing but their table of functions: here members that are a few lines of host
 * code, with points and gradients that can be counted on fingers. Two of them do what one does, in an order
 * that lets both work at once. */
#include "base/err.h"
#include "base/mem.h"
#include "device_check.h"
#include "session/team.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 7, D = 3, LOG = 512 };

/* What every member of a team writes down, one after another. */
static char log_text[LOG];

static void note(const char *name, const char *what, uint32_t n) {
    size_t length = strlen(log_text);
    snprintf(log_text + length, LOG - length, "%s.%s(%u) ", name, what, n);
}

/* Where the loss would be: a prompt (1, D), points and their gradients (N, D). */
typedef struct {
    float prompt[D], points[N * D], d_points[N * D], d_texts[N * D], d_prompt[D];
} board;

/* Point j of a text is prompt[j] * its first token. */
typedef struct {
    const char *name, *gemm;
    board *place; /* where "in place" is */
    uint32_t token[N], n_texts, n_filled;
    uint32_t which[N], n; /* of the batch */
    float prompt[D], d_texts[N * D];
    float points[N * D];
    bool in_place, fails;
    double seconds;
} fake;

static int fake_assign(uint32_t *n_kept, void *self, const dun_texts *texts, const uint32_t *mine,
                       uint32_t n) {
    fake *f = self;
    f->n_texts = *n_kept = texts ? n : 0;
    f->n_filled = 0;
    for (uint32_t i = 0; i < f->n_texts; i++)
        f->token[i] = texts->tokens.ids[texts->start[mine ? mine[i] : i]];
    if (texts)
        note(f->name, "assign", n);
    return DUN_OK;
}

static int fake_fill_some(uint32_t *n_filled, void *self) {
    fake *f = self;
    if (f->n_filled < f->n_texts)
        f->n_filled += f->n_texts - f->n_filled < 3 ? f->n_texts - f->n_filled : 3;
    *n_filled = f->n_filled;
    note(f->name, "fill", f->n_filled);
    return DUN_OK;
}

static int fake_trial(void *self) {
    note(((fake *)self)->name, "trial", 0);
    return DUN_OK;
}

static int fake_start(void *self, const float *prompt, const uint32_t *which, uint32_t n) {
    fake *f = self;
    f->in_place = !prompt;
    f->n = n;
    memcpy(f->which, which, n * sizeof *which);
    memcpy(f->prompt, prompt ? prompt : f->place->prompt, sizeof f->prompt);
    float *points = f->in_place ? f->place->points : f->points;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < D; j++)
            points[i * D + j] = f->prompt[j] * (float)f->token[which[i]];
    note(f->name, "start", n);
    return DUN_OK;
}

static int fake_points(float *points, void *self) {
    fake *f = self;
    assert_false(f->in_place);
    note(f->name, "points", f->n);
    memcpy(points, f->points, f->n * D * sizeof *points);
    return f->fails ? dun_error(DUN_FAILED, "%s is gone", f->name) : DUN_OK;
}

/* Sums at home: here of numbers so small that every order gives the same. */
static void sum(board *b, uint32_t n) {
    for (uint32_t j = 0; j < D; j++) {
        b->d_prompt[j] = 0;
        for (uint32_t i = 0; i < n; i++)
            b->d_prompt[j] += b->d_texts[i * D + j];
    }
}

static int fake_start_backward(void *self, const float *d_points) {
    fake *f = self;
    assert_true(f->in_place == !d_points);
    const float *d = d_points ? d_points : f->place->d_points;
    float *d_texts = f->in_place ? f->place->d_texts : f->d_texts;
    for (uint32_t i = 0; i < f->n; i++)
        for (uint32_t j = 0; j < D; j++)
            d_texts[i * D + j] = d[i * D + j] * (float)f->token[f->which[i]];
    if (f->in_place)
        sum(f->place, f->n);
    note(f->name, "back", f->n);
    return DUN_OK;
}

static int fake_gradients(float *d_texts, void *self) {
    fake *f = self;
    assert_false(f->in_place);
    note(f->name, "gradients", f->n);
    memcpy(d_texts, f->d_texts, f->n * D * sizeof *d_texts);
    return DUN_OK;
}

static int fake_finish(void *self) {
    note(((fake *)self)->name, "finish", 0);
    return DUN_OK;
}

static dun_identity fake_identity(const void *self) {
    static const dun_device_info device = {.name = "fingers"};
    static dun_tiles tiles;
    tiles = dun_tiles_default(&device, 8);
    return (dun_identity){.device = &device,
                          .gemm = ((const fake *)self)->gemm,
                          .precision = "f32",
                          .precision_reason = "none",
                          .reason = "none",
                          .tiles = &tiles};
}

static void fake_free(void *self) {
    note(((fake *)self)->name, "free", 0);
}

static const dun_member_kind fake_kind = {.assign = fake_assign,
                                          .fill_some = fake_fill_some,
                                          .trial = fake_trial,
                                          .start = fake_start,
                                          .points = fake_points,
                                          .start_backward = fake_start_backward,
                                          .gradients = fake_gradients,
                                          .finish = fake_finish,
                                          .identity = fake_identity,
                                          .free = fake_free};

static int read_prompt(float *prompt, void *self) {
    memcpy(prompt, ((board *)self)->prompt, sizeof(float[D]));
    return DUN_OK;
}

static int prepare(void *self, const dun_team_sizes *sizes) {
    (void)self;
    assert_int_equal(sizes->max_sequences, N);
    return DUN_OK;
}

/* The rows of all from the first ones in place and the others'. */
static void bring(float *rows, const dun_team_rows *all) {
    float together[N * D];
    memcpy(together, rows, all->n_own * sizeof(float[D]));
    memcpy(together + all->n_own * D, all->others, (all->n - all->n_own) * sizeof(float[D]));
    for (uint32_t i = 0; i < all->n; i++)
        memcpy(rows + i * D, together + all->from[i] * D, sizeof(float[D]));
}

static int bring_points(void *self, const dun_team_rows *points) {
    bring(((board *)self)->points, points);
    return DUN_OK;
}

static int read_d_points(float *d_points, void *self, uint32_t n) {
    memcpy(d_points, ((board *)self)->d_points, n * sizeof(float[D]));
    return DUN_OK;
}

static int leave_d_points(void *self, const int32_t *own, uint32_t n_own) {
    board *b = self;
    for (uint32_t i = 0; i < n_own; i++)
        memmove(b->d_points + i * D, b->d_points + own[i] * D, sizeof(float[D]));
    return DUN_OK;
}

static int sum_d_texts(void *self, const dun_team_rows *d_texts) {
    board *b = self;
    bring(b->d_texts, d_texts);
    sum(b, d_texts->n);
    return DUN_OK;
}

static dun_home home_on(board *b) {
    return (dun_home){b, prepare, read_prompt, bring_points, read_d_points, leave_d_points, sum_d_texts};
}

/* Texts of one token each, 2, 3, 5, 7, ... */
static uint32_t token[N] = {2, 3, 5, 7, 11, 13, 17}, start[N + 1] = {0, 1, 2, 3, 4, 5, 6, 7};
static const dun_texts texts = {.tokens = {.ids = token, .n = N}, .start = start, .n = N, .longest = 1};

static board new_board(void) {
    board b = {.prompt = {1, -2, 3}};
    for (uint32_t i = 0; i < N * D; i++)
        b.d_points[i] = (float)(int)(i % 5) - 2;
    return b;
}

static void open_team(dun_team *team, board *b, fake *fakes, uint32_t n, const char *shares) {
    bool changed;
    const dun_home home = home_on(b);
    dun_team_init(team, &home);
    for (uint32_t i = 0; i < n; i++) {
        fakes[i].place = b;
        check_ok(dun_team_add(team, &fake_kind, &fakes[i]));
    }
    check_ok(dun_team_prepare(team, &(dun_team_sizes){N, D, D}));
    if (n > 1)
        check_ok(dun_team_share(&changed, team, shares, "the test"));
    log_text[0] = '\0';
    check_ok(dun_team_assign(team, &texts));
}

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
