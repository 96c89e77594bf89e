/* Measures one candidate on a small random model: seconds, points and gradients to compare. */
#include "bench/tune.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/stopwatch.h"
#include "nn/engine.h"

#include <math.h>

enum { SEED = 11, MOST_REPEATS = 50, LEAST_REPEATS = 3 };

/* Random weights that keep the size of activations: uniform with the spread of 1 / sqrt(columns). */
static int read_random(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                       uint32_t n_rows) {
    const dun_spec *spec = self;
    uint32_t columns = dun_spec_size(spec, dun_slot_table[slot].columns);
    bool vector = dun_slot_table[slot].columns == DUN_SIZE_ONE;
    double spread = vector ? 0.2 : slot == DUN_W_EMBED ? 1.0 : sqrt(3.0 / columns);
    uint64_t stream = ((uint64_t)slot << 8) + layer, at = (uint64_t)first_row * columns;
    for (size_t i = 0; i < (size_t)n_rows * columns; i++)
        out[i] = (float)((vector ? 1.0 : 0.0) +
                         spread * (2.0 * dun_random_uniform(SEED, stream + DUN_STREAM_TEST, at + i) - 1.0));
    return DUN_OK;
}

typedef struct {
    dun_spec spec;
    dun_compute compute;
    dun_engine engine;
    dun_batch texts, prompts; /* of all texts; of the checked ones where those are enough */
} bench;

static int create_engine(bench *b) {
    const dun_weight_source source = {.self = &b->spec, .read = read_random};
    const dun_engine_options options = {.point = {.n_blocks = b->spec.n_layers, .final_norm = true},
                                        .backward = true,
                                        .max_text_rows = DUN_TUNE_TEXTS * DUN_TUNE_TOKENS,
                                        .max_texts = DUN_TUNE_TEXTS,
                                        .max_rows = DUN_TUNE_TEXTS * DUN_TUNE_ROWS,
                                        .max_sequences = DUN_TUNE_TEXTS,
                                        .max_prompt = DUN_TUNE_ROWS,
                                        .max_position = DUN_TUNE_TOKENS + DUN_TUNE_ROWS};
    int rc = DUN_OK;
    float *prompt = NULL;
    size_t n = (size_t)DUN_TUNE_ROWS * b->spec.width;
    TRY(dun_engine_create(&b->engine, &b->compute, &b->spec, &source, &options));
    TRY(dun_engine_create_cache(&b->engine, DUN_TUNE_TEXTS * DUN_TUNE_TOKENS));
    TRY_NEW(prompt, n);
    for (size_t i = 0; i < n; i++)
        prompt[i] = (float)dun_random_normal(SEED, DUN_STREAM_TEST, i);
    TRY(dun_buffer_write(&b->engine.prompt, 0, prompt, n * sizeof *prompt));
out:
    dun_free(prompt);
    return rc;
}

/* The first n texts, and a prompt after each. */
static void fill(bench *b, uint32_t n) {
    dun_batch_clear(&b->texts);
    dun_batch_clear(&b->prompts);
    for (uint32_t t = 0; t < n; t++) {
        int32_t *ids = dun_batch_add(&b->texts, DUN_TUNE_TOKENS, 0, 0);
        for (uint32_t i = 0; i < DUN_TUNE_TOKENS; i++)
            ids[i] = (int32_t)dun_random_below(b->spec.vocab, SEED, DUN_STREAM_SHUFFLE,
                                               (uint64_t)t * DUN_TUNE_TOKENS + i);
        ids = dun_batch_add(&b->prompts, DUN_TUNE_ROWS, t * DUN_TUNE_TOKENS, DUN_TUNE_TOKENS);
        for (int i = 0; i < DUN_TUNE_ROWS; i++)
            ids[i] = -1 - i;
    }
}

static int run_texts(void *self) {
    bench *b = self;
    return dun_engine_text(&b->engine, &b->texts, 0);
}

static int run_step(void *self) {
    int rc = DUN_OK;
    bench *b = self;
    TRY(dun_engine_points(&b->engine, &b->prompts));
    TRY(dun_engine_backward(&b->engine));
out:
    return rc;
}

static int measure(double *median, bench *b, int (*work)(void *self), double enough_s) {
    dun_bench_seconds seconds = {0};
    const dun_bench_patience patience = {LEAST_REPEATS, MOST_REPEATS, enough_s};
    int rc = dun_bench_repeat(&seconds, b->compute.device, &patience, work, b);
    *median = seconds.median;
    return rc;
}

