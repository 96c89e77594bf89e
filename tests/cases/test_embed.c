/* Texts as vectors without a prompt: against plain double loops over their tokens, and against what PyTorch
 * gave of a real model; whatever is run together, from memory or a file, the same bits. */
#include "train_sample.h"

#include "base/err.h"
#include "base/json.h"
#include "check/random_model.h"
#include "reference_file.h"
#include "session/embed.h"

#include <math.h>

/* Two blocks of sums of up to 64 products, each rounded to float. */
static const double tolerance = 2e-6;

enum { C = 32, LONGEST = 40, N_TEXTS = 70, MAX_IDS = 64 };

static dun_random_model weights; /* of tiny.gguf */
static char *texts[N_TEXTS];
static const char real_model[] = "models/SmolLM2-135M-Instruct.Q4_1.gguf";

static void configure_embed(dun_config *config, const char *model) {
    const char *device = getenv("DUNLIN_TEST_DEVICE");
    check_ok(dun_config_init(config));
    check_ok(dun_config_put(config, DUN_KEY_model_path, model, "the test"));
    check_ok(dun_config_put(config, DUN_KEY_device_use, device ? device : "cpu", "the test"));
}

/* The vector of a text's tokens as the double model has it. */
static void reference(double *out, dun_embedder *e, const char *text, enum dun_pool pool) {
    dun_tokens tokens = {0};
    int ids[MAX_IDS];
    const int most = (int)e->session.config->data.max_length;
    check_ok(dun_tokenizer_encode(&tokens, e->session.tokenizer, text, strlen(text)));
    int n = (int)tokens.n < most ? (int)tokens.n : most;
    assert_in_range(n, 0, MAX_IDS);
    for (int i = 0; i < n; i++)
        ids[i] = (int)tokens.ids[i];
    dun_tokens_free(&tokens);
    memset(out, 0, C * sizeof *out);
    if (n > 0)
        check_ok(dun_random_model_mean(out, &weights, &e->session.engine.options.point, ids, n,
                                       pool == DUN_POOL_MEAN ? 0 : n - 1, NULL));
}

static double expect_vectors(dun_embedder *e, const float *vectors, enum dun_pool pool) {
    double worst = 0, want[C], got[C];
    for (size_t i = 0; i < N_TEXTS; i++) {
        bool none = true;
        reference(want, e, texts[i], pool);
        for (size_t j = 0; j < C; j++) {
            got[j] = (double)vectors[i * C + j];
            none &= vectors[i * C + j] == 0.0f;
        }
        assert_true(none == (texts[i][0] == '\0'));
        const double error = none ? 0 : dun_check_relative_error(got, want, C);
        worst = fmax(worst, error);
        if (!(error <= tolerance))
            fail_msg("the vector of text %zu, \"%s\", is off by %.3g", i, texts[i], error);
    }
    return worst;
}

/* The same texts, one after another, two at a time, and as the lines of a file. */
static void expect_same(dun_config *config, enum dun_pool pool, const float *vectors) {
    for (uint32_t pass = 1; pass <= 2; pass++) {
        dun_embedder e;
        float *again = calloc((size_t)N_TEXTS * C, sizeof *again);
        assert_non_null(again);
        check_ok(dun_embed_open(&e, config, pool, pass, NULL));
        check_ok(dun_vectors_of(again, &e.vectors, (const char *const *)texts, NULL, N_TEXTS));
        assert_memory_equal(again, vectors, N_TEXTS * C * sizeof *again);
        dun_embed_close(&e);
        free(again);
    }
}

static void expect_same_file(dun_embedder *e, const float *vectors) {
    const dun_asked_options options = {.usual = ""};
    dun_str lines = {0};
    dun_asked *asked;
    dun_spool spool;
    const void *bytes;
    uint64_t n;
    for (size_t i = 0; i < N_TEXTS; i++)
        check_ok(dun_str_addf(&lines, "%s\n", texts[i]));
    train_write_file("texts.txt", lines.bytes, lines.length);
    dun_str_free(&lines);
    check_ok(dun_asked_open(&asked, train_path("texts.txt"), &options));
    check_ok(dun_spool_open(&spool, train_path("out.npy")));
    check_ok(dun_vectors_of_asked(&n, &spool, &e->vectors, asked));
    assert_int_equal(n, N_TEXTS);
    check_ok(dun_spool_map(&bytes, &spool));
    assert_int_equal(spool.bytes, N_TEXTS * C * sizeof *vectors);
    assert_memory_equal(bytes, vectors, spool.bytes);
    dun_spool_close(&spool);
    dun_asked_close(asked);
}

