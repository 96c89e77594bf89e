/* tokenizer.json: every part that is followed, on vocabularies of a few tokens; what is refused, and where;
 * places of tokens after edits; failing allocations. */
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/token/read_json.h"
#include "tokenizer_make.h"

#include <stdlib.h>
#include <unistd.h>

#define BLANK "\xe2\x96\x81"

static dun_str folder;

static void write_text(const char *name, const char *text) {
    dun_str path = {0};
    expect_ok(dun_str_addf(&path, "%s/%s", folder.bytes, name));
    expect_ok(dun_file_write(path.bytes, text, strlen(text)));
    dun_str_free(&path);
}

static void remove_text(const char *name) {
    dun_str path = {0};
    expect_ok(dun_str_addf(&path, "%s/%s", folder.bytes, name));
    unlink(path.bytes);
    dun_str_free(&path);
}

/* The parts of a file as JSON; NULL: null, or nothing. */
typedef struct {
    const char *added, *normalizer, *pre, *post, *flags;
} parts;

static const char vocab[] = "{\"<unk>\":0,\"<s>\":1,\"a\":2,\"b\":3,\"c\":4,\"Ġ\":5,\"" BLANK
                            "\":6,\"ab\":7,\"Ġa\":8,\"1\":9,\"2\":10,\"\u00e9\":11,\"e\":12,\"\u0301\":13,"
                            "\"<0x0A>\":14,\"-\":15,\"" BLANK "a\":16,\"abc\":17,\"cc\":18,\"!\":19}";
static const char merges[] = "[[\"a\",\"b\"],\"Ġ a\",[\"" BLANK "\",\"a\"],\"c c\"]";

static void write_parts(const parts *p) {
    dun_str text = {0};
    expect_ok(dun_str_addf(&text,
                           "{\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,"
                           "\"post_processor\":%s,\"model\":{\"type\":\"BPE\",%s\"vocab\":%s,\"merges\":%s}}",
                           p->added ? p->added : "", p->normalizer ? p->normalizer : "null",
                           p->pre ? p->pre : "null", p->post ? p->post : "null", p->flags ? p->flags : "",
                           vocab, merges));
    write_text("tokenizer.json", text.bytes);
    dun_str_free(&text);
}

static dun_tokenizer *make(const parts *p) {
    dun_tokenizer *tokenizer = NULL;
    write_parts(p);
    expect_ok(dun_tokenizer_read_json(&tokenizer, folder.bytes));
    return tokenizer;
}

#define NORMAL(json)                                                                                         \
    { .normalizer = (json) }
#define PRE(json)                                                                                            \
    { .pre = (json) }
#define ADDED(content, flags) "{\"id\":20,\"content\":\"" content "\"" flags "}"
#define TEMPLATE(pieces)                                                                                     \
    "{\"type\":\"TemplateProcessing\",\"single\":[" pieces "],\"special_tokens\":{\"<s>\":{\"ids\":[1]},"    \
    "\"c\":{\"ids\":[4,18]}}}"
#define TEXT "{\"Sequence\":{\"id\":\"A\"}}"
#define TOKEN(name) "{\"SpecialToken\":{\"id\":\"" name "\"}}"
#define METASPACE(scheme, split)                                                                             \
    "{\"type\":\"Metaspace\",\"replacement\":\"" BLANK "\",\"prepend_scheme\":\"" scheme                     \
    "\",\"split\":" split "}"
#define SPLIT(pattern, behavior)                                                                             \
    "{\"type\":\"Split\",\"pattern\":{" pattern "},\"behavior\":\"" behavior "\"}"

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

static int open_folder(void **state) {
    (void)state;
    return dun_dir_temporary(&folder, "tokenizer");
}

static int close_folder(void **state) {
    (void)state;
    remove_text("tokenizer.json");
    rmdir(folder.bytes);
    dun_str_free(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_config),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_spans),
        cmocka_unit_test(test_long_texts),    cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_refused_files), cmocka_unit_test(test_most),
    };
    int failed = cmocka_run_group_tests(tests, open_folder, close_folder);
    return failed || dun_mem_live() != 0;
}
