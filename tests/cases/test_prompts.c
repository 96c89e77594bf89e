/* What is run with a text, through whole sessions on a tiny model file: the layer that is read, templates,
 * and prompts before the text; points and gradients of the prompt against plain double loops over whole
 * sequences with the file's own weights. */
#include "base/err.h"
#include "check/random_model.h"
#include "device_check.h"
#include "train_sample.h"

#include <math.h>

/* Two blocks of sums of up to 64 products, each rounded to float. */
static const double point_tolerance = 2e-6, gradient_tolerance = 5e-6;

enum { MAX_IDS = 128, C = 32, MAX_ROWS = 8 };

static dun_random_model weights; /* of tiny.gguf */

static const dun_example *example_of(const dun_session *session, uint32_t text) {
    return text < session->n_train ? &session->train->examples[text]
                                   : &session->valid->examples[text - session->n_train];
}

/* The whole sequence of a text as `layout` says: 'T' is the text, a digit that many rows of the prompt; what
 * lies between digits is one string for the tokenizer. Returns its length. */
static int ids_of(int *ids, const dun_session *session, const char *layout, uint32_t text) {
    int n = 0, soft = 0;
    const dun_example *example = example_of(session, text);
    for (const char *at = layout; *at;) {
        dun_str words = {0};
        dun_tokens tokens = {0};
        for (; *at && !(*at >= '0' && *at <= '9'); at++)
            check_ok(*at == 'T' ? dun_str_add(&words, example->text, example->length)
                                : dun_str_add(&words, at, 1));
        check_ok(
            dun_tokenizer_encode(&tokens, session->tokenizer, words.length ? words.bytes : "", words.length));
        for (size_t i = 0; i < tokens.n; i++)
            ids[n++] = (int)tokens.ids[i];
        for (int i = 0; *at && i < *at - '0'; i++)
            ids[n++] = -1 - soft++;
        at += *at != '\0';
        dun_tokens_free(&tokens);
        dun_str_free(&words);
    }
    assert_in_range(n, 1, MAX_IDS);
    return n;
}

static void reference_point(double *out, const dun_session *session, const char *layout, uint32_t text,
                            const double *prompt) {
    int ids[MAX_IDS], length = ids_of(ids, session, layout, text);
    check_ok(dun_random_model_point(out, &weights, &session->engine.options.point, ids, length, prompt));
}

static void read_prompt(double *prompt, const dun_session *session) {
    assert_in_range(session->prompt.n_rows, 1, MAX_ROWS);
    for (size_t i = 0; i < (size_t)session->prompt.n_rows * C; i++)
        prompt[i] = (double)session->prompt.rows[i];
}

static void expect_points(dun_session *session, const char *layout) {
    uint32_t n = session->texts.n;
    size_t D = dun_session_point_width(session);
    double prompt[MAX_ROWS * C], want[300], got[300], worst = 0;
    float *points = points_of(session, 0, n);
    assert_true(D <= 300);
    read_prompt(prompt, session);
    for (uint32_t text = 0; text < n; text++) {
        reference_point(want, session, layout, text, prompt);
        for (size_t j = 0; j < D; j++)
            got[j] = (double)points[text * D + j];
        double error = dun_check_relative_error(got, want, D);
        worst = fmax(worst, error);
        if (!(error <= point_tolerance))
            fail_msg("%s: the point of text %u is off by %.3g", layout, text, error);
    }
    print_message("%s: %u points off by at most %.2g\n", layout, n, worst);
    free(points);
}

/* The residual stream after a block, which needs no later one and no final norm. */
static void test_layer(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        dun_point_spec point;
    } cases[] = {
        {"", {.n_blocks = 2, .final_norm = true}},
        {"[model]\nlayer = last\npoint = logits\n", {.n_blocks = 2, .final_norm = true, .logits = true}},
        {"[model]\nlayer = 2\n", {.n_blocks = 2}},
        {"[model]\nlayer = 1\n", {.n_blocks = 1}}};
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
        expect_points(&t.session, "T3");
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

enum { N_BATCH = 4 }; /* texts 0 to 3 in one batch */

static double slope(uint32_t text, size_t j) {
    return (float)dun_random_normal(3, DUN_STREAM_TEST, text * 1000 + j);
}

/* sum over texts and components of slope * point */
static double reference_sum(const dun_session *session, const char *layout, const double *prompt) {
    double sum = 0, point[C];
    for (uint32_t text = 0; text < N_BATCH; text++) {
        reference_point(point, session, layout, text, prompt);
        for (size_t j = 0; j < C; j++)
            sum += slope(text, j) * point[j];
    }
    return sum;
}

