/* Texts one by one: lines and JSON lines, what is repaired, and what is refused. */
#include "data_expect.h"
#include "io/data/lines.h"

#include <stdlib.h>
#include <unistd.h>

#define PATH BINARY_DIR "/test_lines.txt"
#define MARK "\xef\xbf\xbd"

static dun_lines *open_bytes(const char *bytes, size_t length, enum dun_lines_mode mode) {
    dun_lines *lines;
    expect_ok(dun_file_write(PATH, bytes, length));
    expect_ok(dun_lines_open(&lines, PATH, &(dun_lines_options){.mode = mode}));
    assert_string_equal(dun_lines_name(lines), PATH);
    return lines;
}

/* `expected`: every text with its line, "1|text;". */
static const struct {
    enum dun_lines_mode mode;
    const char *bytes;
    size_t length;
    const char *expected;
    size_t n_repaired;
} good[] = {
    {DUN_LINES_PLAIN, LITERAL(""), "", 0},
    {DUN_LINES_PLAIN, LITERAL("a"), "1|a;", 0},
    {DUN_LINES_PLAIN, LITERAL("a\nb\n"), "1|a;2|b;", 0},
    {DUN_LINES_PLAIN, LITERAL("\n\n c \n"), "1|;2|;3| c ;", 0},
    {DUN_LINES_PLAIN, LITERAL("a\r\nb\rc\r\r\n\r\nd\r"), "1|a;2|b\rc\r;3|;4|d\r;", 0},
    {DUN_LINES_PLAIN,
     LITERAL("\xef\xbb\xbf"
             "a\n\xef\xbb\xbf"
             "b"),
     "1|a;2|\xef\xbb\xbf"
     "b;",
     0},
    {DUN_LINES_PLAIN, LITERAL("\xef\xbb\xbf\n"), "1|;", 0},
    {DUN_LINES_PLAIN, LITERAL("a\xff\n\xc3\xa4\n\xe2\x82\n"), "1|a" MARK ";2|\xc3\xa4;3|" MARK ";", 2},
    {DUN_LINES_PLAIN, LITERAL("a\0b\n\0\n\0\0\xff\0"), "1|a" MARK "b;2|" MARK ";3|" MARK MARK MARK MARK ";",
     3},
    {DUN_LINES_PLAIN, LITERAL("a\rb\r\rc"), "1|a;2|b;3|;4|c;", 0},
    {DUN_LINES_PLAIN, LITERAL("a\r"), "1|a;", 0},
    {DUN_LINES_PLAIN, LITERAL("a\rb\n"), "1|a\rb;", 0},
    {DUN_LINES_PLAIN, LITERAL("\xff\xfe"), "", 0},
    {DUN_LINES_PLAIN,
     LITERAL("\xff\xfe"
             "a\0\r\0\n\0\xe4\0"),
     "1|a;2|\xc3\xa4;", 0},
    {DUN_LINES_PLAIN, LITERAL("\xfe\xff\0a\0\r\xd8\x3d\xde\0\0\r"), "1|a;2|\xf0\x9f\x98\x80;", 0},
    {DUN_LINES_PLAIN, LITERAL("\xff\xfe\x3d\xd8\n\0\x0a\xde\0\0a"), "1|" MARK ";2|" MARK MARK MARK ";", 2},
    {DUN_LINES_PLAIN, LITERAL("\xef\xbb"), "1|" MARK ";", 1},
    {DUN_LINES_PLAIN, LITERAL("\x1f"), "1|\x1f;", 0},
    {DUN_LINES_TSV, LITERAL("a\tb\n\n\tc\n\"d\"\te\tf"), "1|a;2|;3|;4|\"d\";", 0},
    {DUN_LINES_TSV, LITERAL("a\tb\rc\r"), "1|a;2|c;", 0},
    {DUN_LINES_JSONL, LITERAL(""), "", 0},
    {DUN_LINES_JSONL, LITERAL("{\"text\":1.0}\r{\"text\":true}\r\r{\"text\":[\"a\"]}"), "1|1;2|true;4|a;", 0},
    {DUN_LINES_JSONL, LITERAL("\n \t\r\n"), "", 0},
    {DUN_LINES_JSONL, LITERAL("{\"text\":\"a\\nb\"}\r\n{\"x\":[1],\"text\":\"\"}\n\n"), "1|a\nb;2|;", 0},
    {DUN_LINES_JSONL, LITERAL("\xef\xbb\xbf{\"text\":\"\xff\"}"), "1|" MARK ";", 1},
};

