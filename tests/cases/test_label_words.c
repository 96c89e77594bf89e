/* Label words: what of loss.label_words is refused, the gradient through model and head, weight 0, what a run
 * saves of them and goes on with, and that a saved run answers as the training measured. */
#include "base/err.h"
#include "base/fault.h"
#include "session/classifier.h"
#include "session/label_rows.h"
#include "train_sample.h"

#include <math.h>

enum { D = 32, K = 2 };

#define WORDS "[loss]\nlabel_words = \"bag, quiz+x\"\n"
#define LINES                                                                                                \
    "[train]\nepochs = 3\nbatch_size = 4\n[prompt]\ninit = vocab\nlr = 1e-2\n[centroid]\nstart = mean\n"

/* Opens a session for training on the sample, up to what may be refused. */
static int open_with(train_run *t, const char *more) {
    configure(t, more);
    return train_run_open(t, NULL);
}

static void test_refused(void **state) {
    static const struct {
        const char *lines;
        int status;
        const char *part;
    } cases[] = {
        {"[loss]\nlabel_words = good\n", DUN_USAGE, "words for 1 classes; there are 2"},
        {"[loss]\nlabel_words = a, b, c\n", DUN_USAGE, "words for 3 classes; there are 2"},
        {"[loss]\nlabel_words = a,\n", DUN_USAGE, "a word is empty"},
        {"[loss]\nlabel_words = a, b+\n", DUN_USAGE, "a word is empty"},
        {"[loss]\nlabel_words = a,  a \n", DUN_USAGE, "two classes have the word \"a\""},
        {"[loss]\nlabel_words = a+bc, q+bc\n", DUN_USAGE, "two classes have the word \"bc\""},
        {"[loss]\nlabel_words = a+bc+a, q\n", DUN_USAGE, "a class has twice the word \"a\""},
        {"[loss]\nlabel_words = a, b\nkind = centroid\n", DUN_USAGE, "loss.kind = centroid"},
        {"[loss]\nlabel_words = a, b\n[model]\npoint = logits\n", DUN_USAGE, "model.point = logits"},
        {"[loss]\nlabel_words = a, b\n[model]\nlayer = 1\n", DUN_USAGE, "model.layer = 1"},
        {"[loss]\nlabel_words = a, b\n[model]\nnormalize = zscore\n", DUN_USAGE, "model.normalize = zscore"},
        {"[loss]\nlabel_weight = 2\n", DUN_USAGE, "loss.label_words"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t = {0};
        char more[300];
        snprintf(more, sizeof more, "[prompt]\ninit = vocab\n%s", cases[i].lines);
        dun_error_clear();
        const int rc = open_with(&t, more);
        if (rc != cases[i].status || !strstr(dun_error_message(), cases[i].part))
            fail_msg("%s: status %d, \"%s\"", cases[i].lines, rc, dun_error_message());
        train_run_close(&t);
    }
}

/* The words' rows are those that logits are made with: what a point says of a word over another is the same
 * from both, and the tokens of a word and the words of a class are averaged. */
static void test_logits(void **state) {
    (void)state;
    static const char *const words[] = {" bag", " quiz", " x"};
    train_run hidden, logits;
    check_ok(open_with(&hidden, LINES WORDS));
    check_ok(open_with(&logits, LINES "[model]\npoint = logits\n"));
    const float *rows = hidden.session.label_words.rows;
    const size_t V = dun_session_point_width(&logits.session);
    float *x = points_of(&hidden.session, 0, 3), *all = points_of(&logits.session, 0, 3);
    for (size_t i = 0; i < 3; i++) {
        double of_word[3] = {0}, told[K] = {0};
        for (size_t w = 0; w < 3; w++) {
            dun_tokens tokens = {0};
            check_ok(
                dun_tokenizer_encode_inside(&tokens, logits.session.tokenizer, words[w], strlen(words[w])));
            for (size_t t = 0; t < tokens.n; t++)
                of_word[w] += (double)all[i * V + tokens.ids[t]] / (double)tokens.n;
            dun_tokens_free(&tokens);
        }
        for (size_t k = 0; k < K; k++)
            for (size_t j = 0; j < D; j++)
                told[k] += (double)rows[k * D + j] * (double)x[i * D + j];
        const double want = (of_word[1] + of_word[2]) / 2 - of_word[0];
        assert_true(fabs(told[1] - told[0] - want) <= 1e-4 * (1 + fabs(want)));
        assert_true(fabs(told[1] + told[0]) <= 1e-4 * (1 + fabs(want)));
    }
    free(x);
    free(all);
    train_run_close(&logits);
    train_run_close(&hidden);
}

/* Whether two runs end in the same values, and what was measured on the way. */
static bool same_result(const train_run *a, const train_run *b) {
    const size_t prompt = (size_t)a->session.prompt.n_rows * D * sizeof(float);
    return memcmp(a->session.prompt.rows, b->session.prompt.rows, prompt) == 0 &&
           memcmp(a->result.centroids, b->result.centroids, K * D * sizeof(float)) == 0 &&
           train_same_file(train_run_file(a, "history.jsonl"), train_run_file(b, "history.jsonl")) &&
           train_same_file(train_run_file(a, "predictions.tsv"), train_run_file(b, "predictions.tsv"));
}

static void test_weight(void **state) {
    (void)state;
    train_run plain, none, some;
    configure(&plain, LINES);
    train_run_all(&plain, "plain");
    configure(&none, LINES WORDS "label_weight = 0\n");
    train_run_all(&none, "none");
    configure(&some, LINES WORDS "label_weight = 0.5\n");
    train_run_all(&some, "some");
    assert_true(same_result(&plain, &none));
    assert_false(same_result(&plain, &some));
    train_run_close(&some);
    train_run_close(&none);
    train_run_close(&plain);
}

/* A run as it was saved gives the distances that its training measured, and nobody takes it for other words.
 */
static void test_saved(void **state) {
    (void)state;
    train_run t, again;
    dun_saved_prompt saved;
    dun_classifier classifier;
    float got[8 * K];
    configure(&t, LINES WORDS);
    train_run_all(&t, "saved");
    check_ok(dun_saved_prompt_read(&saved, train_run_file(&t, "prompt.safetensors")));
    assert_string_equal(saved.label_words, "bag, quiz+x");
    assert_memory_equal(saved.label_offsets, t.session.label_words.offsets, K * sizeof(float));
    assert_true(fabsf(saved.label_offsets[0] + saved.label_offsets[1]) <=
                1e-5f); /* the rows sum up to zero */
    configure(&again, LINES WORDS);
    check_ok(dun_session_open(&again.session, &again.config, NULL));
    check_ok(dun_session_use_prompt(&again.session, &saved, "saved"));
    check_ok(dun_session_read_data(&again.session, false));
    check_ok(dun_session_start_engine(&again.session, false));
    check_ok(dun_classifier_open(&classifier, &again.session, &saved));
    check_ok(dun_classifier_evaluate(got, &classifier));
    for (size_t i = 0; i < 8 * K; i++)
        assert_true(fabsf(got[i] - t.result.distances[i]) <= 1e-5f * (1 + fabsf(got[i])));
    dun_classifier_free(&classifier);
    train_run_close(&again);
    configure(&again, LINES "[loss]\nlabel_words = bag, quiz\n");
    check_ok(dun_session_open(&again.session, &again.config, NULL));
    assert_int_equal(dun_session_use_prompt(&again.session, &saved, "saved"), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "was trained with the label words bag, quiz+x"));
    train_run_close(&again);
    /* An export would have rows of that width, which there are not. */
    configure(&again, LINES WORDS);
    check_ok(dun_session_open(&again.session, &again.config, NULL));
    saved.point_width *= 2;
    assert_int_equal(dun_session_use_prompt(&again.session, &saved, "saved"), DUN_BAD_INPUT);
    assert_non_null(
        strstr(dun_error_message(), "saved: the run's centroids are 64 wide; its config makes points 32"));
    saved.point_width /= 2;
    train_run_close(&again);
    saved.label_offsets[1] = NAN;
    check_ok(dun_saved_prompt_write(&saved, train_path("bad.safetensors")));
    dun_saved_prompt_free(&saved);
    assert_int_equal(dun_saved_prompt_read(&saved, train_path("bad.safetensors")), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "label offset 1 is no finite number"));
    train_run_close(&t);
}

