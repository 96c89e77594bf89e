/* The door to a model on disk: what it is, its content says; only what is asked for is read; what is not read
 * is refused with a way to a file that is. */
#include "base/fault.h"
#include "base/file.h"
#include "io/model_file.h"
#include "tokenizer_make.h"
#include "weights_sample.h"

#include <unistd.h>

static const char tiny[] = SOURCE_DIR "/tests/fixtures/tiny-a.gguf";

static void write_bytes(const char *path, const void *bytes, size_t length) {
    assert_int_equal(dun_file_write(path, bytes, length), DUN_OK);
}

static void test_whole(void **state) {
    (void)state;
    dun_model_file *model = NULL;
    float row[512], stored[512];
    expect_ok(dun_model_file_open(&model, tiny, DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER));
    const dun_spec *spec = dun_model_file_spec(model);
    assert_string_equal(dun_model_file_path(model), tiny);
    assert_int_equal(dun_tokenizer_vocab(dun_model_file_tokenizer(model)), spec->vocab);
    assert_true(spec->width <= 512);
    expect_ok(dun_model_file_read(row, model, DUN_W_EMBED, 0, spec->vocab - 1, 1));
    dun_raw_rows raw;
    const dun_weight_source *source = dun_model_file_source(model);
    expect_ok(source->raw(&raw, source->self, DUN_W_EMBED, 0));
    assert_int_equal(raw.rows, spec->vocab);
    dun_raw_decode(stored, &raw, spec->vocab - 1, 1);
    assert_memory_equal(stored, row, spec->width * sizeof *row);
    assert_true(dun_model_file_fingerprint(model) != 0);
    dun_model_file_free(model);
}

/* A file without weights still has a tokenizer; what is not asked for is not made. */
static void test_parts(void **state) {
    (void)state;
    const char *path = BINARY_DIR "/test_model_file.bin"; /* the ending says nothing */
    gguf_builder b;
    dun_str bytes = {0};
    dun_model_file *model = NULL;
    build_vocabulary(&b, &(vocabulary_plan){.pre = "gpt-2", .tokens = {{"ab", TOKEN_NORMAL}}});
    assert_int_equal(gguf_builder_finish(&bytes, &b), DUN_OK);
    write_bytes(path, bytes.bytes, bytes.length);
    expect_ok(dun_model_file_open(&model, path, DUN_MODEL_TOKENIZER));
    assert_true(dun_tokenizer_vocab(dun_model_file_tokenizer(model)) > 256);
    dun_model_file_free(model);
    assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_SPEC), DUN_BAD_INPUT);
    dun_str_free(&bytes);
    gguf_builder_free(&b);
    assert_int_equal(gguf_builder_tiny_llama(path, &sample_spec, DUN_QUANT_Q8_0, 1), DUN_OK);
    expect_ok(dun_model_file_open(&model, path, DUN_MODEL_SPEC));
    assert_int_equal(dun_model_file_spec(model)->width, sample_spec.width);
    assert_null(dun_model_file_tokenizer(model));
    dun_model_file_free(model);
    unlink(path);
}

