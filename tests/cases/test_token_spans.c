/* Where in a text each of its tokens comes from: spans follow each other and cover the text, special tokens
 * and bytes that are no UTF-8 included; and how many tokens a text can have at most. */
#include "base/mem.h"
#include "tokenizer_make.h"

#include <jansson.h>
#include <unistd.h>

/* As "0-3|3-5"; "" for no tokens. */
static void show_spans(dun_str *out, const dun_tokens *tokens) {
    expect_ok(dun_str_add(out, "", 0));
    for (size_t i = 0; i < tokens->n; i++)
        expect_ok(dun_str_addf(out, "%s%u-%u", i ? "|" : "", tokens->spans[i].begin, tokens->spans[i].end));
}

static void expect_spans(dun_tokenizer *tokenizer, const char *text, size_t length, const char *wanted) {
    dun_tokens tokens = {0};
    dun_str found = {0};
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, length));
    show_spans(&found, &tokens);
    assert_string_equal(found.bytes, wanted);
    dun_str_free(&found);
    dun_tokens_free(&tokens);
}

/* No gaps, each span is its token's piece, and their number is within the bound. */
static void expect_covered(dun_tokenizer *tokenizer, const char *text, size_t length) {
    dun_tokens tokens = {0};
    size_t at = 0;
    expect_ok(dun_tokenizer_encode_inside(&tokens, tokenizer, text, length));
    for (size_t i = 0; i < tokens.n; i++) {
        size_t piece_length;
        const char *piece = dun_tokenizer_piece(tokenizer, tokens.ids[i], &piece_length);
        assert_int_equal(tokens.spans[i].begin, at);
        at = tokens.spans[i].end;
        assert_int_equal(at - tokens.spans[i].begin, piece_length);
        assert_memory_equal(text + tokens.spans[i].begin, piece, piece_length);
    }
    assert_int_equal(at, length);
    assert_true(tokens.n <= dun_tokenizer_most(tokenizer, text, length));
    dun_tokens_free(&tokens);
}

static const char *const references[][2] = {
    {"tests/fixtures/tiny-a.gguf", "tests/reference/tiny-tokens.json"},
    {"models/SmolLM2-135M-Instruct.Q4_1.gguf", "tests/reference/tokens.json"},
};

/* The texts of the reference vectors; the second vocabulary spells all bytes of them. */
static void test_references(void **state) {
    const char *const *names = *state;
    char path[1000];
    size_t i;
    json_t *entry;
    dun_gguf *file = NULL;
    dun_tokenizer *tokenizer = NULL;
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, names[1]);
    json_t *reference = json_load_file(path, JSON_ALLOW_NUL, NULL);
    assert_non_null(reference);
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, names[0]);
    if (access(path, R_OK) != 0) { /* the large one may be absent */
        json_decref(reference);
        skip();
    }
    expect_ok(dun_gguf_open(&file, path));
    expect_ok(dun_tokenizer_read_gguf(&tokenizer, file));
    assert_true(json_array_size(json_object_get(reference, "cases")) > 0);
    json_array_foreach(json_object_get(reference, "cases"), i, entry) {
        const json_t *text = json_object_get(entry, "text");
        expect_covered(tokenizer, json_string_value(text), json_string_length(text));
    }
    json_decref(reference);
    dun_tokenizer_free(tokenizer);
    dun_gguf_free(file);
}

/* <s> begins every text and stands for no byte of it; \xc3\xa9 is two tokens, or one where a merge joins
 * them. */
static void test_specials(void **state) {
    (void)state;
    static const vocabulary_plan plan = {
        "gpt-2",
        {{"<s>", TOKEN_CONTROL}, {"<end>", TOKEN_USER_DEFINED}, {"ab", TOKEN_NORMAL}, {NULL, 0}},
        {"a b"}};
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    build_vocabulary(&b, &plan);
    gguf_builder_u32(&b, "tokenizer.ggml.bos_token_id", 256);
    gguf_builder_bool(&b, "tokenizer.ggml.add_bos_token", 1);
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_spans(tokenizer, "", 0, "0-0");
    expect_spans(tokenizer, "ab<end>\xc3\xa9 ab", 12, "0-0|0-2|2-7|7-8|8-9|9-10|10-12");
    expect_spans(tokenizer, "<s><end>", 8, "0-0|0-3|3-8");
    dun_tokenizer_free(tokenizer);
}

/* Where a text may not spell control tokens: those of words around it are found, user-defined tokens are
 * found everywhere, and a control token that the text has a part in is characters. */
