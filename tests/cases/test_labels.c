/* Labels: maps, the order of gathered ones, and what a label of a file may be. */
#include "data_expect.h"
#include "io/data/dataset.h"

#include <stdlib.h>

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
    {"bad:0, \xc2\xa0"
     "bad\xe3\x80\x80:1",
     "has 'bad' twice"},
    {"1:0, 1.0:1", "gives '1.0' another id than an equal label"},
    {"1.50:0, +1.5:1", "gives '+1.5' another id than"},
    {"1.0:0, 1:1", "gives '1' another id than"},
    {"True:0, FALSE:1, true:1", "gives 'true' another id than"},
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
        {"\xef\xbb\xbf"
         "bad\xc2\xa0:0,\xe2\x80\x8bgood:1",
         {"bad", "good"},
         true},
        {"True:1, TRUE:1, true:1, no:0", {"no", "True"}, true},
        {"1.0:0, 1:0, 2.0:1", {"1.0", "2.0"}, false},
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
        TRY(dun_str_addf(&bytes, "some words\t%s\n", words[i]));
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
        {{" x", "x", "y", "x "}, "0010", {"x", "y"}},
        {{"\xc2\xa0x\xe2\x80\x83", "y\xe3\x80\x80\xef\xbb\xbf", "x"}, "010", {"x", "y"}},
        {{"a b", "a\xc2\xa0"
                 "b"},
         "01",
         {"a b", "a\xc2\xa0"
                 "b"}}, /* inside they count */
        {{"1", "1.0", "1.0", "0", "+1"}, "11101", {"0", "1.0"}},
        {{"2.0", "10.0", "2", "10", "10"}, "01011", {"2", "10"}}, /* by value, for each is whole somewhere */
        {{"2.0", "10.0", "2.0", "10.0", "9.5"}, "10102", {"10.0", "2.0", "9.5"}},
        {{"-0", "0", "0.00", "-1.50", "-1.5"}, "00011", {"-0", "-1.5"}},
        {{".5", "0.5", "0.50", "5", "05"}, "00021", {".5", "05", "5"}}, /* codes begin with zeros */
        {{"True", "FALSE", "true", "TRUE", "true"}, "10111", {"FALSE", "true"}},
        {{"Good", "good", "good.", "tru"}, "0123", {"Good", "good", "good.", "tru"}},
        {{"1e3", "1000", "1,0", "--1"}, "3210", {"--1", "1,0", "1000", "1e3"}}, /* no plain digits */
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

/* What is said of these labels, and what is not. */
static const struct {
    const char *map, *words[8], *said[3], *unsaid;
} told[] = {
    {NULL, {"good", "bad", "good", "bad"}, {NULL}, ""},
    {NULL,
     {"good ", "bad", " good", "bad"},
     {"d: blanks around the labels of 2 texts do not count: 'good' (2)"},
     "spellings"},
    {NULL, {"1", "1.0", "0", "1.0"}, {"d: spellings of one label, read as one: '1' (1), '1.0' (2)"}, "alike"},
    {NULL,
     {"TRUE", "no", "true", "True"},
     {"d: spellings of one label, read as one: 'TRUE' (1), 'True' (1), 'true' (1)"},
     "alike"},
    {NULL,
     {"Good", "good", "bad", "good"},
     {"d: labels that look alike are classes of their own: 'Good' (1), 'good' (2); where they mean"},
     "read as one"},
    {NULL,
     {"good.", "good", "bad", "bad!"},
     {"alike", "'bad' (1), 'bad!' (1); 'good' (1), 'good.' (1);"},
     "more"},
    {NULL, {"caf\xc3\xa9", "cafe\xcc\x81", "bar"}, {"'cafe\xcc\x81' (1), 'caf\xc3\xa9' (1)"}, "read as one"},
    {NULL,
     {"not good", "not_good", "Not-Good", "x"},
     {"'Not-Good' (1), 'not good' (1), 'not_good' (1)"},
     NULL},
    {NULL, {"\xd0\x94\xd0\x90", "\xd0\xb4\xd0\xb0", "x"}, {"alike"}, "read as one"}, /* Cyrillic */
    {NULL, {"01", "1", "1.0", "2"}, {"'1' (1), '1.0' (1)", "'01' (1), '1' (2)"}, NULL},
    {NULL, {"01", "1.0", "1", "1.0", "2"}, {"'01' (1), '1.0' (3)"}, NULL}, /* by the name of the class */
    {NULL, {"-1", "1", "c", "c++", "c#", "1.5", "15"}, {NULL}, ""},
    {NULL, {"!", "?", ":)", ":(", "..."}, {NULL}, ""},
    {"1:0, 2:1", {"1.0", "2.0", "1.0"}, {"'1' (0), '1.0' (2); '2' (0), '2.0' (1)"}, NULL},
    {"yes:1, no:0",
     {"yes", "0.0", "1", "no\xe2\x80\x89"},
     {"blanks around the labels of 1 texts"},
     "read as"},
    {"a:0, A:1", {"a", "A"}, {NULL}, ""}, /* the map has said it */
};

