/* Qwen2 from a file to points and prompt gradients: what its row of architectures says (biases, rows that lie
 * as they turn), the engine against double loops, its words, and PyTorch's numbers where they lie beside the
 * project. */
#include "base/rng.h"
#include "check/random_model.h"
#include "device_check.h"
#include "io/model_file.h"
#include "learn/loss.h"
#include "nn/engine.h"
#include "reference_file.h"
#include "weights_sample.h"

#include <math.h>
#include <stdlib.h>

enum { P = 3, LENGTH = 6, WIDTH = 40, MOST_TEXTS = 16, MOST_TOKENS = 200 };

static dun_device *device;

static dun_spec tiny_spec(void) {
    dun_spec spec = sample_spec;
    strcpy(spec.architecture, "qwen2");
    spec.traits.qkv_bias = DUN_QKV_BIAS;
    spec.width = WIDTH;
    spec.head_dim = 10;
    spec.rope_dim = 10;
    return spec;
}

/* Every slot is the stored tensor, row for row; biases are there, and must be. */
static void test_slots(void **state) {
    static const struct {
        enum dun_slot slot;
        const char *name;
    } rows[] = {{DUN_W_Q, "attn_q.weight"},
                {DUN_W_Q_BIAS, "attn_q.bias"},
                {DUN_W_K, "attn_k.weight"},
                {DUN_W_K_BIAS, "attn_k.bias"},
                {DUN_W_V_BIAS, "attn_v.bias"}};
    const dun_spec spec = tiny_spec();
    float out[WIDTH * WIDTH];
    sample s;
    (void)state;
    sample_open(&s, &spec, DUN_QUANT_F32);
    assert_string_equal(dun_weights_spec(s.weights)->architecture, "qwen2");
    assert_int_equal(dun_weights_spec(s.weights)->traits.qkv_bias, DUN_QKV_BIAS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.1.%s", rows[i].name);
        const dun_gguf_tensor *tensor = dun_gguf_find_tensor(s.file, name);
        uint32_t n = dun_spec_size(&spec, dun_slot_table[rows[i].slot].rows);
        check_ok(dun_weights_read(out, s.weights, rows[i].slot, 1, 0, n));
        assert_memory_equal(out, tensor->data, tensor->bytes);
    }
    sample_close(&s);
    gguf_builder_drop(&s.builder, "blk.1.attn_k.bias");
    assert_int_equal(sample_parse(&s), DUN_BAD_INPUT);
    assert_non_null(
        strstr(dun_error_message(), "tensor 'blk.1.attn_k.bias' is missing; expected it in a qwen2"));
    sample_free(&s);
}

/* A Llama has them where its file does; a Gemma never has. */
static void test_biases_of_others(void **state) {
    sample s;
    dun_spec spec = tiny_spec();
    (void)state;
    strcpy(spec.architecture, "llama");
    sample_open(&s, &spec, DUN_QUANT_F32);
    assert_int_equal(dun_weights_spec(s.weights)->traits.qkv_bias, DUN_QKV_BIAS);
    sample_free(&s);
    strcpy(spec.architecture, "gemma");
    sample_build(&s, &spec, DUN_QUANT_F32);
    assert_int_equal(sample_parse(&s), DUN_BAD_INPUT);
    assert_non_null(strstr(dun_error_message(), "'blk.0.attn_q.bias' would not be used (biases"));
    sample_free(&s);
}

/* A model, texts in its cache, and a prompt that comes after each. */
typedef struct {
    dun_compute compute;
    dun_engine engine;
    dun_batch batch;
    uint32_t n_texts, width, length[MOST_TEXTS], row[MOST_TEXTS];
    float points[MOST_TEXTS * 512];
} scene;

static void open_scene(scene *s, const dun_spec *spec, const dun_weight_source *source, bool logits) {
    const dun_engine_options options = {
        .point = {.n_blocks = spec->n_layers, .final_norm = true, .logits = logits},
        .backward = true,
        .max_text_rows = MOST_TOKENS,
        .max_texts = 1,
        .max_rows = MOST_TEXTS * P,
        .max_sequences = MOST_TEXTS,
        .max_prompt = P,
        .max_position = MOST_TOKENS + P};
    *s = (scene){0};
    check_ok(dun_compute_create(&s->compute, device, spec->head_dim, "auto"));
    check_ok(dun_engine_create(&s->engine, &s->compute, spec, source, &options));
    check_ok(dun_engine_create_cache(&s->engine, MOST_TEXTS * MOST_TOKENS));
    check_ok(dun_batch_create(&s->batch, MOST_TEXTS, MOST_TOKENS));
    s->width = dun_engine_point_width(&s->engine);
    assert_true(s->width <= 512);
}

static void close_scene(scene *s) {
    dun_batch_free(&s->batch);
    dun_engine_free(&s->engine);
    dun_compute_free(&s->compute);
}

