/* Texts one by one: lines and JSON lines, what is repaired, and what is refused. */
#include "data_expect.h"
#include "io/lines.h"

#include <stdlib.h>
#include <unistd.h>

#define PATH BINARY_DIR "/test_lines.txt"
#define MARK "\xef\xbf\xbd"

static dun_lines *open_bytes(const char *bytes, size_t length, enum dun_lines_mode mode) {
    dun_lines *lines;
    expect_ok(dun_file_write(PATH, bytes, length));
    expect_ok(dun_lines_open(&lines, PATH, mode));
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
    {DUN_LINES_JSONL, LITERAL(""), "", 0},
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
        {"\n{\"text\":\"a\"}", PATH ":2: ", "the line is blank"},
        {" \t\n\nx", PATH ":2: ", "the line is blank"},
        {"{}", PATH ":2: ", "no key \"text\""},
        {"[\"text\"]", PATH ":2: ", "no key \"text\""},
        {"{\"text\":1}", PATH ":2: ", "\"text\" is not a string"},
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
    expect_error(dun_lines_open(&lines, "absent", DUN_LINES_PLAIN), DUN_BAD_INPUT,
                 "absent: ", "No such file");
    assert_null(lines);
    expect_ok(dun_lines_open(&lines, BINARY_DIR, DUN_LINES_PLAIN));
    expect_error(dun_lines_next(&text, &length, lines), DUN_BAD_INPUT, BINARY_DIR ": ", "Is a directory");
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

/* A line can be answered before the next one exists: the writer of a pipe waits for nothing but this test. */
static void test_pipe(void **state) {
    (void)state;
    int ends[2], saved = dup(STDIN_FILENO);
    const char *text;
    size_t length;
    dun_lines *lines;
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    expect_ok(dun_lines_open(&lines, "-", DUN_LINES_PLAIN));
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
    TRY(dun_lines_open(&lines, PATH, DUN_LINES_JSONL));
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
        cmocka_unit_test(test_pipe),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
