/* prompt.template as rows: which words are the text's neighbours and which are rows of their own, how they
 * are tokenised, what cutting leaves; and what is refused. */
#include "base/fault.h"
#include "base/mem.h"
#include "config/config.h"
#include "session/template.h"
#include "tokenizer_make.h"

static const vocabulary_plan plan = {"gpt-2",
                                     {{"<s>", TOKEN_CONTROL},
                                      {"\xc4\xa0g", TOKEN_NORMAL},
                                      {"is", TOKEN_NORMAL},
                                      {"\xc4\xa0is", TOKEN_NORMAL},
                                      {"\".", TOKEN_NORMAL},
                                      {NULL, 0}},
                                     {"\xc4\xa0 g", "i s", "\xc4\xa0 is", "\" .", NULL}};

static dun_tokenizer *plain, *with_bos; /* the second puts <s> before everything */

static void read_config(dun_config *config, const char *lines) {
    char text[500];
    snprintf(text, sizeof text, "[prompt]\n%s", lines);
    expect_ok(dun_config_init(config));
    expect_ok(dun_config_parse(config, text, strlen(text), "t.ini"));
}

static void show(dun_str *out, const dun_tokenizer *tokenizer, int32_t id) {
    size_t length;
    if (id < 0) {
        expect_ok(dun_str_addf(out, "%d|", -1 - id));
        return;
    }
    const char *piece = dun_tokenizer_piece(tokenizer, (uint32_t)id, &length);
    expect_ok(dun_str_addf(out, "%.*s|", (int)length, piece));
}

/* Rows of a text under a template, each followed by '|'; '/' before and after the rows of the text itself. */
static void show_rows(dun_str *out, const char *lines, dun_tokenizer *tokenizer, uint32_t P, const char *text,
                      uint32_t max_length) {
    dun_config config;
    dun_template template;
    dun_texts texts = {0};
    dun_batch batch;
    const uint32_t which = 0;
    read_config(&config, lines);
    expect_ok(dun_template_parse(&template, &config));
    expect_ok(dun_template_resolve(&template, tokenizer, P));
    dun_template_surround(&texts, &template);
    texts.plain = config.data.special_tokens == DUN_SPECIAL_TOKENS_TEXT;
    if (texts.lead)
        expect_ok(dun_texts_share(&texts, tokenizer));
    expect_ok(dun_texts_add(&texts, tokenizer, text, strlen(text), 0, max_length));
    assert_true(texts.longest <= dun_template_longest(&template, max_length));
    expect_ok(dun_batch_create(&batch, 1, 200));
    dun_template_batch(&batch, &template, &texts, &which, 1);
    assert_int_equal(batch.n_rows, dun_template_own_rows(&template) + texts.tokens.n);
    dun_str_clear(out);
    assert_int_equal(texts.shared.n, template.n_lead);
    for (uint32_t i = 0; i < template.n_lead; i++)
        show(out, tokenizer, (int32_t)texts.shared.ids[i]);
    uint32_t head = template.head.n - template.n_lead;
    for (uint32_t i = 0; i < batch.n_rows; i++) {
        if (i == head || i == head + texts.tokens.n)
            expect_ok(dun_str_addf(out, "/"));
        show(out, tokenizer, batch.ids[i]);
    }
    assert_int_equal(dun_template_is_prefix(&template), template.head.n > 0);
    dun_batch_free(&batch);
    dun_texts_free(&texts);
    dun_template_free(&template);
    dun_config_free(&config);
}

