/* UTF-8: what is valid, how the rest is repaired, how bytes are shown in messages. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void test_repair(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t valid; /* bytes at the front */
        const char *repaired;
    } cases[] = {
        {"", 0, ""},
        {"plain text of more than eight bytes", 35, "plain text of more than eight bytes"},
        {"é日🦆\xef\xbf\xbf\xf4\x8f\xbf\xbf", 16, "é日🦆\xef\xbf\xbf\xf4\x8f\xbf\xbf"},
        {"\xff", 0, BAD},
        {"abcdefgh\x80z", 8, "abcdefgh" BAD "z"},
        {"abcdefghi\x80", 9, "abcdefghi" BAD},
        {"\xc0\xaf", 0, BAD BAD}, /* overlong */
        {"\xc1\xbf\xc2\x80", 0, BAD BAD "\xc2\x80"},
        {"\xe0\x9f\xbf", 0, BAD BAD BAD}, /* overlong */
        {"\xed\xa0\x80", 0, BAD BAD BAD}, /* a surrogate */
        {"\xed\x9f\xbf", 3, "\xed\x9f\xbf"},
        {"\xf0\x8f\xbf\xbf", 0, BAD BAD BAD BAD},
        {"\xf4\x90\x80\x80", 0, BAD BAD BAD BAD}, /* above U+10FFFF */
        {"\xf5\x80", 0, BAD BAD},
        {"x\xe6\x97", 1, "x" BAD}, /* cut off: one for the whole beginning */
        {"\xe6\x97y", 0, BAD "y"},
        {"\xf0\x9f\xa6", 0, BAD},
        {"\xf0\x9f\xa6\xf0\x9f\xa6\x86", 0, BAD "🦆"},
        {"\xf0\x9f\xc3\xa9", 0, BAD "é"},
        {"\xc3(\xc3\xa9", 0, BAD "(é"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_str text = {0};
        size_t length = strlen(cases[i].bytes);
        assert_int_equal(dun_utf8_valid(cases[i].bytes, length), cases[i].valid);
        assert_int_equal(dun_str_add(&text, ">", 1), DUN_OK);
        assert_int_equal(dun_utf8_repair(&text, cases[i].bytes, length), DUN_OK);
        assert_string_equal(text.bytes + 1, cases[i].repaired);
        assert_int_equal(dun_utf8_valid(text.bytes, text.length), text.length);
        dun_str_free(&text);
    }
    assert_int_equal(dun_utf8_valid("a\0b", 3), 3);
    assert_int_equal(dun_utf8_valid("日", 2), 0); /* the third byte is beyond the end */
}

static void test_trim(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *inside;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {" \t\r\n\v\fa b \n", "a b"},
        {" \xc2\xa0\xe3\x80\x80 ", ""},
        {"\xef\xbb\xbfx\xc2\x85", "x"},
        {"\xe1\x9a\x80\xe1\xa0\x8ex\xe2\x80\x80\xe2\x80\x8b\xe2\x80\x8f", "x"},
        {"\xe2\x80\xa8x\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\x9f\xe2\x81\xa0", "x"},
        {"\xe2\x80\x90x\xe2\x80\xa6", "\xe2\x80\x90x\xe2\x80\xa6"}, /* a hyphen, an ellipsis */
        {"\xe3\x80\x81\xe4\x80\x80", "\xe3\x80\x81\xe4\x80\x80"},   /* ends with the bytes of none */
        {"\xc3\xa0 \xc3\xa0", "\xc3\xa0 \xc3\xa0"},                 /* à has a no-break space's last byte */
        {"\x1fx\x08", "\x1fx\x08"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_slice inside = dun_utf8_trim(cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(inside.length, strlen(cases[i].inside));
        assert_memory_equal(inside.bytes, cases[i].inside, inside.length);
    }
    assert_int_equal(dun_utf8_blank("\xc2", 1), 0); /* what would make it one is beyond the end */
    assert_int_equal(dun_utf8_blank("\xe3\x80", 2), 0);
}

/* Three bytes that begin outside ASCII are valid in two ways: as one of U+0800 to U+FFFF, surrogates aside,
 * or as one of U+0080 to U+07FF and an ASCII byte. */
static void test_all_of_three_bytes(void **state) {
    (void)state;
    size_t n_valid = 0;
    for (uint32_t bits = 0x800000; bits < 0x1000000; bits++) {
        char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        n_valid += dun_utf8_valid(bytes, 3) == 3;
    }
    assert_int_equal(n_valid, (0x10000 - 0x800 - 0x800) + (0x800 - 0x80) * 0x80);
}

static void test_show(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *shown;
    } cases[] = {
        {"", ""},
        {"plain é", "plain é"},
        {"a\nb\x1b[2J\x7f\xff", "a?b?[2J?" BAD},
        {"123456789012345678901234567890123456789012345678901234567890",
         "123456789012345678901234567890123456789012345678901234567890"},
        {"1234567890123456789012345678901234567890123456789012345678901",
         "123456789012345678901234567890123456789012345678901234567890..."},
        {"12345678901234567890123456789012345678901234567890123456789é",
         "12345678901234567890123456789012345678901234567890123456789..."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_str text = {0};
        assert_int_equal(dun_str_add(&text, "\n", 1), DUN_OK);
        assert_int_equal(dun_utf8_show(&text, cases[i].bytes, strlen(cases[i].bytes)), DUN_OK);
        assert_int_equal(text.bytes[0], '\n');
        assert_string_equal(text.bytes + 1, cases[i].shown);
        dun_str_free(&text);
    }
    dun_str text = {0};
    assert_int_equal(dun_utf8_show(&text, "a\0b", 3), DUN_OK);
    assert_string_equal(text.bytes, "a?b");
    dun_str_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_all_of_three_bytes),
        cmocka_unit_test(test_show),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
