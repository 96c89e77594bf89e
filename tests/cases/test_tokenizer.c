/* Token ids against the reference vectors, and merging, special tokens, bytes and long texts on vocabularies
 * made by hand. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "tokenizer_make.h"

#include <jansson.h>

typedef struct {
    const char *model, *reference; /* below SOURCE_DIR */
} reference_plan;

static void compare_list(dun_tokenizer *tokenizer, const json_t *list, const char *ids_name) {
    size_t at;
    json_t *entry;
    json_array_foreach(list, at, entry) {
        const json_t *text = json_object_get(entry, "text"), *ids = json_object_get(entry, ids_name);
        dun_tokens tokens = {0};
        assert_true(json_is_string(text) && json_is_array(ids));
        expect_ok(
            dun_tokenizer_encode(&tokens, tokenizer, json_string_value(text), json_string_length(text)));
        bool same = tokens.n == json_array_size(ids);
        for (size_t i = 0; same && i < tokens.n; i++)
            same = tokens.ids[i] == (uint64_t)json_integer_value(json_array_get(ids, i));
        if (!same)
            fail_msg("case %zu of %s: %s", at, ids_name, json_string_value(text));
        dun_tokens_free(&tokens);
    }
}

/* `numerals` are texts on which pre-tokenizers differ; the model's own sets numerals apart. */
static void test_reference(void **state) {
    const reference_plan *plan = *state;
    char path[1000];
    dun_gguf *file = NULL;
    dun_tokenizer *tokenizer = NULL;
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, plan->reference);
    json_t *reference = json_load_file(path, JSON_ALLOW_NUL, NULL);
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, plan->model);
    FILE *model = fopen(path, "rb");
    if (!reference && strncmp(plan->reference, "../", 3) != 0) /* the project's own */
        fail_msg("%s is not there", plan->reference);
    if (!model && strncmp(plan->model, "models/", 7) != 0) /* only the real model has to be fetched */
        fail_msg("%s is not there", plan->model);
    if (!reference || !model) {
        json_decref(reference);
        if (model)
            fclose(model);
        skip();
    }
    fclose(model);
    expect_ok(dun_gguf_open(&file, path));
    expect_ok(dun_tokenizer_read_gguf(&tokenizer, file));
    assert_true(json_array_size(json_object_get(reference, "cases")) > 0);
    compare_list(tokenizer, json_object_get(reference, "cases"), "ids");
    compare_list(tokenizer, json_object_get(reference, "numerals"), "ids_numerals_apart");
    json_decref(reference);
    dun_tokenizer_free(tokenizer);
    dun_gguf_free(file);
}

static void test_merge_order(void **state) {
    (void)state;
    static const vocabulary_plan plan = {
        "gpt-2",
        {{"bc", 1},
         {"ab", 1},
         {"abc", 1},
         {"aa", 1},
         {"aaaa", 1},
         {"Ġa", 1},
         {"Ġaa", 1},
         {"xyz", 1},
         {NULL, 0}},
        {"b c", "a b", "ab c", "a a", "aa aa", "Ġ a", "Ġa a", NULL},
    };
    static const struct {
        const char *text, *pieces;
    } cases[] = {
        {"", ""},
        {"ab", "ab"},
        {"abc", "a|bc"},   /* the lower rank first, though it stands further right */
        {"aabc", "aa|bc"}, /* so "ab c" never gets its turn */
        {"aaa", "aa|a"},   /* of equals the leftmost first */
        {"aaaaaaa", "aaaa|aa|a"},
        {" a", " a"},
        {" aa", " |aa"},  /* "a a" ranks before "Ġ a" */
        {"xyz", "x|y|z"}, /* a token that no merge makes */
        {"ab ab", "ab| |ab"},
        {"a|b", "a|||b"},
        {"é", "\xc3|\xa9"},
    };
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_pieces(tokenizer, cases[i].text, strlen(cases[i].text), cases[i].pieces);
    dun_tokenizer_free(tokenizer);
}

static const vocabulary_plan dense_plan = {
    "gpt-2",
    {{"ab", 1},
     {"ba", 1},
     {"aab", 1},
     {"abab", 1},
     {"bb", 1},
     {"bbb", 1},
     {"cab", 1},
     {"abba", 1},
     {"aaba", 1},
     {"bc", 1},
     {"bcc", 1},
     {"bcab", 1},
     {NULL, 0}},
    {"b a", "a b", "b b", "a ab", "ab ab", "bb b", "c ab", "ab ba", "aab a", "b bb", "b c", "bc c", "bc ab",
     NULL},
};