static void test_rows(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        uint32_t P;
        const char *text;
        uint32_t max_length;
        const char *rows, *rows_with_bos;
    } cases[] = {
        {"", 2, "a g", 9, "/a| g|/0|1|", "/<s>|a| g|/0|1|"},
        {"template = {text}{soft}\n", 2, "a g", 9, "/a| g|/0|1|", "/<s>|a| g|/0|1|"},
        {"template = {text} {soft:2}\n", 2, "a g", 1, "/a|/0|1|", "/<s>|/0|1|"},
        {"template = {text} {soft:1} {soft:2}\n", 3, "a", 9, "/a|/0|1|2|", "/<s>|a|/0|1|2|"},
        {"placement = prefix\n", 2, "a g", 9, "0|1|/a| g|", "<s>|0|1|/a| g|"},
        {"template = {soft}{text}\n", 2, "a g", 9, "0|1|/a| g|", "<s>|0|1|/a| g|"},
        /* words around the text: cached with it, cut apart from it */
        {"template = {text} is {soft:1}\n", 1, "a g g", 9, "/a| g| g| is|/0|", "/<s>|a| g| g| is|/0|"},
        {"template = {text} is {soft:1}\n", 1, "a g g", 2, "/a| g| is|/0|", "/<s>|a| g| is|/0|"},
        {"template = is: {text} is {soft:1}\n", 1, "g g", 1, "/is|:| g| is|/0|", "/<s>|is|:| g| is|/0|"},
        {"template = is: {text}. {soft:1}\n", 1, "", 1, "/is|:| |.|/0|", "/<s>|is|:| |.|/0|"},
        /* a token across the border is the text's */
        {"template = g\"{text} {soft}\n", 1, ".a", 9, "/g|\".|a|/0|", "/<s>|g|\".|a|/0|"},
        {"template = g\"{text} {soft}\n", 1, ".a", 1, "/g|\".|/0|", "/<s>|g|\".|/0|"},
        /* words among the prompt's rows; the space before a soft part is the config reader's alone */
        {"template = {text}{soft:1} is {soft:2} g\n", 3, "a", 9, "/a|/0| is|1|2| g|",
         "/<s>|a|/0| is|1|2| g|"},
        {"template = {text}  {soft:1}\n", 1, "a", 9, "/a| |/0|", "/<s>|a| |/0|"},
        {"template = {soft:1} is {text} g\n", 1, "a", 9, "0|/ is| |a| g|", "<s>|0|/ is| |a| g|"},
        {"template = g {soft:1}{text}{soft:2}\n", 3, "a", 9, "g|0|/a|/1|2|", "<s>|g|0|/a|/1|2|"},
        {"template = {{{text}}}{soft}\n", 1, "a", 9, "/{|a|}|/0|", "/<s>|{|a|}|/0|"},
        /* what a text spells; words of the template are tokens anyhow */
        {"template = <s>{text}<s> {soft}\n", 1, "<s>", 9, "/<s>|<s>|<s>|/0|", "/<s>|<s>|<s>|<s>|/0|"},
        {"template = <s>{text}<s> {soft}\n[data]\nspecial_tokens = text\n", 1, "<s>", 9, "/<s>|<|s|>|<s>|/0|",
         "/<s>|<s>|<|s|>|<s>|/0|"},
        {"template = <{text}> {soft}\n[data]\nspecial_tokens = text\n", 1, "s><s", 9, "/<|s|>|<|s|>|/0|",
         "/<s>|<|s|>|<|s|>|/0|"},
        {"[data]\nspecial_tokens = text\n", 1, "\xff<s>", 9, "/\xef|\xbf|\xbd|<|s|>|/0|",
         "/<s>|\xef|\xbf|\xbd|<|s|>|/0|"},
        {"template = <s> {soft:1}{text}\n[data]\nspecial_tokens = text\n", 1, "<s>", 9, "<s>|0|/<|s|>|",
         "<s>|<s>|0|/<|s|>|"},
        /* what is not UTF-8 is U+FFFD on either way */
        {"template = {text}g{soft}\n", 1, "\xff", 9, "/\xef|\xbf|\xbd|g|/0|", "/<s>|\xef|\xbf|\xbd|g|/0|"},
    };
    dun_str found = {0};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int bos = 0; bos < 2; bos++) {
            const char *wanted = bos ? cases[i].rows_with_bos : cases[i].rows;
            show_rows(&found, cases[i].lines, bos ? with_bos : plain, cases[i].P, cases[i].text,
                      cases[i].max_length);
            if (strcmp(found.bytes, wanted) != 0)
                fail_msg("%s\"%s\": %s, expected %s", cases[i].lines, cases[i].text, found.bytes, wanted);
        }
    dun_str_free(&found);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *lines, *parts[3];
    } cases[] = {
        {"template = {soft}\n", {"t.ini:2: prompt.template = {soft}", "{text} must stand in it once"}},
        {"template = {text}{soft}{text}\n", {"t.ini:2: ", "once"}},
        {"template = {text} is\n", {"t.ini:2: ", "{soft} or {soft:N}"}},
        {"template = {text}{soft}{soft}\n", {"t.ini:2: ", "several parts need {soft:N}"}},
        {"template = {text}{soft:2}{soft}\n", {"t.ini:2: ", "several parts need {soft:N}"}},
        {"template = {text}{soft:0}\n", {"t.ini:2: ", "1 to 4096"}},
        {"template = {text}{soft:}\n", {"t.ini:2: ", "1 to 4096"}},
        {"template = {text}{soft:2x}\n", {"t.ini:2: ", "1 to 4096"}},
        {"template = {text}{soft:-1}\n", {"t.ini:2: ", "1 to 4096"}},
        {"template = {text}{soft:99999999999999999999}\n", {"t.ini:2: ", "1 to 4096"}},
        {"template = {text}{soft:4096}{soft:1}\n", {"t.ini:2: ", "all together"}},
        {"template = {Text}{soft}\n", {"t.ini:2: ", "known are {text}, {soft} and {soft:N}"}},
        {"template = {text}{soft\n", {"t.ini:2: ", "a brace without its partner"}},
        {"template = {text}}{soft}\n", {"t.ini:2: ", "a brace without its partner"}},
        {"template = {{text}{soft}\n", {"t.ini:2: ", "a brace without its partner"}},
        {"tokens = 3\ntemplate = {text}{soft:2}\n",
         {"t.ini:2: prompt.tokens = 3", "prompt.template (t.ini:3)", "2 rows"}},
        {"placement = prefix\ntemplate = {text}{soft:2}\n",
         {"t.ini:2: prompt.placement = prefix", "prompt.template (t.ini:3)"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_config config;
        dun_template template;
        read_config(&config, cases[i].lines);
        assert_int_equal(dun_template_parse(&template, &config), DUN_USAGE);
        for (size_t j = 0; j < 3 && cases[i].parts[j]; j++)
            if (!strstr(dun_error_message(), cases[i].parts[j]))
                fail_msg("%s: \"%s\" has no \"%s\"", cases[i].lines, dun_error_message(), cases[i].parts[j]);
        dun_config_free(&config);
    }
}

/* Without contradiction: the same number twice, any number, the place a template has anyway. */
static void test_agreeing(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        uint32_t n_soft;
    } cases[] = {{"tokens = 3\ntemplate = {text}{soft:2}{soft:1}\n", 3},
                 {"tokens = 3\ntemplate = {text}{soft}\n", 0},
                 {"placement = prefix\ntemplate = {soft:2}{text}\n", 2},
                 {"placement = suffix\ntemplate = {soft:2}{text}\n", 2},
                 {"template = {text}{soft:4096}\n", 4096}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_config config;
        dun_template template;
        read_config(&config, cases[i].lines);
        expect_ok(dun_template_parse(&template, &config));
        assert_int_equal(template.n_soft, cases[i].n_soft);
        dun_template_free(&template);
        dun_config_free(&config);
    }
}