static void test_plain(void **state) {
    (void)state;
    static const vocabulary_plan plan = {"gpt-2",
                                         {{"<s>", TOKEN_CONTROL},
                                          {"<s>>", TOKEN_CONTROL},
                                          {"<end>", TOKEN_USER_DEFINED},
                                          {"ab", TOKEN_NORMAL},
                                          {NULL, 0}},
                                         {"a b"}};
    static const struct {
        const char *text;
        dun_token_span plain;
        const char *spans;
    } cases[] = {
        {"<s>ab", {0, 0}, "0-3|3-5"},
        {"<s>ab", {0, UINT32_MAX}, "0-1|1-2|2-3|3-5"},
        {"<s>ab", {3, 5}, "0-3|3-5"},
        {"ab<s>", {0, 2}, "0-2|2-5"},
        {"<s><s><s>", {3, 6}, "0-3|3-4|4-5|5-6|6-9"},
        {"<s>>", {0, 0}, "0-4"},
        {"<s>>", {3, 4}, "0-3|3-4"},           /* the text's part ends the longer one */
        {"<s><s>", {2, 3}, "0-1|1-2|2-3|3-6"}, /* of the first token its end is the text's */
        {"<s><s>", {0, 1}, "0-1|1-2|2-3|3-6"}, /* its beginning */
        {"<s><s>", {3, 3}, "0-3|3-6"},         /* an empty text between */
        {"<s", {0, UINT32_MAX}, "0-1|1-2"},
        {"a<end>", {0, UINT32_MAX}, "0-1|1-6"},
        {"<end><s>", {2, 6}, "0-5|5-6|6-7|7-8"},
        {"", {0, UINT32_MAX}, ""},
        {"\xff<s>", {0, UINT32_MAX}, "0-1|1-1|1-1|1-2|2-3|3-4"},
    };
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_tokens tokens = {0};
        dun_str found = {0};
        const char *text = cases[i].text;
        expect_ok(dun_tokenizer_encode_plain(&tokens, tokenizer, text, strlen(text), cases[i].plain, true));
        show_spans(&found, &tokens);
        assert_string_equal(found.bytes, cases[i].spans);
        dun_str_free(&found);
        dun_tokens_free(&tokens);
    }
    dun_tokenizer_free(tokenizer);
}

/* U+FFFD stands for an invalid part: its first token has the part's bytes, the others none. */
static void test_invalid(void **state) {
    (void)state;
    static const vocabulary_plan bytes = {"gpt-2", {{NULL, 0}}, {NULL}};
    static const vocabulary_plan whole = {
        "gpt-2",
        {{"\xc3\xaf\xc2\xbf", TOKEN_NORMAL}, {"\xc3\xaf\xc2\xbf\xc2\xbd", TOKEN_NORMAL}, {NULL, 0}},
        {"\xc3\xaf \xc2\xbf", "\xc3\xaf\xc2\xbf \xc2\xbd"}};
    dun_tokenizer *tokenizer = make_tokenizer(&bytes);
    expect_spans(tokenizer,
                 "a\xff"
                 "b",
                 3, "0-1|1-2|2-2|2-2|2-3");
    expect_spans(tokenizer, "\xf0\x9f\x92", 3, "0-3|3-3|3-3");
    expect_spans(tokenizer, "\xff\xff", 2, "0-1|1-1|1-1|1-2|2-2|2-2");
    assert_int_equal(dun_tokenizer_most(tokenizer, "\xff\xff", 2), 6);
    assert_int_equal(dun_tokenizer_most(tokenizer, "\xc3\xa9", 2), 2);
    dun_tokenizer_free(tokenizer);
    tokenizer = make_tokenizer(&whole);
    expect_spans(tokenizer, "a\xff\xffz\xe2\x82", 6, "0-1|1-2|2-3|3-4|4-6");
    expect_spans(tokenizer, "\xef\xbf\xbd\xff", 4, "0-3|3-4");
    dun_tokenizer_free(tokenizer);
}

/* Tokens of type byte spell what the alphabet lacks; what nothing spells is in no span, unless a merge joins
 * what stands around it. */
static void test_byte_pieces(void **state) {
    (void)state;
    static const char *const tokens[] = {"a", "b", "ab", "<0xC3>", "<0xA9>"}, *const merges[] = {"a b"};
    static const int32_t types[] = {TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_BYTE, TOKEN_BYTE};
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    gguf_builder_init(&b);
    gguf_builder_string(&b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(&b, "tokenizer.ggml.pre", "gpt-2");
    gguf_builder_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    gguf_builder_numbers(&b, "tokenizer.ggml.token_type", GGUF_I32, types, COUNT(types));
    gguf_builder_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_covered(tokenizer,
                   "ab\xc3\xa9"
                   "a",
                   5);
    expect_spans(tokenizer,
                 "ab\xc3\xa9"
                 "a",
                 5, "0-2|2-3|3-4|4-5");
    expect_spans(tokenizer, "#b# \xc3\xa9", 6, "1-2|4-5|5-6");
    expect_spans(tokenizer, "axb", 3, "0-3");
    dun_tokenizer_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"references, tiny model", test_references, NULL, NULL, (void *)(uintptr_t)references[0]},
        {"references", test_references, NULL, NULL, (void *)(uintptr_t)references[1]},
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_byte_pieces),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