static void test_tiny(void **state) {
    static const char *const layers[] = {"last", "1"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        const enum dun_pool pool = i % 2 ? DUN_POOL_MEAN : DUN_POOL_LAST;
        dun_config config;
        dun_embedder e;
        float *vectors = calloc((size_t)N_TEXTS * C, sizeof *vectors);
        assert_non_null(vectors);
        configure_embed(&config, train_path("tiny.gguf"));
        check_ok(dun_config_put(&config, DUN_KEY_data_max_length, "24", "the test"));
        check_ok(dun_config_put(&config, DUN_KEY_model_layer, layers[i / 2], "the test"));
        check_ok(dun_embed_open(&e, &config, pool, 0, NULL));
        assert_int_equal(dun_embed_width(&e), C);
        check_ok(dun_vectors_of(vectors, &e.vectors, (const char *const *)texts, NULL, N_TEXTS));
        print_message("pool %s, layer %s: off by at most %.2g\n", pool ? "mean" : "last", layers[i / 2],
                      expect_vectors(&e, vectors, pool));
        assert_true(e.session.texts.n_cut > 0 && e.vectors.n_empty == 2);
        expect_same_file(&e, vectors);
        dun_embed_close(&e);
        if (i < 2)
            expect_same(&config, pool, vectors);
        dun_config_free(&config);
        free(vectors);
    }
}

/* A text and the words of the stored prompt have the tokens that PyTorch was given. */
static void test_real(void **state) {
    static const char words[] = "I found it rather";
    size_t i;
    const json_t *item;
    dun_config config;
    dun_embedder e;
    (void)state;
    if (!reference_exists(real_model))
        skip();
    json_t *root = reference_open("tests/reference/model.json");
    configure_embed(&config, real_model);
    check_ok(dun_embed_open(&e, &config, DUN_POOL_LAST, 0, NULL));
    assert_int_equal(config.data.max_length, 512);
    float *vector = calloc(dun_embed_width(&e), sizeof *vector);
    assert_non_null(vector);
    json_array_foreach(json_object_get(root, "cases"), i, item) {
        const char *text = json_string_value(json_object_get(item, "text"));
        dun_str both = {0};
        if (!text)
            continue;
        check_ok(dun_str_addf(&both, "%s%s", text, words));
        const char *const one = both.bytes;
        check_ok(dun_vectors_of(vector, &e.vectors, &one, NULL, 1));
        reference_expect("hidden", vector, json_object_get(item, "hidden"), 1e-5);
        dun_str_free(&both);
    }
    dun_embed_close(&e);
    dun_config_free(&config);
    json_decref(root);
    free(vector);
}

static void test_refused(void **state) {
    static const struct {
        enum dun_config_id key;
        const char *value, *part;
    } cases[] = {{DUN_KEY_model_point, "logits", "hidden states"},
                 {DUN_KEY_model_normalize, "zscore", "none or unit"},
                 {DUN_KEY_model_layer, "3", "1 to 2 or last"},
                 {DUN_KEY_data_max_length, "257", "at most 256 tokens"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dun_config config;
        dun_embedder e;
        configure_embed(&config, train_path("tiny.gguf"));
        check_ok(dun_config_put(&config, cases[i].key, cases[i].value, "the test"));
        assert_int_equal(dun_embed_open(&e, &config, DUN_POOL_LAST, 0, NULL), DUN_USAGE);
        assert_non_null(strstr(dun_error_message(), cases[i].part));
        dun_embed_close(&e);
        dun_config_free(&config);
    }
}

/* Each of length 1: the last row, and, of a text of one token, the mean. */
static void test_unit(void **state) {
    dun_config config;
    dun_embedder e;
    float vectors[2 * C];
    const char *const two[] = {"xq zz", "b"};
    (void)state;
    configure_embed(&config, train_path("tiny.gguf"));
    check_ok(dun_config_put(&config, DUN_KEY_model_normalize, "unit", "the test"));
    check_ok(dun_embed_open(&e, &config, DUN_POOL_MEAN, 0, NULL));
    assert_int_equal(config.data.max_length, 256); /* all that it reads */
    check_ok(dun_vectors_of(vectors, &e.vectors, two, (const size_t[]){5, 1}, 2));
    for (size_t i = 0; i < 2; i++) {
        double squares = 0;
        for (size_t j = 0; j < C; j++)
            squares += (double)vectors[i * C + j] * (double)vectors[i * C + j];
        assert_true(fabs(squares - 1) < 1e-5);
    }
    dun_embed_close(&e);
    dun_config_free(&config);
}

static int open_all(void **state) {
    dun_model_file *file;
    make_files(state);
    check_ok(dun_model_file_open(&file, train_path("tiny.gguf"), DUN_MODEL_WEIGHTS));
    check_ok(dun_random_model_copy(&weights, dun_model_file_spec(file), dun_model_file_source(file)));
    dun_model_file_free(file);
    for (size_t i = 0; i < N_TEXTS; i++) {
        const size_t length = i == 3 || i == N_TEXTS - 1 ? 0 : 1 + i * 7 % LONGEST;
        texts[i] = calloc(length + 1, 1);
        assert_non_null(texts[i]);
        for (size_t j = 0; j < length; j++)
            texts[i][j] = "xqzbgk "[dun_random_below(7, 5, DUN_STREAM_TEST, i * 1000 + j)];
    }
    return 0;
}

static int close_all(void **state) {
    for (size_t i = 0; i < N_TEXTS; i++)
        free(texts[i]);
    dun_random_model_free(&weights);
    return remove_files(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiny), cmocka_unit_test(test_real),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_unit)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