static void add_text(scene *s, const uint32_t *ids, uint32_t n) {
    uint32_t row = s->n_texts ? s->row[s->n_texts - 1] + s->length[s->n_texts - 1] : 0;
    dun_batch_clear(&s->batch);
    memcpy(dun_batch_add(&s->batch, n, 0, 0), ids, n * sizeof *ids);
    check_ok(dun_engine_text(&s->engine, &s->batch, row));
    s->row[s->n_texts] = row;
    s->length[s->n_texts++] = n;
}

/* The prompt after the texts of a list, all in one batch. */
static void run_points(scene *s, const double *prompt, const uint32_t *texts, uint32_t n) {
    uint32_t C = s->engine.model.spec.width;
    float rows[P * WIDTH];
    for (uint32_t i = 0; i < P * C; i++)
        rows[i] = (float)prompt[i];
    check_ok(dun_buffer_write(&s->engine.prompt, 0, rows, P * C * sizeof *rows));
    dun_batch_clear(&s->batch);
    for (uint32_t i = 0; i < n; i++) {
        int32_t *ids = dun_batch_add(&s->batch, P, s->row[texts[i]], s->length[texts[i]]);
        for (int32_t p = 0; p < P; p++)
            ids[p] = -1 - p;
    }
    check_ok(dun_engine_points(&s->engine, &s->batch));
    check_ok(dun_buffer_read(s->points, dun_engine_point_buffer(&s->engine), 0,
                             (size_t)n * s->width * sizeof(float)));
}

static double random_slope(uint32_t j) {
    return (float)dun_random_normal(4, DUN_STREAM_TEST, j);
}

static double reference_sum(const dun_random_model *model, const int *ids, const double *prompt,
                            double *point) {
    double sum = 0.0;
    const dun_point_spec spec = {.n_blocks = model->spec.n_layers, .final_norm = true};
    check_ok(dun_random_model_point(point, model, &spec, ids, LENGTH + P, prompt));
    for (uint32_t j = 0; j < model->spec.width; j++)
        sum += random_slope(j) * point[j];
    return sum;
}

static int read_weights(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                        uint32_t n_rows) {
    return dun_weights_read(out, self, slot, layer, first_row, n_rows);
}

/* Point and prompt gradient of a text against the file's weights in double loops and central differences. */
static void test_engine(void **state) {
    enum { N = P * WIDTH };
    static const int ids[LENGTH + P] = {5, 77, 260, 9, 31, 140, -1, -2, -3};
    static const uint32_t text = 0;
    const double h = 1e-4;
    const dun_spec spec = tiny_spec();
    double prompt[N], point[WIDTH], got[N], want[N];
    float slopes[WIDTH], d_prompt[N];
    uint32_t tokens[LENGTH];
    dun_random_model model;
    sample file;
    scene s;
    (void)state;
    sample_open(&file, &spec, DUN_QUANT_F32);
    const dun_weight_source source = {.self = file.weights, .read = read_weights};
    check_ok(dun_random_model_copy(&model, &spec, &source));
    open_scene(&s, &spec, &source, false);
    for (uint32_t i = 0; i < N; i++)
        prompt[i] = (float)dun_random_normal(8, DUN_STREAM_TEST, i);
    for (uint32_t i = 0; i < LENGTH; i++)
        tokens[i] = (uint32_t)ids[i];
    add_text(&s, tokens, LENGTH);
    run_points(&s, prompt, &text, 1);
    reference_sum(&model, ids, prompt, point);
    for (uint32_t j = 0; j < WIDTH; j++) {
        got[j] = s.points[j];
        slopes[j] = (float)random_slope(j);
    }
    assert_true(dun_check_relative_error(got, point, WIDTH) <= 2e-6);
    check_ok(dun_buffer_write(dun_engine_point_gradient(&s.engine), 0, slopes, sizeof slopes));
    check_ok(dun_engine_backward(&s.engine));
    check_ok(dun_buffer_read(d_prompt, &s.engine.d_prompt, 0, sizeof d_prompt));
    for (int i = 0; i < N; i++) {
        double kept = prompt[i];
        prompt[i] = kept + h;
        double above = reference_sum(&model, ids, prompt, point);
        prompt[i] = kept - h;
        want[i] = (above - reference_sum(&model, ids, prompt, point)) / (2.0 * h);
        prompt[i] = kept;
        got[i] = d_prompt[i];
    }
    assert_true(dun_check_relative_error(got, want, N) <= 5e-6);
    close_scene(&s);
    dun_random_model_free(&model);
    sample_free(&file);
}

/* The ten largest logits. */
static void expect_top(const float *logits, const json_t *top) {
    size_t i;
    const json_t *pair;
    json_array_foreach((json_t *)(uintptr_t)top, i, pair) {
        json_int_t id = json_integer_value(json_array_get(pair, 0));
        double want = json_number_value(json_array_get(pair, 1));
        if (!(fabs((double)logits[id] - want) <= 1e-4))
            fail_msg("logit %d is %g, not %g", (int)id, (double)logits[id], want);
    }
}