/* Gives one file the vocabulary of another. */
static void swap_vocabularies(gguf_builder *a, gguf_builder *b) {
    static const char *const keys[] = {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"};
    for (size_t i = 0; i < 2; i++) {
        gguf_builder_key *one = gguf_builder_find_key(a, keys[i]), *other = gguf_builder_find_key(b, keys[i]);
        dun_str value = one->value;
        one->value = other->value;
        other->value = value;
    }
}

/* A tokenizer may name fewer tokens than the embedding has rows, or more, of which a text may have none. */
static void test_vocabularies(void **state) {
    (void)state;
    const char *path = BINARY_DIR "/test_model_file.vocab";
    gguf_builder builders[2];
    dun_spec spec = sample_spec; /* 300 tokens */
    for (size_t i = 0; i < 2; i++) {
        gguf_builder_init(&builders[i]);
        gguf_builder_llama(&builders[i], &spec, DUN_QUANT_F32, 1);
        spec.vocab += 20;
    }
    swap_vocabularies(&builders[0], &builders[1]);
    for (size_t i = 0; i < 2; i++) {
        dun_str bytes = {0};
        dun_model_file *model = NULL;
        dun_tokens tokens = {0};
        const char *text =
            i ? "<|unused 299|>" : "<|unused 319|>"; /* as good as plain text, but for added tokens */
        assert_int_equal(gguf_builder_finish(&bytes, &builders[i]), DUN_OK);
        write_bytes(path, bytes.bytes, bytes.length);
        expect_ok(dun_model_file_open(&model, path, DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER));
        dun_tokenizer *tokenizer = dun_model_file_tokenizer(model);
        assert_int_equal(dun_model_file_spec(model)->vocab, i ? 320 : 300);
        assert_int_equal(dun_tokenizer_vocab(tokenizer), i ? 300 : 320);
        expect_ok(dun_tokenizer_encode(&tokens, tokenizer, text, strlen(text)));
        dun_tokenizer_limit(tokenizer, tokens.ids[0]);
        assert_int_equal(dun_tokenizer_encode(&tokens, tokenizer, text, strlen(text)), DUN_BAD_INPUT);
        assert_non_null(
            strstr(dun_error_message(), "has no row in the model's table of embeddings, which has"));
        dun_tokens_free(&tokens);
        dun_model_file_free(model);
        dun_str_free(&bytes);
    }
    gguf_builder_free(&builders[0]);
    gguf_builder_free(&builders[1]);
    unlink(path);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *message;
    } files[] = {
        {"\x18\0\0\0\0\0\0\0{\"a\":1}", 15, "is a safetensors file without a config.json beside it"},
        {"PK\3\4 archive", 12, "is a PyTorch file or a zip archive; a GGUF file is read"},
        {"GGUF", 4, "truncated download"},
        {"GIF89a...", 9, "is not a GGUF file"},
        {"", 0, "is empty"},
    };
    const char *path = BINARY_DIR "/test_model_file.bad", *message = NULL;
    size_t live = dun_mem_live();
    dun_model_file *model = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_bytes(path, files[i].bytes, files[i].length);
        assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_SPEC), DUN_BAD_INPUT);
        message = dun_error_message();
        if (!strstr(message, files[i].message) || strncmp(message, path, strlen(path)) != 0)
            fail_msg("message: %s\nlacks: %s", message, files[i].message);
    }
    unlink(path);
    assert_int_equal(dun_model_file_open(&model, path, DUN_MODEL_SPEC), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "No such file"));
    assert_int_equal(dun_model_file_open(&model, SOURCE_DIR "/tests", DUN_MODEL_SPEC), DUN_BAD_INPUT);
    assert_non_null(
        strstr(dun_error_message(), "tests: is a folder without a model; expected a GGUF file in it"));
    assert_null(model);
    assert_int_equal(dun_mem_live(), live);
}

static void hear(void *self, const char *message) {
    snprintf(self, 400, "%s", message);
}

/* A folder with one GGUF model is that model; with several they are named; with config.json and safetensors
 * too those come first, and it is said. */
static void test_folders(void **state) {
    (void)state;
    static const char folder[] = BINARY_DIR "/test_model_file.d",
                      one[] = BINARY_DIR "/test_model_file.d/one.gguf";
    static const char two[] = BINARY_DIR "/test_model_file.d/two.gguf";
    static const char config[] = BINARY_DIR "/test_model_file.d/config.json";
    static const char weights[] = BINARY_DIR "/test_model_file.d/model.safetensors";
    dun_model_file *model = NULL;
    char heard[400] = "";
    expect_ok(dun_dir_make(folder));
    expect_ok(gguf_builder_tiny_llama(one, &sample_spec, DUN_QUANT_F32, 1));
    expect_ok(dun_model_file_open(&model, folder, DUN_MODEL_SPEC));
    assert_string_equal(dun_model_file_path(model), one);
    dun_model_file_free(model);
    model = NULL;
    expect_ok(gguf_builder_tiny_llama(two, &sample_spec, DUN_QUANT_F32, 1));
    assert_int_equal(dun_model_file_open(&model, folder, DUN_MODEL_SPEC), DUN_BAD_INPUT);
    assert_non_null(
        strstr(dun_error_message(), "holds several models: one.gguf, two.gguf; expected one of them"));
    write_bytes(config, "{}", 2);
    write_bytes(weights, "\2\0\0\0\0\0\0\0{}", 10);
    dun_warn_listen(hear, heard);
    assert_int_equal(dun_model_file_open(&model, folder, DUN_MODEL_SPEC), DUN_BAD_INPUT);
    dun_warn_ignore(heard);
    assert_non_null(strstr(dun_error_message(), "config.json: key 'model_type' is missing"));
    assert_non_null(
        strstr(heard, "holds safetensors with config.json, which are read, and one.gguf, two.gguf"));
    assert_null(model);
    unlink(one);
    unlink(two);
    unlink(config);
    unlink(weights);
    rmdir(folder);
}

static void test_no_memory(void **state) {
    (void)state;
    size_t live = dun_mem_live();
    unsigned long n = 1;
    for (int rc = DUN_FAILED; rc < 0; n++) {
        dun_model_file *model = NULL;
        dun_fault_set(n);
        rc = dun_model_file_open(&model, tiny, DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER);
        dun_fault_set(0);
        assert_true(rc == DUN_OK || rc == DUN_FAILED);
        dun_model_file_free(model);
        assert_int_equal(dun_mem_live(), live);
    }
    assert_true(n > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_parts),    cmocka_unit_test(test_vocabularies),
        cmocka_unit_test(test_folders), cmocka_unit_test(test_refusals), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
