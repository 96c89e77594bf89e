/* The one reader of records: the dialect that it finds in a text and the records it cuts; what is refused,
 * and what becomes of it where every record is to be answered. */
#include "data_expect.h"
#include "io/data/records.h"

#include <stdlib.h>

/* A copy of exactly the bytes, so that reading past them is noticed; for `free`. */
static int open_text(dun_text_file *text, char **copy, const char *name, const char *bytes, size_t length,
                     bool mild) {
    *copy = malloc(length ? length : 1);
    assert_non_null(*copy);
    memcpy(*copy, bytes, length);
    return mild ? dun_text_file_of_any(text, *copy, length, name)
                : dun_text_file_of(text, *copy, length, name);
}

/* "tsv\t" and so on: the form, the delimiter, q where quotes mean something, r where CR ends lines, and how
 * many columns there are. */
static void show_dialect(dun_str *out, const dun_dialect *d) {
    expect_ok(dun_str_addf(out, "%s ", dun_format_name(d->format)));
    if (d->delimiter)
        expect_ok(dun_str_addf(out, "%s ", d->delimiter == '\t' ? "tab" : (char[]){d->delimiter, '\0'}));
    expect_ok(
        dun_str_addf(out, "%s%s%zu", d->quotes ? "q" : "", d->line_end == '\r' ? "r" : "", d->n_columns));
}

/* " 3<a|b>": the line and the cells; of several lines " 3-4<...>". What is no text has a sign in front: # a
 * number, ? true or false, ~ null, - absent, ! a list or an object. */
static void show_record(dun_str *out, const dun_record *record) {
    static const char *const signs[] = {
        [DUN_CELL_ABSENT] = "-", [DUN_CELL_NULL] = "~", [DUN_CELL_TEXT] = "",   [DUN_CELL_NUMBER] = "#",
        [DUN_CELL_BOOL] = "?",   [DUN_CELL_LIST] = "!", [DUN_CELL_OBJECT] = "!"};
    expect_ok(dun_str_addf(out, " %zu", record->line));
    if (record->last_line > record->line)
        expect_ok(dun_str_addf(out, "-%zu", record->last_line));
    for (size_t i = 0; i < record->n; i++) {
        const dun_cell *cell = &record->cells[i];
        expect_ok(
            dun_str_addf(out, "%s%s%.*s", i ? "|" : "<", signs[cell->kind], (int)cell->length, cell->bytes));
    }
    expect_ok(dun_str_addf(out, "%s", record->n ? ">" : "<>"));
}

/* All of a text, or its error. Records lie one after another in it. */
static int show_all(dun_str *out, const char *name, const char *bytes, size_t length, bool mild,
                    bool header) {
    int rc;
    char *copy;
    dun_text_file text = {0};
    dun_dialect dialect;
    dun_record record;
    dun_records *records = NULL;
    size_t end = 0, line = 0;
    TRY(open_text(&text, &copy, name, bytes, length, mild));
    TRY(dun_dialect_find(&dialect, &text, NULL));
    show_dialect(out, &dialect);
    TRY(dun_records_open(&records, &text, &dialect));
    if (header)
        TRY(dun_records_read_header(records));
    for (size_t i = 0; header && dun_records_title(records, i); i++)
        TRY(dun_str_addf(out, " [%s]", dun_records_title(records, i)));
    for (;;) {
        TRY(dun_records_next(&record, records));
        if (rc == 0)
            break;
        assert_true(record.at >= end && record.end > record.at && record.end <= text.length);
        assert_true(record.line > line || dialect.format == DUN_JSON);
        assert_true(record.last_line >= record.line);
        end = record.end;
        line = record.line;
        show_record(out, &record);
    }
    if (dun_records_blank(records))
        TRY(dun_str_addf(out, " blank %zu", dun_records_blank(records)));
    if (dun_records_mended(records))
        TRY(dun_str_addf(out, " mended %zu", dun_records_mended(records)));
    if (text.n_repaired)
        TRY(dun_str_addf(out, " repaired %zu", text.n_repaired));
out:
    dun_records_close(records);
    dun_text_file_close(&text);
    free(copy);
    return rc;
}

#define MARK "\xef\xbf\xbd"

