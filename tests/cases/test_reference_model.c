/* The engine against PyTorch, from model file to points and prompt gradients: the tiny models in
 * tests/fixtures (four shapes, every layer, both kinds of point), the real model where it was fetched, and
 * the optional shared vectors beside the project. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "device_check.h"
#include "io/model_file.h"
#include "learn/loss.h"
#include "nn/engine.h"
#include "reference_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_CASES = 16 };

static dun_device *device;

/* A model file on the device with one kind of point, and the points of a reference file's texts. */
typedef struct {
    dun_model_file *model;
    dun_compute compute;
    dun_engine engine;
    dun_batch batch;
    uint32_t n_texts, P, C, D;
    uint32_t length[MAX_CASES], row[MAX_CASES];
    float *points; /* (n_texts, D) */
} scene;

/* layer 0: the last block with the final norm. */
static void open_scene(scene *s, const char *path, uint32_t P, uint32_t layer, bool logits) {
    *s = (scene){.P = P};
    check_ok(dun_model_file_open(&s->model, path, DUN_MODEL_WEIGHTS));
    const dun_spec *spec = dun_model_file_spec(s->model);
    const dun_engine_options options = {
        .point = {.n_blocks = layer ? layer : spec->n_layers, .final_norm = layer == 0, .logits = logits},
        .backward = true,
        .max_text_rows = 256,
        .max_texts = MAX_CASES,
        .max_rows = 256,
        .max_sequences = MAX_CASES,
        .max_prompt = P,
        .max_position = 128};
    check_ok(dun_compute_create(&s->compute, device, spec->head_dim, "auto"));
    check_ok(dun_engine_create(&s->engine, &s->compute, spec, dun_model_file_source(s->model), &options));
    check_ok(dun_engine_create_cache(&s->engine, 512));
    check_ok(dun_batch_create(&s->batch, MAX_CASES, 256));
    s->C = spec->width;
    s->D = dun_engine_point_width(&s->engine);
    s->points = dun_calloc((size_t)MAX_CASES * s->D, sizeof *s->points);
    assert_non_null(s->points);
}

static void close_scene(scene *s) {
    dun_free(s->points);
    dun_batch_free(&s->batch);
    dun_engine_free(&s->engine);
    dun_compute_free(&s->compute);
    dun_model_file_free(s->model);
}

/* Caches the texts of all cases that have ids. */
static void read_texts(scene *s, const json_t *cases) {
    size_t i, j;
    const json_t *item, *id;
    uint32_t row = 0;
    dun_batch_clear(&s->batch);
    json_array_foreach((json_t *)(uintptr_t)cases, i, item) {
        const json_t *ids = json_object_get(item, "ids");
        if (!ids)
            continue;
        uint32_t n = (uint32_t)json_array_size(ids);
        int32_t *rows = dun_batch_add(&s->batch, n, 0, 0);
        json_array_foreach((json_t *)(uintptr_t)ids, j, id) rows[j] = (int32_t)json_integer_value(id);
        s->length[s->n_texts] = n;
        s->row[s->n_texts++] = row;
        row += n;
    }
    check_ok(dun_engine_text(&s->engine, &s->batch, 0));
}

/* The prompt after texts first .. first + n - 1, in one batch; their points. */
static void run_points(scene *s, uint32_t first, uint32_t n, float *points) {
    dun_batch_clear(&s->batch);
    for (uint32_t i = first; i < first + n; i++) {
        int32_t *ids = dun_batch_add(&s->batch, s->P, s->row[i], s->length[i]);
        for (uint32_t p = 0; p < s->P; p++)
            ids[p] = -1 - (int32_t)p;
    }
    check_ok(dun_engine_points(&s->engine, &s->batch));
    check_ok(
        dun_buffer_read(points, dun_engine_point_buffer(&s->engine), 0, (size_t)n * s->D * sizeof *points));
}