static void test_reads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        dun_lines *lines = open_bytes(good[i].bytes, good[i].length, good[i].mode);
        dun_str found = {0};
        const char *text;
        size_t length;
        int rc;
        expect_ok(dun_str_addf(&found, "%s", ""));
        while ((rc = dun_lines_next(&text, &length, lines)) == 1) {
            assert_int_equal(strlen(text), length);
            expect_ok(dun_str_addf(&found, "%zu|%s;", dun_lines_number(lines), text));
        }
        expect_ok(rc);
        assert_string_equal(found.bytes, good[i].expected);
        assert_int_equal(dun_lines_repaired(lines), good[i].n_repaired);
        expect_ok(dun_lines_next(&text, &length, lines)); /* the end stays the end */
        assert_int_equal(length, 0);
        dun_str_free(&found);
        dun_lines_close(lines);
    }
    dun_lines_close(NULL);
    unlink(PATH);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *start, *part;
    } cases[] = {
        {"x", PATH ":2:", "; one JSON object"},
        {"{\"text\":\"a\"", PATH ":2:", "'}' expected"},
        {" \t\n\nx", PATH ":4:", "; one JSON object"},
        {"{}", PATH ":2: ", "no text at the key \"text\""},
        {"{\"text\":null}", PATH ":2: ", "no text at the key \"text\""},
        {"{\"text\":[1,2]}", PATH ":2: ", "no text at the key \"text\""},
        {"[\"text\"]", PATH ":2: ", "an array"},
        {"{\"text\":{}}", PATH ":2: ", "no text at the key \"text\""},
        {"{\"text\":\"\\u0000\"}", PATH ":2:", "\\u0000"},
        {"{\"text\":\"\\udc00\"}", PATH ":2:", "invalid Unicode"},
    };
    const char *text;
    size_t length;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[100];
        snprintf(bytes, sizeof bytes, "{\"text\":\"first\"}\n%s\n", cases[i].bytes);
        dun_lines *lines = open_bytes(bytes, strlen(bytes), DUN_LINES_JSONL);
        assert_int_equal(dun_lines_next(&text, &length, lines), 1);
        expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, cases[i].start, cases[i].part);
        dun_lines_close(lines);
    }
    unlink(PATH);
    dun_lines *lines;
    expect_error(dun_lines_open(&lines, "absent", &(dun_lines_options){.mode = DUN_LINES_PLAIN}),
                 DUN_BAD_INPUT, "absent: ", "No such file");
    assert_null(lines);
    expect_ok(dun_lines_open(&lines, BINARY_DIR, &(dun_lines_options){.mode = DUN_LINES_PLAIN}));
    expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, BINARY_DIR ": ", "Is a directory");
    dun_lines_close(lines);
    assert_int_equal(dun_mem_live(), 0);
}

/* What is no text by its first bytes. */
static void test_foreign(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } cases[] = {
        {LITERAL("PK\x03\x04"), "is a ZIP archive"},
        {LITERAL("%PDF-1.5\nx"), "is a PDF document"},
        {LITERAL("\xff\xfe\0\0"), "UTF-32LE"},
        {LITERAL("\0\0\xfe\xff\0\0\0a"), "UTF-32BE"},
        {LITERAL("a\0 \0t\0e\0x\0t\0 \0i\0n\0 \0U\0T\0F\0-\0001\0006\0,\0 \0l\0i\0t\0t\0l\0e\0 \0e\0n\0"
                 "d\0i\0a\0n\0\n\0"),
         "looks like UTF-16LE"},
        {LITERAL("\x1f\x8b\x08\0"), "the gzip data end too early"},
        {LITERAL("\x1f\x8b\x09\0\0\0\0\0\0\0"), "damaged gzip data"},
    };
    const char *text;
    size_t length;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dun_lines *lines = open_bytes(cases[i].bytes, cases[i].length, DUN_LINES_PLAIN);
        expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, PATH ": ", cases[i].part);
        dun_lines_close(lines);
    }
    unlink(PATH);
    dun_lines *lines;
    expect_ok(dun_lines_of(&lines, LITERAL("\x1f\x8b\x08\0"), "body", &(dun_lines_options){0}));
    expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, "body: ", "packed by gzip");
    dun_lines_close(lines);
    assert_int_equal(dun_mem_live(), 0);
}

/* Once a line had a text, those without one are empty. */
static void test_mild(void **state) {
    (void)state;
    static const char bytes[] = "{\"k\":\"a\"}\nx\n{}\n[1]\n{\"k\":null}\n{\"k\":\"b\"}\n{\"k\":\"\xff\"";
    const char *const wanted[] = {"a", "", "", "", "", "b", ""};
    const dun_lines_options options = {.mode = DUN_LINES_JSONL, .key = "k", .mild = true};
    const char *text;
    size_t length;
    dun_lines *lines;
    expect_ok(dun_lines_of(&lines, LITERAL(bytes), "m", &options));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(dun_lines_next(&text, &length, lines), 1);
        assert_string_equal(text, wanted[i]);
    }
    assert_int_equal(dun_lines_next(&text, &length, lines), 0);
    assert_int_equal(dun_lines_textless(lines), 5);
    assert_int_equal(dun_lines_repaired(lines), 1);
    dun_lines_close(lines);
    expect_ok(dun_lines_of(&lines, LITERAL("x\n"), "m", &options));
    expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, "m:1:", "one JSON object");
    dun_lines_close(lines);
    assert_int_equal(dun_mem_live(), 0);
}