/* The definition word for word: find the lowest rank, leftmost, merge, start again. Part i of the word is
 * word[starts[i] .. starts[i + 1] - 1]. Returns the number of parts left. */
static size_t merge_slowly(size_t *starts, size_t n, const char *word, const char *const *merges) {
    for (;;) {
        size_t best_rank = SIZE_MAX, best = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            char pair[80];
            snprintf(pair, sizeof pair, "%.*s %.*s", (int)(starts[i + 1] - starts[i]), word + starts[i],
                     (int)(starts[i + 2] - starts[i + 1]), word + starts[i + 1]);
            for (size_t rank = 0; merges[rank] && rank < best_rank; rank++)
                if (strcmp(merges[rank], pair) == 0) {
                    best_rank = rank;
                    best = i;
                }
        }
        if (best_rank == SIZE_MAX)
            return n;
        memmove(starts + best + 1, starts + best + 2, (n - best - 1) * sizeof *starts);
        n--;
    }
}

static void test_merging_by_definition(void **state) {
    (void)state;
    dun_tokenizer *tokenizer = make_tokenizer(&dense_plan);
    for (uint64_t round = 0; round < 2000; round++) {
        char word[64] = "";
        size_t starts[65], n = 1 + (size_t)dun_random_below(60, 1, DUN_STREAM_TEST, round);
        dun_str expected = {0};
        for (size_t i = 0; i < n; i++)
            word[i] = "aabbc"[dun_random_below(5, 2 + round, DUN_STREAM_TEST, i)];
        for (size_t i = 0; i <= n; i++)
            starts[i] = i;
        size_t n_parts = merge_slowly(starts, n, word, dense_plan.merges);
        for (size_t i = 0; i < n_parts; i++)
            expect_ok(dun_str_addf(&expected, "%s%.*s", i ? "|" : "", (int)(starts[i + 1] - starts[i]),
                                   word + starts[i]));
        expect_pieces(tokenizer, word, n, expected.bytes);
        dun_str_free(&expected);
    }
    dun_tokenizer_free(tokenizer);
}

static void test_special_tokens(void **state) {
    (void)state;
    static const vocabulary_plan plan = {
        "smollm",
        {{"<s>", TOKEN_CONTROL},
         {"<s><s>", TOKEN_CONTROL},
         {"<s>x", TOKEN_USER_DEFINED},
         {"ducks", TOKEN_USER_DEFINED},
         {"ks on", TOKEN_CONTROL},
         {"<unused>", TOKEN_UNUSED},
         {"<unk>", TOKEN_UNKNOWN},
         {"", TOKEN_CONTROL},
         {NULL, 0}},
        {NULL},
    };
    static const struct {
        const char *text, *pieces;
    } cases[] = {
        {"a<s>b", "a|<s>|b"},
        {"<s><s><s>", "<s><s>|<s>"},
        {"<s><s>x", "<s><s>|x"}, /* the longest at the first place, not the longest anywhere */
        {"<<s>>", "<|<s>|>"},
        {"ducks on", "ducks| |o|n"},
        {"<unused>", "<|u|n|u|s|e|d|>"},
        {"<unk>", "<unk>"},
        {"  <s>  ", " | |<s>| | "},
    };
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_pieces(tokenizer, cases[i].text, strlen(cases[i].text), cases[i].pieces);
    expect_pieces(tokenizer, "<s>", 2, "<|s"); /* the last byte is not of this text */
    dun_tokenizer_free(tokenizer);
}

static void test_pieces(void **state) {
    (void)state;
    static const vocabulary_plan plan = {
        "gpt-2",
        {{"Ġthe", TOKEN_NORMAL},
         {"Ġあa", TOKEN_NORMAL}, /* not in the bytes' alphabet: literal */
         {"Ġ<", TOKEN_CONTROL},  /* always literal */
         {"<0x0A>", TOKEN_BYTE},
         {"<unk>", TOKEN_UNKNOWN},
         {NULL, 0}},
        {NULL},
    };
    static const char *const expected[] = {" the", "Ġあa", "Ġ<", "\n", "<unk>"};
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    size_t length;
    assert_int_equal(dun_tokenizer_vocab(tokenizer), 256 + COUNT(expected));
    for (unsigned id = 0; id < 256; id++) {
        const char *piece = dun_tokenizer_piece(tokenizer, id, &length);
        assert_int_equal(length, 1);
        assert_int_equal((unsigned char)piece[0], id);
    }
    for (uint32_t i = 0; i < COUNT(expected); i++) {
        const char *piece = dun_tokenizer_piece(tokenizer, 256 + i, &length);
        assert_int_equal(length, strlen(expected[i]));
        assert_string_equal(piece, expected[i]);
    }
    dun_tokenizer_piece(tokenizer, 256 + COUNT(expected), &length);
    assert_int_equal(length, 0);
    dun_tokenizer_free(tokenizer);
}

