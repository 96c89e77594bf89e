/* What is run with a text, through whole sessions on a tiny model file: the layer that is read, against plain
 * double loops over whole sequences with the file's own weights. */
#include "device_check.h"
#include "err.h"
#include "random_model.h"
#include "train_sample.h"

#include <math.h>

/* Two blocks of sums of up to 64 products, each rounded to float. */
static const double point_tolerance = 2e-6;

enum { MAX_IDS = 64 };

static random_model weights; /* of tiny.gguf */

static int read_weights(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                        uint32_t n_rows) {
    return dun_weights_read(out, self, slot, layer, first_row, n_rows);
}

/* The whole sequence of a text: its tokens, then the prompt. Returns its length. */
static int ids_of(int *ids, const dun_session *session, uint32_t text) {
    int n = 0;
    for (uint32_t i = session->texts.start[text]; i < session->texts.start[text + 1]; i++)
        ids[n++] = (int)session->texts.tokens.ids[i];
    for (uint32_t p = 0; p < session->prompt.n_rows; p++)
        ids[n++] = -1 - (int)p;
    return n;
}

static void expect_points(dun_session *session) {
    uint32_t n = session->texts.n, C = session->prompt.width;
    size_t D = dun_session_point_width(session), n_prompt = (size_t)session->prompt.n_rows * C;
    double *prompt = calloc(n_prompt, sizeof *prompt), want[300], got[300], worst = 0;
    float *points = points_of(session, 0, n);
    assert_true(prompt && D <= 300);
    for (size_t i = 0; i < n_prompt; i++)
        prompt[i] = (double)session->prompt.rows[i];
    for (uint32_t text = 0; text < n; text++) {
        int ids[MAX_IDS], length = ids_of(ids, session, text);
        check_ok(random_model_point(want, &weights, &session->engine.options.point, ids, length, prompt));
        for (size_t j = 0; j < D; j++)
            got[j] = (double)points[text * D + j];
        double error = check_relative_error(got, want, D);
        worst = fmax(worst, error);
        if (!(error <= point_tolerance))
            fail_msg("the point of text %u is off by %.3g", text, error);
    }
    print_message("%u points off by at most %.2g\n", n, worst);
    free(points);
    free(prompt);
}

/* The residual stream after a block, which needs no later one and no final norm. */
static void test_layer(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        dun_point_spec point;
    } cases[] = {{"", {2, true, false}},
                 {"[model]\nlayer = last\npoint = logits\n", {2, true, true}},
                 {"[model]\nlayer = 2\n", {2, false, false}},
                 {"[model]\nlayer = 1\n", {1, false, false}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        char more[200];
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\ntokens = 3\n%s", cases[i].lines);
        configure(&t, more);
        check_ok(train_run_open(&t, NULL));
        const dun_engine *engine = &t.session.engine;
        const dun_point_spec *point = &engine->options.point;
        assert_int_equal(point->n_blocks, cases[i].point.n_blocks);
        assert_int_equal(point->final_norm, cases[i].point.final_norm);
        assert_int_equal(point->logits, cases[i].point.logits);
        assert_int_equal(engine->model.n_layers, cases[i].point.n_blocks);
        expect_points(&t.session);
        train_run_close(&t);
    }
}

static void test_layer_range(void **state) {
    (void)state;
    train_run t;
    configure(&t, "[prompt]\ninit = vocab\n[model]\nlayer = 3\n");
    assert_int_equal(train_run_open(&t, NULL), DUN_USAGE);
    assert_non_null(strstr(dun_error_message(), "test.ini:"));
    assert_non_null(
        strstr(dun_error_message(), "model.layer = 3, but the model has 2 layers; 1 to 2 or last"));
    train_run_close(&t);
}

/* Training through an earlier layer learns too. */
static void test_layer_learns(void **state) {
    (void)state;
    train_run t;
    configure(
        &t, "[model]\nlayer = 1\n[prompt]\ninit = vocab\nlr = 0.05\n[train]\nepochs = 12\nbatch_size = 4\n");
    train_run_all(&t, "layer");
    print_message("loss %.4f, then %.4f\n", (double)t.losses[0], (double)t.losses[35]);
    assert_true(t.losses[35] < 0.5f * t.losses[0]);
    assert_int_equal(t.session.engine.model.n_layers, 1);
    train_run_close(&t);
}

static int open_all(void **state) {
    dun_weights *file;
    make_files(state);
    check_ok(dun_weights_open(&file, train_path("tiny.gguf")));
    const dun_weight_source source = {.self = file, .read = read_weights};
    check_ok(random_model_copy(&weights, dun_weights_spec(file), &source));
    dun_weights_free(file);
    return 0;
}

static int close_all(void **state) {
    random_model_free(&weights);
    return remove_files(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_layer_range),
        cmocka_unit_test(test_layer_learns),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
