/* SentencePiece's kind of tokenizer: joined by scores, characters and bytes, the space in front, added
 * tokens. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "tokenizer_make.h"

#define BLANK "\xe2\x96\x81"

typedef struct {
    const char *text;
    float score;
    int32_t type;
} scored_plan;

/* Lists end with a NULL text. Ids 0 to 2 are <unk>, <s> and </s>, 3 to 258 the bytes, then come these. */
static const scored_plan plain_plan[] = {
    {BLANK, -9, TOKEN_NORMAL},
    {"a", -10, TOKEN_NORMAL},
    {"b", -11, TOKEN_NORMAL},
    {"c", -12, TOKEN_NORMAL},
    {"ab", -2, TOKEN_NORMAL},
    {"bc", -1, TOKEN_NORMAL},
    {"abc", -3, TOKEN_NORMAL},
    {BLANK "a", -4, TOKEN_NORMAL},
    {"aa", -5, TOKEN_NORMAL},
    {BLANK BLANK, -6, TOKEN_NORMAL},
    {"xy", -7, TOKEN_NORMAL}, /* neither x nor y is a token */
    {"\t\t", 0, TOKEN_USER_DEFINED},
    {"    ", 0, TOKEN_USER_DEFINED},
    {"<tag>", 0, TOKEN_USER_DEFINED},
    {"ca", 0, TOKEN_CONTROL},
    {NULL, 0, 0},
};
enum { FIRST = 259 };

