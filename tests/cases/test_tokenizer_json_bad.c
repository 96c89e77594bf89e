/* tokenizer.json: what is refused, part by part and as whole files, and with which words. */
#include "base/mem.h"
#include "tokenizer_json_make.h"

static void test_refused(void **state) {
    (void)state;
    static const struct {
        parts plan;
        const char *words[3];
    } cases[] = {
        {NORMAL("{\"type\":\"Nmt\"}"), {"normalizer.type", "'Nmt'", "NFC"}},
        {NORMAL("{\"type\":7}"), {"normalizer.type", "string"}},
        {NORMAL("[]"), {"normalizer.type", "missing"}},
        {NORMAL("{\"type\":\"Sequence\"}"), {"normalizer.normalizers", "array"}},
        {NORMAL("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"X\"}]}"),
         {"normalizer.normalizers[1].type", "'X'"}},
        {NORMAL("{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}"),
         {"normalizer.pattern", "empty"}},
        {NORMAL("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a\"},\"content\":\"\"}"),
         {"normalizer", "'(a'"}},
        {PRE("{\"type\":\"BertPreTokenizer\"}"), {"pre_tokenizer.type", "'BertPreTokenizer'", "Metaspace"}},
        {PRE(SPLIT("\"Regex\":\"a{1,2}+\"", "Isolated")), {"pre_tokenizer", "'a{1,2}+'", "behind {}"}},
        {PRE(SPLIT("\"Regex\":\"[a&&b]\"", "Isolated")), {"pre_tokenizer", "intersection"}},
        {PRE(SPLIT("\"Regex\":\"(?<n>a)\\\\k<n>\"", "Isolated")), {"pre_tokenizer", "backslash"}},
        {PRE(SPLIT("\"Regex\":\"(*COMMIT)\"", "Isolated")), {"pre_tokenizer", "(*"}},
        {PRE(SPLIT("\"String\":\"a\"", "Sideways")), {"pre_tokenizer.behavior", "'Sideways'"}},
        {PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}," METASPACE("first",
                                                                                          "true") "]}"),
         {"pre_tokenizer.pretokenizers[1]", "first"}},
        {PRE(METASPACE("last", "true")), {"pre_tokenizer.prepend_scheme", "'last'"}},
        {{.post = "{\"type\":\"RobertaProcessing\"}"}, {"post_processor.type", "'RobertaProcessing'"}},
        {{.post = "{\"type\":\"TemplateProcessing\"}"}, {"post_processor.single", "array"}},
        {{.post = TEMPLATE("")}, {"post_processor.single", "no text"}},
        {{.post = TEMPLATE(TEXT "," TEXT)}, {"post_processor.single[1]", "second text"}},
        {{.post = TEMPLATE("{}")}, {"post_processor.single[0]", "SpecialToken"}},
        {{.post = TEMPLATE(TOKEN("zz") "," TEXT)}, {"post_processor.single[0]", "without ids"}},
        {{.post = "{\"type\":\"TemplateProcessing\",\"single\":[" TOKEN(
              "x") "," TEXT "],\"special_tokens\":{\"x\":{\"ids\":[99]}}}"},
         {"post_processor.single[0]", "none of the tokens"}},
        {{.added = ADDED("", ",\"special\":3")}, {"added_tokens[0].special", "true or false"}},
        {{.added = "{\"id\":19,\"content\":\"x\"}"}, {"added_tokens[19]", "another token"}},
        {{.added = "{\"id\":21,\"content\":\"x\"}"}, {"added_tokens[21]", "without holes"}},
        {{.added = "{\"id\":-1,\"content\":\"x\"}"}, {"added_tokens", "whole number"}},
        {{.added = "{\"id\":9007199254740992,\"content\":\"x\"}"}, {"added_tokens", "without holes"}},
        {{.added = "{\"id\":3,\"content\":\"a\"}"}, {"added_tokens[0]", "another id"}},
        {{.added = "{\"id\":20}"}, {"added_tokens[0].content", "missing"}},
        {{.added = "7"}, {"added_tokens[0].content", "missing"}},
        {{.flags = "\"unk_token\":\"zz\","}, {"model.unk_token"}},
        {{.flags = "\"byte_fallback\":\"yes\","}, {"model.byte_fallback", "true or false"}},
        {{.flags = "\"dropout\":0.5,"}, {"model.dropout"}},
        {{.flags = "\"end_of_word_suffix\":\"</w>\","}, {"model", "words"}},
        {{.flags = "\"type\":\"WordPiece\","}, {"tokenizer.json"}}, /* the key twice */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dun_tokenizer *tokenizer = NULL;
        write_parts(&cases[i].plan);
        const int rc = dun_tokenizer_read_json(&tokenizer, folder.bytes);
        if (rc != DUN_BAD_INPUT)
            fail_msg("case %zu: %d", i, rc);
        for (size_t j = 0; j < COUNT(cases[i].words) && cases[i].words[j]; j++)
            if (!strstr(dun_error_message(), cases[i].words[j]))
                fail_msg("case %zu: %s\nlacks %s", i, dun_error_message(), cases[i].words[j]);
        assert_null(tokenizer);
    }
}

/* Whole files. */
static void test_refused_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "tokenizer.json"},
        {"[]", "JSON object"},
        {"{}", "model is not an object"},
        {"{\"model\":{\"type\":\"Unigram\"}}", "'Unigram'"},
        {"{\"model\":{}}", "'none'"},
        {"{\"model\":{\"type\":\"BPE\"}}", "model.vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":[]}}", "model.vocab"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":{}}}", "model.merges"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "model.merges[0] has no two parts"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b c\"]}}", "model.merges[0] has no two parts"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", "model.merges[0]"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[7]}}", "model.merges[0]"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "ends with an unknown token"},
        {"{\"model\":{\"vocab\":{\"a\":1},\"merges\":[]}}", "without holes"},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "another token"},
        {"{\"model\":{\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "whole number"},
        {"{\"model\":{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "uplicate"},
        {"{\"added_tokens\":{},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "added_tokens"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"aa\":0},\"merges\":[]}}",
         "single byte"},
    };
    dun_tokenizer *tokenizer = NULL;
    dun_str path = {0};
    assert_int_equal(dun_str_addf(&path, "%s/tokenizer.json", folder.bytes), DUN_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_text("tokenizer.json", cases[i].text);
        assert_int_equal(dun_tokenizer_read_json(&tokenizer, folder.bytes), DUN_BAD_INPUT);
        if (!strstr(dun_error_message(), cases[i].words))
            fail_msg("%s\nlacks %s", dun_error_message(), cases[i].words);
    }
    /* larger than any: nothing of it is read */
    assert_int_equal(truncate(path.bytes, (off_t)257 << 20), 0);
    assert_int_equal(dun_tokenizer_read_json(&tokenizer, folder.bytes), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "269484032 bytes; at most 268435456 are read"));
    dun_str_free(&path);
    remove_text("tokenizer.json");
    assert_int_equal(dun_tokenizer_read_json(&tokenizer, folder.bytes), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "is not there"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_refused_files)};
    int failed = cmocka_run_group_tests(tests, open_folder, close_folder);
    return failed || dun_mem_live() != 0;
}
