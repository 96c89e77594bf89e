/* Members of a team that are a few lines of host code, with points and gradients that can be counted on
 * fingers, and the home of such a team. What each is asked is written down. */
#ifndef MEMBER_FAKES_H
#define MEMBER_FAKES_H

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

#endif
