/* Texts that come again: what is said of them, and that a split keeps them together and is else what it was.
 */
#include "base/rng.h"
#include "data_expect.h"
#include "io/data/doubles.h"
#include "io/data/split.h"

#include <stdlib.h>

static void hear(void *self, const char *message) {
    assert_int_equal(dun_str_addf(self, "%s\n", message), DUN_OK);
}

static int parse(dun_dataset **out, dun_labels *labels, const char *bytes, const char *name) {
    static const dun_dataset_options options = {0};
    return dun_dataset_parse(out, labels, (const uint8_t *)bytes, strlen(bytes), name, &options);
}

/* `said`: parts of warnings; NULL alone: nothing is said. */
static const struct {
    const char *train, *valid, *said[4];
} told[] = {
    {"a\tx\nb\ty\n", "c\tx\nd\ty\n", {NULL}},
    {"a\tx\nb\ty\n", NULL, {NULL}},
    {"a\tx\na\tx\nb\ty\n", NULL, {NULL}}, /* twice the same is no news */
    {"a\tx\nb\ty\n", "c\tx\nb\ty\n", {"v.tsv: 1 of 2 texts (50 %) stand in t.tsv as well", "lines: 2 = 2"}},
    {"a\tx\nb\ty\n", "c\tx\n b\xc2\xa0\ty\n", {"1 of 2 texts", "lines: 2 = 2"}}, /* but for blanks */
    {"a\tx\nA\ty\n", "a.\tx\naa\ty\n", {NULL}},
    {"a\tx\nb\ty\n",
     "b\tx\nb\tx\na\tx\n",
     {"3 of 3 texts (100 %)", "lines: 1 = 2, 2 = 2, 3 = 1",
      "t.tsv: 2 texts have another label than where they stood first: t.tsv:2 'y', v.tsv:1 'x'; t.tsv:2 'y', "
      "v.tsv:2 'x'"}},
    {"a\tx\nb\ty\na\ty\n",
     NULL,
     {"1 text has another label than where it stood first: t.tsv:1 'x', t.tsv:3 'y'"}},
    {"a\tx\nb\ty\n", "c\tx\nc\ty\n", {"v.tsv:1 'x', v.tsv:2 'y'"}},
    {"a\tx\nb\ty\nc\tx\nd\tx\ne\tx\nf\tx\ng\tx\n",
     "a\ty\nb\tx\nc\ty\nd\ty\ne\ty\nf\ty\nz\tx\n",
     {"6 of 7 texts (85.7 %)", "lines: 1 = 1, 2 = 2, 3 = 3, 4 = 4, 5 = 5, ...", "6 texts have another",
      "; ..."}},
};

