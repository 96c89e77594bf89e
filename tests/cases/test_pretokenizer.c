/* How texts are cut into words, by the names that model files give. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/token/pre_tags.h"
#include "io/token/pretokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void expect_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("%d: %s", rc, dun_error_message());
}

static dun_slice slice(const char *text) {
    return (dun_slice){text, strlen(text)};
}

static dun_pretokenizer *create(const char *name) {
    const dun_pre_tag *tag = NULL;
    dun_pretokenizer *pretokenizer = NULL;
    size_t n = 0;
    expect_ok(dun_pre_tag_find(&tag, slice(name), "t.gguf", "pre"));
    while (tag->cuts[n].pattern)
        n++;
    expect_ok(dun_pretokenizer_create(&pretokenizer, tag->cuts, n, "t.gguf", "pre"));
    return pretokenizer;
}

/* Cuts; "|" between the words, which follow each other. */
static void cut(dun_str *out, dun_pretokenizer *pretokenizer, const char *text) {
    const dun_word *words;
    size_t n, at = 0;
    dun_str_clear(out);
    expect_ok(dun_pretokenizer_cut(&words, &n, pretokenizer, text, strlen(text)));
    for (size_t i = 0; i < n; at = words[i++].end) {
        assert_true(words[i].begin == at && words[i].end > at);
        expect_ok(dun_str_add(out, "|", i ? 1 : 0));
        expect_ok(dun_str_add(out, text + at, words[i].end - at));
    }
    assert_int_equal(at, strlen(text));
}

static void expect_cut(const char *name, const char *text, const char *words) {
    dun_str found = {0};
    dun_pretokenizer *pretokenizer = create(name);
    cut(&found, pretokenizer, text);
    if (strcmp(found.bytes, words) != 0)
        fail_msg("%s: %s\ninstead of %s", name, found.bytes, words);
    dun_pretokenizer_free(pretokenizer);
    dun_str_free(&found);
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
    for (size_t which = 0; which < COUNT(names); which++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            const char *expected = cases[i].words[which] ? cases[i].words[which] : cases[i].words[0];
            expect_cut(names[which], cases[i].text, expected);
        }
    }
}

/* Every name, on texts that tell its pattern from the others': contractions, numerals, cases, blanks and line
 * ends, marks, other scripts, punctuation. What is expected was made by the Hugging Face library. */
