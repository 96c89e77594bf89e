/* What prompt and centroids start as, which of them training moves, and what runs that start alike share. */
#include "base/err.h"
#include "device_check.h"
#include "session/reopen.h"
#include "train_sample.h"

#include <math.h>

/* The centroid that a start means, from the points of single texts. */
static void expected_start(float *out, const train_run *t, const float *points, uint32_t k) {
    size_t D = dun_session_point_width(&t->session), n = 0;
    const uint32_t *labels = t->session.texts.label;
    for (size_t j = 0; j < D; j++) {
        double sum = 0;
        n = 0;
        for (uint32_t i = 0; i < t->session.n_train; i++)
            if (labels[i] == k && (n == 0 || t->config.centroid.start == DUN_START_MEAN)) {
                sum += (double)points[i * D + j];
                n++;
            }
        out[j] = (float)(sum / (double)n);
        if (t->config.centroid.start == DUN_START_RANDOM)
            out[j] = (float)dun_random_normal(5, DUN_STREAM_CENTROID, k * D + j);
    }
}

static void test_centroid_starts(void **state) {
    (void)state;
    static const char *const starts[] = {"example", "mean", "random"};
    for (size_t i = 0; i < 3; i++) {
        train_run t;
        char more[200], name[32];
        snprintf(name, sizeof name, "start-%s", starts[i]);
        snprintf(
            more, sizeof more,
            "[train]\nepochs = 0\n[prompt]\ninit = vocab\n[experiment]\nseed = 5\n[centroid]\nstart = %s\n",
            starts[i]);
        configure(&t, more);
        train_run_all(&t, name);
        assert_int_equal(t.n_losses, 0);
        float *points = points_of(&t.session, 0, t.session.n_train);
        size_t D = dun_session_point_width(&t.session);
        float want[2][64];
        assert_int_equal(D, 32);
        for (uint32_t k = 0; k < 2; k++) {
            expected_start(want[k], &t, points, k);
            assert_memory_equal(want[k], t.result.centroids + k * D, D * sizeof(float));
        }
        free(points);
        train_run_close(&t);
    }
}

/* A validation text of a class that no training text has: its centroid cannot start from texts. */
static void test_missing_class(void **state) {
    (void)state;
    static const char *const starts[] = {"example", "mean", "random"};
    train_run t;
    for (size_t i = 0; i < 3; i++) {
        char more[200], name[32];
        snprintf(name, sizeof name, "missing-%s", starts[i]);
        snprintf(more, sizeof more,
                 "label_map = 0:0, 1:1, other:2\n[prompt]\ninit = vocab\n[centroid]\nstart = %s\n",
                 starts[i]);
        configure(&t, more);
        check_ok(train_run_open(&t, name));
        int rc = train_run_train(&t);
        assert_int_equal(rc, i == 2 ? DUN_OK : DUN_BAD_INPUT);
        if (rc < 0)
            assert_non_null(strstr(dun_error_message(), "\"other\""));
        train_run_close(&t);
    }
}

/* Untrained centroids stay; the prompt then still learns. Trained ones move at their own rate. */
static void test_centroid_training(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        bool centroids_move, prompt_moves;
    } rows[] = {{"epochs = 0\n", false, false},
                {"epochs = 2\n[centroid]\ntrain = no\n", false, true},
                {"epochs = 2\n[centroid]\nlr = 0\n", false, true},
                {"epochs = 2\n[centroid]\nlr = 0.1\n[prompt]\nlr = 0\n", true, false},
                {"epochs = 2\n", true, true}};
    float centroids[64], prompt[160];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        train_run t;
        char more[200], name[32];
        snprintf(name, sizeof name, "centroids-%zu", i);
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\n[train]\n%s", rows[i].lines);
        configure(&t, more);
        train_run_all(&t, name);
        assert_int_equal(t.session.prompt.n_rows, 5);
        if (i == 0) {
            memcpy(centroids, t.result.centroids, sizeof centroids);
            memcpy(prompt, t.session.prompt.rows, sizeof prompt);
        }
        assert_int_equal(memcmp(centroids, t.result.centroids, sizeof centroids) != 0,
                         rows[i].centroids_move);
        assert_int_equal(memcmp(prompt, t.session.prompt.rows, sizeof prompt) != 0, rows[i].prompt_moves);
        train_run_close(&t);
    }
}