/* What is read, the same in a text whose records are all to be answered. */
static const struct {
    const char *name, *bytes;
    size_t length;
    const char *expected;
    bool header;
} good[] = {
    /* delimiters: the ending's where it fits, tabs before commas before semicolons before bars */
    {"d.tsv", LITERAL("a\tx\nb\ty\n"), "tsv tab 2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("a,x\nb,y"), "csv , q2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("a;x\nb;y\n"), "csv ; q2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("a|x\nb|y\n"), "csv | q2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("a\tx\nb\ty\n"), "tsv tab 2 1<a|x> 2<b|y>", false},
    {"d.tsv", LITERAL("a,x\nb,y\n"), "csv , q2 1<a|x> 2<b|y>", false},
    {"d", LITERAL("a, b\tx\nc, d\ty\n"), "tsv tab 2 1<a, b|x> 2<c, d|y>", false},
    {"d", LITERAL("1,5;x\n2,5;y\n3;z\n"), "csv ; q2 1<1,5|x> 2<2,5|y> 3<3|z>", false},
    {"d.csv", LITERAL("sep=;\na,b;x\nc;y\n"), "csv ; q2 2<a,b|x> 3<c|y>", false},
    {"d.csv", LITERAL("\"sep=|\"\r\na|x\r\n"), "csv | q2 2<a|x>", false},
    {"d.csv", LITERAL("one text\nanother\n"), "csv q1 1<one text> 2<another>", false},
    {"d.txt", LITERAL("one text\n\nanother\n"), "lines q1 1<one text> 3<another> blank 1", false},
    /* quotes */
    {"d.csv", LITERAL("\"a, \"\"b\"\"\nc\",x\nd,\"y\"\n"), "csv , q2 1-2<a, \"b\"\nc|x> 3<d|y>", false},
    {"d.csv", LITERAL("24\" wide,x\nb \"c\" d,y\n"), "csv , q2 1<24\" wide|x> 2<b \"c\" d|y>", false},
    {"d.csv", LITERAL("a, \"b, c\" ,x\nd,e,y\n"), "csv , q3 1<a|b, c|x> 2<d|e|y>", false},
    {"d.csv", LITERAL("\"\",x\n\"\"\"\",y\n"), "csv , q2 1<|x> 2<\"|y>", false},
    {"d.tsv", LITERAL("\"a\" b\tx\n\"c\td\ny\te\n"), "tsv tab 2 1<\"a\" b|x> 2<\"c|d> 3<y|e>", false},
    {"d.tsv", LITERAL("\"a \"\"b\"\"\"\tx\n\"c\td\"\ty\n"), "tsv tab q2 1<a \"b\"|x> 2<c\td|y>", false},
    {"d.tsv", LITERAL("\"a\"\tx\nb\ty\n"), "tsv tab 2 1<\"a\"|x> 2<b|y>", false},
    /* line ends, marks, blank lines */
    {"d.csv", LITERAL("a,x\r\nb,y\r\n"), "csv , q2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("a,x\rb,y\r"), "csv , qr2 1<a|x> 2<b|y>", false},
    {"d.csv", LITERAL("\"a\nb\",x\rc,y\r"), "csv , qr2 1<a\nb|x> 2<c|y>", false},
    {"d.csv", LITERAL("\"a\rb\",x\nc,y\n"), "csv , q2 1<a\rb|x> 2<c|y>", false},
    {"d.csv", LITERAL("\xef\xbb\xbf\"a\",x\nb,y\n"), "csv , q2 1<a|x> 2<b|y>", false},
    {"d.csv",
     LITERAL("\xff\xfe"
             "a\0,\0x\0\n\0"),
     "csv , q2 1<a|x>", false},
    {"d.tsv", LITERAL("\xfe\xff\0a\0\t\xd8\x3d\xde\0\0\r\0\n"), "tsv tab 2 1<a|\xf0\x9f\x98\x80>", false},
    {"d.csv", LITERAL("\n\r\n  \na,x\n\nb,y\n\n"), "csv , q2 4<a|x> 6<b|y> blank 5", false},
    {"d.tsv", LITERAL("a\tx\n\t\nb\ty\n"), "tsv tab 2 1<a|x> 2<|> 3<b|y>", false},
    {"d.csv", LITERAL(""), "csv q0", false},
    {"d.csv", LITERAL("\n\n"), "csv q0 blank 2", false},
    /* rows of another length are handed out: who reads decides */
    {"d.tsv", LITERAL("a\tx\nb\nc\ty\tz\nd\tw\n"), "tsv tab 2 1<a|x> 2<b> 3<c|y|z> 4<d|w>", false},
    /* headers */
    {"d.csv", LITERAL("id,\"the \"\"text\"\"\",\n1,a,\n"), "csv , q3 [id] [the \"text\"] [] 2<1|a|>", true},
    {"d.csv", LITERAL("text , label\n1,a,x\n2,b,\n"), "csv , q3 [] [text] [label] 2<1|a|x> 3<2|b|>", true},
    {"d.csv", LITERAL("text,label\na,x,\nb,y, \n"), "csv , q3 [text] [label] 2<a|x|> 3<b|y| >", true},
    {"d.csv", LITERAL("text\n"), "csv q1 [text]", true},
    /* JSON: a line, an array, objects over lines; values as people write them */
    {"d.jsonl", LITERAL("{\"t\":\"a\",\"l\":\"x\"}\n{\"l\":\"y\",\"t\":\"b\"}\n"), "jsonl 0 1<a|x> 2<b|y>",
     false},
    {"d.jsonl", LITERAL("{\"a\":1,\"b\":1.0,\"c\":0.10,\"d\":1e2,\"e\":true,\"f\":null}"),
     "jsonl 0 1<#1|#1|#0.1|#100|?true|~>", false},
    {"d.jsonl", LITERAL("{\"a\":[\"x\"],\"b\":[1,2],\"c\":{\"d\":1},\"e\":[],\"f\":[[1]]}"),
     "jsonl 0 1<x|![1,2]|!{\"d\":1}|![]|![[1]]>", false},
    {"d.jsonl",
     LITERAL("{\"id\":1234567890123456789,\"t\":\"a\"}\n{\"id\":99999999999999999999,\"t\":\"b\"}"),
     "jsonl 0 1<#1234567890123456789|a> 2<#1e+20|b>", false},
    {"d.jsonl", LITERAL("{\"a\":1}\n\n{\"b\":2}\n{\"a\":3}\n"), "jsonl 0 1<#1> 3<-|#2> 4<#3|-> blank 1",
     false},
    {"d.jsonl", LITERAL("{\"t\":\"24\\\" [\"}\n{\"t\":\"}\"}\n"), "jsonl 0 1<24\" [> 2<}>", false},
    {"d.csv", LITERAL("{\"t\":\"a\"}\n{\"t\":\"b\"}\n"), "jsonl 0 1<a> 2<b>", false},
    {"d.json", LITERAL("[{\"t\":\"a\"},\n {\"t\":\"b\"}]\n"), "json 0 1<a> 2<b>", false},
    {"d.json", LITERAL("[]"), "json 0", false},
    {"d.json", LITERAL("{\"t\":\n\"a\"}\n{\"t\":\n\"b\"}"), "json 0 1-2<a> 3-4<b>", false},
    {"d.jsonl", LITERAL("[{\"t\":\"a\"}, {\"t\":\"b\"}]"), "json 0 1<a> 1<b>", false},
    /* fastText */
    {"d.ft", LITERAL("__label__x a b\n__label__y\tc\n"), "fasttext 2 1<a b|x> 2<c|y>", false},
    {"d.txt", LITERAL("__label__x __label__y a\n__label__z b\n"), "fasttext 2 1<a|!x __label__y> 2<b|z>",
     false},
    {"d.ft", LITERAL("no label\n__label__x \n"), "fasttext 2 1<no label|-> 2<|x>", false},
    {"d.csv", LITERAL("__label__x,y\n__label__z,w\n"), "fasttext 2 1<|x,y> 2<|z,w>", false},
};

static void test_reads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (int mild = 0; mild < 2; mild++) {
            dun_str found = {0};
            expect_ok(show_all(&found, good[i].name, good[i].bytes, good[i].length, mild, good[i].header));
            if (strcmp(found.bytes, good[i].expected) != 0)
                fail_msg("%s of\n%s\nis       %s\nexpected %s", good[i].name, good[i].bytes, found.bytes,
                         good[i].expected);
            dun_str_free(&found);
        }
    assert_int_equal(dun_mem_live(), 0);
}