/* The gradient of that sum, against central differences of the double model: with h = 1e-4 right to 1e-8. */
static void expect_gradient(dun_session *session, const char *layout) {
    const double h = 1e-4;
    const uint32_t which[N_BATCH] = {0, 1, 2, 3};
    size_t n = (size_t)session->prompt.n_rows * C;
    double prompt[MAX_ROWS * C], want[MAX_ROWS * C], got[MAX_ROWS * C];
    float slopes[N_BATCH * C], gradient[MAX_ROWS * C];
    dun_engine *engine = &session->engine;
    read_prompt(prompt, session);
    for (uint32_t i = 0; i < N_BATCH * C; i++)
        slopes[i] = (float)slope(i / C, i % C);
    check_ok(dun_session_run(session, which, N_BATCH));
    check_ok(dun_buffer_write(dun_engine_point_gradient(engine), 0, slopes, sizeof slopes));
    check_ok(dun_engine_backward(engine));
    check_ok(dun_buffer_read(gradient, &engine->d_prompt, 0, n * sizeof *gradient));
    for (size_t i = 0; i < n; i++) {
        double kept = prompt[i];
        prompt[i] = kept + h;
        double above = reference_sum(session, layout, prompt);
        prompt[i] = kept - h;
        want[i] = (above - reference_sum(session, layout, prompt)) / (2 * h);
        prompt[i] = kept;
        got[i] = (double)gradient[i];
    }
    double error = dun_check_relative_error(got, want, n);
    print_message("%s: the gradient is off by %.2g\n", layout, error);
    if (!(error <= gradient_tolerance))
        fail_msg("%s: the prompt's gradient is off by %.3g", layout, error);
}