static void hear(void *self, const char *message) {
    assert_int_equal(dun_str_addf(self, "%s\n", message), DUN_OK);
}

static void test_tells(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        dun_labels labels;
        dun_str said = {0};
        char ids[9];
        expect_ok(dun_labels_parse(&labels, told[i].map, "t.ini:3"));
        dun_warn_listen(hear, &said);
        expect_ok(read_labels(ids, &labels, told[i].words, true));
        dun_warn_ignore(&said);
        if (!told[i].said[0])
            assert_null(said.bytes);
        for (size_t j = 0; j < 3 && told[i].said[j]; j++)
            if (!said.bytes || !strstr(said.bytes, told[i].said[j]))
                fail_msg("case %zu: '%s' is not in: %s", i, told[i].said[j], said.bytes ? said.bytes : "");
        if (said.bytes && told[i].unsaid)
            assert_null(strstr(said.bytes, told[i].unsaid));
        dun_str_free(&said);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* A first line that names the columns, read as data. */
static const struct {
    const char *name, *bytes;
    bool header, warned;
} headers[] = {
    {"d.tsv", "text\tlabel\na b\tx\nc d\ty\n", false, true},
    {"d.csv", "Review Text,stars\na b,1\nc d,2\n", false, true},
    {"d.csv", "content,feels\na b,x\nc d,y\n", false, true},
    {"d.csv", "what they said,Sentiment\na b,x\nc d,y\n", false, true},
    {"d.tsv", "v2\tv1\na b\tx\nc d\ty\ne f\tx\ng h\ty\n", false, true},
    {"d.tsv", "v2\tv1\na b\tx\nc d\ty\n", false, false}, /* too few to tell */
    {"d.tsv", "v2\tv1\na b\tx\nc d\ty\ne f\tv1\ng h\ty\n", false, false},
    {"d.tsv", "fine!\tv1\na b\tx\nc d\ty\ne f\tx\ng h\ty\n", false, false},
    {"d.tsv", "fine\t3\na b\t1\nc d\t2\ne f\t1\ng h\t2\n", false, false},
    {"d.tsv", "text\tspam\na b\tham\nc d\tspam\n", false, false},
    {"d.tsv", "text\tlabel\na b\tx\nc d\ty\n", true, false},
    {"d.jsonl", "{\"text\":\"text\",\"label\":\"label\"}\n{\"text\":\"a\",\"label\":\"x\"}\n", false, false},
};

static void test_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        dun_dataset *dataset;
        dun_labels labels = {0};
        dun_str said = {0};
        const dun_dataset_options options = {.header = headers[i].header};
        dun_warn_listen(hear, &said);
        expect_ok(dun_dataset_parse(&dataset, &labels, (const uint8_t *)headers[i].bytes,
                                    strlen(headers[i].bytes), headers[i].name, &options));
        dun_warn_ignore(&said);
        bool warned = said.bytes && strstr(said.bytes, ":1: the line looks like a header") &&
                      strstr(said.bytes, "data.header = yes");
        if (warned != headers[i].warned || (said.bytes && !warned))
            fail_msg("case %zu: %s", i, said.bytes ? said.bytes : "nothing said");
        dun_str_free(&said);
        dun_dataset_free(dataset);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* Many groups are counted, not listed; spellings without end are read all the same. */
static void test_many_spellings(void **state) {
    (void)state;
    enum { CLASSES = 40, SPELLINGS = 20000 };
    dun_str bytes = {0}, said = {0};
    dun_dataset *dataset = NULL;
    dun_labels labels = {0};
    const dun_dataset_options options = {.format = "tsv"};
    for (int i = 0; i < CLASSES; i++)
        expect_ok(dun_str_addf(&bytes, "t\tclass %d\nt\tClass %d\nt\t1.%0*d\n", i, i, i + 1, 0));
    for (int i = 0; i < SPELLINGS; i++)
        expect_ok(dun_str_addf(&bytes, "t\t%d.%0*d\n", i / 200 + 2, i % 200 + 1, 0));
    dun_warn_listen(hear, &said);
    expect_ok(
        dun_dataset_parse(&dataset, &labels, (const uint8_t *)bytes.bytes, bytes.length, "d", &options));
    dun_warn_ignore(&said);
    assert_int_equal(labels.n_classes, 2 * CLASSES + 1 + SPELLINGS / 200);
    assert_true(labels.n_words <= 5 * DUN_CLASSES);
    assert_non_null(strstr(said.bytes, "and 35 more of them; where"));
    assert_non_null(strstr(said.bytes, " and 32 more"));
    for (size_t i = 0; i < dataset->n; i++) {
        const char *name = labels.names[dataset->examples[i].label];
        size_t k = i - 3 * CLASSES;
        if (i >= 3 * CLASSES)
            assert_int_equal(atoi(name), k / 200 + 2);
        else
            assert_int_equal(name[0], "cC1"[i % 3]);
    }
    dun_dataset_free(dataset);
    dun_labels_free(&labels);
    dun_str_free(&bytes);
    dun_str_free(&said);
    assert_int_equal(dun_mem_live(), 0);
}

/* Labels that are nothing but blanks are none; a label that is not known is compared with those that are. */
static void test_refuses_words(void **state) {
    (void)state;
    static const struct {
        const char *map, *words[3], *start, *part;
    } cases[] = {
        {NULL, {"x", " "}, "d:2: ", "the label is empty"},
        {NULL, {"x", "\xc2\xa0\xe2\x80\x8b\xef\xbb\xbf"}, "d:2: ", "the label is empty"},
        {"good:1, bad:0",
         {"good", "Bad."},
         "d:2: the label 'Bad.' is not known; known are bad, good",
         "it looks like 'bad', which"},
        {"caf\xc3\xa9:1, bar:0", {"bar", "Cafe"}, "d:2: the label 'Cafe'", "it looks like 'caf\xc3\xa9'"},
        {"1.0:0, 2.0:1", {"1", "3"}, "d:2: the label '3' is not known; known are 1, 1.0, 2.0", ""},
        {"1.0:0, 2.0:1", {"3"}, "d:1: the label '3' is not known; known are 1.0, 2.0", "header"},
        {"yes:1, no:0", {"yes", "2.0"}, "d:2: the label '2.0' is not known", "the ids 0 to 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_labels labels;
        char ids[9];
        expect_ok(dun_labels_parse(&labels, cases[i].map, "t.ini:3"));
        expect_error(read_labels(ids, &labels, cases[i].words, false), DUN_BAD_INPUT, cases[i].start,
                     cases[i].part);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static int read_told(void) {
    int rc;
    dun_labels labels = {0};
    char ids[9];
    static const char *const words[] = {"good ", "Good", "1", "1.0", "True", "true", NULL};
    TRY(dun_labels_parse(&labels, NULL, "t.ini:3"));
    TRY(read_labels(ids, &labels, words, true));
    TRY(read_labels(ids, &labels, words, false));
out:
    dun_labels_free(&labels);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walk_failures(read_told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_maps),   cmocka_unit_test(test_maps),
        cmocka_unit_test(test_gathers),        cmocka_unit_test(test_known_labels),
        cmocka_unit_test(test_tells),          cmocka_unit_test(test_headers),
        cmocka_unit_test(test_many_spellings), cmocka_unit_test(test_refuses_words),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
