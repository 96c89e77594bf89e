/* The models and sequences of the scenes, and running them on an engine. */
#include "engine_scene.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

const dun_spec scene_models[N_MODELS] = {
    {.n_layers = 3,
     .width = 32,
     .n_heads = 4,
     .n_kv_heads = 2,
     .head_dim = 8,
     .ffn_width = 48,
     .vocab = 50,
     .rope_dim = 8,
     .rope_base = 10000.0f,
     .norm_eps = 1e-5f},
    /* nothing a power of two, and only half of each head turns */
    {.n_layers = 2,
     .width = 37,
     .n_heads = 3,
     .n_kv_heads = 1,
     .head_dim = 12,
     .ffn_width = 33,
     .vocab = 31,
     .rope_dim = 6,
     .rope_base = 500.0f,
     .norm_eps = 1e-6f},
    {.traits = {.qkv_bias = DUN_QKV_BIAS},
     .n_layers = 2,
     .width = 36,
     .n_heads = 6,
     .n_kv_heads = 3,
     .head_dim = 10,
     .ffn_width = 21,
     .vocab = 41,
     .rope_dim = 10,
     .rope_base = 1000.0f,
     .norm_eps = 1e-5f},
    {.traits = {.residual = DUN_RESIDUAL_PARALLEL, .qkv_bias = DUN_QKV_BIAS},
     .n_layers = 3,
     .width = 32,
     .n_heads = 4,
     .n_kv_heads = 4,
     .head_dim = 8,
     .ffn_width = 48,
     .vocab = 50,
     .rope_dim = 4,
     .rope_base = 10000.0f,
     .norm_eps = 1e-5f},
};

const int scene_text_length[N_TEXTS] = {5, 0, 1, MAX_TEXT, 7};

const scene_sequence scene_sequences[N_SEQUENCES] = {
    {0, 3, {-1, -2, -3}}, {1, 3, {-1, -2, -3}}, {2, 5, {4, -1, 9, -2, -3}}, {3, 3, {-1, -2, -3}}, {4, 1, {7}},
    {0, 3, {-3, -1, -1}}, {1, 1, {-2}},
};

const int scene_in_order[N_SEQUENCES] = {0, 1, 2, 3, 4, 5, 6};

int scene_token(const dun_spec *spec, int text, int i) {
    return (int)dun_random_below(spec->vocab, 5, DUN_STREAM_TEST, (uint64_t)(text * 100 + i));
}

int scene_spoil(scene *s) {
    int rc = DUN_OK;
    dun_engine *e = &s->engine;
    for (uint32_t i = 0; i < s->point.n_blocks; i++)
        TRY(dun_buffer_fill(&e->cache[i], 0xFF));
    for (size_t i = 0; i < e->text_plan.n_buffers; i++)
        TRY(dun_buffer_fill(&e->text_plan.buffers[i], 0xFF));
    for (size_t i = 0; i < e->points_plan.n_buffers; i++)
        TRY(dun_buffer_fill(&e->points_plan.buffers[i], 0xFF));
    if (e->options.backward)
        TRY(dun_buffer_fill(&e->d_prompt, 0xFF));
out:
    return rc;
}

int scene_create(scene *s, dun_compute *compute, const dun_random_model *weights, const double *prompt,
                 const dun_point_spec *point, bool backward) {
    int rc = DUN_OK;
    dun_engine_options options = {.point = *point,
                                  .backward = backward,
                                  .max_text_rows = CACHE_ROWS,
                                  .max_texts = N_TEXTS,
                                  .max_rows = N_SEQUENCES * MAX_OWN,
                                  .max_sequences = N_SEQUENCES,
                                  .max_prompt = MAX_P,
                                  .max_position = MAX_TEXT + MAX_OWN,
                                  .rows_after_text = P};
    dun_weight_source source = dun_random_model_source(weights);
    *s = (scene){.weights = weights,
                 .prompt = prompt,
                 .spec = &weights->spec,
                 .point = *point,
                 .width = dun_point_width(&weights->spec, point)};
    TRY(dun_engine_create(&s->engine, compute, s->spec, &source, &options));
    TRY(dun_engine_create_cache(&s->engine, CACHE_ROWS));
    TRY(scene_set_prompt(s, prompt));
out:
    if (rc < 0)
        scene_free(s);
    return rc;
}