/* Loss and gradients of the batch of all texts. */
static void expect_gradients(scene *s, const json_t *expected, const double *centroids, uint32_t K,
                             double most) {
    size_t n_labels, n = (size_t)K * s->D;
    double *labels = reference_numbers(json_object_get(expected, "labels"), &n_labels);
    int32_t ids[MAX_CASES];
    float *values = dun_calloc(n, sizeof *values), loss;
    float *d_prompt = dun_calloc((size_t)s->P * s->C, sizeof *d_prompt);
    const dun_loss_settings settings = {.kind = DUN_LOSS_CROSS_ENTROPY, .temperature = 1};
    dun_loss l;
    dun_buffer c, d_c;
    assert_true(values && d_prompt && n_labels == s->n_texts);
    for (size_t i = 0; i < n_labels; i++)
        ids[i] = (int32_t)labels[i];
    for (size_t i = 0; i < n; i++)
        values[i] = (float)centroids[i];
    check_ok(dun_buffer_create(&c, device, n * sizeof(float), "centroids"));
    check_ok(dun_buffer_create(&d_c, device, n * sizeof(float), "their gradient"));
    check_ok(dun_buffer_write(&c, 0, values, n * sizeof(float)));
    check_ok(dun_loss_create(&l, &s->compute, &settings, MAX_CASES, K, s->D));
    check_ok(dun_loss_run(&l, dun_engine_point_gradient(&s->engine), &d_c,
                          dun_engine_point_buffer(&s->engine), &c, ids, NULL, s->n_texts));
    check_ok(dun_engine_backward(&s->engine));
    check_ok(dun_loss_read(&loss, NULL, &l, s->n_texts));
    check_ok(dun_buffer_read(d_prompt, &s->engine.d_prompt, 0, (size_t)s->P * s->C * sizeof(float)));
    check_ok(dun_buffer_read(values, &d_c, 0, n * sizeof(float)));
    reference_expect("loss", &loss, json_object_get(expected, "loss"), 1e-4);
    reference_expect("prompt gradient", d_prompt, json_object_get(expected, "d_prompt"), most);
    if (json_object_get(expected, "d_centroids"))
        reference_expect("centroid gradient", values, json_object_get(expected, "d_centroids"), most);
    dun_loss_free(&l);
    dun_buffer_free(&c);
    dun_buffer_free(&d_c);
    dun_free(d_prompt);
    dun_free(values);
    dun_free(labels);
}

/* Every text alone gives the point it has in the batch, to the last bit. */
static void expect_alone(scene *s) {
    float *alone = dun_calloc(s->D, sizeof *alone);
    assert_non_null(alone);
    for (uint32_t i = 0; i < s->n_texts; i++) {
        run_points(s, i, 1, alone);
        assert_memory_equal(alone, s->points + (size_t)i * s->D, s->D * sizeof *alone);
    }
    run_points(s, 0, s->n_texts, s->points);
    dun_free(alone);
}

/* layer k of the reference counts from 0: the residual stream after block k. */
static void check_tiny_point(const json_t *root, const char *model, int layer, bool logits) {
    scene s;
    size_t n, i, count;
    const json_t *item, *cases = json_object_get(root, "cases");
    double *prompt = reference_numbers(json_object_get(root, "prompt"), &n);
    uint32_t P = (uint32_t)json_integer_value(json_object_get(root, "prompt_rows"));
    char what[80];
    open_scene(&s, model, P, (uint32_t)(layer + 1), logits);
    float *rows = dun_calloc(n, sizeof *rows);
    assert_true(rows && n == (size_t)P * s.C);
    for (size_t j = 0; j < n; j++)
        rows[j] = (float)prompt[j];
    check_ok(dun_buffer_write(&s.engine.prompt, 0, rows, n * sizeof *rows));
    read_texts(&s, cases);
    run_points(&s, 0, s.n_texts, s.points);
    json_array_foreach((json_t *)(uintptr_t)cases, i, item) {
        const json_t *expected = json_object_get(item, logits ? "logits" : "hidden");
        if (layer >= 0)
            expected = json_array_get(json_object_get(item, "residual"), (size_t)layer);
        snprintf(what, sizeof what, "%s layer %d text %zu", logits ? "logits" : "hidden", layer, i);
        reference_expect(what, s.points + i * s.D, expected, 1e-5);
    }
    expect_alone(&s);
    json_array_foreach(json_object_get(root, "gradients"), i, item) {
        const json_t *block = json_object_get(item, "layer");
        bool same_kind = logits == (strcmp(json_string_value(json_object_get(item, "point")), "logits") == 0);
        if (!same_kind || layer != (block ? (int)json_integer_value(block) : -1))
            continue;
        double *centroids = reference_numbers(json_object_get(item, "centroids"), &count);
        expect_gradients(&s, item, centroids, (uint32_t)(count / s.D), 1e-4);
        dun_free(centroids);
    }
    dun_free(rows);
    dun_free(prompt);
    close_scene(&s);
}

