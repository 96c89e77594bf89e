/* Model files with a broken tokenizer, and failing allocations. */
#include "base/fault.h"
#include "base/mem.h"
#include "tokenizer_make.h"

#include <stdlib.h>

static const vocabulary_plan good_plan = {
    "smollm", {{"ab", TOKEN_NORMAL}, {"<s>", TOKEN_CONTROL}, {NULL, 0}}, {"a b", NULL}};

static void expect_refused(int rc, const char *const *parts) {
    if (rc != DUN_BAD_INPUT)
        fail_msg("status %d instead of DUN_BAD_INPUT; expected: %s", rc, parts[0]);
    const char *message = dun_error_message();
    for (; *parts; parts++)
        if (!strstr(message, *parts))
            fail_msg("message: %s\nlacks: %s", message, *parts);
    assert_null(strchr(message, '\n'));
    assert_ptr_equal(strstr(message, "t.gguf: "), message);
}

static void test_bad_vocabularies(void **state) {
    (void)state;
    static char long_token[258];
    memset(long_token, 'x', sizeof long_token - 1);
    static const struct {
        vocabulary_plan plan;
        const char *parts[4];
    } cases[] = {
        {{"qwen9", {{NULL, 0}}, {NULL}}, {"tokenizer.ggml.pre", "'qwen9'", "smollm, gpt-2"}},
        {{"smollm\x1b[2J", {{NULL, 0}}, {NULL}}, {"'smollm?[2J'"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"a b", "a zz", NULL}},
         {"tokenizer.ggml.merges[1]", "'a zz'", "ends with an unknown token"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"zz b", NULL}},
         {"tokenizer.ggml.merges[0]", "'zz b'", "begins with an unknown token"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"b a", NULL}}, {"merges[0]", "'b a'", "makes an unknown token"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"ab", NULL}}, {"merges[0]", "'ab'", "two parts"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"ab ", NULL}}, {"merges[0]", "two parts"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {" ab", NULL}}, {"merges[0]", "two parts"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"", NULL}}, {"merges[0]", "two parts"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"a\nc b", NULL}}, {"merges[0]", "'a?c b'"}},
        {{"gpt-2", {{"ab", 1}, {NULL, 0}}, {"a b", "a b", NULL}}, {"merges[1]", "'a b'", "twice"}},
        {{"gpt-2", {{"ab", 0}, {NULL, 0}}, {NULL}}, {"tokenizer.ggml.token_type[256] is 0"}},
        {{"gpt-2", {{"ab", 1}, {"c", 1}, {NULL, 0}}, {NULL}}, {"tokens[257]", "also token 99"}},
        {{"gpt-2", {{"ab", 1}, {"cc", 7}, {NULL, 0}}, {NULL}}, {"tokenizer.ggml.token_type[257] is 7"}},
        {{"gpt-2", {{"a\xff", 1}, {NULL, 0}}, {NULL}}, {"tokens[256]", "UTF-8"}},
        {{"gpt-2", {{"<0xG1>", TOKEN_BYTE}, {NULL, 0}}, {NULL}},
         {"tokens[256]", "'<0xG1>'", "<0x00> to <0xFF>"}},
        {{"gpt-2", {{"<0x1g>", TOKEN_BYTE}, {NULL, 0}}, {NULL}}, {"tokens[256]", "<0x00> to <0xFF>"}},
        {{"gpt-2", {{"<0x1>", TOKEN_BYTE}, {NULL, 0}}, {NULL}}, {"tokens[256]", "<0x00> to <0xFF>"}},
        {{"gpt-2", {{"<0x11", TOKEN_BYTE}, {NULL, 0}}, {NULL}}, {"tokens[256]", "<0x00> to <0xFF>"}},
        {{"gpt-2", {{long_token, TOKEN_CONTROL}, {NULL, 0}}, {NULL}}, {"tokens[256]", "257 bytes", "256"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gguf_builder b;
        dun_tokenizer *tokenizer = NULL;
        build_vocabulary(&b, &cases[i].plan);
        expect_refused(create_tokenizer(&tokenizer, &b), cases[i].parts);
        assert_null(tokenizer);
    }
}

static void other_model(gguf_builder *b) {
    gguf_builder_string(b, "tokenizer.ggml.model", "llama");
}

static void no_model(gguf_builder *b) {
    gguf_builder_drop(b, "tokenizer.ggml.model");
}

static void no_pre(gguf_builder *b) {
    gguf_builder_drop(b, "tokenizer.ggml.pre");
}

static void no_tokens(gguf_builder *b) {
    gguf_builder_drop(b, "tokenizer.ggml.tokens");
}

static void no_merges(gguf_builder *b) {
    gguf_builder_drop(b, "tokenizer.ggml.merges");
}

static void number_tokens(gguf_builder *b) {
    const int32_t numbers[] = {1, 2};
    gguf_builder_numbers(b, "tokenizer.ggml.tokens", GGUF_I32, numbers, COUNT(numbers));
}

static void zero_tokens(gguf_builder *b) {
    gguf_builder_strings(b, "tokenizer.ggml.tokens", NULL, 0);
    gguf_builder_drop(b, "tokenizer.ggml.token_type");
}

