/* Data sets: what every format gives, and what is refused at which line. */
#include "data_expect.h"
#include "io/data/dataset.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FOLDER BINARY_DIR "/test_dataset.tmp"

/* Options of a case: column names (NULL: the default), header, limit, training. */
typedef struct {
    const char *text, *label;
    bool header;
    size_t limit;
    bool training;
} how;

/* Parses a block of exactly the bytes' size; `map` may be NULL. */
static int parse(dun_dataset **out, dun_labels *labels, const char *bytes, size_t length, const char *name,
                 const char *map, const how *h) {
    dun_dataset_options options = {.format = "auto",
                                   .text_column = h->text,
                                   .label_column = h->label,
                                   .header = h->header,
                                   .limit = h->limit,
                                   .training = h->training};
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    expect_ok(dun_labels_parse(labels, map, "t.ini:1"));
    int rc = dun_dataset_parse(out, labels, copy, length, name, &options);
    free(copy);
    return rc;
}

static const how plain = {0}, header = {.header = true};

/* `expected`: a line for each example, "label|text|line". */
static const struct {
    const char *name, *bytes, *expected;
    how h;
} good[] = {
    {"d.tsv", "a\tx\nb\ty\n", "0|a|1\n1|b|2\n", {0}},
    {"d.tsv", "a\tx\r\nb\ty", "0|a|1\n1|b|2\n", {0}},
    {"D.TSV",
     "\xef\xbb\xbf"
     "a\tx\nb\ty\n\n \r\n\n",
     "0|a|1\n1|b|2\n",
     {0}},
    {"d.tsv", "\"a\"\"\tx\n'b, c' \t y\n", "0|\"a\"\"|1\n1|'b, c' |2\n", {0}},
    {"d.tsv", "  a\tx\n\xf0\x9f\xa6\x86\ty\n", "0|  a|1\n1|\xf0\x9f\xa6\x86|2\n", {0}},
    {"d.tsv", "y\t9\ta\nx\t8\tb\n", "1|a|1\n0|b|2\n", {.text = "2", .label = "0"}},
    {"d.tsv", "n\tlabel\ttext\n1\tx\ta\n2\ty\tb\n", "0|a|2\n1|b|3\n", {"text", "label", true, 0, 0}},
    {"d.tsv", "1\t0\na\tx\nb\ty\n", "0|a|2\n1|b|3\n", {"1", "0", true, 0, 0}},
    {"d.tsv", "t\tl\na\tx\nb\ty\n", "0|a|2\n1|b|3\n", {.header = true}},
    {"d.tsv", "a\tx\nb\ty\nc\tx\n\td\t\n", "0|a|1\n1|b|2\n", {.limit = 2}},
    {"d.tsv", "a\t10\nb\t9\nc\t-1\nd\t9\n", "2|a|1\n1|b|2\n0|c|3\n1|d|4\n", {0}},
    {"d.tsv", "a\t10\nb\t9\nc\tx\n", "0|a|1\n1|b|2\n2|c|3\n", {0}},
    {"d.csv", "a,x\nb,y\n", "0|a|1\n1|b|2\n", {0}},
    {"d.csv", "a,x\r\nb,y\r\n\r\n", "0|a|1\n1|b|2\n", {0}},
    {"d.csv", "\"a, \"\"b\"\"\r\nc\",x\r\n\"\"\"\",\"y\"", "0|a, \"b\"\r\nc|1\n1|\"|3\n", {0}},
    {"d.csv", "a\t1,\"x\"\"\"\nb,y\n", "0|a\t1|1\n1|b|2\n", {0}},
    {"d.csv", "\"the \"\"text\"\"\",l\na,x\n\"b\",y\n", "0|a|2\n1|b|3\n", {"the \"text\"", "l", true, 0, 0}},
    {"d.csv", "a,,,x\nb,\"\n\",,y\nc,,,x\n", "0|a|1\n1|b|2\n0|c|4\n", {.label = "3"}},
    {"d.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n{\"label\":\"y\",\"text\":\"b\"}", "0|a|1\n1|b|2\n", {0}},
    {"d.ndjson",
     "{\"text\":\"a\\n\\ud83e\\udd86\",\"label\":1}\r\n {\"text\":\"b\",\"label\":0} \r\n\n",
     "1|a\n\xf0\x9f\xa6\x86|1\n0|b|2\n",
     {0}},
    {"d.tsv", "a\tx\n\nb\ty\n", "0|a|1\n1|b|3\n", {0}},
    {"d.csv", "\n a,x\n \r\nb,y\n", "0| a|2\n1|b|4\n", {0}},
    {"d.csv", "a,x\nb \"c\",y\n", "0|a|1\n1|b \"c\"|2\n", {0}},
    {"d.tsv", "a,x\nb,y\n", "0|a|1\n1|b|2\n", {0}},
    {"d.txt", "a\tx\nb\ty\n", "0|a|1\n1|b|2\n", {0}},
    {"d.jsonl", "{\"text\":1,\"label\":1.0}\n\n{\"text\":\"b\",\"label\":[2]}", "0|1|1\n1|b|3\n", {0}},
    {"d.jsonl",
     "{\"text\":\"24\\\" [wide\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n",
     "0|24\" [wide|1\n1|b|2\n",
     {0}},
    {"d.json",
     "[{\"text\":\"a\\\\\",\"label\":\"x\"},\n {\"text\":\"} \\\"] {\",\n\"label\":\"y\"}\n]\n",
     "0|a\\|1\n1|} \"] {|2\n",
     {0}},
    {"d.jsonl",
     "{\n\"text\":\"a\",\"label\":\"x\"\n}\n{\"text\":\"b\",\n\"label\":\"y\"}",
     "0|a|1\n1|b|4\n",
     {0}},
    {"d.csv", "t;l\na, b;x\n\"c; d\";y\n", "0|a, b|2\n1|c; d|3\n", {.header = true}},
    {"d.csv", "sep=|\nt|l\na|x\nb|y\n", "0|a|3\n1|b|4\n", {.header = true}},
    {"d.tsv", "sep=a\tx\nb\ty\n", "0|sep=a|1\n1|b|2\n", {0}},
    {"d.csv", "a,x\r\"b\nc\",y\r", "0|a|1\n1|b\nc|2\n", {0}},
    {"d.tsv", "\"a \"\"b\"\"\"\tx\n\"c\td\"\ty\n", "0|a \"b\"|1\n1|c\td|2\n", {0}},
    {"d.txt", "__label__x a b\n__label__y c\n", "0|a b|1\n1|c|2\n", {0}},
    {"d.csv", "l,t,,\nx,a,,\ny,b, c,d\n", "0|a|2\n1|b, c,d|3\n", {"t", "l", true, 0, 0}},
    {"d.csv", "text , label\n1,a,x\n2,b,y\n", "0|a|2\n1|b|3\n", {"text", "label", true, 0, 0}},
    {"d.csv", "text,label\na,x,\nb,y, \n", "0|a|2\n1|b|3\n", {"text", "label", true, 0, 0}},
    {"d.csv", "a,x,\nb,y\nc,x\nd,y\n", "0|a|1\n1|b|2\n0|c|3\n1|d|4\n", {0}},
    {"d.jsonl",
     "{\"s\":\"a\",\"0\":true}\n{\"s\":\"b\",\"0\":false}\n",
     "1|a|1\n0|b|2\n",
     {.text = "s", .label = "0", .header = true}},
};

