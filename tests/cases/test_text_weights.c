/* Weights of texts and classes: read from every form of file, refused by line, and what they do to a
 * training: equal ones nothing at all, zeros as if the text were not there, a double one what the text twice
 * would do. */
#include "train_sample.h"

#include "data_expect.h"
#include "io/data/given.h"

#include <math.h>

enum { N_TRAIN = 11 };

#define LINES "[train]\nepochs = 2\nbatch_size = 4\n[prompt]\ninit = vocab\ntokens = 2\nlr = 1e-2\n"

/* Parses a block of exactly the bytes' size. */
static int parse(dun_dataset **out, const char *name, const char *bytes, const char *column, bool header) {
    dun_labels labels = {0};
    const size_t length = strlen(bytes);
    const dun_dataset_options options = {
        .format = "auto", .header = header, .training = true, .weight_column = column};
    uint8_t *block = malloc(length);
    assert_non_null(block);
    memcpy(block, bytes, length);
    const int rc = dun_dataset_parse(out, &labels, block, length, name, &options);
    free(block);
    dun_labels_free(&labels);
    return rc;
}

static void test_read(void **state) {
    static const struct {
        const char *name, *bytes, *column;
        bool header;
        const char *expected;
    } cases[] = {
        {"d.tsv", "a\tx\t1\nb\ty\t2.5\nc\ty\t 3e-2 \n", "2", false, "a 1,b 2.5,c 0.03,"},
        {"d.csv", "text,label,w\n\"a, b\",x,2\nc,y,\"0.25\"\n", "w", true, "a, b 2,c 0.25,"},
        {"d.csv", "text,label,w\na,x,1\nc,y,0\nd,y,1e300\ne,y,0.0\n", "2", true, "a 1,d 1e+300,"},
        {"d.jsonl",
         "{\"text\":\"a\",\"label\":\"x\",\"w\":2}\n{\"w\":\"0.5\",\"text\":\"b\",\"label\":\"y\"}\n", "w",
         false, "a 2,b 0.5,"},
        {"d.json",
         "[{\"text\":\"a\",\"label\":1,\"w\":0},{\"text\":\"b\",\"label\":1,\"w\":3},{\"text\":\"c\",\"label\":0,"
         "\"w\":7}]",
         "w", false, "b 3,c 7,"},
        {"d.tsv", "a\tx\t1\nb\ty\t1\n", "", false, "a 1,b 1,"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_dataset *dataset;
        dun_str got = {0};
        expect_ok(parse(&dataset, cases[i].name, cases[i].bytes, cases[i].column, cases[i].header));
        for (size_t k = 0; k < dataset->n; k++)
            check_ok(dun_str_addf(&got, "%s %g,", dataset->examples[k].text, dataset->examples[k].weight));
        assert_string_equal(got.bytes, cases[i].expected);
        dun_str_free(&got);
        dun_dataset_free(dataset);
    }
}

static void test_refused(void **state) {
    static const struct {
        const char *name, *bytes, *column;
        int status;
        const char *start, *part;
    } cases[] = {
        {"d.tsv", "a\tx\t1\nb\ty\t-1\n", "2", DUN_BAD_INPUT,
         "d.tsv:2: ", "the weight is -1; a number from 0"},
        {"d.tsv", "a\tx\tnan\nb\ty\t1\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is nan"},
        {"d.tsv", "a\tx\tinf\nb\ty\t1\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is inf"},
        {"d.tsv", "a\tx\t1e999\nb\ty\t1\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is 1e999"},
        {"d.tsv", "a\tx\t0x2\nb\ty\t1\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is 0x2"},
        {"d.tsv", "a\tx\t1,5\nb\ty\t1\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is 1,5"},
        {"d.tsv", "a\tx\t1\nb\ty\t \n", "2", DUN_BAD_INPUT,
         "d.tsv:2: ", "the weight is empty; one for every"},
        {"d.tsv", "a\tx\t0\nb\ty\t0\n", "2", DUN_BAD_INPUT, "d.tsv: ", "the weights of all 2 texts are 0"},
        {"d.tsv", "a\tx\t1\nb\ty\t0\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "at least two classes"},
        {"d.tsv", "a\tx\nb\ty\n", "2", DUN_BAD_INPUT, "d.tsv:1: ", "the weight is to be in column 2"},
        {"d.tsv", "a\tx\nb\ty\n", "1", DUN_USAGE, "d.tsv: ", "weight and label are both column 1"},
        {"d.tsv", "a\tx\nb\ty\n", "w", DUN_USAGE, "d.tsv: ", "data.weight_column = w is a name"},
        {"d.ft", "__label__x a\n__label__y b\n", "1", DUN_USAGE, "d.ft: ", "fasttext have no weights"},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"w\":1}\n{\"text\":\"b\",\"label\":\"y\"}\n", "w",
         DUN_BAD_INPUT, "d.jsonl:2: ", "the weight is missing"},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"w\":null}\n", "w", DUN_BAD_INPUT,
         "d.jsonl:1: ", "the weight is null"},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"w\":[1,2]}\n", "w", DUN_BAD_INPUT,
         "d.jsonl:1: ", "the weight is [1,"},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"w\":true}\n", "w", DUN_BAD_INPUT,
         "d.jsonl:1: ", "the weight is true"},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n", "w", DUN_BAD_INPUT, "d.jsonl:1: ", "no key \"w\""},
        {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n", "label", DUN_USAGE,
         "d.jsonl: ", "both key \"label\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_dataset *dataset;
        expect_error(parse(&dataset, cases[i].name, cases[i].bytes, cases[i].column, false), cases[i].status,
                     cases[i].start, cases[i].part);
        assert_null(dataset);
    }
}