/* Every template: the points of all texts and the prompt's gradient are those of the whole sequences. */
static void test_templates(void **state) {
    (void)state;
    static const struct {
        const char *lines, *layout;
        bool cached;
    } cases[] = {{"tokens = 3", "T3", true},
                 {"template = {text} All in all it was {soft:3}", "T All in all it was3", true},
                 {"template = A good: {text} is {soft:2} and {soft:1} .", "A good: T is2 and1 .", true},
                 {"tokens = 3\nplacement = prefix", "3T", false},
                 {"template = {soft:2}{text} is it good:", "2T is it good:", false},
                 {"template = A {soft:1} he{text}. And {soft:2}\nlr = 0", "A1 heT. And2", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        char more[200];
        snprintf(more, sizeof more, "[prompt]\ninit = random\n%s\n", cases[i].lines);
        configure(&t, more);
        check_ok(train_run_open(&t, NULL));
        assert_int_equal(t.session.first->cache.n_resident, cases[i].cached ? t.session.texts.n : 0);
        expect_points(&t.session, cases[i].layout);
        expect_gradient(&t.session, cases[i].layout);
        train_run_close(&t);
    }
}

/* The points of all texts in one batch, in an order, brought back into that of the texts. */
static float *packed_points(dun_session *session, uint32_t turn) {
    uint32_t n = session->texts.n, which[32];
    float *points = calloc((size_t)n * C, sizeof *points), *turned = calloc((size_t)n * C, sizeof *points);
    assert_true(points && turned && n <= 32);
    for (uint32_t i = 0; i < n; i++)
        which[i] = (i * 7 + turn) % n;
    check_ok(dun_session_run(session, which, n));
    check_ok(dun_buffer_read(turned, dun_engine_point_buffer(&session->engine), 0,
                             (size_t)n * C * sizeof *turned));
    for (uint32_t i = 0; i < n; i++)
        memcpy(points + which[i] * C, turned + i * C, C * sizeof *points);
    free(turned);
    return points;
}

/* Packed equals one at a time, and the order does not matter, to the last bit. */
static void test_packing(void **state) {
    (void)state;
    static const char *const lines[] = {"template = The {text} is {soft:2} and {soft:1} .",
                                        "template = {soft:2} {text} is {soft:1}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        train_run t;
        char more[200];
        snprintf(more, sizeof more, "[prompt]\ninit = random\n%s\n", lines[i]);
        configure(&t, more);
        check_ok(train_run_open(&t, NULL));
        size_t bytes = (size_t)t.session.texts.n * C * sizeof(float);
        float *alone = points_of(&t.session, 0, t.session.texts.n);
        for (uint32_t turn = 0; turn < 3; turn++) {
            float *packed = packed_points(&t.session, turn);
            assert_memory_equal(packed, alone, bytes);
            free(packed);
        }
        free(alone);
        train_run_close(&t);
    }
}

/* Trains and keeps losses and prompt; every run below must give the same bits as the first. */
static void expect_same_training(const char *const *lines, size_t n, const char *name) {
    float losses[TRAIN_LOSSES], rows[MAX_ROWS * C];
    for (size_t i = 0; i < n; i++) {
        train_run t;
        char more[300], run[32];
        snprintf(run, sizeof run, "%s-%zu", name, i);
        snprintf(more, sizeof more,
                 "[prompt]\ninit = vocab\nlr = 0.05\n%s\n[train]\nepochs = 2\nbatch_size = 4\n", lines[i]);
        configure(&t, more);
        train_run_all(&t, run);
        assert_int_equal(t.session.prompt.n_rows, 3);
        if (i == 0) {
            memcpy(losses, t.losses, sizeof losses);
            memcpy(rows, t.session.prompt.rows, 3 * C * sizeof *rows);
        }
        assert_memory_equal(losses, t.losses, sizeof losses);
        assert_memory_equal(rows, t.session.prompt.rows, 3 * C * sizeof *rows);
        assert_true(t.losses[0] > t.losses[5]);
        train_run_close(&t);
    }
}

static void test_same_meaning(void **state) {
    (void)state;
    static const char *const after[] = {"tokens = 3", "template = {text}{soft:3}",
                                        "template = {text} {soft:3}", "tokens = 3\ntemplate = {text} {soft}",
                                        "template = {text} {soft:1} {soft:2}"};
    static const char *const before[] = {"tokens = 3\nplacement = prefix", "template = {soft:3}{text}",
                                         "placement = prefix\ntemplate = {soft:1} {soft:2}{text}"};
    expect_same_training(after, sizeof after / sizeof *after, "after");
    expect_same_training(before, sizeof before / sizeof *before, "before");
}

/* Nothing to stand before or after: with a text of no tokens both placements are one. */
static void test_empty_text(void **state) {
    (void)state;
    float points[2][C];
    for (int prefix = 0; prefix < 2; prefix++) {
        train_run t;
        configure(&t, prefix ? "[prompt]\ninit = random\nplacement = prefix\n" : "[prompt]\ninit = random\n");
        check_ok(train_run_open(&t, NULL));
        check_ok(dun_texts_add(&t.session.texts, t.session.tokenizer, "", 0, 0, 8));
        float *point = points_of(&t.session, t.session.texts.n - 1, 1);
        memcpy(points[prefix], point, sizeof points[prefix]);
        free(point);
        train_run_close(&t);
    }
    assert_memory_equal(points[0], points[1], sizeof points[0]);
}

/* What a run with a template leaves is enough to score with it later. */
static void test_saved_run(void **state) {
    (void)state;
    static const char *const lines[] = {"template = The {text} is {soft:2} and {soft:1} .",
                                        "template = {soft:2} {text} is {soft:1}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        train_run t;
        dun_config config;
        dun_session session;
        dun_saved_prompt saved;
        char more[200], name[32], path[600], file[600];
        snprintf(name, sizeof name, "saved-%zu", i);
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\nlr = 0.05\n%s\n", lines[i]);
        configure(&t, more);
        train_run_all(&t, name);
        float *want = points_of(&t.session, t.session.n_train, t.session.n_valid);
        snprintf(path, sizeof path, "%s", train_run_file(&t, "config.ini"));
        snprintf(file, sizeof file, "%s", train_run_file(&t, "prompt.safetensors"));
        check_ok(dun_config_init(&config));
        check_ok(dun_config_load(&config, path));
        check_ok(dun_saved_prompt_read(&saved, file));
        check_ok(dun_session_open(&session, &config, NULL));
        check_ok(dun_session_use_prompt(&session, &saved, file));
        check_ok(dun_session_read_data(&session, false));
        check_ok(dun_session_start_engine(&session, false));
        check_ok(dun_session_read_texts(&session));
        assert_int_equal(session.n_valid, t.session.n_valid);
        float *got = points_of(&session, 0, session.n_valid);
        assert_memory_equal(got, want, (size_t)session.n_valid * C * sizeof *got);
        free(got);
        free(want);
        dun_session_close(&session);
        /* a template with room for another number of rows */
        check_ok(dun_config_set(&config, "prompt.template={text}{soft:4}"));
        check_ok(dun_session_open(&session, &config, NULL));
        assert_int_equal(dun_session_use_prompt(&session, &saved, file), DUN_BAD_INPUT);
        assert_non_null(strstr(dun_error_message(), "has 3 prompt rows; prompt.template"));
        dun_session_close(&session);
        dun_saved_prompt_free(&saved);
        dun_config_free(&config);
        train_run_close(&t);
    }
}

static int open_all(void **state) {
    dun_model_file *file;
    make_files_and_programs(state);
    check_ok(dun_model_file_open(&file, train_path("tiny.gguf"), DUN_MODEL_WEIGHTS));
    check_ok(dun_random_model_copy(&weights, dun_model_file_spec(file), dun_model_file_source(file)));
    dun_model_file_free(file);
    return 0;
}

static int close_all(void **state) {
    dun_random_model_free(&weights);
    return remove_files(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer),        cmocka_unit_test(test_layer_range),
        cmocka_unit_test(test_layer_learns), cmocka_unit_test(test_templates),
        cmocka_unit_test(test_packing),      cmocka_unit_test(test_same_meaning),
        cmocka_unit_test(test_empty_text),   cmocka_unit_test(test_saved_run),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
