/* tokenizer.json: every part that is followed, on vocabularies of a few tokens; places of tokens after edits;
 * failing allocations. What is refused is test_tokenizer_json_bad.c's. */
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tokenizer_json_make.h"

static const struct {
    parts plan;
    const char *text, *pieces;
} part_cases[] = {
    {{0}, "abcc", "ab|cc"},
    {{0}, "axb", "ab"}, /* what has no token is left out */
    {{.flags = "\"unk_token\":\"<unk>\","}, "axxb", "a|<unk>|<unk>|b"},
    {{.flags = "\"unk_token\":\"<unk>\",\"fuse_unk\":true,"}, "axxbx", "a|<unk>|b|<unk>"},
    {{.flags = "\"unk_token\":\"<unk>\",\"byte_fallback\":true,"}, "a\nx", "a|\n|<unk>"},
    {{.flags = "\"ignore_merges\":true,"}, "abc", "abc"},
    {{.flags = "\"ignore_merges\":false,"}, "abc", "ab|c"},
    {NORMAL("{\"type\":\"NFC\"}"), "e\u0301a", "\u00e9|a"},
    {NORMAL("{\"type\":\"NFD\"}"), "\u00e9a", "e|\u0301|a"},
    {NORMAL("{\"type\":\"NFKC\"}"), "\u00b9", "1"},
    {NORMAL("{\"type\":\"NFKD\"}"), "\u00b2e", "2|e"},
    {NORMAL("{\"type\":\"Lowercase\"}"), "ABC", "ab|c"},
    {NORMAL("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}"), " \ta\u3000", "a"},
    {NORMAL("{\"type\":\"Replace\",\"pattern\":{\"String\":\"--\"},\"content\":\"a\"}"), "--b", "ab"},
    {NORMAL("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[0-9]+\"},\"content\":\"c\"}"), "12a2", "c|a|c"},
    {NORMAL("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"-\"},"
            "{\"type\":\"Replace\",\"pattern\":{\"String\":\"-\"},\"content\":\"a\"}]}"),
     "b", "ab"},
    {PRE(METASPACE("always", "false")), "ca a", " |c|a| a"},
    {PRE(METASPACE("never", "false")), "a b", "a| |b"},
    {PRE(METASPACE("first", "true")), " a", " a"}, /* one is there already */
    {PRE(METASPACE("first", "true")), "a", " a"},
    {{.pre = METASPACE("first", "false"), .added = ADDED("<x>", "")}, "a<x>a", " a|<x>|a"},
    {{.pre = METASPACE("always", "false"), .added = ADDED("<x>", "")}, "a<x>a", " a|<x>| a"},
    {PRE("{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"), "a ab", "a| |ab"},
    {PRE("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"), "ac", " a|c"},
    {PRE("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"), "c c", "c| |c"},
    {PRE("{\"type\":\"Digits\",\"individual_digits\":true}"), "ab12", "ab|1|2"},
    {PRE("{\"type\":\"Punctuation\"}"), "cc-c", "cc|-|c"},
    {PRE(SPLIT("\"String\":\"b\"", "Isolated")), "abcc", "a|b|cc"},
    {PRE(SPLIT("\"Regex\":\"b+\"", "Removed")), "abcc", "a|cc"},
    {PRE(SPLIT("\"String\":\"b\"", "MergedWithPrevious")), "abcc", "ab|cc"},
    {PRE(SPLIT("\"String\":\"a\"", "MergedWithNext")), "cabcc", "c|ab|cc"},
    {PRE(SPLIT("\"String\":\"c\"", "Contiguous")), "bcc", "b|cc"},
    {PRE("{\"type\":\"Whitespace\"}"), "cc c!", "cc|c|!"},
    {PRE("{\"type\":\"WhitespaceSplit\"}"), "c\u3000c", "c|c"},
    {PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},{\"type\":\"Punctuation\"}]}"),
     "a1-", "a|1|-"},
    {{.added = ADDED("bcc", ",\"normalized\":false")}, "abccb", "a|bcc|b"},
    {{.added = "{\"id\":17,\"content\":\"abc\",\"special\":true}"}, "aabcb", "a|abc|b"},
    {{.added = ADDED("<x>", ",\"lstrip\":true")}, "a <x>b", "a|<x>|b"},
    {{.added = ADDED("<x>", ",\"rstrip\":true")}, "a<x>\n\tb", "a|<x>|b"},
    {{.added = ADDED("ca", ",\"single_word\":true")}, "ca-ca-bca-cab", "ca|-|ca|-|b|c|a|-|c|ab"},
    {{.added = ADDED("C", ",\"normalized\":true"), .normalizer = "{\"type\":\"Lowercase\"}"}, "aCc", "a|C|C"},
    {{.added = ADDED("C", ",\"normalized\":false"), .normalizer = "{\"type\":\"Lowercase\"}"},
     "aCc",
     "a|C|c"},
    {{.post = TEMPLATE(TOKEN("<s>") "," TEXT)}, "a", "<s>|a"},
    {{.post = TEMPLATE(TOKEN("<s>") "," TOKEN("c") "," TEXT)}, "a", "<s>|c|cc|a"},
    {{.post = TEMPLATE(TEXT "," TOKEN("<s>"))}, "a", "a"}, /* left out, with a warning */
    {{.post = "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE(
          TOKEN("c") "," TEXT) "," TEMPLATE(TOKEN("<s>") "," TEXT) "]}"},
     "a",
     "<s>|c|cc|a"},
};