/* Opens what a prompt needs, without data or a device. */
static int open_prompt(train_run *t, const char *lines) {
    int rc = DUN_OK;
    char more[700];
    snprintf(more, sizeof more, "[prompt]\n%s", lines);
    configure(t, more);
    TRY(dun_session_open(&t->session, &t->config, NULL));
    TRY(dun_session_start_prompt(&t->session));
out:
    return rc;
}

static void expect_row(const train_run *t, uint32_t row, uint32_t id) {
    float want[64];
    check_ok(dun_model_file_read(want, t->session.model, DUN_W_EMBED, 0, id, 1));
    assert_memory_equal(t->session.prompt.rows + (size_t)row * 32, want, 32 * sizeof *want);
}

static void test_prompt_text(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        uint32_t rows;
    } cases[] = {{"text = \"xqz\"\n", 3},
                 {"text = \"xqz\"\ntokens = 3\n", 3},
                 {"text = \"xqz\"\ntokens = 7\n", 7},
                 {"text = \"xqz\"\ntokens = 2\n", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        dun_tokens tokens = {0};
        check_ok(open_prompt(&t, cases[i].lines));
        check_ok(dun_tokenizer_encode(&tokens, t.session.tokenizer, "xqz", 3));
        assert_int_equal(tokens.n, 3);
        assert_int_equal(t.session.prompt.n_rows, cases[i].rows);
        for (uint32_t p = 0; p < cases[i].rows; p++)
            expect_row(&t, p, tokens.ids[p % 3]);
        dun_tokens_free(&tokens);
        train_run_close(&t);
    }
}

static void test_prompt_vocab(void **state) {
    (void)state;
    train_run t;
    check_ok(open_prompt(&t, "init = vocab\ntokens = 20\n[experiment]\nseed = 9\n"));
    assert_int_equal(t.session.prompt.n_rows, 20);
    for (uint32_t p = 0; p < 20; p++)
        expect_row(&t, p, (uint32_t)dun_random_below(tiny.vocab, 9, DUN_STREAM_PROMPT, p));
    train_run_close(&t);
    check_ok(open_prompt(&t, "init = vocab\n"));
    assert_int_equal(t.session.prompt.n_rows, 5);
    train_run_close(&t);
}

/* Mean and standard deviation. */
static void moments(double *out, const float *values, size_t n) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    out[0] = sum / (double)n;
    out[1] = sqrt(squares / (double)n - out[0] * out[0]);
}

static void test_prompt_random(void **state) {
    (void)state;
    train_run t;
    double table[2], prompt[2];
    float *rows = calloc((size_t)tiny.vocab * tiny.width, sizeof *rows);
    check_ok(open_prompt(&t, "init = random\ntokens = 200\n"));
    assert_non_null(rows);
    check_ok(dun_model_file_read(rows, t.session.model, DUN_W_EMBED, 0, 0, tiny.vocab));
    moments(table, rows, (size_t)tiny.vocab * tiny.width);
    moments(prompt, t.session.prompt.rows, (size_t)200 * tiny.width);
    print_message("deviation %.4f, the table's %.4f\n", prompt[1], table[1]);
    assert_true(fabs(prompt[0]) <= 0.05 * table[1]);
    assert_true(fabs(prompt[1] / table[1] - 1) <= 0.05); /* 6400 draws: one deviation is 0.009 */
    free(rows);
    train_run_close(&t);
}

