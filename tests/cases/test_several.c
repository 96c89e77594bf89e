/* Several prompts that are trained together: each one's points and gradients are those of a session of its
 * own, a text's distances their mean, and what they leave is resumed, saved and read as that of one. */
#include "base/err.h"
#include "base/fault.h"
#include "run/export.h"
#include "session/classifier.h"
#include "session/reopen.h"
#include "train_sample.h"

#include <math.h>

enum { PROMPTS = 3, P = 2, C = 32, N = 4, ROWS = PROMPTS * P * C };

#define SEVERAL "count = 3\ntokens = 2\ninit = vocab\n"

static void open_several(train_run *t, const char *format, const char *lines) {
    char more[400];
    snprintf(more, sizeof more, format, lines);
    configure(t, more);
    check_ok(train_run_open(t, NULL));
}

/* Points (N, D) of the first texts, and the prompts' gradient of a sum of them with slopes (N, D). */
static void both_ways(float *points, float *gradient, dun_session *session, const float *slopes) {
    const uint32_t which[N] = {0, 1, 2, 3};
    const size_t bytes = N * dun_session_point_width(session) * sizeof(float);
    dun_engine *engine = &session->engine;
    check_ok(dun_session_run(session, which, N));
    check_ok(dun_buffer_read(points, dun_engine_point_buffer(engine), 0, bytes));
    check_ok(dun_buffer_write(dun_engine_point_gradient(engine), 0, slopes, bytes));
    check_ok(dun_session_backward(session, N));
    check_ok(dun_buffer_read(gradient, &engine->d_prompt, 0,
                             dun_prompt_floats(&session->prompt) * sizeof *gradient));
}

/* Against sessions with one prompt each, to the bit, wherever the prompt stands and whatever is done to
 * points.
 */
static void test_as_alone(void **state) {
    (void)state;
    static const char *const cases[] = {
        "tokens = 2", "template = The {text} is {soft:1} or {soft:1} .", "tokens = 2\nplacement = prefix",
        "tokens = 2\n[model]\nnormalize = unit", "tokens = 2\n[model]\nlayer = 1\n[device]\ncache_kv = no"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run all, one;
        float points[N * PROMPTS * C], gradient[ROWS], slopes[N * PROMPTS * C];
        open_several(&all, "[prompt]\ninit = vocab\ncount = 3\n%s\n", cases[i]);
        open_several(&one, "[prompt]\ninit = vocab\n%s\n", cases[i]);
        assert_int_equal(dun_session_point_width(&all.session), PROMPTS * C);
        for (size_t j = 0; j < N * PROMPTS * C; j++)
            slopes[j] = (float)dun_random_normal(3, DUN_STREAM_TEST, j);
        both_ways(points, gradient, &all.session, slopes);
        for (uint32_t prompt = 0; prompt < PROMPTS; prompt++) {
            float own[N * C], own_gradient[P * C], own_slopes[N * C];
            for (uint32_t text = 0; text < N; text++)
                memcpy(own_slopes + text * C, slopes + (text * PROMPTS + prompt) * C, C * sizeof *slopes);
            check_ok(dun_session_set_prompt(&one.session, all.session.prompt.rows + prompt * P * C));
            both_ways(own, own_gradient, &one.session, own_slopes);
            for (uint32_t text = 0; text < N; text++)
                assert_memory_equal(own + text * C, points + (text * PROMPTS + prompt) * C, C * sizeof *own);
            assert_memory_equal(own_gradient, gradient + prompt * P * C, sizeof own_gradient);
        }
        train_run_close(&one);
        train_run_close(&all);
    }
}