/* What is refused, where and why; and what is made of it when every record is to be answered, NULL: it is
 * refused then as well. */
static const struct {
    const char *name, *bytes;
    size_t length;
    const char *start, *part, *mild;
} bad[] = {
    {"d.csv", LITERAL("a,x\n\"b,y\nc,z\n"), "d.csv:2: ", "never closed",
     "csv , q2 1<a|x> 2<\"b|y> 3<c|z> mended 1"},
    {"d.csv", LITERAL("a,x\n\"b\" c,y\nd,z\n"), "d.csv:2: ", "text after a closing quote; a comma",
     "csv , q2 1<a|x> 2<\"b\" c|y> 3<d|z> mended 1"},
    {"d.csv", LITERAL("a,x\n\"b \\\"c\\\"\",y\nd,z\n"), "d.csv:2: ", "CSV knows no backslashes",
     "csv , q2 1<a|x> 2<\"b \\\"c\\\"\"|y> 3<d|z> mended 1"},
    {"d.csv", LITERAL("\"a,x\nb,y\n"), "d.csv:1: ", "never closed", "csv , q2 1<\"a|x> 2<b|y> mended 1"},
    {"d.csv", LITERAL("a,x\nb\xff,y\n\xc3\xa4,\xe4\n"), "d.csv:2: ", "0xff at byte 5 is not UTF-8",
     "csv , q2 1<a|x> 2<b" MARK "|y> 3<\xc3\xa4|" MARK "> repaired 2"},
    {"d.csv", LITERAL("a,x\n\0b,y\n"), "d.csv:2: ", "NUL at byte 4",
     "csv , q2 1<a|x> 2<" MARK "b|y> repaired 1"},
    {"d.csv",
     LITERAL("\xff\xfe"
             "a\0,\0\x3d\xd8\n\0"),
     "d.csv: ", "half a character of UTF-16 at byte 6", "csv , q2 1<a|" MARK "> repaired 1"},
    {"d.csv",
     LITERAL("\xff\xfe"
             "a\0,\0x"),
     "d.csv: ", "half a character of UTF-16 at byte 6", "csv , q2 1<a|" MARK "> repaired 1"},
    {"d.jsonl", LITERAL("{\"t\":\"a\"}\n{\"t\":\n{\"t\":\"b\"}\n"), "d.jsonl:2", "needed",
     "jsonl 0 1<a> 2<-> 3<b>"},
    {"d.jsonl", LITERAL("{\"t\":\"a\"}\n[1]\n{\"t\":\"b\"}\n"), "d.jsonl:2: ", "an array",
     "jsonl 0 1<a> 2<-> 3<b>"},
    {"d.jsonl", LITERAL("{\"t\":\"a\"}\n{\"t\":\"b\",\"t\":\"c\"}\n"), "d.jsonl:2", "", "jsonl 0 1<a> 2<->"},
    {"d.json", LITERAL("[{\"t\":\"a\"},{\"t\":},{\"t\":\"b\"}]"), "d.json:1", "", "json 0 1<a> 1<-> 1<b>"},
    {"d.json", LITERAL("[{\"t\":\"a\"},}{\"t\":\"b\"}]"), "d.json:1", "", "json 0 1<a> 1<-> 1<b>"},
    {"d.json", LITERAL("[{\"t\":\"a\"},\n"), "d.json:2: ", "never closed; is the file cut short?", NULL},
    {"d.json", LITERAL("[{\"t\":\"a\"}]\nx"), "d.json:2: ", "something follows the array", NULL},
    {"d.csv", LITERAL("\xff\xfe\0\0a\0\0\0"), "d.csv: ", "is UTF-32", NULL},
    {"d.csv", LITERAL("t\0e\0x\0t\0,\0l\0\n\0"), "d.csv: ", "looks like UTF-16LE", NULL},
    {"d.csv", LITERAL("\0t\0e\0x\0t\0,\0l\0\n"), "d.csv: ", "looks like UTF-16BE", NULL},
    {"d.csv", LITERAL("%PDF-1.7\n"), "d.csv: ", "is a PDF document", NULL},
    {"d.csv", LITERAL(" \n<!DOCTYPE HTML>"), "d.csv: ", "is an HTML page", NULL},
    {"d.csv", LITERAL("<?xml version=\"1.0\"?>"), "d.csv: ", "is XML", NULL},
    {"d.xlsx", LITERAL("PK\x03\x04[Content_Types].xml"), "d.xlsx: ", "is an Excel workbook", NULL},
};