/* Words before the text are run once, but for a text that makes another token of their end ("i" and "s"). */
static void test_shared(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        size_t n_shared;
    } cases[] = {{"template = \"ag gi{text} {soft}\"\n", 5},  /* <s> a g " g" i */
                 {"template = \"ag gi {text} {soft}\"\n", 6}, /* and the space: no letter joins it here */
                 {"template = {text} {soft}\n", 0},
                 {"template = \"{soft} ag gi{text}\"\n", 0},
                 {"template = \"ag gi {soft} a{text}\"\n", 5}}; /* words, then the prompt: <s> a g " g" i */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_config config;
        dun_template template;
        dun_texts texts = {0};
        read_config(&config, cases[i].lines);
        expect_ok(dun_template_parse(&template, &config));
        dun_template_surround(&texts, &template);
        expect_ok(dun_texts_share(&texts, with_bos));
        assert_int_equal(texts.shared.n, cases[i].n_shared);
        expect_ok(dun_texts_add(&texts, with_bos, "a", 1, 0, 9));
        expect_ok(dun_texts_add(&texts, with_bos, "s", 1, 0, 9));
        assert_int_equal(dun_texts_n_shared(&texts, 0), cases[i].n_shared);
        assert_int_equal(dun_texts_n_shared(&texts, 1), i == 0 ? 0 : cases[i].n_shared);
        if (i == 0) {
            assert_int_equal(dun_texts_length(&texts, 0), 1); /* a */
            assert_int_equal(dun_texts_length(&texts, 1), 5); /* <s> a g " g" is */
        }
        dun_texts_drop(&texts, 1);
        assert_int_equal(dun_texts_n_shared(&texts, 0), i == 0 ? 0 : cases[i].n_shared);
        dun_texts_free(&texts);
        dun_template_free(&template);
        dun_config_free(&config);
    }
}