/* By plain descent at twice the rate, two prompts that start alike train as one: halves are exact. */
static void test_alike(void **state) {
    (void)state;
    static const char *const kinds[] = {"euclidean", "squared", "cosine"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        train_run one, two;
        char more[400];
        const char *lines = "[prompt]\ntext = bgk\n%s[loss]\nkind = centroid\nrepulsion_factor = 0.5\n"
                            "distance = %s\n[train]\noptimizer = sgd\nepochs = 2\nbatch_size = 4\n";
        snprintf(more, sizeof more, lines, "lr = 0.05\n", kinds[i]);
        configure(&one, more);
        train_run_all(&one, kinds[i]);
        snprintf(more, sizeof more, lines, "lr = 0.1\ncount = 2\ntexts = bgk\n", kinds[i]);
        configure(&two, more);
        char name[32];
        snprintf(name, sizeof name, "two-%s", kinds[i]);
        train_run_all(&two, name);
        assert_memory_equal(one.losses, two.losses, sizeof one.losses);
        assert_false(one.losses[0] == one.losses[3]);
        assert_true(train_same_file(train_run_file(&one, "predictions.tsv"),
                                    train_run_file(&two, "predictions.tsv")));
        train_run_close(&two);
        train_run_close(&one);
    }
}

/* So they do with label words, but for the order in which their logits are added up. */
static void test_label_words(void **state) {
    (void)state;
    train_run one, two;
    const char *lines = "[prompt]\ntext = bgk\n%s[loss]\nlabel_words = b, x\n[train]\noptimizer = sgd\n"
                        "batch_size = 4\n";
    char more[300];
    snprintf(more, sizeof more, lines, "lr = 0.05\n");
    configure(&one, more);
    train_run_all(&one, "words");
    snprintf(more, sizeof more, lines, "lr = 0.1\ncount = 2\ntexts = bgk\n");
    configure(&two, more);
    train_run_all(&two, "two-words");
    assert_int_equal(one.n_losses, two.n_losses);
    for (uint32_t i = 0; i < one.n_losses; i++)
        assert_true(fabsf(one.losses[i] - two.losses[i]) < 1e-4f);
    train_run_close(&two);
    train_run_close(&one);
}

/* Prompts that start apart are trained to another loss each; the texts' distances are the mean of theirs. */
static void test_mean(void **state) {
    (void)state;
    train_run t;
    dun_loss loss;
    dun_buffer part = {0};
    configure(&t, "[prompt]\n" SEVERAL "lr = 0.05\n[train]\nepochs = 3\nbatch_size = 4\n");
    train_run_all(&t, "mean");
    assert_true(t.losses[0] > t.losses[8]);
    dun_session *session = &t.session;
    const uint32_t n = session->n_valid, D = PROMPTS * C;
    const dun_loss_settings settings = {.distance = DUN_DISTANCE_EUCLIDEAN, .temperature = 1};
    float *points = points_of(session, session->first_valid, n), own[2 * C], distances[2];
    check_ok(dun_loss_create(&loss, &session->compute, &settings, 1, 2, C));
    check_ok(dun_buffer_create(&part, session->device, 2 * C * sizeof(float), "one prompt's centroids"));
    for (uint32_t text = 0; text < n; text++) {
        double sums[2] = {0};
        for (uint32_t prompt = 0; prompt < PROMPTS; prompt++) {
            for (uint32_t k = 0; k < 2; k++)
                memcpy(own + k * C, t.result.centroids + k * D + prompt * C, C * sizeof *own);
            check_ok(dun_buffer_write(&part, 0, own, sizeof own));
            dun_buffer *point = dun_engine_point_buffer(&session->engine);
            check_ok(dun_buffer_write(point, 0, points + text * D + prompt * C, C * sizeof *points));
            check_ok(dun_loss_distances(&loss, point, &part, 1));
            check_ok(dun_loss_read(NULL, distances, &loss, 1));
            for (uint32_t k = 0; k < 2; k++)
                sums[k] += (double)distances[k];
        }
        for (uint32_t k = 0; k < 2; k++)
            assert_true(fabs(sums[k] / PROMPTS - (double)t.result.distances[text * 2 + k]) < 1e-5);
    }
    free(points);
    dun_buffer_free(&part);
    dun_loss_free(&loss);
    train_run_close(&t);
}

#define CHECKPOINTS                                                                                          \
    "[prompt]\n" SEVERAL "lr = 0.05\nreparametrize = yes\n[model]\nnormalize = zscore\n[train]\naverage = "  \
    "0.9\nkeep = best\nepochs = 3\nbatch_size = 4\n"