/* Gradients of the points: any fixed numbers. */
static int write_slopes(bench *b, uint32_t n) {
    int rc = DUN_OK;
    float *slopes = NULL;
    size_t count = (size_t)n * b->spec.width;
    TRY_NEW(slopes, count);
    for (size_t i = 0; i < count; i++)
        slopes[i] = (float)dun_random_normal(SEED, DUN_STREAM_PROMPT, i);
    TRY(dun_buffer_write(dun_engine_point_gradient(&b->engine), 0, slopes, count * sizeof *slopes));
out:
    dun_free(slopes);
    return rc;
}

/* The points of the first texts, run with as many as now are in the batch, into the results. */
static int read_points(dun_tune_result *out, bench *b) {
    int rc = DUN_OK;
    TRY(dun_engine_points(&b->engine, &b->prompts));
    TRY(dun_buffer_read(out->results, dun_engine_point_buffer(&b->engine), 0,
                        (size_t)DUN_TUNE_CHECKED * b->spec.width * sizeof(float)));
out:
    return rc;
}

static int read_gradient(dun_tune_result *out, bench *b) {
    int rc = DUN_OK;
    size_t C = b->spec.width;
    TRY(dun_engine_points(&b->engine, &b->prompts));
    TRY(write_slopes(b, DUN_TUNE_CHECKED));
    TRY(dun_engine_backward(&b->engine));
    TRY(dun_buffer_read(out->results + DUN_TUNE_CHECKED * C, &b->engine.d_prompt, 0,
                        DUN_TUNE_ROWS * C * sizeof(float)));
out:
    return rc;
}

int dun_tune_measure(dun_tune_result *out, dun_device *device, const dun_spec *spec, const dun_wish *wish,
                     double enough_s) {
    int rc = DUN_OK;
    bench b = {.spec = *spec};
    dun_wish with_model = *wish;
    with_model.uses[0].list = &dun_nn_kernels;
    with_model.uses[0].topics = 1u << DUN_TOPIC_model;
    bool timed = enough_s > 0;
    double begun = dun_clock_seconds();
    *out = (dun_tune_result){.n_results = (size_t)(DUN_TUNE_CHECKED + DUN_TUNE_ROWS) * spec->width};
    if (b.spec.n_layers > DUN_TUNE_BLOCKS)
        b.spec.n_layers = DUN_TUNE_BLOCKS;
    if (b.spec.vocab > DUN_TUNE_VOCAB)
        b.spec.vocab = DUN_TUNE_VOCAB;
    TRY_NEW(out->results, out->n_results);
    TRY(dun_compute_create_wish(&b.compute, device, NULL, &with_model));
    TRY(create_engine(&b));
    TRY(dun_batch_create(&b.texts, DUN_TUNE_TEXTS, DUN_TUNE_TEXTS * DUN_TUNE_TOKENS));
    TRY(dun_batch_create(&b.prompts, DUN_TUNE_TEXTS, DUN_TUNE_TEXTS * DUN_TUNE_ROWS));
    fill(&b, timed ? DUN_TUNE_TEXTS : DUN_TUNE_CHECKED);
    TRY(run_texts(&b)); /* drivers may compile at the first launch */
    TRY(read_points(out, &b));
    TRY(write_slopes(&b, b.prompts.n_sequences));
    TRY(run_step(&b));
    TRY(dun_device_finish(device));
    out->build_s = dun_clock_seconds() - begun;
    if (timed) {
        TRY(measure(&out->text_s, &b, run_texts, enough_s));
        TRY(measure(&out->step_s, &b, run_step, enough_s));
    }
    fill(&b, DUN_TUNE_CHECKED);
    TRY(read_gradient(out, &b));
out:
    dun_batch_free(&b.prompts);
    dun_batch_free(&b.texts);
    dun_engine_free(&b.engine);
    dun_compute_free(&b.compute);
    if (rc < 0)
        dun_tune_result_free(out);
    return rc;
}

void dun_tune_result_free(dun_tune_result *result) {
    dun_free(result->results);
    *result = (dun_tune_result){0};
}

double dun_tune_difference(const dun_tune_result *a, const float *b, size_t n) {
    double error = 0, norm = 0;
    if (n != a->n_results)
        return INFINITY;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a->results[i] - b[i]) * ((double)a->results[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    double difference = sqrt(error / norm);
    return difference >= 0 ? difference : INFINITY;
}
