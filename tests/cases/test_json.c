/* JSON: what is refused where, what comes out, and every allocation failing. */
#include "base/json.h"
#include "data_expect.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    const char *bytes;
    size_t length;
    const char *start, *part;
} bad[] = {
    {LITERAL(""), "d.json:7:", "end of file"},
    {LITERAL(" \n "), "d.json:8:", "end of file"},
    {LITERAL("5"), "d.json:7:1: ", "'[' or '{' expected"},
    {LITERAL("\"text\""), "d.json:7:", "'[' or '{' expected"},
    {LITERAL("[1, 2"), "d.json:7:", "']' expected"},
    {LITERAL("[1 2]"), "d.json:7:4: ", "expected near '2'"},
    {LITERAL("[01]"), "d.json:7:", "invalid token"},
    {LITERAL("[+1]"), "d.json:7:", "invalid token"},
    {LITERAL("[.5]"), "d.json:7:", "invalid token"},
    {LITERAL("[nan]"), "d.json:7:", "invalid token"},
    {LITERAL("{\"a\": \"NaN\", \"b\": NaN}"), "d.json:7:19: ", "NaN is no JSON; a number or null is needed"},
    {LITERAL("[1,\n-Infinity]"), "d.json:8:2: ", "Infinity is no JSON"},
    {LITERAL("{'a': 1}"), "d.json:7:", "expected"},
    {LITERAL("{\"a\": 1,}"), "d.json:7:", "expected"},
    {LITERAL("[1] x"), "d.json:7:5: ", "end of file expected"},
    {LITERAL("{}\n{}"), "d.json:8:1: ", "end of file expected"},
    {LITERAL("[1]\0"), "d.json:7:", "end of file expected"},
    {LITERAL("\0[1]"), "d.json:7:", "expected"},
    {LITERAL("{\"a\": 1,\n \"a\": 2}"), "d.json:8:", "duplicate object key"},
    {LITERAL("[1e999]"), "d.json:7:", "real number overflow"},
    {LITERAL("[-1e999]"), "d.json:7:", "real number overflow"},
    {LITERAL("[9007199254740993]"), "d.json:7:17: ", "beyond 2^53"},
    {LITERAL("[-9007199254740993]"), "d.json:7:18: ", "beyond 2^53"},
    {LITERAL("[\n1,\n 99999999999999999999999999999999]"), "d.json:9:33: ", "beyond 2^53"},
    {LITERAL("[\"\xc3\xa4\xc3\xa4\", 9007199254740993]"), "d.json:7:23: ", "beyond 2^53"},
    {LITERAL("[\"\\ud800\"]"), "d.json:7:", "invalid Unicode '\\uD800'"},
    {LITERAL("[\"\\ud800\\u0041\"]"), "d.json:7:", "invalid Unicode"},
    {LITERAL("[\"\\udc00\"]"), "d.json:7:", "invalid Unicode '\\uDC00'"},
    {LITERAL("[\"\\u0000\"]"), "d.json:7:", "\\u0000 in a string is refused"},
    {LITERAL("{\"a\\u0000\": 1}"), "d.json:7:", "\\u0000 in a string is refused"},
    {LITERAL("[\"\\x41\"]"), "d.json:7:", "invalid escape"},
    {LITERAL("[\"a\nb\"]"), "d.json:", "unexpected newline"},
    {LITERAL("[\"a\tb\"]"), "d.json:7:", "control character 0x9"},
    {LITERAL("[\"\\\xc3\xa4\"]"), "d.json:7:", "invalid escape near '\"\\\xef\xbf\xbd'"},
    {LITERAL("[\"open]"), "d.json:7:", "premature end of input"},
    {LITERAL("[\"open\\"), "d.json:7:", "invalid escape"},
    {LITERAL("[1]\n\"\xff\""), "d.json:8:2: ", "byte 0xff (at byte 5) is not UTF-8"},
    {LITERAL("[\"\xed\xa0\x80\"]"), "d.json:7:3: ", "byte 0xed"},
    {LITERAL("[\"\xc0\x80\"]"), "d.json:7:3: ", "byte 0xc0"},
    {LITERAL("[\"\xe2\x82"), "d.json:7:3: ", "byte 0xe2"},
    {LITERAL("[\x1b[31m\x7f]"), "d.json:7:", "invalid token near '?'"},
};