static void test_parts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(part_cases); i++) {
        dun_tokenizer *tokenizer = make(&part_cases[i].plan);
        dun_str found = {0};
        encode_to_text(&found, tokenizer, part_cases[i].text, strlen(part_cases[i].text), "|");
        if (strcmp(found.bytes, part_cases[i].pieces) != 0)
            fail_msg("case %zu, %s: %s\ninstead of %s", i, part_cases[i].text, found.bytes,
                     part_cases[i].pieces);
        dun_str_free(&found);
        dun_tokenizer_free(tokenizer);
    }
}

/* Where no template says what begins a text, tokenizer_config.json does. */
static void test_config(void **state) {
    (void)state;
    static const struct {
        const char *config, *post, *pieces; /* NULL pieces: refused */
    } cases[] = {
        {"{\"add_bos_token\":true,\"bos_token\":\"<s>\"}", NULL, "<s>|a"},
        {"{\"add_bos_token\":true,\"bos_token\":{\"content\":\"<s>\"}}", NULL, "<s>|a"},
        {"{\"add_bos_token\":false,\"bos_token\":\"<s>\"}", NULL, "a"},
        {"{\"add_bos_token\":true,\"bos_token\":\"c\"}", TEMPLATE(TOKEN("<s>") "," TEXT), "<s>|a"},
        {"{\"add_bos_token\":true,\"bos_token\":\"zz\"}", NULL, NULL},
        {"{\"add_bos_token\":true}", NULL, NULL},
        {"{\"add_bos_token\":1}", NULL, NULL},
        {"[]", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const parts plan = {.post = cases[i].post};
        dun_tokenizer *tokenizer = NULL;
        write_parts(&plan);
        write_text("tokenizer_config.json", cases[i].config);
        int rc = dun_tokenizer_read_json(&tokenizer, folder.bytes);
        if (cases[i].pieces) {
            expect_ok(rc);
            expect_pieces(tokenizer, "a", 1, cases[i].pieces);
        } else {
            assert_int_equal(rc, DUN_BAD_INPUT);
            assert_non_null(strstr(dun_error_message(), "tokenizer_config.json"));
        }
        dun_tokenizer_free(tokenizer);
    }
    remove_text("tokenizer_config.json");
}

static void test_spans(void **state) {
    (void)state;
    static const struct {
        parts plan;
        const char *text, *spans;
    } cases[] = {
        {NORMAL("{\"type\":\"NFC\"}"), "ae\u0301b", "0-1|1-4|4-5"},
        {NORMAL("{\"type\":\"NFD\"}"), "a\u00e9b", "0-1|1-3|3-3|3-4"},
        {NORMAL("{\"type\":\"Strip\"}"), "  a ", "2-4"},
        {PRE(METASPACE("always", "true")), "c a", "0-0|0-1|1-3"},
        {PRE(METASPACE("always", "true")), "ab", "0-0|0-2"},
        {{.added = ADDED("<x>", ",\"rstrip\":true")}, "a<x>  b", "0-1|1-6|6-7"},
        {{.pre = METASPACE("always", "true"), .added = ADDED("<x>", "")}, "a<x>b", "0-1|1-4|4-4|4-5"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_tokenizer *tokenizer = make(&cases[i].plan);
        dun_tokens tokens = {0};
        dun_str found = {0};
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, cases[i].text, strlen(cases[i].text)));
        for (size_t j = 0; j < tokens.n; j++)
            expect_ok(
                dun_str_addf(&found, "%s%u-%u", j ? "|" : "", tokens.spans[j].begin, tokens.spans[j].end));
        assert_string_equal(found.bytes, cases[i].spans);
        assert_true(tokens.n <= dun_tokenizer_most(tokenizer, cases[i].text, strlen(cases[i].text)));
        dun_str_free(&found);
        dun_tokens_free(&tokens);
        dun_tokenizer_free(tokenizer);
    }
}