static void test_reads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        dun_dataset *dataset;
        dun_labels labels;
        dun_str found = {0};
        expect_ok(
            parse(&dataset, &labels, good[i].bytes, strlen(good[i].bytes), good[i].name, NULL, &good[i].h));
        for (size_t j = 0; j < dataset->n; j++) {
            const dun_example *e = &dataset->examples[j];
            assert_int_equal(strlen(e->text), e->length);
            expect_ok(dun_str_addf(&found, "%u|%s|%u\n", e->label, e->text, e->line));
        }
        assert_string_equal(found.bytes, good[i].expected);
        assert_false(labels.fixed);
        dun_str_free(&found);
        dun_dataset_free(dataset);
        dun_labels_free(&labels);
    }
    dun_dataset_free(NULL);
    assert_int_equal(dun_mem_live(), 0);
}

#define OK2 "a\tx\nb\ty\n"
#define JSON2 "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n"

static const struct {
    const char *name, *bytes;
    size_t length;
    const char *start, *part;
    how h;
} bad[] = {
    {"d.tsv", LITERAL(""), "d.tsv:1: ", "no texts", {0}},
    {"d.csv", LITERAL(""), "d.csv:1: ", "no texts", {0}},
    {"d.jsonl", LITERAL(""), "d.jsonl:1: ", "no texts", {0}},
    {"d.tsv", LITERAL("\xef\xbb\xbf"), "d.tsv:1: ", "no texts", {0}},
    {"d.tsv", LITERAL("\n\r\n\n"), "d.tsv:4: ", "no texts", {0}},
    {"d.tsv", LITERAL("t\tl\n"), "d.tsv:2: ", "no texts", {.header = true}},
    {"d.tsv", LITERAL("a\tx\nb\tx\n"), "d.tsv:2: ", "label of line 1; at least two classes", {0}},
    {"d.tsv", LITERAL("a\tx\nb\tx\nc\ty\n"), "d.tsv:2: ", "at least two classes", {.limit = 2}},
    {"d.tsv", LITERAL("a\tx\nb\ty\tz\n"), "d.tsv:2: ", "3 columns, the others have 2; every row", {0}},
    {"d.tsv", LITERAL("a\tx\nb\n"), "d.tsv:2: ", "1 column, the others have 2", {0}},
    {"d.csv", LITERAL("\"a\nb\",x\nc,y\nd,e,f"), "d.csv:4: ", "3 columns, the others have 2", {0}},
    {"d.csv", LITERAL("t,l,u\na,x\n"), "d.csv:2: ", "2 columns, the others have 3", {.header = true}},
    {"d.tsv", LITERAL("a\nb\n"), "d.tsv:1: ", "1 column; the label is to be in column 1", {0}},
    {"d.csv", LITERAL("a\nb\n"), "d.csv:1: ", "separated by commas", {0}},
    {"d.tsv", LITERAL(OK2), "d.tsv:1: ", "2 columns; the text is to be in column 7", {.text = "7"}},
    {"d.csv", LITERAL("a,x\n\"b,y\nc,x\n"), "d.csv:2: ", "the quote that opens in this line is never", {0}},
    {"d.csv", LITERAL("a,\"x\"\"\n\n"), "d.csv:1: ", "never closed", {0}},
    {"d.csv", LITERAL("a,\""), "d.csv:1: ", "never closed", {0}},
    {"d.csv", LITERAL("a,x\n\"b\nb\"c,y\n"), "d.csv:3: ", "text after a closing quote", {0}},
    {"d.csv", LITERAL("a,x\n\"b\"\r,y\n"), "d.csv:2: ", "text after a closing quote", {0}},
    {"d.tsv", LITERAL("a\tx\n\ty\n"), "d.tsv:1: ", "at least two classes", {0}},
    {"d.csv", LITERAL("a,x\n\"\",y\n"), "d.csv:1: ", "at least two classes", {0}},
    {"d.tsv", LITERAL("a\tx\nb\t\n"), "d.tsv:2: ", "the label is empty", {0}},
    {"d.tsv", LITERAL("a\tx\nb\t\r\n"), "d.tsv:2: ", "the label is empty", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"\",\"label\":1}"), "d.jsonl:1: ", "no texts", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"a\",\"label\":\"\"}"), "d.jsonl:1: ", "the label is empty", {0}},
    {"d.tsv", LITERAL("a\tx\nb\0\ty\n"), "d.tsv:2: ", "NUL at byte 5", {0}},
    {"d.tsv", LITERAL("a\tx\nb\xff\ty\0\n"), "d.tsv:2: ", "0xff at byte 5 is not UTF-8", {0}},
    {"d.tsv",
     LITERAL("\xef\xbb\xbf"
             "a\tx\nb\ty\xc3"),
     "d.tsv:2: ",
     "0xc3 at byte 10 is not UTF-8",
     {0}},
    {"d.jsonl", LITERAL(JSON2 "\"\xed\xa0\x80"), "d.jsonl:3: ", "0xed at byte 51 is not UTF-8", {0}},
    {"d.tsv",
     LITERAL("text\tlabel\n" OK2),
     "d.tsv:1: ",
     "no column is called 'a'; the columns are 'text', 'label'",
     {.text = "a", .header = true}},
    {"d.tsv",
     LITERAL("text\ttext\n" OK2),
     "d.tsv:1: ",
     "columns 0 and 1 are both called 'text'",
     {.text = "text", .header = true}},
    {"d.csv", LITERAL("\"text,label\n"), "d.csv:1: ", "never closed", {.label = "label", .header = true}},
    {"d.jsonl", LITERAL("{\"text\":\"a\"}\n"), "d.jsonl:1: ", "no key \"label\"; the keys are \"text\"", {0}},
    {"d.jsonl", LITERAL("{}\n"), "d.jsonl:1: ", "no key \"text\"; the object is empty", {0}},
    {"d.jsonl", LITERAL("[\"a\", 1]\n"), "d.jsonl:1: ", "an array; an object with a text and its label", {0}},
    {"d.jsonl",
     LITERAL("{\"text\":\"a\",\"label\":null}"),
     "d.jsonl:1: ",
     "the label is null; one for every text",
     {0}},
    {"d.jsonl", LITERAL("{\"text\":\"a\",\"label\":1}\n{\"text\":"), "d.jsonl:2:", "; one JSON object", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"a\\u0000\",\"label\":1}"), "d.jsonl:1:", "\\u0000", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"a\",\"text\":\"b\",\"label\":1}"), "d.jsonl:1:", "duplicate", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"\\ud800\",\"label\":1}"), "d.jsonl:1:", "invalid Unicode", {0}},
    {"d.jsonl", LITERAL("{\"text\":\"a\",\"label\":1e999}"), "d.jsonl:1:", "overflow", {0}},
};