static void test_prompt_file(void **state) {
    (void)state;
    train_run t;
    char lines[600];
    float trained[160];
    char file[300];
    snprintf(file, sizeof file, "%s/saved/prompt.safetensors", train_folder());
    configure(&t, "[prompt]\ninit = vocab\nlr = 0.05\n");
    train_run_all(&t, "saved");
    memcpy(trained, t.session.prompt.rows, sizeof trained);
    train_run_close(&t);
    snprintf(lines, sizeof lines, "init = file\nfile = %s\n", file);
    check_ok(open_prompt(&t, lines));
    assert_int_equal(t.session.prompt.n_rows, 5);
    assert_memory_equal(t.session.prompt.rows, trained, sizeof trained);
    train_run_close(&t);
    snprintf(lines, sizeof lines, "init = file\nfile = %s\ntokens = 4\n", file);
    assert_int_equal(open_prompt(&t, lines), DUN_USAGE);
    assert_non_null(strstr(dun_error_message(), "has 5 rows"));
    train_run_close(&t);
    snprintf(lines, sizeof lines, "init = file\nfile = %s\n[model]\npath = %s\n", file,
             train_path("wide.gguf"));
    train_run_config(&t, "[prompt]\n%s", lines);
    check_ok(dun_session_open(&t.session, &t.config, NULL));
    assert_int_equal(dun_session_start_prompt(&t.session), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "32 wide"));
    assert_non_null(strstr(dun_error_message(), "64 wide"));
    train_run_close(&t);
    snprintf(lines, sizeof lines, "init = file\nfile = %s\n", train_path("nothing.safetensors"));
    assert_int_equal(open_prompt(&t, lines), DUN_BAD_INPUT);
    train_run_close(&t);
}

static int count_pass(void *self, uint32_t first, uint32_t count) {
    (void)first;
    *(uint32_t *)self += count;
    return DUN_OK;
}

/* The points (n, D) of all texts while the prompt on the device is one of zeros. */
static void pass_with_zeros(float *points, dun_session *session, bool at_start) {
    const dun_pass pass = {.sink = points, .at_start = at_start};
    uint32_t n = 0;
    float *zeros = calloc(dun_prompt_floats(&session->prompt), sizeof *zeros);
    assert_non_null(zeros);
    check_ok(dun_session_set_prompt(session, zeros));
    check_ok(dun_session_run_all(session, &pass, 0, session->texts.n, "test", count_pass, &n));
    assert_int_equal(n, session->texts.n);
    free(zeros);
}

/* Points under the starting prompt are computed once for all runs that start alike, whatever is on the device
 * by then; not for those that start otherwise or have other texts. */
static void test_start_points(void **state) {
    static const struct {
        const char *set;
        bool kept;
    } cases[] = {{"prompt.lr=0.5", true},           {"experiment.seed=5", true},
                 {"prompt.text=zq", false},         {"data.limit_train=7", false},
                 {"model.normalize=center", false}, {"loss.temperature=3", true},
                 {"centroid.start=random", true},   {"prompt.reparametrize=yes", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run a, b;
        dun_session session = {0};
        configure(&a, "[prompt]\ntext = bgkx\n[train]\nbatch_size = 5\n");
        configure(&b, "[prompt]\ntext = bgkx\n[train]\nbatch_size = 5\n");
        check_ok(dun_config_set(&b.config, cases[i].set));
        check_ok(dun_session_reopen(&session, &a.config, NULL));
        check_ok(dun_session_ready(&session));
        const size_t bytes = session.texts.n * dun_session_point_width(&session) * sizeof(float);
        float *first = malloc(bytes), *again = malloc(bytes), *zeros = malloc(bytes);
        assert_true(first && again && zeros);
        const dun_pass pass = {.sink = first, .at_start = true};
        uint32_t n = 0;
        check_ok(dun_session_run_all(&session, &pass, 0, session.texts.n, "test", count_pass, &n));
        check_ok(dun_session_reopen(&session, &b.config, NULL));
        check_ok(dun_session_ready(&session));
        const size_t now = session.texts.n * dun_session_point_width(&session) * sizeof(float);
        assert_true(now <= bytes);
        pass_with_zeros(zeros, &session, false);
        pass_with_zeros(again, &session, true);
        if ((memcmp(again, first, now) == 0) != cases[i].kept ||
            (memcmp(again, zeros, now) == 0) == cases[i].kept)
            fail_msg("%s: points of the start are %s", cases[i].set,
                     cases[i].kept ? "computed anew" : "kept");
        free(first);
        free(again);
        free(zeros);
        dun_session_close(&session);
        dun_config_free(&a.config);
        dun_config_free(&b.config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_centroid_starts),   cmocka_unit_test(test_missing_class),
        cmocka_unit_test(test_centroid_training), cmocka_unit_test(test_prompt_text),
        cmocka_unit_test(test_prompt_vocab),      cmocka_unit_test(test_prompt_random),
        cmocka_unit_test(test_prompt_file),       cmocka_unit_test(test_start_points),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