/* What edits make of each other's results is within the bound. */
#define REPLACE(what, content)                                                                               \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" what "\"},\"content\":\"" content "\"}"
#define FOUR(step) step "," step "," step "," step
static void test_most(void **state) {
    (void)state;
    static const struct {
        const char *steps, *text;
    } cases[] = {
        {REPLACE("-", "\u00e9") ",{\"type\":\"NFD\"}", "--"},  /* a token that is taken apart */
        {REPLACE("-", "\ufdfa") ",{\"type\":\"NFKD\"}", "--"}, /* 18 characters */
        {"{\"type\":\"Prepend\",\"prepend\":\"\ufdfa\"},{\"type\":\"NFKD\"}", "-"},
        {REPLACE("-", "abc"), "--"},                         /* a token that no merge makes */
        {FOUR(FOUR(REPLACE("1", "aaaaaaaaaaaaaaaa"))), "2"}, /* 16 to the power of 16 is 2^64 */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        parts plan = {.flags = "\"unk_token\":\"<unk>\","};
        dun_tokens tokens = {0};
        dun_str steps = {0};
        expect_ok(dun_str_addf(&steps, "{\"type\":\"Sequence\",\"normalizers\":[%s]}", cases[i].steps));
        plan.normalizer = steps.bytes;
        dun_tokenizer *tokenizer = make(&plan);
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, cases[i].text, strlen(cases[i].text)));
        if (tokens.n > dun_tokenizer_most(tokenizer, cases[i].text, strlen(cases[i].text)))
            fail_msg("case %zu: %zu tokens", i, tokens.n);
        dun_str_free(&steps);
        dun_tokens_free(&tokens);
        dun_tokenizer_free(tokenizer);
    }
}

/* Marks that must be sorted, blanks that tokens take along: nothing is looked at again and again. */
static void test_long_texts(void **state) {
    (void)state;
    static const struct {
        parts plan;
        const char *unit;
    } cases[] = {
        {NORMAL("{\"type\":\"NFC\"}"), "\u0301\u0323"},
        {NORMAL("{\"type\":\"NFKC\"}"), "\u1100\u1161"},
        {{.added = ADDED("  ", ",\"rstrip\":true,\"normalized\":false")}, " "},
        {{.added = ADDED("  ", ",\"rstrip\":true,\"lstrip\":true,\"normalized\":true")}, " "},
        {{.added = ADDED("bbb", ",\"single_word\":true")}, "b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_tokenizer *tokenizer = make(&cases[i].plan);
        dun_tokens tokens = {0};
        dun_str text = {0};
        while (text.length < 1 << 20)
            expect_ok(dun_str_add(&text, cases[i].unit, strlen(cases[i].unit)));
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text.bytes, text.length));
        assert_true(tokens.n <= dun_tokenizer_most(tokenizer, text.bytes, text.length));
        dun_str_free(&text);
        dun_tokens_free(&tokens);
        dun_tokenizer_free(tokenizer);
    }
}

/* Allocations until the file is parsed, which is jansson's business: some failures within crash it. */
static size_t count_parsing(void) {
    dun_str path = {0};
    dun_file file = {0};
    json_t *root = NULL;
    dun_fault_set(1000 * 1000);
    expect_ok(dun_str_addf(&path, "%s/tokenizer_config.json", folder.bytes));
    dun_str_free(&path);
    expect_ok(dun_str_addf(&path, "%s/tokenizer.json", folder.bytes));
    expect_ok(dun_file_map(&file, path.bytes));
    expect_ok(dun_json_parse(&root, (const char *)file.bytes, file.length, path.bytes, 1));
    const size_t n = dun_fault_count();
    dun_fault_set(0);
    json_decref(root);
    dun_file_unmap(&file);
    dun_str_free(&path);
    return n;
}

static void test_failing_allocations(void **state) {
    (void)state;
    static const parts plan = {
        .added = ADDED("<x>", ""),
        .normalizer =
            "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":"
            "{\"String\":\" \"},\"content\":\"" BLANK "\"}]}",
        .pre = SPLIT("\"String\":\"b\"", "Isolated"),
        .post = TEMPLATE(TOKEN("<s>") "," TEXT)};
    const char text[] = "e\u0301 <x>abcabc abc\xff";
    write_parts(&plan);
    const size_t live = dun_mem_live(), first = count_parsing();
    size_t n_failed = first;
    for (int rc = DUN_FAILED; rc != DUN_OK; n_failed++) {
        dun_tokenizer *tokenizer = NULL;
        dun_tokens tokens = {0};
        dun_fault_set(n_failed + 1);
        rc = dun_tokenizer_read_json(&tokenizer, folder.bytes);
        if (rc == DUN_OK)
            rc = dun_tokenizer_encode(&tokens, tokenizer, text, sizeof text - 1);
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        dun_tokens_free(&tokens);
        dun_tokenizer_free(tokenizer);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n_failed > first + 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_most),
    };
    int failed = cmocka_run_group_tests(tests, open_folder, close_folder);
    return failed || dun_mem_live() != 0;
}