static void test_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dun_dataset *dataset = (dun_dataset *)&dataset;
        dun_labels labels;
        int rc = parse(&dataset, &labels, bad[i].bytes, bad[i].length, bad[i].name, NULL, &bad[i].h);
        expect_error(rc, DUN_BAD_INPUT, bad[i].start, bad[i].part);
        assert_null(dataset);
        assert_int_equal(labels.n_words, 0);
        assert_int_equal(dun_mem_live(), 0);
    }
}

static void test_refuses_settings(void **state) {
    (void)state;
    static const struct {
        const char *name, *format;
        how h;
        const char *part;
    } cases[] = {
        {"d.tsv", "xml", {0}, "data.format = xml is not known; auto, tsv, csv, jsonl, json"},
        {"d.tsv", "auto", {.label = "0"}, "text and label are both column 0"},
        {"d.tsv", "auto", {.text = "1"}, "text and label are both column 1"},
        {"d.tsv", "auto", {.text = "text"}, "data.text_column = text is a name"},
        {"d.tsv", "auto", {.label = "-1"}, "data.label_column = -1 is a name; a number from 0"},
        {"d.tsv", "auto", {.label = "1000000000"}, "a number from 0"},
        {"d.x", "jsonl", {.text = "label"}, "text and label are both key \"label\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dun_dataset *dataset;
        dun_labels labels = {0};
        dun_dataset_options options = {cases[i].format,
                                       cases[i].h.text,
                                       cases[i].h.label,
                                       cases[i].h.header,
                                       cases[i].h.limit,
                                       false,
                                       false,
                                       NULL};
        expect_error(
            dun_dataset_parse(&dataset, &labels, (const uint8_t *)OK2, strlen(OK2), cases[i].name, &options),
            DUN_USAGE, cases[i].name, cases[i].part);
        assert_null(dataset);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* Reads a line with a text and a label of so many bytes, and one more. */
static int read_long(size_t n_text, size_t n_label) {
    static const char rest[] = "\na\tb\n";
    const size_t n = n_text + 1 + n_label + strlen(rest);
    char *bytes = malloc(n + 1);
    dun_dataset *dataset;
    dun_labels labels;
    assert_non_null(bytes);
    memset(bytes, 'x', n);
    bytes[n_text] = '\t';
    strcpy(bytes + n_text + 1 + n_label, rest);
    int rc = parse(&dataset, &labels, bytes, n, "d.tsv", NULL, &plain);
    free(bytes);
    dun_dataset_free(dataset);
    dun_labels_free(&labels);
    return rc;
}

static void test_caps(void **state) {
    (void)state;
    expect_ok(read_long(DUN_TEXT_BYTES, DUN_LABEL_BYTES));
    expect_error(read_long(DUN_TEXT_BYTES + 1, 1), DUN_BAD_INPUT,
                 "d.tsv:1: the text has 67108865 bytes; at most", "67108864");
    expect_error(read_long(1, DUN_LABEL_BYTES + 1), DUN_BAD_INPUT, "d.tsv:1: the label has 256 bytes", "255");
    dun_str bytes = {0};
    for (int i = 0; i <= DUN_CLASSES; i++)
        expect_ok(dun_str_addf(&bytes, "a\t%d\n", i * 7919 % 100003));
    dun_dataset *dataset;
    dun_labels labels;
    expect_error(parse(&dataset, &labels, bytes.bytes, bytes.length, "d.tsv", NULL, &plain), DUN_BAD_INPUT,
                 "d.tsv:4097: more than 4096 different labels", "label_column");
    const how some = {.limit = DUN_CLASSES};
    expect_ok(parse(&dataset, &labels, bytes.bytes, bytes.length, "d.tsv", NULL, &some));
    assert_int_equal(labels.n_classes, DUN_CLASSES);
    for (uint32_t i = 1; i < labels.n_classes; i++)
        assert_true(atoi(labels.names[i - 1]) < atoi(labels.names[i]));
    for (size_t i = 0; i < dataset->n; i++)
        assert_int_equal(atoi(labels.names[dataset->examples[i].label]), i * 7919 % 100003);
    dun_dataset_free(dataset);
    dun_labels_free(&labels);
    dun_str_free(&bytes);
    assert_int_equal(dun_mem_live(), 0);
}

static void write_gzip(const char *path, const char *text) {
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
}

static void test_files(void **state) {
    (void)state;
    static const dun_dataset_options options = {.format = "auto"};
    dun_dataset *dataset;
    dun_labels labels = {0};
    expect_ok(dun_dir_make(FOLDER));
    expect_ok(dun_file_write(FOLDER "/d.tsv", OK2, strlen(OK2)));
    write_gzip(FOLDER "/d.csv.gz", "a,x\nb,y\n");
    write_gzip(FOLDER "/packed.jsonl", JSON2); /* by its bytes, not its name */
    expect_ok(dun_file_write(FOLDER "/plain.tsv.gz", OK2, strlen(OK2)));
    const char *const fine[] = {"/d.tsv", "/d.csv.gz", "/packed.jsonl", "/plain.tsv.gz"};
    for (size_t i = 0; i < 4; i++) {
        char path[300];
        snprintf(path, sizeof path, FOLDER "%s", fine[i]);
        expect_ok(dun_dataset_read(&dataset, &labels, path, &options));
        assert_int_equal(dataset->n, 2);
        assert_string_equal(dataset->examples[1].text, "b");
        assert_string_equal(labels.names[1], "y");
        dun_dataset_free(dataset);
    }
    expect_ok(dun_file_write(FOLDER "/d.tsv.gz", "\x1f\x8b\x08", 3));
    mkfifo(FOLDER "/fifo.tsv", 0600);
    static const char *const refused[][2] = {
        {FOLDER "/d.tsv.gz", "byte 3: the gzip data end too early"},
        {FOLDER "/fifo.tsv", "is a FIFO or device"},
        {FOLDER, "is a folder"},
        {FOLDER "/absent.tsv", "No such file"},
        {"/dev/null", "device"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        expect_error(dun_dataset_read(&dataset, &labels, refused[i][0], &options), DUN_BAD_INPUT,
                     refused[i][0], refused[i][1]);
        assert_null(dataset);
        assert_int_equal(labels.n_classes, 2); /* known before, kept */
    }
    const char *const made[] = {"/d.tsv",        "/d.csv.gz", "/packed.jsonl",
                                "/plain.tsv.gz", "/d.tsv.gz", "/fifo.tsv"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        char path[300];
        snprintf(path, sizeof path, FOLDER "%s", made[i]);
        unlink(path);
    }
    rmdir(FOLDER);
    dun_labels_free(&labels);
    assert_int_equal(dun_mem_live(), 0);
}

/* The data sets that come with the program. */
static void test_shipped(void **state) {
    (void)state;
    static const dun_dataset_options options = {.format = "auto"};
    dun_dataset *train, *valid;
    dun_labels labels = {0};
    expect_ok(dun_dataset_read(&train, &labels, SOURCE_DIR "/data/feelings/train.tsv", &options));
    expect_ok(dun_dataset_read(&valid, &labels, SOURCE_DIR "/data/feelings/valid.tsv", &options));
    assert_int_equal(train->n, 540);
    assert_int_equal(valid->n, 218);
    assert_int_equal(labels.n_classes, 2);
    assert_string_equal(labels.names[0], "bad");
    dun_dataset_free(train);
    dun_dataset_free(valid);
    dun_labels_free(&labels);
}

static int read_each(const char *name, const char *bytes, const how *h) {
    int rc;
    dun_dataset *dataset = NULL;
    dun_labels labels = {0};
    dun_dataset_options options = {.format = "auto", .header = h->header};
    TRY(dun_labels_parse(&labels, h->header ? "x:0, y:1, z:1" : "", "t.ini:1"));
    TRY(dun_dataset_parse(&dataset, &labels, (const uint8_t *)bytes, strlen(bytes), name, &options));
    assert_int_equal(dataset->n, 2);
out:
    assert_true((rc == 0) == (dataset != NULL));
    dun_dataset_free(dataset);
    dun_labels_free(&labels);
    return rc;
}

static int read_all(void) {
    int rc;
    TRY(read_each("d.tsv", OK2, &plain));
    TRY(read_each("d.csv", "t,l\n\"a\",x\nb,y\n", &header));
    TRY(read_each("d.jsonl", JSON2, &plain));
out:
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walk_failures(read_all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_settings),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