/* Parse, tokenise, add a text and batch it, as a session does. */
static int whole_use(const dun_config *config) {
    int rc;
    dun_template template = {0};
    dun_texts texts = {0};
    dun_batch batch = {0};
    const uint32_t which = 0;
    TRY(dun_template_parse(&template, config));
    TRY(dun_template_resolve(&template, with_bos, 3));
    dun_template_surround(&texts, &template);
    TRY(dun_texts_share(&texts, with_bos));
    TRY(dun_texts_add(&texts, with_bos, "a g", 3, 0, 9));
    TRY(dun_batch_create(&batch, 1, 50));
    dun_template_batch(&batch, &template, &texts, &which, 1);
out:
    dun_batch_free(&batch);
    dun_texts_free(&texts);
    dun_template_free(&template);
    return rc;
}

static void test_no_memory(void **state) {
    (void)state;
    static const char *const templates[] = {"template = g {soft:1} is {text}. {soft:2} is\n",
                                            "template = g is {text}. {soft:3}\n"};
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        dun_config config;
        read_config(&config, templates[i]);
        size_t live = dun_mem_live();
        unsigned long n = 0;
        int rc;
        do {
            dun_fault_set(++n);
            rc = whole_use(&config);
            dun_fault_set(0);
            assert_true(rc == DUN_OK || rc == DUN_FAILED);
            assert_int_equal(dun_mem_live(), live);
        } while (rc < 0 && n < 1000);
        print_message("%lu allocations\n", n - 1);
        assert_true(n > 10 && n < 1000);
        dun_config_free(&config);
    }
}

/* What a text's tokens are is told by where they come from, not by the pieces they show: '#' has no token,
 * and the bytes of \xc3\xa9 are tokens of type byte. The text's first two tokens stay. */
static void test_cut_by_place(void **state) {
    (void)state;
    static const char *const tokens[] = {"a", "b", ".", "\xc4\xa0", "<0xC3>", "<0xA9>"};
    static const int32_t types[] = {TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL,
                                    TOKEN_NORMAL, TOKEN_BYTE,   TOKEN_BYTE};
    gguf_builder b;
    dun_tokenizer *tokenizer = NULL;
    dun_str found = {0};
    gguf_builder_init(&b);
    gguf_builder_string(&b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(&b, "tokenizer.ggml.pre", "gpt-2");
    gguf_builder_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    gguf_builder_numbers(&b, "tokenizer.ggml.token_type", GGUF_I32, types, COUNT(types));
    gguf_builder_strings(&b, "tokenizer.ggml.merges", NULL, 0);
    expect_ok(create_tokenizer(&tokenizer, &b));
    show_rows(&found, "template = a###{text}.b {soft}\n", tokenizer, 2, "\xc3\xa9#ab", 2);
    assert_string_equal(found.bytes, "/a|\xc3|\xa9|.|b|/0|1|");
    dun_tokenizer_free(tokenizer);
    dun_str_free(&found);
}

static int open_tokenizers(void **state) {
    (void)state;
    gguf_builder b;
    build_vocabulary(&b, &plan);
    expect_ok(create_tokenizer(&plain, &b));
    build_vocabulary(&b, &plan);
    gguf_builder_u32(&b, "tokenizer.ggml.bos_token_id", 256);
    gguf_builder_bool(&b, "tokenizer.ggml.add_bos_token", 1);
    expect_ok(create_tokenizer(&with_bos, &b));
    return 0;
}

static int close_tokenizers(void **state) {
    (void)state;
    dun_tokenizer_free(plain);
    dun_tokenizer_free(with_bos);
    return dun_mem_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_refused),   cmocka_unit_test(test_agreeing),
        cmocka_unit_test(test_shared), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_cut_by_place),
    };
    return cmocka_run_group_tests(tests, open_tokenizers, close_tokenizers);
}
