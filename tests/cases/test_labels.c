/* Labels: maps, the order of gathered ones, and what a label of a file may be. */
#include "data_expect.h"
#include "io/dataset.h"

static const struct {
    const char *map, *part;
} bad_maps[] = {
    {"bad", "'bad' without a ':'; label:id is needed"},
    {"bad:0, good", "'good' without a ':'"},
    {"bad:0,, good:1", "'' without a ':'"},
    {"bad:0, good:1,", "'' without a ':'"},
    {":0, good:1", "no label before ':0'"},
    {"bad:, good:1", "gives 'bad' the id ''; a number from 0"},
    {"bad:zero, good:1", "gives 'bad' the id 'zero'"},
    {"bad:-1, good:0", "gives 'bad' the id '-1'"},
    {"bad:0.0, good:1", "the id '0.0'"},
    {"bad:0 1, good:1", "the id '0 1'"},
    {"bad:0, good:99999999999999999999", "the id '99999999999999999999'"},
    {"bad:0, good:2", "gives 'good' the id 2; ids from 0 without a hole"},
    {"a:0, b:2, c:2", "no label for the id 1; ids from 0 to 2"},
    {"a:1, b:1", "no label for the id 0"},
    {"bad:0, bad:1", "has 'bad' twice"},
    {"bad:0, good:1, bad:0", "has 'bad' twice"},
    {"bad:0", "one class; at least two"},
    {"bad:0, worse:0", "one class; at least two"},
    {"bad:0,\ngood:1", "a line break"},
};

static void test_refuses_maps(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_maps / sizeof bad_maps[0]; i++) {
        dun_labels labels;
        expect_error(dun_labels_parse(&labels, bad_maps[i].map, "t.ini:3"), DUN_USAGE,
                     "t.ini:3: data.label_map ", bad_maps[i].part);
        assert_int_equal(labels.n_classes, 0);
        assert_null(labels.names);
        assert_int_equal(dun_mem_live(), 0);
    }
    char map[400] = "a:0, b";
    memset(map + 5, 'b', DUN_LABEL_BYTES + 1);
    strcpy(map + 5 + DUN_LABEL_BYTES + 1, ":1");
    dun_labels labels;
    expect_error(dun_labels_parse(&labels, map, "--set"), DUN_USAGE, "--set: ", "a label of 256 bytes");
    assert_int_equal(dun_mem_live(), 0);
}