static void build_scored(gguf_builder *b, const scored_plan *plan) {
    static char bytes[256][8];
    const char *texts[FIRST + 32] = {"<unk>", "<s>", "</s>"};
    int32_t types[FIRST + 32] = {TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL};
    float scores[FIRST + 32] = {0};
    uint32_t n = 3;
    for (; n < FIRST; n++) {
        snprintf(bytes[n - 3], sizeof bytes[0], "<0x%02X>", n - 3);
        texts[n] = bytes[n - 3];
        types[n] = TOKEN_BYTE;
    }
    for (; plan->text; plan++, n++) {
        texts[n] = plan->text;
        types[n] = plan->type;
        scores[n] = plan->score;
    }
    gguf_builder_init(b);
    gguf_builder_string(b, "tokenizer.ggml.model", "llama");
    gguf_builder_strings(b, "tokenizer.ggml.tokens", texts, n);
    gguf_builder_numbers(b, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    gguf_builder_numbers(b, "tokenizer.ggml.scores", GGUF_F32, scores, n);
    gguf_builder_u32(b, "tokenizer.ggml.unknown_token_id", 0);
}

static dun_tokenizer *make_scored(uint8_t space) {
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    build_scored(&b, plain_plan);
    gguf_builder_bool(&b, "tokenizer.ggml.add_space_prefix", space);
    expect_ok(create_tokenizer(&tokenizer, &b));
    return tokenizer;
}

static void test_scores(void **state) {
    (void)state;
    static const struct {
        const char *text, *pieces, *with_space; /* NULL: the same behind a space */
    } cases[] = {
        {"", "", ""},
        {"abc", "abc", " |abc"},
        {"abcc", "abc|c", " |abc|c"},
        {"bbcb", "b|bc|b", " |b|bc|b"}, /* the highest score first, though it stands further right */
        {"aaa", "aa|a", " a|aa"},       /* of equals the leftmost; " a" goes before */
        {"aab", "a|ab", " a|ab"},
        {"a b", "a| |b", " a| |b"},
        {" a", " a", " | a"},
        {"  a", " | a", "  | a"},
        {"xy", "xy", " |xy"}, /* characters without a token are joined to one */
        {"xyx", "xy|x", " |xy|x"},
        {"z\xc3\xa9", "z|\xc3|\xa9", " |z|\xc3|\xa9"}, /* bytes for what has no token */
        {"b\t\tb", "b|\t\t|b", " |b|\t\t| |b"},        /* cut out of the raw text; what follows begins anew */
        {"b    b", "b|    |b", " |b|    | |b"},
        {"b     b", "b|    | |b", " |b|    |  |b"},
        {"b<tag>b", "b|<tag>|b", " |b|<tag>| |b"},
        {"bca", "b|ca", " |b|ca"},
        {"</s>", "</s>", "</s>"},
        {"a<s> a", "a|<s>| a", " a|<s>| | a"},
    };
    for (uint8_t space = 0; space < 2; space++) {
        dun_tokenizer *tokenizer = make_scored(space);
        for (size_t i = 0; i < COUNT(cases); i++)
            expect_pieces(tokenizer, cases[i].text, strlen(cases[i].text),
                          space ? cases[i].with_space : cases[i].pieces);
        dun_tokenizer_free(tokenizer);
    }
}

/* Text in the middle of another has no space in front, and tokens of control may be plain characters. */
static void test_inside(void **state) {
    (void)state;
    dun_tokenizer *tokenizer = make_scored(1);
    dun_tokens tokens = {0};
    expect_ok(dun_tokenizer_encode_inside(&tokens, tokenizer, "b<s>b", 5));
    assert_int_equal(tokens.n, 4); /* b, <s>, space, b */
    assert_int_equal(tokens.ids[0], FIRST + 2);
    assert_int_equal(tokens.ids[1], 1);
    tokens.n = 0;
    expect_ok(
        dun_tokenizer_encode_plain(&tokens, tokenizer, "bca", 3, (dun_token_span){0, UINT32_MAX}, true));
    assert_int_equal(tokens.n, 2);
    assert_int_equal(tokens.ids[0], FIRST + 5); /* "bc", now that "ca" is none */
    dun_tokens_free(&tokens);
    dun_tokenizer_free(tokenizer);
}

/* BOS unless the file says no, and only where it has an id. */
static void test_beginning(void **state) {
    (void)state;
    for (int with_id = 0; with_id < 2; with_id++)
        for (int add = -1; add < 2; add++) {
            gguf_builder b;
            dun_tokenizer *tokenizer = NULL;
            build_scored(&b, plain_plan);
            if (with_id)
                gguf_builder_u32(&b, "tokenizer.ggml.bos_token_id", 1);
            if (add >= 0)
                gguf_builder_bool(&b, "tokenizer.ggml.add_bos_token", (uint8_t)add);
            int rc = create_tokenizer(&tokenizer, &b);
            if (!with_id && add == 1) {
                assert_int_equal(rc, DUN_BAD_INPUT);
                continue;
            }
            expect_ok(rc);
            expect_pieces(tokenizer, "b", 1, with_id && add != 0 ? "<s>| |b" : " |b");
            dun_tokenizer_free(tokenizer);
        }
}

static void expect_spans(dun_tokenizer *tokenizer, const char *text, const char *wanted) {
    dun_tokens tokens = {0};
    dun_str found = {0};
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, strlen(text)));
    for (size_t i = 0; i < tokens.n; i++)
        expect_ok(dun_str_addf(&found, "%s%u-%u", i ? "|" : "", tokens.spans[i].begin, tokens.spans[i].end));
    assert_string_equal(found.bytes, wanted);
    assert_true(tokens.n <= dun_tokenizer_most(tokenizer, text, strlen(text)));
    dun_str_free(&found);
    dun_tokens_free(&tokens);
}

static void test_spans(void **state) {
    (void)state;
    dun_tokenizer *tokenizer = make_scored(1);
    expect_spans(tokenizer, "b", "0-0|0-1"); /* the space in front is none of the text */
    expect_spans(tokenizer, "a b", "0-1|1-2|2-3");
    expect_spans(tokenizer, "b \xc3\xa9", "0-0|0-1|1-2|2-3|3-4");
    expect_spans(tokenizer, "b<s> ab", "0-0|0-1|1-4|4-5|5-7");
    expect_spans(tokenizer, "b\xff", "0-0|0-1|1-2|2-2|2-2"); /* U+FFFD in three bytes */
    dun_tokenizer_free(tokenizer);
}