static void test_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json = NULL;
        /* A copy on the heap, so that reading over the end is noticed. */
        char *bytes = malloc(bad[i].length + 1);
        assert_non_null(bytes);
        memcpy(bytes, bad[i].bytes, bad[i].length);
        bytes = realloc(bytes, bad[i].length ? bad[i].length : 1);
        int rc = dun_json_parse(&json, bytes, bad[i].length, "d.json", 7);
        free(bytes);
        assert_null(json);
        expect_error(rc, DUN_BAD_INPUT, bad[i].start, bad[i].part);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void make_nested(dun_str *text, size_t depth) {
    dun_str_clear(text);
    for (size_t i = 0; i < depth; i++)
        expect_ok(dun_str_addf(text, i % 2 ? "[" : "{\"a[\\\"[\":"));
    expect_ok(dun_str_addf(text, "1"));
    for (size_t i = depth; i-- > 0;)
        expect_ok(dun_str_addf(text, i % 2 ? "]" : "}"));
}

static void test_depth(void **state) {
    (void)state;
    dun_str text = {0};
    json_t *json;
    make_nested(&text, DUN_JSON_DEPTH);
    expect_ok(dun_json_parse(&json, text.bytes, text.length, "d.json", 1));
    json_decref(json);
    make_nested(&text, DUN_JSON_DEPTH + 1);
    expect_error(dun_json_parse(&json, text.bytes, text.length, "d.json", 1), DUN_BAD_INPUT,
                 "d.json:1:", "deeper than 64");
    dun_str_clear(&text);
    for (size_t i = 0; i < 100000; i++)
        expect_ok(dun_str_add(&text, "[", 1));
    expect_error(dun_json_parse(&json, text.bytes, text.length, "d.json", 1), DUN_BAD_INPUT,
                 "d.json:1:65: ", "deeper than 64");
    /* Siblings are not depth. */
    dun_str_clear(&text);
    expect_ok(dun_str_addf(&text, "["));
    for (size_t i = 0; i < 1000; i++)
        expect_ok(dun_str_addf(&text, "[],"));
    expect_ok(dun_str_addf(&text, "[]]"));
    expect_ok(dun_json_parse(&json, text.bytes, text.length, "d.json", 1));
    assert_int_equal(json_array_size(json), 1001);
    json_decref(json);
    dun_str_free(&text);
}

/* Parsed and dumped again. */
static const struct {
    const char *in, *out;
} round_trips[] = {
    {"{}", "{}"},
    {" [ ] \r\n", "[]"},
    {"[9007199254740992, -9007199254740992, -0]", "[9007199254740992,-9007199254740992,0]"},
    {"[99999999999999999999.0, 9007199254740993e0]", "[1e20,9.00719925e15]"},
    {"{\"z\": true, \"a\": null, \"m\": false}", "{\"z\":true,\"a\":null,\"m\":false}"},
    {"[0.1, 1e-999, 16777217.0, 1.5]", "[0.1,0.0,16777217.0,1.5]"},
    {"[\"\\ud83e\\udd86\\u00e9\\n\\/\\\"\", \"[[1e999\"]",
     "[\"\xf0\x9f\xa6\x86\xc3\xa9\\n/\\\"\",\"[[1e999\"]"},
    {"[\"99999999999999999999\"]", "[\"99999999999999999999\"]"},
};

/* Of others: integers beyond 2^53 too. */
static void test_foreign(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"[1234567890123456789, -9223372036854775808]", "[1234567890123456789,-9223372036854775808]"},
        {"{\"id\":99999999999999999999,\"n\":2}", "{\"id\":1e20,\"n\":2.0}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *json;
        dun_str text = {0};
        expect_ok(dun_json_parse_foreign(&json, cases[i].in, strlen(cases[i].in), "d.json", 1));
        expect_ok(dun_json_dump(&text, json));
        assert_string_equal(text.bytes, cases[i].out);
        dun_str_free(&text);
        json_decref(json);
        expect_error(dun_json_parse_foreign(&json, LITERAL("[1,\n1e999]"), "d.json", 7), DUN_BAD_INPUT,
                     "d.json:8:", "real number overflow");
        assert_null(json);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_round_trips(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof round_trips / sizeof round_trips[0]; i++) {
        json_t *json;
        dun_str text = {0};
        expect_ok(dun_json_parse(&json, round_trips[i].in, strlen(round_trips[i].in), "d.json", 1));
        expect_ok(dun_str_addf(&text, "before "));
        expect_ok(dun_json_dump(&text, json));
        assert_int_equal(strncmp(text.bytes, "before ", 7), 0);
        assert_string_equal(text.bytes + 7, round_trips[i].out);
        dun_str_free(&text);
        json_decref(json);
    }
    assert_int_equal(dun_mem_live(), 0);
}