int scene_set_prompt(scene *s, const double *prompt) {
    float rows[MAX_P * MAX_WIDTH] = {0};
    uint32_t width = s->spec->width;
    for (uint32_t i = 0; i < P * width; i++)
        rows[i] = (float)prompt[i];
    return dun_buffer_write(&s->engine.prompt, 0, rows, MAX_P * width * sizeof *rows);
}

int scene_cache(scene *s, int first, int end, int row) {
    int rc = DUN_OK;
    dun_batch batch;
    int next = row;
    TRY(dun_batch_create(&batch, N_TEXTS, CACHE_ROWS));
    for (int t = first; t < end; t++) {
        int32_t *ids = dun_batch_add(&batch, (uint32_t)scene_text_length[t], 0, 0);
        for (int i = 0; i < scene_text_length[t]; i++)
            ids[i] = scene_token(s->spec, t, i);
        s->cache_row[t] = next;
        next += scene_text_length[t];
    }
    TRY(dun_engine_text(&s->engine, &batch, (uint32_t)row));
out:
    dun_batch_free(&batch);
    return rc;
}

void scene_free(scene *s) {
    dun_engine_free(&s->engine);
}

int scene_points(scene *s, const int *order, int n) {
    int rc = DUN_OK;
    dun_batch batch;
    float *out = NULL;
    TRY(dun_batch_create(&batch, N_SEQUENCES, N_SEQUENCES * MAX_OWN));
    for (int k = 0; k < n; k++) {
        int q = order[k], text = scene_sequences[q].text;
        int32_t *ids = dun_batch_add(&batch, (uint32_t)scene_sequences[q].n, (uint32_t)s->cache_row[text],
                                     (uint32_t)scene_text_length[text]);
        for (int i = 0; i < scene_sequences[q].n; i++)
            ids[i] = scene_sequences[q].ids[i];
    }
    TRY(dun_engine_points(&s->engine, &batch));
    TRY_NEW(out, (size_t)n * s->width);
    TRY(dun_buffer_read(out, dun_engine_point_buffer(&s->engine), 0, (size_t)n * s->width * sizeof *out));
    for (int k = 0; k < n; k++)
        memcpy(s->points[order[k]], out + (size_t)k * s->width, s->width * sizeof *out);
out:
    dun_free(out);
    dun_batch_free(&batch);
    return rc;
}

double scene_slope(int q, uint32_t j) {
    return (float)dun_random_normal(3, DUN_STREAM_TEST, (uint64_t)(q * 1000) + j);
}

int scene_backward(float *d_prompt, scene *s, const int *order, int n) {
    int rc = DUN_OK;
    float *slopes = NULL;
    size_t bytes = (size_t)n * s->width * sizeof *slopes;
    TRY_NEW(slopes, (size_t)n * s->width);
    for (int k = 0; k < n; k++)
        for (uint32_t j = 0; j < s->width; j++)
            slopes[(uint32_t)k * s->width + j] = (float)scene_slope(order[k], j);
    TRY(dun_buffer_write(dun_engine_point_gradient(&s->engine), 0, slopes, bytes));
    TRY(dun_buffer_fill(dun_engine_point_buffer(&s->engine), 0xFF)); /* the caller's to change */
    TRY(dun_engine_backward(&s->engine));
    TRY(dun_buffer_read(d_prompt, &s->engine.d_prompt, 0, MAX_P * s->spec->width * sizeof *d_prompt));
out:
    dun_free(slopes);
    return rc;
}

int scene_ids(int *ids, const dun_spec *spec, int q) {
    int n = 0, text = scene_sequences[q].text;
    for (int i = 0; i < scene_text_length[text]; i++)
        ids[n++] = scene_token(spec, text, i);
    for (int i = 0; i < scene_sequences[q].n; i++)
        ids[n++] = scene_sequences[q].ids[i];
    return n;
}