static void test_maps(void **state) {
    (void)state;
    static const struct {
        const char *map, *names[4];
        bool ids;
    } maps[] = {
        {"bad:0, good:1", {"bad", "good"}, true},
        {"good:1,bad:0", {"bad", "good"}, true},
        {" \tpositive:1 , pos: 1,not so good : 0, neg:0 ", {"not so good", "positive"}, true},
        {"a:b:0, :1:1", {"a:b", ":1"}, true},
        {"1:0, 2:1", {"1", "2"}, false},
        {"-1:0, up:1", {"-1", "up"}, false},
        {"c:2, b:1, a:0, z:0", {"a", "b", "c"}, true},
    };
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        dun_labels labels;
        expect_ok(dun_labels_parse(&labels, maps[i].map, "t.ini:3"));
        assert_true(labels.fixed);
        assert_int_equal(labels.ids, maps[i].ids);
        uint32_t k = 0;
        for (; maps[i].names[k]; k++)
            assert_string_equal(labels.names[k], maps[i].names[k]);
        assert_int_equal(labels.n_classes, k);
        dun_labels_free(&labels);
    }
    const char *const empty[] = {NULL, "", " \t"};
    for (size_t i = 0; i < 3; i++) {
        dun_labels labels;
        expect_ok(dun_labels_parse(&labels, empty[i], "t.ini:3"));
        assert_int_equal(labels.n_classes, 0);
        assert_false(labels.fixed);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* Reads texts of these labels, one a line; DUN_OK leaves their ids as digits in `ids`. */
static int read_labels(char *ids, dun_labels *labels, const char *const *words, bool training) {
    int rc;
    dun_str bytes = {0};
    dun_dataset *dataset = NULL;
    const dun_dataset_options options = {.format = "tsv", .training = training};
    for (size_t i = 0; words[i]; i++)
        TRY(dun_str_addf(&bytes, "text\t%s\n", words[i]));
    TRY(dun_dataset_parse(&dataset, labels, (const uint8_t *)bytes.bytes, bytes.length, "d", &options));
    for (size_t i = 0; i < dataset->n; i++)
        ids[i] = (char)('0' + dataset->examples[i].label);
    ids[dataset->n] = '\0';
out:
    dun_str_free(&bytes);
    dun_dataset_free(dataset);
    return rc;
}

static void test_gathers(void **state) {
    (void)state;
    static const struct {
        const char *words[6], *ids, *names[6];
    } cases[] = {
        {{"good", "bad", "good"}, "101", {"bad", "good"}},
        {{"b", "B", "a", "\xc3\xa4", "10"}, "31240", {"10", "B", "a", "b", "\xc3\xa4"}},
        {{"10", "9", "-3", "010", "0"}, "42031", {"-3", "0", "9", "010", "10"}},
        {{"10", "9", "9.5"}, "012", {"10", "9", "9.5"}},
        {{"2", "1000000000000000000"}, "10", {"1000000000000000000", "2"}}, /* too long for a number */
        {{"2", "-", "11"}, "201", {"-", "11", "2"}},
        {{" x", "x", "x "}, "012", {" x", "x", "x "}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char ids[8];
        dun_labels labels = {0};
        expect_ok(read_labels(ids, &labels, cases[i].words, true));
        assert_string_equal(ids, cases[i].ids);
        uint32_t k = 0;
        for (; k < 6 && cases[i].names[k]; k++)
            assert_string_equal(labels.names[k], cases[i].names[k]);
        assert_int_equal(labels.n_classes, k);
        /* The same file again, now with known labels. */
        expect_ok(read_labels(ids, &labels, cases[i].words, true));
        assert_string_equal(ids, cases[i].ids);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_known_labels(void **state) {
    (void)state;
    char ids[8];
    dun_labels labels;
    static const char *const words[] = {"good", "1", "0", "fine", "bad", NULL};
    static const char *const strange[] = {"good", "2", NULL}, *const named[] = {"label", NULL};
    static const char *const alike[] = {"good", "fine", NULL};
    expect_ok(dun_labels_parse(&labels, "bad:0, good:1, fine:1", "t.ini:3"));
    expect_ok(read_labels(ids, &labels, words, true));
    assert_string_equal(ids, "11010");
    expect_error(read_labels(ids, &labels, strange, false), DUN_BAD_INPUT,
                 "d:2: the label '2' is not known; known are bad, fine, good and the ids 0 to 1", "");
    assert_null(strstr(dun_error_message(), "header"));
    expect_error(read_labels(ids, &labels, named, false), DUN_BAD_INPUT,
                 "d:1: the label 'label' is not known", "data.header = yes");
    /* One class is fine in texts to measure with, not in texts to train with. */
    expect_ok(read_labels(ids, &labels, alike, false));
    assert_string_equal(ids, "11");
    expect_error(read_labels(ids, &labels, alike, true), DUN_BAD_INPUT, "d:2: ", "at least two classes");
    assert_int_equal(labels.n_classes, 2);
    dun_labels_free(&labels);

    /* Labels that are numbers: no ids beside them. */
    static const char *const numbers[] = {"1", "2", NULL}, *const zero[] = {"1", "0", NULL};
    expect_ok(dun_labels_parse(&labels, "1:0, 2:1", "t.ini:3"));
    expect_ok(read_labels(ids, &labels, numbers, true));
    assert_string_equal(ids, "01");
    expect_error(read_labels(ids, &labels, zero, true), DUN_BAD_INPUT, "d:2: the label '0' is not known",
                 "1, 2");
    dun_labels_free(&labels);

    /* Gathered labels: no ids either. */
    static const char *const found[] = {"b", "a", NULL};
    expect_ok(dun_labels_parse(&labels, "", "t.ini:3"));
    expect_ok(read_labels(ids, &labels, found, true));
    expect_error(read_labels(ids, &labels, zero, false), DUN_BAD_INPUT, "d:1: the label '1' is not known",
                 "a, b");
    dun_labels_free(&labels);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_maps),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_known_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
