/* Pages: no text gets out of its element, whatever it holds, and what is too long is cut with a mark. */
#include "base/json.h"
#include "base/mem.h"
#include "device_check.h"
#include "report/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The string as a browser would read it back. */
static char *shown(const char *bytes, size_t length, size_t most) {
    dun_str json = {0};
    json_t *list = NULL;
    check_ok(dun_str_addf(&json, "["));
    check_ok(dun_page_add_string(&json, bytes, length, most));
    check_ok(dun_str_addf(&json, "]"));
    check_ok(dun_json_parse(&list, json.bytes, json.length, "page", 1));
    char *text = strdup(json_string_value(json_array_get(list, 0)));
    json_decref(list);
    dun_str_free(&json);
    return text;
}

static void test_strings(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *shown;
    } cases[] = {
        {"", ""},
        {"plain \"quoted\" \\ back", "plain \"quoted\" \\ back"},
        {"</script><!-- <b>&amp;", "</script><!-- <b>&amp;"},
        {"\xf0\x9f\x98\x80 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
         "\xf0\x9f\x98\x80 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
        {"a\tb\nc\x1b[31m\x7f", "a\xe2\x90\x89"
                                "b\xe2\x90\x8a"
                                "c\xe2\x90\x9b[31m\xe2\x90\xa1"},
        {"c1 \xc2\x9b"
         "31m",
         "c1 \xef\xbf\xbd"
         "31m"},
        {"bad \xff\xfe bytes", "bad \xef\xbf\xbd\xef\xbf\xbd bytes"},
        {"half \xe2\x82", "half \xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = shown(cases[i].bytes, strlen(cases[i].bytes), 1000);
        assert_string_equal(text, cases[i].shown);
        free(text);
    }
    char *nul = shown("a\0b", 3, 1000);
    assert_string_equal(nul, "a\xe2\x90\x80"
                             "b");
    free(nul);
}

/* Cut behind a whole character, wherever the limit falls. */
static void test_cut(void **state) {
    (void)state;
    static const char word[] = "\xe2\x82\xac\xf0\x9f\x98\x80z"; /* of 3, 4 and 1 bytes */
    static const size_t kept[] = {0, 0, 0, 3, 3, 3, 3, 7};
    for (size_t most = 0; most < 8; most++) {
        char wanted[64] = "", *text = shown(word, 8, most);
        memcpy(wanted, word, kept[most]);
        strcat(wanted, "\xe2\x80\xa6 (cut; 8 bytes)");
        assert_string_equal(text, wanted);
        free(text);
    }
    char *whole = shown(word, 8, 8), *large = calloc(100001, 1);
    assert_string_equal(whole, word);
    free(whole);
    memset(large, 'x', 100000);
    char *text = shown(large, 100000, DUN_PAGE_TEXT_BYTES);
    assert_int_equal(strlen(text), DUN_PAGE_TEXT_BYTES + strlen("\xe2\x80\xa6 (cut; 100000 bytes)"));
    free(text);
    free(large);
}

static void test_escaped(void **state) {
    (void)state;
    static const char json[] = "[\"</script>\",\"<!-- & -->\",\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"]";
    dun_str html = {0};
    check_ok(dun_page_add_escaped(&html, json, strlen(json)));
    assert_string_equal(html.bytes, "[\"\\u003c/script\\u003e\",\"\\u003c!-- \\u0026 --\\u003e\","
                                    "\"\\u2028\\u2029\xe2\x80\xaa\"]");
    json_t *before = json_loads(json, 0, NULL), *after = json_loads(html.bytes, 0, NULL);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    dun_str_free(&html);
}

static void test_numbers(void **state) {
    (void)state;
    static const float values[] = {1, -1, 2.5f, -1, 1e-7f, -1, 123456.0f};
    dun_str json = {0};
    check_ok(dun_page_add_numbers(&json, values, 4, 2, 4));
    assert_string_equal(json.bytes, "[1,2.5,1e-07,1.235e+05]");
    dun_str_clear(&json);
    check_ok(dun_page_add_numbers(&json, values, 0, 1, 4));
    assert_string_equal(json.bytes, "[]");
    dun_str_free(&json);
}

/* A page holds its own elements only: as many scripts as the template has, whatever the data say. */
static void test_page(void **state) {
    (void)state;
    dun_str json = {0}, html = {0};
    check_ok(dun_str_addf(&json, "{\"x\":"));
    check_ok(dun_page_add_string(&json, "</script><script>alert(1)</script>", 34, 1000));
    check_ok(dun_str_addf(&json, "}"));
    for (int kind = DUN_PAGE_REPORT; kind <= DUN_PAGE_DEVICES; kind++) {
        dun_str_clear(&html);
        check_ok(dun_page_add(&html, (enum dun_page_kind)kind, "a <b> & </title>", &json));
        size_t scripts = 0;
        for (const char *at = html.bytes; (at = strstr(at, "<script")); at++)
            scripts++;
        assert_int_equal(scripts, 2);
        assert_null(strstr(html.bytes, "alert(1)</script"));
        assert_non_null(strstr(html.bytes, "<title>a &#60;b> &#38; &#60;/title></title>"));
        assert_null(strstr(html.bytes, "https:"));
        assert_null(strstr(html.bytes, "src="));
    }
    dun_str_free(&json);
    dun_str_free(&html);
}

static int live(void **state) {
    (void)state;
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_strings, live), cmocka_unit_test_teardown(test_cut, live),
        cmocka_unit_test_teardown(test_escaped, live), cmocka_unit_test_teardown(test_numbers, live),
        cmocka_unit_test_teardown(test_page, live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
