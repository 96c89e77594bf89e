/* Trainings on some of the texts of a session: an order in which every stretch has the classes' shares, and
 * the bits of a training on a file with these texts alone; the sizes and intervals of a curve. */
#include "train_sample.h"

#include "run/curve.h"
#include "session/subset.h"

#include <math.h>

enum { N = 40, CLASSES = 3, FIRST = 13, PART = 11 };

#define LINES                                                                                                \
    "[train]\nepochs = 2\nbatch_size = 4\nprobe = no\n[prompt]\ninit = vocab\ntokens = 2\nlr = 1e-2\n"       \
    "[model]\nnormalize = zscore\n[loss]\nclass_weights = balanced\n[output]\nreport = no\n"

/* 40 texts of class 0 and 1 in no order, each with a weight. */
static int make_texts(void **state) {
    dun_str text = {0};
    make_files(state);
    for (uint32_t i = 0; i < N; i++)
        check_ok(dun_str_addf(&text, "%s %u\t%u\t%u.5\n", i % 3 ? "xqz" : "bgk", i, i % 3 == 0, i % 5));
    train_write_file("many.tsv", text.bytes, text.length);
    dun_str_free(&text);
    return 0;
}

static void configure_many(train_run *t, const char *file) {
    configure_data(t, file, "weight_column = 2\n" LINES);
}

static void test_same_bits(void **state) {
    (void)state;
    train_run some, alone;
    dun_str text = {0};
    configure_many(&some, "many.tsv");
    check_ok(dun_session_open(&some.session, &some.config, NULL));
    check_ok(dun_session_start_prompt(&some.session));
    check_ok(dun_session_read_data(&some.session, true));
    check_ok(dun_session_spread(&some.session, 1));
    check_ok(dun_session_start_engine(&some.session, true));
    check_ok(dun_session_read_texts(&some.session));
    for (uint32_t i = FIRST; i < FIRST + PART; i++) {
        const dun_example *e = &some.session.train->examples[i];
        check_ok(
            dun_str_addf(&text, "%s\t%s\t%g\n", e->text, some.session.labels.names[e->label], e->weight));
    }
    train_write_file("part.tsv", text.bytes, text.length);
    for (uint32_t turn = 0; turn < 2; turn++) { /* another stretch first leaves nothing behind */
        dun_run_result_free(&some.result);
        dun_session_narrow(&some.session, turn ? FIRST : 3, turn ? PART : 9);
        check_ok(dun_session_weigh_classes(&some.session));
        check_ok(dun_session_start_normalizer(&some.session));
        check_ok(dun_session_set_prompt(&some.session, some.session.prompt.rows));
        check_ok(dun_run_dir_create(&some.run, train_path(turn ? "some" : "before"), "some", &some.config));
        check_ok(dun_train(&some.result, &some.session, &some.run, false));
        dun_run_dir_close(&some.run);
        if (turn)
            break;
        dun_prompt_free(&some.session.prompt);
        check_ok(dun_session_start_prompt(&some.session));
    }
    configure_many(&alone, "part.tsv");
    train_run_all(&alone, "alone");
    assert_int_equal(some.result.steps, alone.result.steps);
    assert_memory_equal(some.result.centroids, alone.result.centroids, 2 * tiny.width * sizeof(float));
    assert_memory_equal(some.result.distances, alone.result.distances,
                        (size_t)alone.session.n_valid * 2 * sizeof(float));
    assert_true(train_same_file(train_path("some/history.jsonl"), train_path("alone/history.jsonl")));
    assert_true(
        train_same_file(train_path("some/prompt.safetensors"), train_path("alone/prompt.safetensors")));
    train_run_close(&alone);
    dun_str_free(&text);
    dun_run_result_free(&some.result);
    dun_session_close(&some.session);
    dun_config_free(&some.config);
}

/* A session that is nothing but labelled texts. */
static void test_order(void **state) {
    (void)state;
    enum { MANY = 100 };
    dun_session session = {.n_train = MANY, .first_valid = MANY, .labels = {.n_classes = CLASSES}};
    dun_dataset train = {.n = MANY};
    train.examples = dun_calloc(MANY, sizeof *train.examples);
    assert_non_null(train.examples);
    session.train = &train;
    dun_texts part = {0}, whole = {0};
    uint32_t n[CLASSES] = {0}, start[] = {0, 1}, label, ids[] = {0};
    bool shares = false, seen[MANY] = {false};
    double weight = 1;
    whole = (dun_texts){.tokens = {ids, 1, 1}, .start = start, .label = &label, .weight = &weight, .n = 1};
    whole.shares = &shares;
    for (uint32_t i = 0; i < MANY; i++) {
        label = i < 4 ? 2 : i % 4 == 0;
        ids[0] = i;
        n[label]++;
        train.examples[i] = (dun_example){.line = i + 1, .label = label, .weight = 1};
        check_ok(dun_texts_take(&part, &whole, 0));
    }
    session.texts = part;
    check_ok(dun_session_spread(&session, 7));
    uint32_t sum[CLASSES] = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        const uint32_t text = session.texts.tokens.ids[session.texts.start[i]], k = session.texts.label[i];
        assert_false(seen[text]);
        seen[text] = true;
        assert_int_equal(train.examples[i].line, text + 1); /* both in one order */
        assert_int_equal(train.examples[i].label, k);
        sum[k]++;
        for (uint32_t c = 0; c < CLASSES; c++)
            if (fabs(sum[c] - (double)n[c] * (i + 1) / MANY) > 1.6)
                fail_msg("of the first %u texts %u are of class %u", i + 1, sum[c], c);
    }
    assert_int_equal(dun_session_has_classes(&session, 0, CLASSES), 1);
    assert_int_equal(dun_session_has_classes(&session, 1, CLASSES - 1), 0);
    assert_int_equal(dun_session_has_classes(&session, 0, MANY), 1);
    dun_texts_free(&session.texts);
    dun_free(train.examples);
}

static void test_sizes(void **state) {
    (void)state;
    static const struct {
        uint32_t from, all, sizes[6], n;
    } cases[] = {{32, 1024, {32, 64, 128, 256, 512, 1024}, 6},
                 {32, 100, {32, 64, 100}, 3},
                 {32, 70, {32, 70}, 2},
                 {32, 40, {32, 40}, 2},
                 {32, 39, {39}, 1},
                 {8, 9, {9}, 1}};
    double low, high;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t sizes[DUN_CURVE_SIZES];
        assert_int_equal(dun_curve_sizes(sizes, cases[i].from, cases[i].all), cases[i].n);
        assert_memory_equal(sizes, cases[i].sizes, cases[i].n * sizeof *sizes);
    }
    dun_curve_interval(&low, &high, 0.9, 100);
    assert_true(fabs(low - 0.8256) < 1e-4 && fabs(high - 0.9448) < 1e-4);
    dun_curve_interval(&low, &high, 1, 20);
    assert_true(fabs(low - 0.8389) < 1e-4 && high <= 1);
    dun_curve_gain_interval(&low, &high, 0, 0, 10, 0); /* none of ten texts changed: not certain of others */
    assert_true(fabs(low + 0.1633) < 1e-4 && fabs(high - 0.1633) < 1e-4);
    dun_curve_gain_interval(&low, &high, 10, 30, 218, 0); /* 20 got right, 10 wrong */
    assert_true(fabs(low + 0.0038) < 1e-4 && fabs(high - 0.0947) < 1e-4);
    dun_curve_gain_interval(&low, &high, 0, 0, 1e9, 0.0001); /* all of it of runs */
    assert_true(fabs(high - 0.0196) < 1e-4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, make_texts, remove_files);
}