/* A checkpoint knows its records by their hash: weights belong to it where one is not 1. */
static void test_hash(void **state) {
    static const char *const files[] = {"a\tx\t1\nb\ty\t1\n", "a\tx\t1\nb\ty\t2\n", "a\tx\t2\nb\ty\t1\n"};
    uint64_t hashes[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        dun_dataset *dataset;
        char name[2][2] = {"x", "y"};
        const dun_labels labels = {.names = (char *[]){name[0], name[1]}, .n_classes = 2};
        expect_ok(parse(&dataset, "d.tsv", files[i % 3], i == 3 ? "" : "2", false));
        hashes[i] = dun_dataset_hash(dataset, &labels);
        dun_dataset_free(dataset);
    }
    assert_true(hashes[0] == hashes[3]);
    assert_true(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
}

/* N_TRAIN texts of two classes, the first `n_low` of class a; each as often as `times` says, with a weight.
 */
static void write_texts(const char *name, const double *weights, const int *times) {
    dun_str text = {0};
    for (int i = 0; i < N_TRAIN; i++)
        for (int k = 0; k < (times ? times[i] : 1); k++) {
            for (int j = 0; j < 3 + i * 5 % 7; j++)
                check_ok(dun_str_add(&text, (i % 3 ? "xqz" : "bgk") + (i + j * j) % 3, 1));
            check_ok(dun_str_addf(&text, "\t%s\t%g\n", i % 3 ? "b" : "a", weights ? weights[i] : 1));
        }
    train_write_file(name, text.bytes, text.length);
    dun_str_free(&text);
}

/* Trains on a file, with its third column or without, and leaves the run open. */
static void train(train_run *t, const char *name, const char *file, bool weighted, const char *more) {
    char lines[700];
    snprintf(lines, sizeof lines, "%s%s", weighted ? "weight_column = 2\n" : "", more);
    configure_data(t, file, lines);
    check_ok(dun_config_put(&t->config, DUN_KEY_data_valid, "", "the test")); /* nothing is measured */
    train_run_all(t, name);
    assert_int_equal(t->session.n_valid, 0);
    assert_true(isnan(t->result.metrics.accuracy) && isnan(t->result.majority));
}

/* What a run without validation texts leaves that depends on its numbers. */
static void expect_same(const train_run *a, const train_run *b, const char *what) {
    static const char *const files[] = {"prompt.safetensors", "history.jsonl", "history.csv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!train_same_file(train_run_file(a, files[i]), train_run_file(b, files[i])))
            fail_msg("%s: %s differs", what, files[i]);
}

static const char *const rules[] = {
    LINES,
    LINES "[loss]\nkind = attract-repel\n[centroid]\nstart = mean\n[model]\nnormalize = zscore\n",
    LINES "[loss]\nkind = centroid\n[centroid]\nstart = mean\n[model]\nnormalize = center\n",
    LINES "[centroid]\ntrain = no\nupdate = class-mean\nrepulsion = 0.1\n",
};
enum { N_RULES = sizeof rules / sizeof *rules };

static void name_runs(char names[3][16], const char *what, size_t rule) {
    for (int i = 0; i < 3; i++)
        snprintf(names[i], 16, "%s-%zu-%d", what, rule, i);
}

/* By the whole way of a training: class means, normalisation, losses of every kind, calculated centroids. */
static void test_equal(void **state) {
    double weights[N_TRAIN];
    (void)state;
    for (int i = 0; i < N_TRAIN; i++)
        weights[i] = 0.1;
    write_texts("plain.tsv", NULL, NULL);
    write_texts("equal.tsv", weights, NULL);
    for (size_t r = 0; r < N_RULES; r++) {
        train_run plain, ones, equal;
        char names[3][16];
        name_runs(names, "equal", r);
        train(&plain, names[0], "plain.tsv", false, rules[r]);
        train(&ones, names[1], "plain.tsv", true, rules[r]);
        expect_same(&plain, &ones, "weights that are 1");
        train(&equal, names[2], "equal.tsv", true, rules[r]);
        expect_same(&plain, &equal, "weights that are equal");
        train_run_close(&equal);
        train_run_close(&ones);
        train_run_close(&plain);
    }
}

/* A text of weight 0 is not there; and who computes with whom changes nothing. */
static void test_zero(void **state) {
    static const double weights[N_TRAIN] = {1, 0, 2, 0.5, 3, 0, 1, 1, 0.25, 7, 1},
                        rest[N_TRAIN] = {1, 1, 2, 0.5, 3, 1, 1, 1, 0.25, 7, 1};
    static const int times[N_TRAIN] = {1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1};
    (void)state;
    for (size_t r = 0; r < N_RULES; r++) {
        train_run zeros, without, team;
        char names[3][16], use[200], lines[700];
        name_runs(names, "zero", r);
        write_texts("zeros.tsv", weights, NULL);
        write_texts("without.tsv", rest, times);
        train(&zeros, names[0], "zeros.tsv", true, rules[r]);
        train(&without, names[1], "without.tsv", true, rules[r]);
        assert_int_equal(zeros.session.n_train, N_TRAIN - 2);
        expect_same(&zeros, &without, "texts of weight 0");
        snprintf(lines, sizeof lines, "weight_column = 2\n%s", rules[r]);
        configure_data(&team, "zeros.tsv", lines);
        snprintf(use, sizeof use, "%s, %s", team.config.device.use, team.config.device.use);
        check_ok(dun_config_put(&team.config, DUN_KEY_device_use, use, "the test"));
        check_ok(dun_config_put(&team.config, DUN_KEY_device_shares, "61,39", "the test"));
        check_ok(dun_config_put(&team.config, DUN_KEY_data_valid, "", "the test"));
        train_run_all(&team, names[2]);
        expect_same(&zeros, &team, "two devices");
        train_run_close(&team);
        train_run_close(&without);
        train_run_close(&zeros);
    }
}

static double distance(const train_run *a, const train_run *b) {
    const size_t n = (size_t)a->session.prompt.n_rows * a->session.prompt.width;
    double off = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)a->session.prompt.rows[i], y = (double)b->session.prompt.rows[i];
        off += (x - y) * (x - y);
        all += y * y;
    }
    return sqrt(off / all);
}