static void test_cap(void **state) {
    (void)state;
    const size_t most = DUN_LINES_BYTES;
    char *bytes = malloc(most + 4);
    const char *text;
    size_t length;
    assert_non_null(bytes);
    memset(bytes, 'x', most + 4);
    bytes[0] = bytes[most + 1] = '\n'; /* the second line is as long as can be */
    dun_lines *lines = open_bytes(bytes, most + 4, DUN_LINES_PLAIN);
    assert_int_equal(dun_lines_next(&text, &length, lines), 1);
    assert_int_equal(dun_lines_next(&text, &length, lines), 1);
    assert_int_equal(length, most);
    assert_int_equal(dun_lines_next(&text, &length, lines), 1);
    assert_string_equal(text, "xx");
    assert_int_equal(dun_lines_next(&text, &length, lines), 0);
    dun_lines_close(lines);
    bytes[most + 1] = 'x';
    lines = open_bytes(bytes, most + 4, DUN_LINES_PLAIN);
    assert_int_equal(dun_lines_next(&text, &length, lines), 1);
    expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT,
                 PATH ":2: ", "longer than 67108864 bytes");
    dun_lines_close(lines);
    free(bytes);
    unlink(PATH);
}

static void write_all(int fd, const char *bytes, size_t n) {
    assert_int_equal(write(fd, bytes, n), n);
}

/* A line can be answered before the next one exists: the writer of a pipe waits for nothing but this test. It
 * writes in parts: `early` is no line yet, `late` ends it. */
static void test_parts(void **state) {
    (void)state;
    static const struct {
        const char *early;
        size_t n_early;
        const char *late;
        size_t n_late;
        const char *text, *rest; /* the line; what the end of the writing gives, NULL: nothing */
    } cases[] = {
        {LITERAL("a"), LITERAL("b\n"), "ab", NULL},
        {LITERAL("a\r"), LITERAL("\n"), "a", NULL},
        {LITERAL("a\rb"), LITERAL("\n"), "a\rb", NULL},
        {LITERAL("\xef"), LITERAL("\xbb\xbf\n"), "", NULL},
        {LITERAL("\xff"),
         LITERAL("\xfe"
                 "a\0\n\0b\0"),
         "a", "b"},
        {LITERAL("\xfe\xff\0"), LITERAL("a\0\n\0"), "a", MARK},
        {LITERAL("\x1f"), LITERAL("\n\n"), "\x1f", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int ends[2];
        char path[40];
        const char *text;
        size_t length;
        dun_lines *lines;
        assert_int_equal(pipe(ends), 0);
        snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        expect_ok(dun_lines_open(&lines, path, &(dun_lines_options){.mode = DUN_LINES_PLAIN}));
        assert_int_equal(dun_lines_ready(lines), 0);
        write_all(ends[1], cases[i].early, cases[i].n_early);
        if (cases[i].n_early > 1 || cases[i].early[0] == 'a')
            assert_int_equal(dun_lines_ready(lines), 0);
        write_all(ends[1], cases[i].late, cases[i].n_late);
        assert_int_equal(dun_lines_ready(lines), 1);
        assert_int_equal(dun_lines_next(&text, &length, lines), 1);
        assert_string_equal(text, cases[i].text);
        close(ends[1]);
        assert_int_equal(dun_lines_next(&text, &length, lines), cases[i].rest ? 1 : 0);
        assert_string_equal(text, cases[i].rest ? cases[i].rest : "");
        dun_lines_close(lines);
        close(ends[0]);
    }
}

static void test_pipe(void **state) {
    (void)state;
    int ends[2], saved = dup(STDIN_FILENO);
    const char *text;
    size_t length;
    dun_lines *lines;
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    expect_ok(dun_lines_open(&lines, "-", &(dun_lines_options){.mode = DUN_LINES_PLAIN}));
    assert_string_equal(dun_lines_name(lines), "stdin");
    const char *const words[] = {"one", "two"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(write(ends[1], words[i], 3), 3);
        assert_int_equal(write(ends[1], "\n", 1), 1);
        assert_int_equal(dun_lines_next(&text, &length, lines), 1);
        assert_string_equal(text, words[i]);
    }
    close(ends[1]);
    assert_int_equal(dun_lines_next(&text, &length, lines), 0);
    dun_lines_close(lines);
    close(ends[0]);
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    close(saved);
}

static int read_some(void) {
    int rc;
    dun_lines *lines = NULL;
    const char *text;
    size_t length;
    TRY(dun_lines_open(&lines, PATH, &(dun_lines_options){.mode = DUN_LINES_JSONL}));
    do
        TRY(dun_lines_next(&text, &length, lines));
    while (rc == 1);
    assert_int_equal(dun_lines_number(lines), 2);
out:
    dun_lines_close(lines);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    static const char bytes[] = "{\"text\":\"a text of some length, longer than the first block\"}\n"
                                "{\"text\":\"\xff\"}\n";
    expect_ok(dun_file_write(PATH, bytes, strlen(bytes)));
    walk_failures(read_some);
    unlink(PATH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads), cmocka_unit_test(test_refuses),   cmocka_unit_test(test_cap),
        cmocka_unit_test(test_pipe),  cmocka_unit_test(test_parts),     cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_mild),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