static void test_floats_survive(void **state) {
    (void)state;
    const float values[] = {0.1f, 1.0f / 3, 16777216.0f, 3.4028235e38f, 1.17549435e-38f, 2.7182817f};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        dun_str text = {0};
        json_t *json = dun_json_real((double)values[i]);
        expect_ok(dun_json_dump(&text, json));
        assert_true((float)strtod(text.bytes, NULL) == values[i]);
        dun_str_free(&text);
        json_decref(json);
    }
    const double none[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < 3; i++) {
        json_t *json = dun_json_real(none[i]);
        assert_true(json_is_null(json));
        json_decref(json);
    }
}

static void test_building(void **state) {
    (void)state;
    dun_str text = {0};
    json_t *object = json_object(), *array = json_array();
    expect_ok(dun_json_set(object, "b", json_integer(1)));
    expect_ok(dun_json_set(object, "a", json_incref(array)));
    expect_ok(dun_json_append(array, json_string("x")));
    expect_error(dun_json_append(array, json_string("\xff")), DUN_FAILED, "a value for the JSON array",
                 "UTF-8");
    expect_error(dun_json_set(object, "k", NULL), DUN_FAILED, "a value for the JSON key k", "no memory");
    expect_ok(dun_json_dump(&text, object));
    assert_string_equal(text.bytes, "{\"b\":1,\"a\":[\"x\"]}");
    dun_str_clear(&text);
    expect_ok(dun_json_set(object, "b", json_real(1.0000000001)));
    expect_ok(dun_json_dump_ordered(&text, object));
    assert_string_equal(text.bytes, "{\"a\":[\"x\"],\"b\":1.0000000001}");
    dun_str_clear(&text);
    expect_ok(dun_json_set(object, "b", json_integer(1)));
    expect_ok(dun_json_dump(&text, object));
    expect_error(dun_json_dump(&text, NULL), DUN_FAILED, "a value is missing", "JSON");
    assert_string_equal(text.bytes, "{\"b\":1,\"a\":[\"x\"]}");
    /* A value that contains itself. */
    expect_ok(dun_json_append(array, json_incref(object)));
    expect_error(dun_json_dump(&text, object), DUN_FAILED, "a value is missing", "contains itself");
    assert_string_equal(text.bytes, "{\"b\":1,\"a\":[\"x\"]}");
    json_array_clear(array);
    json_decref(array);
    json_decref(object);
    dun_str_free(&text);
    assert_int_equal(dun_mem_live(), 0);
}

static int parse_and_dump(void) {
    static const char bytes[] =
        "{\"a long key that is more than a few bytes\": [1, 2.5, \"text of some length\"],"
        "\"b\": {\"c\": [[], {}, null]}, \"d\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}";
    int rc;
    json_t *json = NULL;
    dun_str text = {0};
    TRY(dun_json_parse(&json, bytes, strlen(bytes), "d.json", 1));
    assert_int_equal(json_array_size(json_object_get(json, "d")), 10);
    TRY(dun_json_dump(&text, json));
    assert_int_equal(text.length,
                     strlen("{\"a long key that is more than a few bytes\":[1,2.5,\"text of some "
                            "length\"],\"b\":{\"c\":[[],{},null]},\"d\":[1,2,3,4,5,6,7,8,9,10]}"));
out:
    assert_true(rc == 0 || !text.length);
    dun_str_free(&text);
    json_decref(json);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    walk_failures(parse_and_dump);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_foreign),        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_floats_survive), cmocka_unit_test(test_building),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