/* All texts in one batch, plain descent: a weight is a number of times; and the weights of classes multiply.
 */
static void test_times(void **state) {
    static const char lines[] = "[train]\nepochs = 4\nbatch_size = 40\nshuffle = no\noptimizer = sgd\n"
                                "[prompt]\ninit = vocab\ntokens = 2\nlr = 1e-1\n[centroid]\nstart = mean\n"
                                "[model]\nnormalize = zscore\n";
    static const double weights[N_TRAIN] = {1, 3, 2, 1, 1, 2, 1, 1, 4, 1, 1},
                        of_class[N_TRAIN] = {2, 3, 2, 2, 1, 2, 2, 1, 4, 2, 1};
    int times[N_TRAIN];
    char more[400];
    train_run weighted, repeated, plain, classes, columns;
    (void)state;
    for (int i = 0; i < N_TRAIN; i++)
        times[i] = (int)weights[i];
    write_texts("weighted.tsv", weights, NULL);
    write_texts("repeated.tsv", NULL, times);
    write_texts("columns.tsv", of_class, NULL);
    train(&weighted, "weighted", "weighted.tsv", true, lines);
    train(&repeated, "repeated", "repeated.tsv", false, lines);
    train(&plain, "once", "weighted.tsv", false, lines);
    assert_true(distance(&weighted, &repeated) < 1e-5);
    assert_true(distance(&weighted, &plain) > 1e-4);
    snprintf(more, sizeof more, "%s[loss]\nclass_weights = b : 1, a:2\n", LINES);
    train(&classes, "classes", "weighted.tsv", true, more);
    train(&columns, "columns", "columns.tsv", true, LINES);
    expect_same(&classes, &columns, "weights of classes and of their texts");
    train_run_close(&columns);
    train_run_close(&classes);
    train_run_close(&plain);
    train_run_close(&repeated);
    train_run_close(&weighted);
}