/* Bytes without a token of their own: a token of type byte, or left out. */
static void test_missing_bytes(void **state) {
    (void)state;
    static const char *const tokens[] = {"a", "b", "ab", "<0x63>", "<0x61>"}, *const merges[] = {"a b"};
    static const int32_t types[] = {TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_BYTE, TOKEN_BYTE};
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    dun_tokens ids = {0};
    gguf_builder_init(&b);
    gguf_builder_string(&b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(&b, "tokenizer.ggml.pre", "gpt-2");
    gguf_builder_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    gguf_builder_numbers(&b, "tokenizer.ggml.token_type", GGUF_I32, types, COUNT(types));
    gguf_builder_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
    expect_ok(create_tokenizer(&tokenizer, &b));
    expect_pieces(tokenizer, "abca", 4, "ab|c|a");
    expect_pieces(tokenizer, "axb", 3, "ab"); /* inside a word */
    expect_pieces(tokenizer, "x y", 3, "");
    expect_ok(dun_tokenizer_encode(&ids, tokenizer, "a", 1));
    assert_int_equal(ids.ids[0], 0); /* not 4: the alphabet goes first */
    dun_tokens_free(&ids);
    dun_tokenizer_free(tokenizer);
}

static void test_beginning_of_text(void **state) {
    (void)state;
    static const vocabulary_plan plan = {"gpt-2", {{"<s>", TOKEN_CONTROL}, {NULL, 0}}, {NULL}};
    for (int add_bos = 0; add_bos <= 1; add_bos++) {
        gguf_builder b;
        dun_tokenizer *tokenizer = NULL;
        build_vocabulary(&b, &plan);
        gguf_builder_u32(&b, "tokenizer.ggml.bos_token_id", 256);
        gguf_builder_bool(&b, "tokenizer.ggml.add_bos_token", (uint8_t)add_bos);
        expect_ok(create_tokenizer(&tokenizer, &b));
        expect_pieces(tokenizer, "", 0, add_bos ? "<s>" : "");
        expect_pieces(tokenizer, "ab", 2, add_bos ? "<s>|a|b" : "a|b");
        dun_tokenizer_free(tokenizer);
    }
}

static void test_appending(void **state) {
    (void)state;
    static const vocabulary_plan plan = {"gpt-2", {{NULL, 0}}, {NULL}};
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    dun_tokens tokens = {0};
    for (int i = 0; i < 20; i++)
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, "xyz", 3));
    assert_int_equal(tokens.n, 60);
    for (size_t i = 0; i < tokens.n; i++)
        assert_int_equal(tokens.ids[i], "xyz"[i % 3]);
    dun_tokens_free(&tokens);
    dun_tokenizer_free(tokenizer);
}

/* Text with a few merges and special tokens in it, none of which may change what the tokens spell. */
static const vocabulary_plan rich_plan = {
    "smollm",
    {{"aa", 1},
     {"aaaa", 1},
     {"ĠĠ", 1},
     {"ĠĠĠĠ", 1},
     {"Ċ"
      "Ċ",
      1},
     {"Ġa", 1},
     {"Ã©", 1},
     {"<s>", TOKEN_CONTROL},
     {"<s><s>", TOKEN_CONTROL},
     {NULL, 0}},
    {"a a", "aa aa", "Ġ Ġ", "ĠĠ ĠĠ", "Ċ Ċ", "Ġ a", "Ã ©", NULL},
};