/* Trains into a folder until operation n fails, if that one is not one that a run can do without. */
static bool fails(const char *name, unsigned long n) {
    train_run t;
    configure(&t, CHECKPOINTS);
    check_ok(train_run_open(&t, name));
    dun_fault_set(n);
    const int rc = dun_train(&t.result, &t.session, &t.run, false);
    dun_fault_set(0);
    dun_error_clear();
    train_run_close(&t);
    return rc < 0;
}

/* A run that failed on its way, and was gone on with, ends in the bytes of the whole one. */
static void test_resume(void **state) {
    (void)state;
    static const char *const files[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv"};
    train_run whole, part;
    configure(&whole, CHECKPOINTS);
    check_ok(train_run_open(&whole, "whole"));
    dun_fault_set(1000000000);
    check_ok(train_run_train(&whole));
    const unsigned long operations = dun_fault_count();
    dun_fault_set(0);
    for (unsigned long i = 0; i < 3; i++) {
        char name[32];
        unsigned long n = operations * (4 + i) / 10;
        do
            snprintf(name, sizeof name, "part-%lu", n);
        while (!fails(name, n++) && n < operations);
        configure(&part, CHECKPOINTS);
        train_run_resume(&part, name);
        for (size_t j = 0; j < sizeof files / sizeof *files; j++)
            assert_true(train_same_file(train_run_file(&part, files[j]), train_run_file(&whole, files[j])));
        train_run_close(&part);
    }
    train_run_close(&whole);
}

/* Distances of texts that are read as they are asked for, several in a pass, from a run's files. */
static void expect_answers(const train_run *t, const dun_saved_prompt *saved) {
    dun_session session;
    dun_classifier classifier;
    uint32_t done = 0, n;
    check_ok(dun_session_open(&session, &t->config, NULL));
    check_ok(dun_session_use_prompt(&session, saved, "the run"));
    check_ok(dun_session_start_engine(&session, false));
    check_ok(dun_classifier_open(&classifier, &session, saved));
    for (size_t i = 0; i < t->session.valid->n; i++)
        check_ok(dun_classifier_add(&classifier, t->session.valid->examples[i].text,
                                    t->session.valid->examples[i].length));
    while (dun_classifier_queued(&classifier)) {
        check_ok(dun_classifier_run(&n, &classifier));
        for (uint32_t i = 0; i < n * 2; i++)
            assert_true(fabsf(classifier.distances[i] - t->result.distances[done * 2 + i]) < 1e-5f);
        done += n;
    }
    assert_int_equal(done, t->session.n_valid);
    dun_classifier_free(&classifier);
    dun_session_close(&session);
}

/* What is saved is read again, by this session's kind alone, and goes to NumPy but not to PEFT. */
static void test_saved(void **state) {
    (void)state;
    static const char *const places[] = {"", "placement = prefix\n", "template = \"bg: {text} is{soft}.\"\n"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        train_run t;
        dun_saved_prompt saved;
        char more[300], name[32];
        snprintf(more, sizeof more, "[prompt]\n" SEVERAL "%s", places[i]);
        snprintf(name, sizeof name, "saved-%zu", i);
        configure(&t, more);
        train_run_all(&t, name);
        check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
        assert_int_equal(saved.n_prompts, PROMPTS);
        assert_int_equal(saved.n_rows, P);
        assert_int_equal(saved.point_width, PROMPTS * C);
        assert_false(saved.foreign);
        assert_memory_equal(saved.rows, t.session.prompt.rows, ROWS * sizeof *saved.rows);
        expect_answers(&t, &saved);
        assert_int_equal(dun_export_peft(train_path("peft"), &t.session, &saved), DUN_USAGE);
        assert_non_null(strstr(dun_error_message(), "an adapter of PEFT has one prompt, and the run has 3"));
        dun_error_clear();
        check_ok(dun_export_npz(train_path("all.npz"), &t.session, &saved));
        dun_saved_prompt_free(&saved);
        train_run_close(&t);
    }
}

static void expect_refused(const char *lines, const char *part) {
    train_run t;
    char more[900];
    snprintf(more, sizeof more, "[prompt]\n%s\n", lines);
    configure(&t, more);
    assert_int_equal(train_run_open(&t, NULL), DUN_USAGE);
    if (!strstr(dun_error_message(), part))
        fail_msg("\"%s\" has no \"%s\"", dun_error_message(), part);
    dun_error_clear();
    train_run_close(&t);
}

static void test_refused(void **state) {
    (void)state;
    char lines[700];
    expect_refused("text = bgk\ncount = 3", "prompt.texts has 0 texts; prompt.count = 3 needs 2");
    expect_refused("text = bgk\ncount = 3\ntexts = xqz", "prompt.texts has 1 text; prompt.count = 3 needs 2");
    expect_refused("text = bgk\ncount = 3\ntexts = xqz|", "prompt.texts: \"\" has 0 tokens");
    expect_refused("init = vocab\ncount = 2\ntexts = xqz", "only prompts that start as words do");
    snprintf(lines, sizeof lines, "init = file\nfile = %s\ncount = 2",
             train_path("saved-0/prompt.safetensors"));
    expect_refused(lines, "has 3 prompts; prompt.count (");
    snprintf(lines, sizeof lines, "init = file\nfile = %s", train_path("saved-0/prompt.safetensors"));
    expect_refused(lines, "has 3 prompts; prompt.count (");
}

/* Each prompt starts as its own words, the first as prompt.text; more texts than prompts are left over. */
static void test_words(void **state) {
    (void)state;
    train_run all, one;
    static const char *const texts[] = {"bgk", "xqz", "gk xq"};
    configure(&all, "[prompt]\ntext = bgk\ntexts = \"xqz|gk xq|left\"\ncount = 3\ntokens = 2\n");
    check_ok(train_run_open(&all, NULL));
    for (size_t i = 0; i < PROMPTS; i++) {
        char more[200];
        snprintf(more, sizeof more, "[prompt]\ntext = %s\ntokens = 2\n", texts[i]);
        configure(&one, more);
        check_ok(train_run_open(&one, NULL));
        assert_memory_equal(one.session.prompt.rows, all.session.prompt.rows + i * P * C,
                            P * C * sizeof(float));
        train_run_close(&one);
    }
    train_run_close(&all);
}

/* A session goes from one prompt to several and back, and computes what a new one does. */
static void test_reopened(void **state) {
    (void)state;
    static const char *const counts[] = {"1", "3", "1", "2"};
    train_run t, fresh, others[4];
    configure(&t, "[prompt]\ninit = vocab\ntokens = 2\n");
    check_ok(train_run_open(&t, NULL));
    for (size_t i = 0; i < 4; i++) {
        open_several(&fresh, "[prompt]\ninit = vocab\ntokens = 2\ncount = %s\n", counts[i]);
        const size_t n = fresh.session.texts.n, D = dun_session_point_width(&fresh.session);
        float *want = points_of(&fresh.session, 0, (uint32_t)n);
        train_run_close(&fresh);
        char more[100];
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\ntokens = 2\ncount = %s\n", counts[i]);
        configure(&others[i], more);
        check_ok(dun_session_reopen(&t.session, &others[i].config, NULL));
        check_ok(dun_session_ready(&t.session));
        assert_int_equal(dun_session_point_width(&t.session), D);
        float *got = points_of(&t.session, 0, (uint32_t)n);
        assert_memory_equal(got, want, n * D * sizeof *got);
        free(want);
        free(got);
    }
    check_ok(dun_session_reopen(&t.session, &t.config, NULL));
    for (size_t i = 0; i < 4; i++)
        dun_config_free(&others[i].config);
    train_run_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_alone), cmocka_unit_test(test_alike),       cmocka_unit_test(test_mean),
        cmocka_unit_test(test_resume),   cmocka_unit_test(test_saved),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_words),    cmocka_unit_test(test_label_words), cmocka_unit_test(test_reopened),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