static void no_bytes(gguf_builder *b) {
    const char *const words[] = {"hello", "world"};
    gguf_builder_strings(b, "tokenizer.ggml.tokens", words, COUNT(words));
    gguf_builder_drop(b, "tokenizer.ggml.token_type");
}

static void few_types(gguf_builder *b) {
    const int32_t types[] = {1, 1, 1};
    gguf_builder_numbers(b, "tokenizer.ggml.token_type", GGUF_I32, types, COUNT(types));
}

static void text_types(gguf_builder *b) {
    static const char *types[258];
    for (size_t i = 0; i < COUNT(types); i++)
        types[i] = "normal";
    gguf_builder_strings(b, "tokenizer.ggml.token_type", types, COUNT(types));
}

static void few_scores(gguf_builder *b) {
    const float scores[] = {0.5f, 1};
    gguf_builder_numbers(b, "tokenizer.ggml.scores", GGUF_F32, scores, COUNT(scores));
}

static void far_bos(gguf_builder *b) {
    gguf_builder_u32(b, "tokenizer.ggml.bos_token_id", 258);
}

static void far_padding(gguf_builder *b) {
    gguf_builder_u32(b, "tokenizer.ggml.padding_token_id", UINT32_MAX);
}

static void bos_without_id(gguf_builder *b) {
    gguf_builder_bool(b, "tokenizer.ggml.add_bos_token", 1);
}

static void number_for_bool(gguf_builder *b) {
    gguf_builder_u32(b, "tokenizer.ggml.add_bos_token", 1);
}

static void test_bad_keys(void **state) {
    (void)state;
    static const struct {
        void (*spoil)(gguf_builder *b);
        const char *parts[4];
    } cases[] = {
        {other_model, {"tokenizer.ggml.model", "'llama'", "gpt2"}},
        {no_model, {"tokenizer.ggml.model", "missing"}},
        {no_pre, {"tokenizer.ggml.pre", "missing"}},
        {no_tokens, {"tokenizer.ggml.tokens", "missing"}},
        {no_merges, {"tokenizer.ggml.merges", "missing"}},
        {number_tokens, {"tokenizer.ggml.tokens", "i32", "string"}},
        {zero_tokens, {"tokenizer.ggml.tokens", "single byte"}},
        {no_bytes, {"tokenizer.ggml.tokens", "single byte"}},
        {few_types, {"tokenizer.ggml.token_type has 3", "258"}},
        {text_types, {"tokenizer.ggml.token_type", "string", "integers"}},
        {few_scores, {"tokenizer.ggml.scores has 2", "258"}},
        {far_bos, {"tokenizer.ggml.bos_token_id is 258", "258 tokens"}},
        {far_padding, {"tokenizer.ggml.padding_token_id is 4294967295"}},
        {bos_without_id, {"tokenizer.ggml.bos_token_id", "missing"}},
        {number_for_bool, {"tokenizer.ggml.add_bos_token", "bool"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gguf_builder b;
        dun_tokenizer *tokenizer = NULL;
        build_vocabulary(&b, &good_plan);
        cases[i].spoil(&b);
        expect_refused(create_tokenizer(&tokenizer, &b), cases[i].parts);
        assert_null(tokenizer);
    }
}

/* A file may leave out the types (then no token is special) and name no beginning of text. */
static void test_optional_keys(void **state) {
    (void)state;
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    build_vocabulary(&b, &good_plan);
    gguf_builder_drop(&b, "tokenizer.ggml.token_type");
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_pieces(tokenizer, "ab<s>", 5, "ab|<|s|>");
    dun_tokenizer_free(tokenizer);
    dun_tokenizer_free(NULL);
}

/* One failing allocation after the other, until everything succeeds. */
static void test_failing_allocations(void **state) {
    (void)state;
    static const char text[] = "ab <s>\xff abc abababababababab 12 12 12 12 12";
    gguf_builder b;
    dun_str bytes = {0};
    dun_gguf *file = NULL;
    build_vocabulary(&b, &good_plan);
    expect_ok(gguf_builder_finish(&bytes, &b));
    gguf_builder_free(&b);
    expect_ok(dun_gguf_parse(&file, (const uint8_t *)bytes.bytes, bytes.length, "t.gguf"));
    size_t live = dun_mem_live(), n_failed = 0;
    for (int rc = DUN_FAILED; rc != DUN_OK; n_failed++) {
        dun_tokenizer *tokenizer = NULL;
        dun_tokens tokens = {0};
        dun_fault_set(n_failed + 1);
        rc = dun_tokenizer_read_gguf(&tokenizer, file);
        if (rc == DUN_OK)
            rc = dun_tokenizer_encode(&tokens, tokenizer, text, sizeof text - 1);
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        assert_true(rc == DUN_OK ? tokens.n > 0 : tokens.n == 0);
        dun_tokens_free(&tokens);
        dun_tokenizer_free(tokenizer);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n_failed > 20);
    dun_gguf_free(file);
    dun_str_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_optional_keys),
        cmocka_unit_test(test_failing_allocations),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
