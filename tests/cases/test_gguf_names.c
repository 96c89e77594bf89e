/* What a GGUF file says of itself for people: its name on a terminal, the repository that it comes from. */
#include "weights_sample.h"

#include <stdio.h>

/* Where a file comes from: keys for it, the surest first, as addresses or names; what is none is passed over.
 */
static void test_repository(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *also, *value_of_it, *wanted;
    } rows[] = {
        {"general.source.huggingface.repository", "org/Na-me_1.5", NULL, NULL, "org/Na-me_1.5"},
        {"general.source.url", "https://huggingface.co/org/name", NULL, NULL, "org/name"},
        {"general.source.repo_url", "https://huggingface.co/org/name/tree/main", "general.repo_url",
         "https://huggingface.co/org/name-GGUF", "org/name"},
        {"general.repo_url", "https://huggingface.co/org/name/", NULL, NULL, "org/name"},
        {"general.url", "https://example.org/org/name", NULL, NULL, ""},
        {"general.url", "org/name", NULL, NULL, ""},
        {"general.url", "https://huggingface.co/datasets/name", "general.source.url",
         "https://huggingface.co/org/", ""},
        {"general.source.huggingface.repository", "../../etc", NULL, NULL, ""},
        {"general.source.huggingface.repository", "a b/c", NULL, NULL, ""},
        {"general.source.huggingface.repository", "org", "general.source.url", "https://hf.co/a/b", "a/b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample s;
        char found[40];
        sample_build(&s, &sample_spec, DUN_QUANT_F32);
        gguf_builder_string(&s.builder, rows[i].key, rows[i].value);
        if (rows[i].also)
            gguf_builder_string(&s.builder, rows[i].also, rows[i].value_of_it);
        assert_int_equal(sample_parse(&s), DUN_OK);
        dun_spec_gguf_repository(found, sizeof found, s.file);
        if (strcmp(found, rows[i].wanted) != 0)
            fail_msg("%s = %s: '%s', expected '%s'", rows[i].key, rows[i].value, found, rows[i].wanted);
        sample_free(&s);
    }
}

/* The name is for a terminal: no control characters, no half characters. */
static void test_names(void **state) {
    (void)state;
    char long_name[120];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name + 94, "\xc3\xa9", 3); /* byte 95, the last that fits, is in the middle of it */
    sample s;
    sample_build(&s, &sample_spec, DUN_QUANT_F32);
    gguf_builder_string(&s.builder, "general.name", "a\n\x1b[1mb\x7f");
    assert_int_equal(sample_parse(&s), DUN_OK);
    assert_string_equal(dun_weights_spec(s.weights)->name, "a  [1mb ");
    sample_close(&s);
    gguf_builder_string(&s.builder, "general.name", long_name);
    assert_int_equal(sample_parse(&s), DUN_OK);
    assert_int_equal(strlen(dun_weights_spec(s.weights)->name), 94);
    sample_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_repository),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
