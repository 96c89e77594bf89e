/* Model files with a broken tokenizer, and failing allocations. */
#include "base/fault.h"
#include "base/mem.h"
#include "tokenizer_make.h"

#include <math.h>
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
        {{"qwen9", {{NULL, 0}}, {NULL}}, {"tokenizer.ggml.pre", "'qwen9'", "qwen2, qwen35"}},
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
    gguf_builder_string(b, "tokenizer.ggml.model", "bert");
}

static void llama_without_scores(gguf_builder *b) {
    gguf_builder_string(b, "tokenizer.ggml.model", "llama");
}

static void llama_of_equal_scores(gguf_builder *b) {
    float scores[258];
    for (size_t i = 0; i < COUNT(scores); i++)
        scores[i] = -1000;
    gguf_builder_string(b, "tokenizer.ggml.model", "llama");
    gguf_builder_numbers(b, "tokenizer.ggml.scores", GGUF_F32, scores, COUNT(scores));
    gguf_builder_drop(b, "tokenizer.ggml.merges");
}

static void llama_without_number(gguf_builder *b) {
    float scores[258] = {0, 1, NAN};
    gguf_builder_string(b, "tokenizer.ggml.model", "llama");
    gguf_builder_numbers(b, "tokenizer.ggml.scores", GGUF_F32, scores, COUNT(scores));
}

static void no_model(gguf_builder *b) {
    gguf_builder_drop(b, "tokenizer.ggml.model");
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
        {other_model, {"tokenizer.ggml.model is 'bert'", "gpt2", "llama"}},
        {llama_without_scores, {"tokenizer.ggml.scores", "missing"}},
        {llama_of_equal_scores, {"tokenizer.ggml.scores", "all -1000", "tokenizer.ggml.merges"}},
        {llama_without_number, {"tokenizer.ggml.tokens[2]", "no number"}},
        {no_model, {"tokenizer.ggml.model", "missing"}},
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
    /* the name decides on the kind, not whether there are scores */
    float scores[COUNT(good_plan.tokens) + 256];
    for (size_t i = 0; i < COUNT(scores); i++)
        scores[i] = -(float)i;
    build_vocabulary(&b, &good_plan);
    gguf_builder_numbers(&b, "tokenizer.ggml.scores", GGUF_F32, scores, 258);
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_pieces(tokenizer, "ab a", 4, "ab| |a");
    dun_tokenizer_free(tokenizer);
    dun_tokenizer_free(NULL);
}

static void hear(void *self, const char *message) {
    snprintf(self, 400, "%s", message);
}

/* Without tokenizer.ggml.pre marker tokens tell, else there is a guess; either is said. */
static void test_missing_pre(void **state) {
    (void)state;
    static const struct {
        const char *second, *pieces, *warning; /* token 1 */
    } cases[] = {{"!!", "77|do|n|'|t", "WORDS ARE GUESSED"}, {"<|im_start|>", "7|7|do|n|'t", "smollm"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const tokens[] = {"7", cases[i].second, "d", "o", "do", "n", "'", "t", "'t", "77"};
        const char *const merges[] = {"d o", "' t", "7 7"};
        char heard[400] = "";
        gguf_builder b;
        dun_tokenizer *tokenizer = NULL;
        gguf_builder_init(&b);
        gguf_builder_string(&b, "tokenizer.ggml.model", "gpt2");
        gguf_builder_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
        gguf_builder_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
        dun_warn_listen(hear, heard);
        expect_ok(create_tokenizer(&tokenizer, &b));
        dun_warn_ignore(heard);
        assert_non_null(strstr(heard, "t.gguf: tokenizer.ggml.pre is missing"));
        assert_non_null(strstr(heard, cases[i].warning));
        expect_pieces(tokenizer, "77don't", 7, cases[i].pieces);
        dun_tokenizer_free(tokenizer);
    }
}

/* A text that brings the token which begins texts has it twice, as is said once. */
static void test_begun_twice(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool inside, plain, warned;
    } cases[] = {{"ab<s>", false, false, false},
                 {"<s>ab", true, false, false},
                 {"<s>ab", false, true, false},
                 {"<s>ab", false, false, true},
                 {"<s>", false, false, false}};
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    build_vocabulary(&b, &good_plan);
    gguf_builder_u32(&b, "tokenizer.ggml.bos_token_id", 257);
    gguf_builder_bool(&b, "tokenizer.ggml.add_bos_token", 1);
    expect_ok(create_tokenizer(&tokenizer, &b));
    for (size_t i = 0; i < COUNT(cases); i++) {
        char heard[400] = "";
        dun_tokens tokens = {0};
        dun_warn_listen(hear, heard);
        expect_ok(dun_tokenizer_encode_plain(&tokens, tokenizer, cases[i].text, strlen(cases[i].text),
                                             (dun_token_span){0, cases[i].plain ? UINT32_MAX : 0},
                                             cases[i].inside));
        dun_warn_ignore(heard);
        if (cases[i].warned ? !strstr(heard, "begins with '<s>'") : heard[0] != '\0')
            fail_msg("case %zu: '%s'", i, heard);
        dun_tokens_free(&tokens);
    }
    dun_tokenizer_free(tokenizer);
}

/* Of tokens that are spelled alike the last one is meant; the others stand for the same bytes. */
static void test_twins(void **state) {
    (void)state;
    static const vocabulary_plan plan = {"gpt-2", {{"ab", 1}, {"c", 1}, {"ab", 1}, {NULL, 0}}, {"a b", NULL}};
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    dun_tokens tokens = {0};
    size_t length;
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, "abc", 3));
    assert_int_equal(tokens.n, 2);
    assert_int_equal(tokens.ids[0], 258);
    assert_int_equal(tokens.ids[1], 257);
    assert_string_equal(dun_tokenizer_piece(tokenizer, 256, &length), "ab");
    dun_tokens_free(&tokens);
    dun_tokenizer_free(tokenizer);
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
        cmocka_unit_test(test_bad_vocabularies),    cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_optional_keys),       cmocka_unit_test(test_missing_pre),
        cmocka_unit_test(test_begun_twice),         cmocka_unit_test(test_twins),
        cmocka_unit_test(test_failing_allocations),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