static void test_tells(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        dun_dataset *train, *valid = NULL;
        dun_labels labels = {0};
        dun_str said = {0};
        expect_ok(parse(&train, &labels, told[i].train, "t.tsv"));
        if (told[i].valid)
            expect_ok(parse(&valid, &labels, told[i].valid, "v.tsv"));
        dun_warn_listen(hear, &said);
        expect_ok(dun_doubles_tell(train, "t.tsv", valid, "v.tsv", &labels));
        dun_warn_ignore(&said);
        if (!told[i].said[0] && said.bytes)
            fail_msg("case %zu: %s", i, said.bytes);
        for (size_t j = 0; j < 4 && told[i].said[j]; j++)
            if (!said.bytes || !strstr(said.bytes, told[i].said[j]))
                fail_msg("case %zu: '%s' is not in: %s", i, told[i].said[j], said.bytes ? said.bytes : "");
        dun_str_free(&said);
        dun_dataset_free(train);
        dun_dataset_free(valid);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* How many texts a class has and how often each stands there; what of the class is to be validation's. */
static const struct {
    const char *rows; /* a letter a text: equal letters are equal texts; capitals are of the second class */
    double share;
    uint32_t least, most; /* texts of validation */
} splits[] = {
    {"abcdefghijKLMNOPQRST", 0.2, 4, 4},
    {"abcdefghijklmnopqrstUVWXYZ", 0.2, 5, 5},
    {"aaaaaaaaaabKLMNOPQRST", 0.2, 3, 3},     /* a alone would be too many: b */
    {"aaabbbcccdddeeeKKLLMMNNOO", 0.2, 5, 5}, /* one of three, and one of two */
    {"aaaaabbbbbKKKKKLLLLL", 0.2, 10, 10},    /* one of two, for none fits */
    {"aaaaaaaaaaKL", 0.2, 1, 1},              /* of the first class nothing is left */
    {"abKL", 0.2, 2, 2},
    {"abcKLM", 0.99, 4, 4}, /* never all */
    {"aBaBaBcDcDcDeFeFeF", 0.34, 6, 6},
};

static size_t class_of(char letter) {
    return letter < 'a';
}

static void test_splits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        dun_str bytes = {0};
        dun_dataset *data;
        dun_labels labels = {0};
        dun_split split, again;
        const char *rows = splits[i].rows;
        for (size_t j = 0; rows[j]; j++) /* blanks around a text make no difference */
            expect_ok(
                dun_str_addf(&bytes, "%s%c\t%s\n", j % 2 ? " " : "", rows[j], class_of(rows[j]) ? "y" : "x"));
        expect_ok(parse(&data, &labels, bytes.bytes, "t.tsv"));
        expect_ok(dun_split_make(&split, data, labels.n_classes, splits[i].share, 1, "t.tsv"));
        expect_ok(dun_split_make(&again, data, labels.n_classes, splits[i].share, 1, "t.tsv"));
        assert_memory_equal(split.to_valid, again.to_valid, data->n);
        uint32_t n = 0, doubles = 0;
        for (size_t j = 0; j < data->n; j++) {
            n += split.to_valid[j];
            const char *first = strchr(rows, rows[j]);
            doubles += first != rows + j;
            assert_int_equal(split.to_valid[j], split.to_valid[first - rows]);
        }
        if (n < splits[i].least || n > splits[i].most)
            fail_msg("case %zu: %u texts to validate with", i, n);
        assert_int_equal(split.n_valid, n);
        assert_int_equal(split.n_doubles, doubles);
        dun_split_free(&again);
        dun_split_free(&split);
        dun_str_free(&bytes);
        dun_dataset_free(data);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* Without equal texts the split is a shuffle of each class, whose first fifth is validation's. */
static void test_plain(void **state) {
    (void)state;
    enum { N = 333, CLASSES = 3 };
    dun_str bytes = {0};
    dun_dataset *data;
    dun_labels labels = {0};
    dun_split split;
    bool wanted[N] = {0};
    for (uint32_t i = 0; i < N; i++)
        expect_ok(dun_str_addf(&bytes, "text %u\t%u\n", i, i * i % 7 % CLASSES));
    expect_ok(parse(&data, &labels, bytes.bytes, "t.tsv"));
    for (uint32_t k = 0; k < CLASSES; k++) {
        uint32_t members[N], order[N], n = 0;
        for (uint32_t i = 0; i < N; i++)
            if (data->examples[i].label == k)
                members[n++] = i;
        dun_random_shuffle(order, n, 1, DUN_STREAM_SPLIT, k);
        for (uint32_t i = 0; i < (n * 20 + 50) / 100; i++)
            wanted[members[order[i]]] = true;
    }
    expect_ok(dun_split_make(&split, data, labels.n_classes, 0.2, 1, "t.tsv"));
    assert_memory_equal(split.to_valid, wanted, N);
    assert_int_equal(split.n_doubles, 0);
    dun_split_free(&split);
    dun_str_free(&bytes);
    dun_dataset_free(data);
    dun_labels_free(&labels);
    assert_int_equal(dun_mem_live(), 0);
}

/* A text with two labels is on one side too; where no class has two texts there is nothing to validate with.
 */
static void test_edges(void **state) {
    (void)state;
    dun_dataset *data;
    dun_labels labels = {0};
    dun_split split;
    dun_str said = {0};
    expect_ok(parse(&data, &labels, "a\tx\na\ty\nb\tx\nc\ty\nd\ty\n", "t.tsv"));
    expect_ok(dun_split_make(&split, data, labels.n_classes, 0.2, 1, "t.tsv"));
    assert_int_equal(split.to_valid[0], split.to_valid[1]);
    dun_split_free(&split);
    dun_dataset_free(data);
    expect_ok(parse(&data, &labels, "a\tx\na\tx\nb\ty\n", "t.tsv"));
    dun_warn_listen(hear, &said);
    expect_error(dun_split_make(&split, data, labels.n_classes, 0.2, 1, "t.tsv"), DUN_BAD_INPUT,
                 "t.tsv: no class has two different texts", "");
    dun_warn_ignore(&said);
    assert_null(split.to_valid);
    assert_string_equal(said.bytes,
                        "t.tsv:1: the only text of its class, several times; none is left to validate with\n"
                        "t.tsv:3: the only text of its class; none is left to validate with\n");
    dun_str_free(&said);
    dun_dataset_free(data);
    dun_labels_free(&labels);
    assert_int_equal(dun_mem_live(), 0);
}

/* Every class on both sides, or an error that names it; no warnings. */
static void test_whole(void **state) {
    static const struct {
        const char *bytes, *part; /* NULL: fine */
    } cases[] = {
        {"a\tx\nb\tx\nc\ty\nd\ty\n", NULL},
        {"a\tx\nb\tx\nc\ty\n", "t.tsv: class \"y\" would be left out of the validation texts (0 of its 1"},
        {"c\ty\na\tx\nb\tx\nc\ty\n", "class \"y\" would be left out of the validation texts (0 of its 2"},
        {"a\tx\nb\tx\nc\ty\nd\ty\na\tz\n", "class \"z\" would be left out of the "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_dataset *data;
        dun_labels labels = {0};
        dun_split split;
        dun_str said = {0};
        expect_ok(parse(&data, &labels, cases[i].bytes, "t.tsv"));
        dun_warn_listen(hear, &said);
        int rc = dun_split_make_whole(&split, data, &labels, 0.4, 1, "t.tsv");
        dun_warn_ignore(&said);
        assert_null(said.bytes);
        if (cases[i].part) {
            expect_error(rc, DUN_BAD_INPUT, "t.tsv: class ", cases[i].part);
            assert_null(split.to_valid);
        } else {
            expect_ok(rc);
            assert_int_equal(split.n_valid, 2);
        }
        dun_split_free(&split);
        dun_dataset_free(data);
        dun_labels_free(&labels);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static dun_dataset *walked;
static dun_labels walked_labels;

static int split_and_tell(void) {
    int rc;
    dun_split split = {0};
    TRY(dun_split_make(&split, walked, 2, 0.2, 1, "t.tsv"));
    dun_split_free(&split);
    TRY(dun_split_make_whole(&split, walked, &walked_labels, 0.2, 1, "t.tsv"));
    TRY(dun_doubles_tell(walked, "t.tsv", walked, "v.tsv", &walked_labels));
out:
    dun_split_free(&split);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    expect_ok(parse(&walked, &walked_labels, "a\tx\na\ty\nb\tx\nc\ty\nd\ty\n", "t.tsv"));
    walk_failures(split_and_tell);
    dun_dataset_free(walked);
    dun_labels_free(&walked_labels);
    assert_int_equal(dun_mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells), cmocka_unit_test(test_splits), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_edges), cmocka_unit_test(test_whole),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