static void test_names(void **state) {
    (void)state;
    static const char *const texts[] = {"I'LL don't, we've", "a 12345 6½",       "HELLO World fooBar's",
                                        "  x\n\n  y  ",      "e\u0301a n\u0303", "日本は42、",
                                        "(a.b) `c`++/\n"};
    static const struct {
        const char *names;
        const char *words[COUNT(texts)];
    } rows[] = {
        {"gpt-2 phi-2 mpt olmo jais gigachat exaone4 modern-bert a.x-4.0 mellum granite-docling trillion",
         {"I|'|LL| don|'t|,| we|'ve", "a| 12345| 6½", "HELLO| World| fooBar|'s", " | x|\n\n | y|  ",
          "e|\u0301|a| n|\u0303", "日本は|42|、", "(|a|.|b|)| `|c|`++/|\n"}},
        {"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
         {"I|'|LL| don|'t|,| we|'ve", "a| |1|2|3|4|5| |6|½", "HELLO| World| fooBar|'s", " | x|\n\n | y|  ",
          "e|\u0301|a| n|\u0303", "日本は|4|2|、", "(|a|.|b|)| `|c|`++/|\n"}},
        {"default",
         {"I|'|LL| don|'|t|,| we|'|ve", "a| |123|45| |6½", "HELLO| World| fooBar|'|s", " | x|\n\n | y|  ",
          "e|\u0301|a| n|\u0303", "日本は|42|、", "(|a|.|b|)| `|c|`|++/|\n"}},
        {"falcon",
         {"I|'|LL| don|'|t|,| we|'|ve", "a| |123|45| |6|\xc2|\xbd", "HELLO| World| fooBar|'|s",
          " | x|\n\n | y|  ", "e|\u0301|a| n|\u0303", "日本は|42|、", "(|a|.|b|)| |`|c|`++/|\n"}},
        {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 glm4 dbrx smaug-bpe chatglm-bpe",
         {"I|'LL| don|'t|,| we|'ve", "a| |123|45| |6½", "HELLO| World| fooBar|'s", " | x|\n\n| | y|  ",
          "e|\u0301a| n|\u0303", "日本は|42|、", "(a|.b|)| `|c|`++/\n"}},
        {"qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez solar-open grok-2",
         {"I|'LL| don|'t|,| we|'ve", "a| |1|2|3|4|5| |6|½", "HELLO| World| fooBar|'s", " | x|\n\n| | y|  ",
          "e|\u0301a| n|\u0303", "日本は|4|2|、", "(a|.b|)| `|c|`++/\n"}},
        {"qwen35",
         {"I|'LL| don|'t|,| we|'ve", "a| |1|2|3|4|5| |6|½", "HELLO| World| fooBar|'s", " | x|\n\n| | y|  ",
          "e\u0301a| n\u0303", "日本は|4|2|、", "(a|.b|)| `|c|`++/\n"}},
        {"tekken",
         {"I|'LL| don|'t|,| we|'ve", "a| |1|2|3|4|5| |6|½", "HELLO| World| foo|Bar|'s", " | x|\n\n| | y|  ",
          "e\u0301a| n\u0303", "日本は|4|2|、", "(a|.b|)| `|c|`++/\n"}},
        {"gpt-4o llama4 minimax-m2 kanana2",
         {"I'LL| don't|,| we've", "a| |123|45| |6½", "HELLO| World| foo|Bar's", " | x|\n\n| | y|  ",
          "e\u0301a| n\u0303", "日本は|42|、", "(a|.b|)| `|c|`++/\n"}},
        {"deepseek-llm",
         {"I|'|LL| don|'|t|,| we|'|ve", "a| |12345| |6½", "HELLO| World| fooBar|'|s", " | x|\n|\n| | y|  ",
          "e|\u0301|a| n|\u0303", "日本は|42|、", "(|a|.|b|)| `|c|`++/|\n"}},
        {"deepseek-coder",
         {"I|'|LL| don|'|t|,| we|'|ve", "a| |1|2|3|4|5| |6|½", "HELLO| World| fooBar|'|s",
          " | x|\n|\n| | y|  ", "e|\u0301|a| n|\u0303", "日本は|4|2|、", "(|a|.|b|)| `|c|`++|/|\n"}},
        {"deepseek-v3 hunyuan-dense",
         {"I|'LL| don|'t|,| we|'ve", "a| |123|45| |6½", "HELLO| World| fooBar|'s", " | x|\n\n| | y|  ",
          "e\u0301a| n\u0303", "日本は|42|、", "(a|.b|)| `|c|`++/\n"}},
        {"bloom gpt3-finnish poro-chat",
         {"I'LL| don't|,| we've", "a| 12345| 6½", "HELLO| World| fooBar's", " | x|\n\n | y|  ",
          "e\u0301a| n\u0303", "日本は42|、", "(|a|.|b|)| `c`++/|\n"}},
        {"viking",
         {"I'LL| don't|,| we've", "a| |1|2|3|4|5| |6|½", "HELLO| World| fooBar's", " | x|\n\n | y|  ",
          "e\u0301a| n\u0303", "日本は|4|2|、", "(|a|.|b|)| `c`++/|\n"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char names[160], *rest = NULL;
        snprintf(names, sizeof names, "%s", rows[i].names);
        for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
            for (size_t j = 0; j < COUNT(texts); j++)
                expect_cut(name, texts[j], rows[i].words[j]);
    }
}

static void test_qwen2(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"one two", "one| two"},
        {"one   two ", "one|  | two| "},
        {"I'LL we'd don'T '", "I|'LL| we|'d| don|'T| '"},
        {"(a) [b]c.d", "(a|)| [|b|]c|.d"},
        {"x\ty", "x|\ty"},
        {"in 1984", "in| |1|9|8|4"},
        {"wait...\n\nwhat?!\r\n", "wait|...\n\n|what|?!\r\n"},
        {"a\n  b", "a|\n| | b"},
        {"a \n \n\n  b", "a| \n \n\n| | b"},
        {"a\n", "a|\n"},
        {"  \t", "  \t"},
        {"\u3000\u3000\xe6\x97\xa5", "\u3000|\u3000\xe6\x97\xa5"},
        {"e\u0301t", "e|\u0301t"}, /* a mark leads the letters after it */
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        expect_cut("qwen2", rows[i].text, rows[i].words);
}

/* Long runs of anything take a few steps a character, whatever ends them. */
static void test_long_runs(void **state) {
    (void)state;
    static const char *const names[] = {"gpt-2",        "smollm",         "default",     "falcon",
                                        "llama-bpe",    "qwen35",         "tekken",      "gpt-4o",
                                        "deepseek-llm", "deepseek-coder", "deepseek-v3", "viking"};
    static const char *const units[] = {" ", "a",       "A",      "\n",     " \n",   "7",
                                        "'", "e\u0301", "\u0301", "\u65e5", "\u3000"};
    for (size_t i = 0; i < COUNT(names) * COUNT(units) * 2; i++) {
        dun_pretokenizer *pretokenizer = create(names[i / 2 / COUNT(units)]);
        const char *unit = units[i / 2 % COUNT(units)];
        const dun_word *words;
        size_t n;
        dun_str text = {0};
        while (text.length < 1 << 17)
            expect_ok(dun_str_add(&text, unit, strlen(unit)));
        if (i % 2)
            expect_ok(dun_str_add(&text, "x", 1));
        expect_ok(dun_pretokenizer_cut(&words, &n, pretokenizer, text.bytes, text.length));
        assert_int_equal(words[n - 1].end, text.length);
        dun_str_free(&text);
        dun_pretokenizer_free(pretokenizer);
    }
}

/* Falcon looks for numerals among bytes: the last of this character is written as one. */
static void test_bytes(void **state) {
    (void)state;
    expect_cut("falcon", "\u597d\u5929", "\xe5\xa5|\xbd|\u5929");
    expect_cut("default", "\u597d\u5929", "\u597d\u5929");
}

/* DeepSeek's first has a list of letters, where younger ones are missing, and blanks that end a text. */
static void test_letters(void **state) {
    (void)state;
    expect_cut("deepseek-llm", "a\u0561\u0531 \u10d0\u1c90 \U0001d400x  ",
               "a|\u0561|\u0531| |\u10d0|\u1c90| \U0001d400|x|  ");
    expect_cut("deepseek-coder", "a\u0561\u0531  ", "a\u0561\u0531|  ");
}

static void test_usual(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool ignore_merges, add_bos, nfc;
    } rows[] = {
        {"gpt-2", false, false, false}, {"llama-bpe", true, true, false},  {"glm4", true, false, false},
        {"dbrx", false, false, false},  {"tekken", true, true, false},     {"qwen2", false, false, true},
        {"olmo", false, false, true},   {"command-r", false, false, true}, {"smollm", false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const dun_pre_tag *tag = NULL;
        expect_ok(dun_pre_tag_find(&tag, slice(rows[i].name), "t.gguf", "pre"));
        assert_int_equal(tag->ignore_merges, rows[i].ignore_merges);
        assert_int_equal(tag->add_bos, rows[i].add_bos);
        assert_int_equal(dun_pre_tag_is_nfc(slice(rows[i].name)), rows[i].nfc);
    }
}

/* What becomes of matches and of what lies between them. */
static void test_kinds(void **state) {
    (void)state;
    static const struct {
        dun_cut cut;
        const char *words; /* of "a--b-c" */
    } rows[] = {
        {{.pattern = "-", .kind = DUN_CUT_ISOLATED}, "a|-|-|b|-|c"},
        {{.pattern = "-", .kind = DUN_CUT_CONTIGUOUS}, "a|--|b|-|c"},
        {{.pattern = "-", .kind = DUN_CUT_TO_PREVIOUS}, "a-|-|b-|c"},
        {{.pattern = "-", .kind = DUN_CUT_TO_NEXT}, "a|-|-b|-c"},
        {{.pattern = "-", .kind = DUN_CUT_REMOVED}, "a|b|c"},
        {{.pattern = "-", .kind = DUN_CUT_REMOVED, .invert = true}, "-|-|-"},
        {{.pattern = "[a-z]", .kind = DUN_CUT_TO_NEXT, .invert = true}, "a|--b|-c"},
        {{.pattern = "[a-z]", .kind = DUN_CUT_ISOLATED, .literal = true}, "a--b-c"},
        {{.pattern = "x*", .kind = DUN_CUT_ISOLATED}, "a--b-c"},
    };
    static const char text[] = "a--b-c";
    for (size_t i = 0; i < COUNT(rows); i++) {
        dun_pretokenizer *pretokenizer = NULL;
        const dun_word *words;
        size_t n;
        dun_str found = {0};
        expect_ok(dun_pretokenizer_create(&pretokenizer, &rows[i].cut, 1, "t.json", "Split"));
        expect_ok(dun_pretokenizer_cut(&words, &n, pretokenizer, text, strlen(text)));
        for (size_t j = 0; j < n; j++)
            expect_ok(dun_str_addf(&found, "%s%.*s", j ? "|" : "", (int)(words[j].end - words[j].begin),
                                   text + words[j].begin));
        assert_string_equal(found.bytes, rows[i].words);
        dun_str_free(&found);
        dun_pretokenizer_free(pretokenizer);
    }
    dun_pretokenizer_free(NULL);
}

static void test_unknown_name(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"", "''"}, {"smollm2", "smollm"}, {"gpt2", "gpt-2"}, {"GPT-2", "gpt-2"}, {"qwen9", "qwen2"}};
    for (size_t i = 0; i < COUNT(names); i++) {
        const dun_pre_tag *tag = NULL;
        assert_int_equal(dun_pre_tag_find(&tag, slice(names[i][0]), "t.gguf", "pre"), DUN_BAD_INPUT);
        assert_null(tag);
        assert_non_null(strstr(dun_error_message(), names[i][1]));
        assert_non_null(strstr(dun_error_message(), "t.gguf: pre is "));
    }
}

static void test_guess(void **state) {
    (void)state;
    const dun_slice smollm[] = {slice("<|endoftext|>"), slice("<|im_start|>"), slice("a")};
    assert_string_equal(dun_pre_tag_guess(smollm, 3), "smollm");
    assert_null(dun_pre_tag_guess(smollm, 1));
    assert_null(dun_pre_tag_guess(smollm + 1, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),     cmocka_unit_test(test_names), cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_long_runs), cmocka_unit_test(test_bytes), cmocka_unit_test(test_letters),
        cmocka_unit_test(test_usual),     cmocka_unit_test(test_kinds), cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_guess),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