static void expect_gradient(scene *s, const json_t *expected, const double *prompt) {
    size_t n, K;
    double *texts = reference_numbers(json_object_get(expected, "texts"), &n);
    double *labels = reference_numbers(json_object_get(expected, "labels"), &n);
    double *centroids = reference_numbers(json_object_get(expected, "centroids"), &K);
    uint32_t list[MOST_TEXTS];
    int32_t label[MOST_TEXTS];
    float values[8 * WIDTH], d_prompt[P * WIDTH], loss;
    const dun_loss_settings settings = {.kind = DUN_LOSS_CROSS_ENTROPY, .temperature = 1};
    dun_loss l;
    dun_buffer c, d_c;
    for (size_t i = 0; i < n; i++) {
        list[i] = (uint32_t)texts[i];
        label[i] = (int32_t)labels[i];
    }
    for (size_t i = 0; i < K; i++)
        values[i] = (float)centroids[i];
    run_points(s, prompt, list, (uint32_t)n);
    check_ok(dun_buffer_create(&c, device, K * sizeof(float), "centroids"));
    check_ok(dun_buffer_create(&d_c, device, K * sizeof(float), "their gradient"));
    check_ok(dun_buffer_write(&c, 0, values, K * sizeof(float)));
    check_ok(dun_loss_create(&l, &s->compute, &settings, MOST_TEXTS, (uint32_t)K / WIDTH, WIDTH));
    check_ok(dun_loss_run(&l, dun_engine_point_gradient(&s->engine), &d_c,
                          dun_engine_point_buffer(&s->engine), &c, label, NULL, (uint32_t)n));
    check_ok(dun_engine_backward(&s->engine));
    check_ok(dun_loss_read(&loss, NULL, &l, (uint32_t)n));
    check_ok(dun_buffer_read(d_prompt, &s->engine.d_prompt, 0, sizeof d_prompt));
    reference_expect("loss", &loss, json_object_get(expected, "loss"), 1e-5);
    reference_expect("prompt gradient", d_prompt, json_object_get(expected, "d_prompt"), 2e-5);
    dun_loss_free(&l);
    dun_buffer_free(&c);
    dun_buffer_free(&d_c);
    dun_free(texts);
    dun_free(labels);
    dun_free(centroids);
}

/* Tokens, points, logits and gradient of a model with PyTorch's answers. Text 5 has accents that its
 * tokenizer.json composes and a GGUF file does not: its ids are then those of llama.cpp, its point that of
 * the given ones. */
static void test_reference(void **state) {
    static const char folder[] = "../shared/reference/models/qwen2";
    json_t *root = reference_open("../shared/reference/models/qwen2/reference.json");
    const json_t *item, *cases = json_object_get(root, "cases");
    char path[100];
    size_t i, n;
    (void)state;
    if (!root) {
        print_message("%s is not here\n", folder);
        skip();
    }
    snprintf(path, sizeof path, "%s/model.gguf", folder);
    double *prompt = reference_numbers(json_object_get(root, "prompt"), &n);
    assert_int_equal(n, P * WIDTH);
    for (int logits = 0; logits < 2; logits++) {
        dun_model_file *file;
        scene s;
        check_ok(dun_model_file_open(&file, path, DUN_MODEL_WEIGHTS | DUN_MODEL_TOKENIZER));
        open_scene(&s, dun_model_file_spec(file), dun_model_file_source(file), logits);
        json_array_foreach((json_t *)(uintptr_t)cases, i, item) {
            const char *text = json_string_value(json_object_get(item, "text"));
            double *ids = reference_numbers(json_object_get(item, "ids"), &n);
            dun_tokens tokens = {0};
            check_ok(dun_tokenizer_encode(&tokens, dun_model_file_tokenizer(file), text, strlen(text)));
            assert_int_equal(tokens.n, n);
            for (size_t t = 0; t < n; t++)
                assert_int_equal(tokens.ids[t], ids[t]);
            dun_tokens_free(&tokens);
            uint32_t list[MOST_TOKENS], at = (uint32_t)i;
            assert_true(n <= MOST_TOKENS);
            for (size_t t = 0; t < n; t++)
                list[t] = (uint32_t)ids[t];
            add_text(&s, list, (uint32_t)n);
            run_points(&s, prompt, &at, 1);
            if (logits)
                expect_top(s.points, json_object_get(item, "top"));
            else
                reference_expect("hidden", s.points, json_object_get(item, "hidden"), 1e-5);
            dun_free(ids);
        }
        if (!logits)
            expect_gradient(&s, json_object_get(root, "gradient"), prompt);
        close_scene(&s);
        dun_model_file_free(file);
    }
    dun_free(prompt);
    json_decref(root);
}

static int open_device(void **state) {
    (void)state;
    device = check_open_device();
    return 0;
}

static int close_device(void **state) {
    (void)state;
    return check_close_device(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_biases_of_others),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