/* The definition word for word: join the neighbours that spell the token of the highest score, leftmost
 * first, and start again. Part i is word[starts[i] .. starts[i + 1] - 1]. Returns the number of parts. */
static size_t join_slowly(size_t *starts, size_t n, const char *word) {
    for (;;) {
        float best = -1e9f;
        size_t at = n;
        for (size_t i = 0; i + 1 < n; i++)
            for (const scored_plan *token = plain_plan; token->text; token++)
                if (token->type == TOKEN_NORMAL && strlen(token->text) == starts[i + 2] - starts[i] &&
                    memcmp(token->text, word + starts[i], strlen(token->text)) == 0 && token->score > best) {
                    best = token->score;
                    at = i;
                }
        if (at == n)
            return n;
        memmove(starts + at + 1, starts + at + 2, (n - at - 1) * sizeof *starts);
        n--;
    }
}

static void test_by_definition(void **state) {
    (void)state;
    dun_tokenizer *tokenizer = make_scored(0);
    for (uint64_t round = 0; round < 2000; round++) {
        char word[64] = "";
        size_t starts[65], n = 1 + (size_t)dun_random_below(60, 1, DUN_STREAM_TEST, round);
        dun_tokens tokens = {0};
        for (size_t i = 0; i < n; i++)
            word[i] = "abbcxy"[dun_random_below(6, 2 + round, DUN_STREAM_TEST, i)];
        for (size_t i = 0; i <= n; i++)
            starts[i] = i;
        while (strstr(word, "ca")) /* a control token */
            strstr(word, "ca")[0] = 'b';
        const size_t n_parts = join_slowly(starts, n, word);
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, word, n));
        assert_int_equal(tokens.n, n_parts);
        for (size_t i = 0; i < n_parts; i++) {
            assert_int_equal(tokens.spans[i].begin, starts[i]);
            assert_int_equal(tokens.spans[i].end, starts[i + 1]);
        }
        dun_tokens_free(&tokens);
    }
    dun_tokenizer_free(tokenizer);
}

/* Scores that are all the same have lost the order, which merges keep. */
static void test_merges_for_scores(void **state) {
    (void)state;
    static const char *const merges[] = {"a b", "b c", "ab c"};
    float scores[FIRST + 15];
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    for (size_t i = 0; i < COUNT(scores); i++)
        scores[i] = -1000;
    build_scored(&b, plain_plan);
    gguf_builder_numbers(&b, "tokenizer.ggml.scores", GGUF_F32, scores, COUNT(scores));
    gguf_builder_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_pieces(tokenizer, "abcbc\xc3\xa9", 7, " |abc|bc|\xc3|\xa9");
    dun_tokenizer_free(tokenizer);
}

/* A mebibyte that a quadratic step would spend hours on. */
static void test_long_texts(void **state) {
    (void)state;
    static const char *const units[] = {"a", " ", "ab", "xy", "\xc3\xa9", "\t\t", "<tag", "\xff"};
    dun_tokenizer *tokenizer = make_scored(1);
    for (size_t i = 0; i < COUNT(units); i++) {
        dun_str text = {0};
        dun_tokens tokens = {0};
        while (text.length < 1 << 20)
            expect_ok(dun_str_add(&text, units[i], strlen(units[i])));
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text.bytes, text.length));
        assert_int_equal(tokens.spans[tokens.n - 1].end, text.length);
        assert_true(tokens.n <= dun_tokenizer_most(tokenizer, text.bytes, text.length));
        dun_tokens_free(&tokens);
        dun_str_free(&text);
    }
    dun_tokenizer_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_beginning),     cmocka_unit_test(test_spans),
        cmocka_unit_test(test_by_definition), cmocka_unit_test(test_merges_for_scores),
        cmocka_unit_test(test_long_texts),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
