/* How texts are cut into words, by pattern. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/token/pretokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void expect_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("%d: %s", rc, dun_error_message());
}

static int create(dun_pretokenizer **out, const char *name) {
    return dun_pretokenizer_create(out, (dun_slice){name, strlen(name)}, "t.gguf", "pre");
}

/* Cuts; "|" between the words. */
static void cut(dun_str *out, dun_pretokenizer *pretokenizer, const char *text) {
    size_t length = strlen(text), word = 0;
    dun_str_clear(out);
    for (size_t at = 0; at < length; at += word) {
        expect_ok(dun_pretokenizer_next(&word, pretokenizer, text, length, at));
        assert_true(word >= 1 && word <= length - at);
        expect_ok(dun_str_add(out, "|", at ? 1 : 0));
        expect_ok(dun_str_add(out, text + at, word));
    }
}

static void test_words(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *words[2]; /* smollm, gpt-2; the second NULL: the same */
    } cases[] = {
        {"one two", {"one| two", NULL}},
        {"one  two", {"one| | two", NULL}},
        {"one   two ", {"one|  | two| ", NULL}},
        {"  ", {"  ", NULL}},
        {" \n x", {" \n| x", NULL}},
        {"a\nb", {"a|\n|b", NULL}},
        {"a\n\n\nb", {"a|\n\n|\n|b", NULL}},
        {"a\t\tb", {"a|\t|\t|b", NULL}},
        {"don't we'll they've I'm he'd it's we're",
         {"don|'t| we|'ll| they|'ve| I|'m| he|'d| it|'s| we|'re", NULL}},
        {"IT'S 'so'", {"IT|'|S| '|so|'", NULL}},
        {"''s", {"''|s", NULL}},
        {"wait...what?!", {"wait|...|what|?!", NULL}},
        {"x-y (z)", {"x|-|y| (|z|)", NULL}},
        {"naïve日本", {"naïve日本", NULL}},
        {"123", {"1|2|3", "123"}},
        {"a1b22", {"a|1|b|2|2", "a|1|b|22"}},
        {" 12", {" |1|2", " 12"}},
        {"   12", {"   |1|2", "  | 12"}},
        {"x\n7", {"x|\n|7", NULL}},
        {"x\n\n7", {"x|\n\n|7", "x|\n|\n|7"}},
        {"½²Ⅳ٣", {"½|²|Ⅳ|٣", "½²Ⅳ٣"}},
        {" ½", {" |½", " ½"}},
        {"a\u3000\u3000b", {"a|\u3000|\u3000|b", NULL}},
        {"a\u00a0 b", {"a|\u00a0| b", NULL}},
        {"a\xc2\x85\u2028\u205f b", {"a|\xc2\x85\u2028\u205f| b", NULL}},
        {"a\u200b b", {"a|\u200b| b", NULL}}, /* no White_Space */
        {"a\u180e! b", {"a|\u180e!| b", NULL}},
        {"e\u0301t\u00e9", {"e|\u0301|té", NULL}}, /* a mark is no letter */
        {" 🦆🦆 x", {" 🦆🦆| x", NULL}},
        {"\x01\x02 x", {"\x01\x02| x", NULL}},
    };
    static const char *const names[] = {"smollm", "gpt-2"};
    dun_str found = {0};
    for (size_t which = 0; which < COUNT(names); which++) {
        dun_pretokenizer *pretokenizer = NULL;
        expect_ok(create(&pretokenizer, names[which]));
        for (size_t i = 0; i < COUNT(cases); i++) {
            const char *expected = cases[i].words[which] ? cases[i].words[which] : cases[i].words[0];
            cut(&found, pretokenizer, cases[i].text);
            if (strcmp(found.bytes, expected) != 0)
                fail_msg("%s: %s\ninstead of %s", names[which], found.bytes, expected);
        }
        dun_pretokenizer_free(pretokenizer);
    }
    dun_str_free(&found);
}

/* The text may end inside a larger one: what follows its end has no say. */
static void test_end_of_text(void **state) {
    (void)state;
    dun_pretokenizer *pretokenizer = NULL;
    size_t word = 0;
    expect_ok(create(&pretokenizer, "gpt-2"));
    expect_ok(dun_pretokenizer_next(&word, pretokenizer, "   x", 3, 0));
    assert_int_equal(word, 3);
    expect_ok(dun_pretokenizer_next(&word, pretokenizer, "   x", 4, 0));
    assert_int_equal(word, 2);
    expect_ok(dun_pretokenizer_next(&word, pretokenizer, "abcd", 3, 1));
    assert_int_equal(word, 2);
    dun_pretokenizer_free(pretokenizer);
    dun_pretokenizer_free(NULL);
}

static void test_unknown_name(void **state) {
    (void)state;
    static const char *const names[] = {"", "smol", "smollm2", "gpt2", "GPT-2"};
    for (size_t i = 0; i < COUNT(names); i++) {
        dun_pretokenizer *pretokenizer = NULL;
        assert_int_equal(create(&pretokenizer, names[i]), DUN_BAD_INPUT);
        assert_null(pretokenizer);
        assert_non_null(strstr(dun_error_message(), "smollm, gpt-2"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_end_of_text),
        cmocka_unit_test(test_unknown_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