static void test_any_bytes(void **state) {
    (void)state;
    static const char *const parts[] = {"a",        "aa",           " ",    "\n", "7",    "é",    "日",
                                        "🦆",     "'s",           "<s>",  "<",  "\xff", "\xe6", "\x97",
                                        "\xf0\x9f", "\xed\xa0\x80", "\xc0", "",   "\x85"};
    dun_tokenizer *tokenizer = make_tokenizer(&rich_plan);
    dun_str text = {0}, expected = {0}, found = {0};
    for (uint64_t round = 0; round < 3000; round++) {
        dun_str_clear(&text);
        dun_str_clear(&expected);
        for (uint64_t i = 0; i < 12; i++) {
            const char *part = parts[dun_random_below(COUNT(parts), round, DUN_STREAM_TEST, i)];
            expect_ok(dun_str_add(&text, part, part[0] ? strlen(part) : 1)); /* "": a zero byte */
        }
        expect_ok(dun_utf8_repair(&expected, text.bytes, text.length));
        encode_to_text(&found, tokenizer, text.bytes, text.length, "");
        assert_int_equal(found.length, expected.length);
        assert_memory_equal(found.bytes, expected.bytes, expected.length);
    }
    dun_str_free(&text);
    dun_str_free(&expected);
    dun_str_free(&found);
    dun_tokenizer_free(tokenizer);
}

/* A mebibyte that a quadratic step would spend hours on. */
static void test_long_texts(void **state) {
    (void)state;
    static const struct {
        const char *unit, *end;
        size_t unit_tokens[2]; /* so many tokens ... for so many units */
    } cases[] = {
        {"a", "", {1, 4}},   {" ", "", {1, 4}},      {" ", "b", {0, 0}},     {"\n", "", {1, 2}},
        {"\n", "b", {0, 0}}, {"7", "", {1, 1}},      {" 7", "", {2, 1}},     {"=", "", {1, 1}},
        {"<s", "", {2, 1}},  {"<s><s>", "", {1, 1}}, {"é", "", {1, 1}},      {"'", "", {1, 1}},
        {"' ", "", {2, 1}},  {"b ", "", {2, 1}},     {"\u3000", "", {3, 1}}, {"\u3000", "b", {0, 0}},
    };
    const size_t about = 1 << 20;
    dun_tokenizer *tokenizer = make_tokenizer(&rich_plan);
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_str text = {0}, found = {0};
        dun_tokens tokens = {0};
        size_t n_units = about / strlen(cases[i].unit) / 4 * 4;
        for (size_t unit = 0; unit < n_units; unit++)
            expect_ok(dun_str_add(&text, cases[i].unit, strlen(cases[i].unit)));
        expect_ok(dun_str_add(&text, cases[i].end, strlen(cases[i].end)));
        encode_to_text(&found, tokenizer, text.bytes, text.length, "");
        assert_int_equal(found.length, text.length);
        assert_memory_equal(found.bytes, text.bytes, text.length);
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text.bytes, text.length));
        if (cases[i].unit_tokens[0])
            assert_int_equal(tokens.n, n_units / cases[i].unit_tokens[1] * cases[i].unit_tokens[0]);
        dun_tokens_free(&tokens);
        dun_str_free(&text);
        dun_str_free(&found);
    }
    dun_tokenizer_free(tokenizer);
}

/* A text that looks everywhere like the longest special token. */
static void test_almost_special(void **state) {
    (void)state;
    char special[257] = "", text[1 << 16];
    vocabulary_plan plan = {"gpt-2", {{special, TOKEN_CONTROL}, {NULL, 0}}, {NULL}};
    memset(special, 'b', 255);
    special[255] = 'c';
    memset(text, 'b', sizeof text);
    dun_tokenizer *tokenizer = make_tokenizer(&plan);
    dun_tokens tokens = {0};
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, sizeof text));
    assert_int_equal(tokens.n, sizeof text);
    text[sizeof text - 1] = 'c';
    tokens.n = 0;
    expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, sizeof text));
    assert_int_equal(tokens.n, sizeof text - 255);
    assert_int_equal(tokens.ids[tokens.n - 1], 256);
    dun_tokens_free(&tokens);
    dun_tokenizer_free(tokenizer);
}

static reference_plan references[] = {
    {"tests/fixtures/tiny-a.gguf", "tests/reference/tiny-tokens.json"},
    {"models/SmolLM2-135M-Instruct.Q4_1.gguf", "tests/reference/tokens.json"},
    {"models/SmolLM2-135M-Instruct.Q4_1.gguf", "../shared/reference/tokens.json"},
};

int main(void) {
    const struct CMUnitTest tests[] = {
        {"reference tokens, tiny model", test_reference, NULL, NULL, &references[0]},
        {"reference tokens", test_reference, NULL, NULL, &references[1]},
        {"further reference tokens", test_reference, NULL, NULL, &references[2]},
        cmocka_unit_test(test_merge_order),
        cmocka_unit_test(test_merging_by_definition),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_missing_bytes),
        cmocka_unit_test(test_beginning_of_text),
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_almost_special),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || dun_mem_live() != 0;
}