/* The rows of `ids` (token ids, -1 - p for the prompt) at `out`; their number. */
static uint32_t add_ids(int32_t *out, const json_t *ids) {
    size_t i;
    const json_t *id;
    json_array_foreach((json_t *)(uintptr_t)ids, i, id) out[i] = (int32_t)json_integer_value(id);
    return (uint32_t)json_array_size(ids);
}

/* Words among the prompt's rows, and prompts before the text: rows of head and tail around each text, which
 * is cached where nothing stands before it. */
static void run_layout(scene *s, const json_t *cases, const json_t *layout) {
    size_t i;
    const json_t *item, *head = json_object_get(layout, "head"), *tail = json_object_get(layout, "tail");
    uint32_t own = (uint32_t)(json_array_size(head) + json_array_size(tail));
    bool cached = json_array_size(head) == 0;
    if (cached)
        read_texts(s, cases);
    dun_batch_clear(&s->batch);
    s->n_texts = (uint32_t)json_array_size(cases);
    json_array_foreach((json_t *)(uintptr_t)cases, i, item) {
        const json_t *text = json_object_get(item, "ids");
        uint32_t length = (uint32_t)json_array_size(text);
        int32_t *ids = cached ? dun_batch_add(&s->batch, own, s->row[i], length)
                              : dun_batch_add(&s->batch, own + length, 0, 0);
        ids += add_ids(ids, head);
        ids += cached ? 0 : add_ids(ids, text);
        add_ids(ids, tail);
    }
    check_ok(dun_engine_points(&s->engine, &s->batch));
    check_ok(dun_buffer_read(s->points, dun_engine_point_buffer(&s->engine), 0,
                             (size_t)s->n_texts * s->D * sizeof *s->points));
}

static void check_layouts(const json_t *root, const char *model) {
    size_t i, n, count;
    const json_t *layout, *layouts = json_object_get(root, "layouts");
    double *prompt = reference_numbers(json_object_get(root, "prompt"), &n);
    uint32_t P = (uint32_t)json_integer_value(json_object_get(root, "prompt_rows"));
    assert_true(json_array_size(layouts) > 0);
    json_array_foreach((json_t *)(uintptr_t)layouts, i, layout) {
        scene s;
        open_scene(&s, model, P, 0, false);
        float *rows = dun_calloc(n, sizeof *rows);
        assert_true(rows && n == (size_t)P * s.C);
        for (size_t j = 0; j < n; j++)
            rows[j] = (float)prompt[j];
        check_ok(dun_buffer_write(&s.engine.prompt, 0, rows, n * sizeof *rows));
        run_layout(&s, json_object_get(root, "cases"), layout);
        reference_expect("hidden among words", s.points, json_object_get(layout, "hidden"), 1e-5);
        double *centroids = reference_numbers(json_object_get(layout, "centroids"), &count);
        expect_gradients(&s, layout, centroids, (uint32_t)(count / s.D), 1e-4);
        dun_free(centroids);
        dun_free(rows);
        close_scene(&s);
    }
    dun_free(prompt);
}