static void test_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dun_str found = {0}, mild = {0};
        int rc = show_all(&found, bad[i].name, bad[i].bytes, bad[i].length, false, false);
        expect_error(rc, DUN_BAD_INPUT, bad[i].start, bad[i].part);
        rc = show_all(&mild, bad[i].name, bad[i].bytes, bad[i].length, true, false);
        if (bad[i].mild) {
            expect_ok(rc);
            assert_string_equal(mild.bytes, bad[i].mild);
        } else {
            expect_error(rc, DUN_BAD_INPUT, bad[i].start, bad[i].part);
        }
        dun_str_free(&mild);
        dun_str_free(&found);
    }
    assert_int_equal(dun_mem_live(), 0);
}

/* Appends `n` times the part. */
static void repeat(dun_str *out, const char *part, size_t n) {
    for (size_t i = 0; i < n; i++)
        expect_ok(dun_str_add(out, part, strlen(part)));
}

/* A delimiter is taken when 95 of 100 rows have as many columns; below, the file is what most of it is. */
static void test_agreement(void **state) {
    (void)state;
    static const struct {
        const char *first, *row, *other;
        size_t n_rows, n_other;
        const char *dialect;
    } cases[] = {
        {"a;x\n", "a;x\n", "a;b;x\n", 94, 5, "csv ; q2"},
        {"a;x,\n", "a;x\n", "a;b;x,y,\n", 90, 9, "csv ; q2"},
        {"a,b;x\n", "c;y\n", "d,e;z\n", 60, 40, "csv ; q2"},
        {"one, two\n", "text\n", "a, b\n", 70, 30, "lines q1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_str bytes = {0}, found = {0};
        dun_text_file text;
        dun_dialect dialect;
        repeat(&bytes, cases[i].first, 1);
        repeat(&bytes, cases[i].row, cases[i].n_rows);
        repeat(&bytes, cases[i].other, cases[i].n_other);
        expect_ok(dun_text_file_of(&text, bytes.bytes, bytes.length, "d"));
        expect_ok(dun_dialect_find(&dialect, &text, "auto"));
        show_dialect(&found, &dialect);
        if (strcmp(found.bytes, cases[i].dialect) != 0)
            fail_msg("%zu: %s, expected %s", i, found.bytes, cases[i].dialect);
        dun_text_file_close(&text);
        dun_str_free(&found);
        dun_str_free(&bytes);
    }
}

/* More columns than can be: refused, or the first of them. */
static void test_many_columns(void **state) {
    (void)state;
    dun_str bytes = {0}, mild = {0}, strict = {0};
    repeat(&bytes, "a,x\n", 200);
    repeat(&bytes, ",", DUN_RECORD_COLUMNS);
    repeat(&bytes, "z\nb,y\n", 1);
    expect_error(show_all(&strict, "d.csv", bytes.bytes, bytes.length, false, false), DUN_BAD_INPUT,
                 "d.csv:201: ", "more than 4096 columns");
    expect_ok(show_all(&mild, "d.csv", bytes.bytes, bytes.length, true, false));
    assert_non_null(strstr(mild.bytes, " 201<|"));
    assert_string_equal(mild.bytes + mild.length - 9, " 202<b|y>");
    assert_null(strchr(mild.bytes, 'z'));
    dun_str_free(&strict);
    dun_str_free(&mild);
    dun_str_free(&bytes);
}

static const char *walked; /* the text that read_walked reads, of JSON where it begins with a bracket */

static int read_walked(void) {
    int rc;
    dun_text_file text = {0};
    dun_dialect dialect;
    dun_record record;
    dun_records *records = NULL;
    TRY(dun_text_file_of_any(&text, walked, strlen(walked), *walked == '[' ? "d.json" : "d.csv"));
    TRY(dun_dialect_find(&dialect, &text, NULL));
    TRY(dun_records_open(&records, &text, &dialect));
    TRY(dun_records_read_header(records));
    do
        TRY(dun_records_next(&record, records));
    while (rc == 1);
out:
    dun_records_close(records);
    dun_text_file_close(&text);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    static const char *const texts[] = {"id,text\n1,\"a \"\"b\"\"\"\n2,\xff\n3,\"c\n",
                                        "[{\"t\":\"a\",\"n\":[1,2]},{\"t\":},{\"t\":1.5}]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        walked = texts[i];
        walk_failures(read_walked);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),     cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_agreement), cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