/* Of 4 texts a and 7 b, all of weight 1 but two. */
static void test_classes(void **state) {
    static const double weights[N_TRAIN] = {2, 1, 1, 1, 1, 0.5, 1, 1, 1, 1, 1};
    static const struct {
        const char *value;
        double a, b;
        int status;
        const char *part;
    } cases[] = {
        {"none", 1, 1, DUN_OK, NULL},
        {"", 1, 1, DUN_OK, NULL},
        {"balanced", 1, 5.0 / 6.5, DUN_OK, NULL}, /* all of a weigh 5, all of b 6.5; the largest is 1 */
        {" b : 0.5 ", 1, 0.5, DUN_OK, NULL},
        {"a:0,b:2e1", 0, 1, DUN_OK, NULL},
        {"a:3,b:3", 1, 1, DUN_OK, NULL},
        {"a:1, c:2", 0, 0, DUN_BAD_INPUT, "names \"c\", which is no class; they are a, b"},
        {"a:1, a:2", 0, 0, DUN_USAGE, "a class is named twice"},
        {"a:-1", 0, 0, DUN_USAGE, "a weight must be a number from 0"},
        {"a:nan", 0, 0, DUN_USAGE, "a weight must be a number from 0"},
        {"a:", 0, 0, DUN_USAGE, "a weight must be a number from 0"},
        {"a", 0, 0, DUN_USAGE, "none, balanced or class:weight"},
        {"a:0, b:0", 0, 0, DUN_USAGE, "the weights of all texts are 0"},
    };
    (void)state;
    write_texts("train.tsv", weights, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        train_run t;
        configure(&t, "weight_column = 2\n" LINES);
        check_ok(dun_config_put(&t.config, DUN_KEY_data_valid, "", "the test"));
        check_ok(dun_config_put(&t.config, DUN_KEY_loss_class_weights, cases[i].value, "the test"));
        const int rc = train_run_open(&t, NULL);
        if (cases[i].status < 0)
            expect_error(rc, cases[i].status, "the test: loss.class_weights", cases[i].part);
        else
            check_ok(rc);
        for (int k = 0; rc >= 0 && k < 2; k++)
            assert_true(fabs(t.session.class_weight[k] - (k ? cases[i].b : cases[i].a)) < 1e-15);
        train_run_close(&t);
    }
}

/* A class of weight 0 in a batch of its own moves nothing and is no NaN. */
static void test_class_of_none(void **state) {
    train_run t;
    char lines[300];
    (void)state;
    write_texts("none.tsv", NULL, NULL);
    snprintf(lines, sizeof lines, "%s[loss]\nclass_weights = a:0\n",
             "[train]\nepochs = 2\nbatch_size = 1\nshuffle = no\n[prompt]\ninit = vocab\ntokens = 2\n");
    train(&t, "none", "none.tsv", false, lines);
    for (uint32_t i = 0; i < t.n_losses; i++)
        assert_true(isfinite(t.losses[i]) && (t.losses[i] == 0.0f) == (i % N_TRAIN % 3 == 0));
    train_run_close(&t);
}

/* The same from memory: one of weight 0 is left out in training, and weights are not looked at elsewhere. */
static void test_given(void **state) {
    static const char *const texts[] = {"q", "", "b"}, *const words[] = {"x", "y", "y"};
    static const size_t lengths[] = {1, 0, 1};
    static const double weights[] = {0.5, 0, 2}, zeros[3] = {0};
    dun_given given = {"text", 3, texts, lengths, words, weights, NULL};
    dun_dataset *dataset;
    dun_labels labels = {0};
    (void)state;
    expect_ok(dun_dataset_of_given(&dataset, &labels, &given, true));
    assert_true(dataset->n == 2 && dataset->n_weightless == 1 && dataset->weighted);
    assert_true(dataset->examples[1].weight == 2 && dataset->examples[1].line == 3);
    dun_dataset_free(dataset);
    expect_ok(dun_dataset_of_given(&dataset, &labels, &given, false));
    assert_true(dataset->n == 3 && dataset->examples[2].weight == 1 && !dataset->weighted);
    dun_dataset_free(dataset);
    given.weights = zeros;
    expect_error(dun_dataset_of_given(&dataset, &labels, &given, true), DUN_BAD_INPUT,
                 "the weight of every text", "is 0");
    dun_labels_free(&labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_refused),       cmocka_unit_test(test_hash),
        cmocka_unit_test(test_equal),   cmocka_unit_test(test_zero),          cmocka_unit_test(test_times),
        cmocka_unit_test(test_classes), cmocka_unit_test(test_class_of_none), cmocka_unit_test(test_given),
    };
    cmocka_set_test_filter(getenv("DUNLIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