static void test_tiny(void **state) {
    (void)state;
    for (int name = 'a'; name <= 'd'; name++) {
        char json[64], model[64];
        snprintf(json, sizeof json, "tests/reference/tiny-%c.json", name);
        snprintf(model, sizeof model, "tests/fixtures/tiny-%c.gguf", name);
        json_t *root = reference_open(json);
        assert_non_null(root);
        int layers = (int)json_integer_value(json_object_get(json_object_get(root, "shape"), "layers"));
        check_tiny_point(root, model, -1, false);
        check_tiny_point(root, model, -1, true);
        for (int layer = 0; layer < layers; layer++)
            check_tiny_point(root, model, layer, false);
        check_layouts(root, model);
        json_decref(root);
    }
}

static const char real_model[] = "models/SmolLM2-135M-Instruct.Q4_1.gguf";

/* The ten largest logits: same ids, same order, close values. */
static void expect_top(const scene *s, uint32_t text, const json_t *item) {
    const float *logits = s->points + (size_t)text * s->D;
    const json_t *ids = json_object_get(item, "top_ids"), *values = json_object_get(item, "top_logits");
    float limit = INFINITY;
    for (size_t rank = 0; rank < json_array_size(ids); rank++) {
        uint32_t best = s->D;
        for (uint32_t v = 0; v < s->D; v++)
            if (logits[v] < limit && (best == s->D || logits[v] > logits[best]))
                best = v;
        assert_int_equal(best, json_integer_value(json_array_get(ids, rank)));
        double difference = fabs((double)logits[best] - json_number_value(json_array_get(values, rank)));
        if (!(difference <= 1e-2))
            fail_msg("logit %zu of text %u is off by %g", rank, text, difference);
        limit = logits[best];
    }
}

static void check_real_point(const json_t *root, bool logits) {
    scene s;
    size_t i;
    const json_t *item, *cases = json_object_get(root, "cases"), *ids = json_object_get(root, "prompt_ids");
    uint32_t P = (uint32_t)json_array_size(ids), text = 0;
    open_scene(&s, real_model, P, 0, logits);
    float *rows = dun_calloc((size_t)P * s.C, sizeof *rows);
    assert_non_null(rows);
    for (uint32_t p = 0; p < P; p++)
        check_ok(dun_model_file_read(rows + (size_t)p * s.C, s.model, DUN_W_EMBED, 0,
                                     (uint32_t)json_integer_value(json_array_get(ids, p)), 1));
    check_ok(dun_buffer_write(&s.engine.prompt, 0, rows, (size_t)P * s.C * sizeof *rows));
    read_texts(&s, cases);
    run_points(&s, 0, s.n_texts, s.points);
    expect_alone(&s);
    double *centroids = dun_calloc((size_t)2 * s.D, sizeof *centroids);
    assert_non_null(centroids);
    for (uint32_t j = 0; j < s.D; j++) {
        centroids[j] = (double)(1.01f * s.points[s.D + j]);
        centroids[s.D + j] = (double)(1.01f * s.points[j]);
    }
    json_array_foreach((json_t *)(uintptr_t)cases, i, item) {
        const char *batch = json_string_value(json_object_get(item, "batch_of"));
        if (batch && logits == (strcmp(batch, "logits") == 0))
            expect_gradients(&s, item, centroids, 2, 1e-4);
        if (batch)
            continue;
        if (logits)
            expect_top(&s, text, item);
        else
            reference_expect("hidden", s.points + (size_t)text * s.D, json_object_get(item, "hidden"), 1e-5);
        text++;
    }
    dun_free(centroids);
    dun_free(rows);
    close_scene(&s);
}

static void check_real(const char *path) {
    json_t *root = reference_open(path);
    if (!root || !reference_exists(real_model)) {
        json_decref(root);
        print_message("%s or the real model is not here\n", path);
        skip();
    }
    check_real_point(root, false);
    check_real_point(root, true);
    json_decref(root);
}

static void test_real(void **state) {
    (void)state;
    check_real("tests/reference/model.json");
}

static void test_shared(void **state) {
    (void)state;
    check_real("../shared/reference/model.json");
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
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