/* Every allocation on the way from words to rows and offsets failing once: one message, and nothing is left.
 */
static void test_faults(void **state) {
    (void)state;
    train_run t;
    float means[K * D] = {1, 2, 3};
    configure(&t, LINES WORDS);
    check_ok(dun_session_open(&t.session, &t.config, NULL));
    check_ok(dun_session_start_prompt(&t.session));
    check_ok(dun_session_read_data(&t.session, true));
    check_ok(dun_session_start_engine(&t.session, true));
    dun_label_rows_free(&t.session.label_words);
    const size_t blocks = dun_mem_live();
    unsigned long n = 0;
    int rc;
    do {
        dun_error_clear();
        dun_fault_set(++n);
        rc = dun_session_read_label_words(&t.session, K);
        if (rc >= 0)
            rc = dun_session_fit_label_words(&t.session, means);
        dun_fault_set(0);
        if (rc < 0 && !*dun_error_message())
            fail_msg("operation %lu fails without a message", n);
        dun_label_rows_free(&t.session.label_words);
        assert_int_equal(dun_mem_live(), blocks);
    } while (rc < 0 && n < 1000);
    print_message("%lu fallible operations\n", n - 1);
    assert_true(n > 8 && n < 1000);
    train_run_close(&t);
}

/* The offsets are those of the start, which a checkpoint carries: a run that fails on its way ends, gone on
 * with, in the bytes of a whole one. */
static void test_resumes(void **state) {
    (void)state;
    static const char lines[] = LINES WORDS "[output]\ncheckpoint_every = 1\n";
    static const char *const files[] = {"prompt.safetensors", "history.jsonl", "predictions.tsv"};
    train_run t, whole;
    configure(&whole, lines);
    dun_fault_set(1000000000);
    check_ok(train_run_open(&whole, "whole"));
    const unsigned long begin = dun_fault_count();
    check_ok(train_run_train(&whole));
    const unsigned long end = dun_fault_count();
    dun_fault_set(0);
    configure(&t, lines);
    dun_fault_set(begin + (end - begin) * 3 / 5);
    int rc = train_run_open(&t, "resumed");
    if (rc >= 0)
        rc = dun_train(&t.result, &t.session, &t.run, false);
    dun_fault_set(0);
    assert_int_not_equal(rc, DUN_OK);
    assert_true(t.result.steps > 0);
    train_run_close(&t);
    configure(&t, lines);
    train_run_resume(&t, "resumed");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!train_same_file(train_run_file(&whole, files[i]), train_run_file(&t, files[i])))
            fail_msg("resumed, %s differs", files[i]);
    train_run_close(&t);
    train_run_close(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_logits),  cmocka_unit_test(test_weight),
        cmocka_unit_test(test_saved),   cmocka_unit_test(test_resumes), cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, make_files_and_programs, remove_files);
}
