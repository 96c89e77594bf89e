/* One whole training step of a small random model: texts into the cache, points, loss, gradients of prompt
 * and centroids, and the optimiser's first step; against the same model as plain loops in double, whose
 * prompt gradient is taken by central differences. */
#include "base/rng.h"
#include "check/check_topics.h"
#include "check/loss_chain.h"
#include "check/random_model.h"
#include "learn/optim.h"
#include "nn/engine.h"

#include <math.h>
#include <string.h>

/* Two blocks of sums of up to 128 products each, rounded to float. */
static const double point_tolerance = 4e-6, gradient_tolerance = 2e-5;

enum { TEXTS = 3, CLASSES = 2, ROWS = 2, WIDTH = 36, LONGEST = 5, TOKENS = 32, MAX_IDS = LONGEST + ROWS };
static const int text_length[TEXTS] = {5, 1, 3};
static const int32_t labels[TEXTS] = {1, 0, 1};
static const dun_ref_adam adam = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};

/* The case on the host, in double, and on the device. */
typedef struct {
    dun_random_model model;
    dun_point_spec point;
    double *prompt, *centroids; /* (ROWS, WIDTH), (CLASSES, WIDTH) */
    int ids[TEXTS][MAX_IDS];
} step_scene;

typedef struct {
    dun_engine engine;
    dun_batch texts, points;
    dun_loss loss;
    dun_optim optim;
} step_device;

static void free_scene(void *self) {
    dun_random_model_free(&((step_scene *)self)->model);
}

static void free_device(void *self) {
    step_device *d = self;
    dun_optim_free(&d->optim);
    dun_loss_free(&d->loss);
    dun_batch_free(&d->points);
    dun_batch_free(&d->texts);
    dun_engine_free(&d->engine);
}

static step_scene *make_scene(dun_check *c) {
    step_scene *s = dun_check_own(c, sizeof *s, free_scene);
    if (!s)
        return NULL;
    const uint32_t D = c->compute->tiles.head_dim;
    const dun_spec spec = {.n_layers = 2,
                           .width = WIDTH,
                           .n_heads = 2,
                           .n_kv_heads = 1,
                           .head_dim = D,
                           .ffn_width = 40,
                           .vocab = TOKENS,
                           .context = 64,
                           .rope_dim = D / 2 * 2,
                           .rope_base = 10000.0f,
                           .norm_eps = 1e-5f};
    DUN_CHECK_TRY(c, dun_random_model_create(&s->model, &spec, 11));
    s->point = (dun_point_spec){.n_blocks = spec.n_layers, .final_norm = true};
    s->prompt = dun_check_random(c, ROWS * WIDTH, 1.0);
    s->centroids = dun_check_random(c, CLASSES * WIDTH, 1.0);
    for (int t = 0; t < TEXTS; t++) {
        for (int i = 0; i < text_length[t]; i++)
            s->ids[t][i] = (int)dun_random_below(TOKENS, 3, DUN_STREAM_TEST, (uint64_t)(t * 16 + i));
        for (int p = 0; p < ROWS; p++)
            s->ids[t][text_length[t] + p] = -1 - p;
    }
    return s;
}

static dun_loss_chain chain_of(const step_scene *s, const double *points) {
    return (dun_loss_chain){.loss = &dun_loss_rows[0],
                            .shape = {.B = TEXTS, .K = CLASSES, .temperature = 1.0, .attraction = 1.0},
                            .D = WIDTH,
                            .distance = DUN_REF_EUCLIDEAN,
                            .points = points,
                            .centroids = s->centroids,
                            .labels = labels};
}

/* Points, loss and the centroids' gradient under a prompt. */
static double reference(dun_check *c, double *points, double *d_points, double *d_centroids,
                        const step_scene *s, const double *prompt) {
    for (int t = 0; t < TEXTS; t++)
        DUN_CHECK_TRY(c, dun_random_model_point(points + t * WIDTH, &s->model, &s->point, s->ids[t],
                                                text_length[t] + ROWS, prompt));
    const dun_loss_chain chain = chain_of(s, points);
    return dun_loss_chain_reference(c, d_points, d_centroids, &chain);
}

/* Of the loss by the prompt: points under a prompt moved by h in one direction, times the points' gradient.
 */
static void prompt_gradient(dun_check *c, double *out, const step_scene *s, const double *d_points) {
    const double h = 1e-4;
    double moved[ROWS * WIDTH], above[WIDTH], below[WIDTH];
    memcpy(moved, s->prompt, sizeof moved);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        out[i] = 0.0;
        for (int t = 0; t < TEXTS; t++) {
            int n = text_length[t] + ROWS;
            moved[i] = s->prompt[i] + h;
            DUN_CHECK_TRY(c, dun_random_model_point(above, &s->model, &s->point, s->ids[t], n, moved));
            moved[i] = s->prompt[i] - h;
            DUN_CHECK_TRY(c, dun_random_model_point(below, &s->model, &s->point, s->ids[t], n, moved));
            for (int j = 0; !c->stopped && j < WIDTH; j++)
                out[i] += d_points[t * WIDTH + j] * (above[j] - below[j]) / (2.0 * h);
        }
        moved[i] = s->prompt[i];
    }
}

static void write_floats(dun_check *c, dun_buffer *out, const double *values, size_t n) {
    float *floats = (float *)dun_check_doubles(c, n);
    if (c->stopped)
        return;
    for (size_t i = 0; i < n; i++)
        floats[i] = (float)values[i];
    DUN_CHECK_TRY(c, dun_buffer_write(out, 0, floats, n * sizeof *floats));
}

static step_device *start(dun_check *c, const step_scene *s) {
    step_device *d = dun_check_own(c, sizeof *d, free_device);
    if (!d)
        return NULL;
    const dun_engine_options options = {.point = s->point,
                                        .backward = true,
                                        .max_text_rows = TEXTS * LONGEST,
                                        .max_texts = TEXTS,
                                        .max_rows = TEXTS * ROWS,
                                        .max_sequences = TEXTS,
                                        .max_prompt = ROWS,
                                        .max_position = MAX_IDS};
    const dun_weight_source source = dun_random_model_source(&s->model);
    DUN_CHECK_TRY(c, dun_engine_create(&d->engine, c->compute, &s->model.spec, &source, &options));
    DUN_CHECK_TRY(c, dun_engine_create_cache(&d->engine, TEXTS * LONGEST));
    DUN_CHECK_TRY(c, dun_batch_create(&d->texts, TEXTS, TEXTS * LONGEST));
    DUN_CHECK_TRY(c, dun_batch_create(&d->points, TEXTS, TEXTS * ROWS));
    write_floats(c, &d->engine.prompt, s->prompt, ROWS * WIDTH);
    return d;
}

/* Forward: texts, then points. */
static void run_points(dun_check *c, step_device *d, const step_scene *s) {
    uint32_t row = 0;
    for (int t = 0; t < TEXTS; t++) {
        uint32_t n = (uint32_t)text_length[t];
        memcpy(dun_batch_add(&d->texts, n, 0, 0), s->ids[t], n * sizeof(int32_t));
        memcpy(dun_batch_add(&d->points, ROWS, row, n), s->ids[t] + n, ROWS * sizeof(int32_t));
        row += n;
    }
    DUN_CHECK_TRY(c, dun_engine_text(&d->engine, &d->texts, 0));
    DUN_CHECK_TRY(c, dun_engine_points(&d->engine, &d->points));
}

static dun_check_tensor *copy_of(dun_check *c, const char *name, const dun_buffer *buffer, size_t n) {
    dun_check_tensor *copy = dun_check_output(c, name, n);
    DUN_CHECK_TRY(c, dun_buffer_copy(&copy->buffer, 0, buffer, 0, n * sizeof(float)));
    return copy;
}

static void step(dun_check *c, const step_scene *s) {
    const size_t n_prompt = ROWS * WIDTH, n_centroids = CLASSES * WIDTH, n_points = TEXTS * WIDTH;
    double *points = dun_check_doubles(c, n_points), *d_points = dun_check_doubles(c, n_points);
    double *d_centroids = dun_check_doubles(c, n_centroids), *d_prompt = dun_check_doubles(c, n_prompt);
    double *m = dun_check_doubles(c, n_prompt), *v = dun_check_doubles(c, n_prompt);
    if (c->stopped)
        return;
    double want = reference(c, points, d_points, d_centroids, s, s->prompt);
    prompt_gradient(c, d_prompt, s, d_points);

    step_device *d = start(c, s);
    if (c->stopped)
        return;
    const dun_loss_settings settings = {
        .kind = DUN_LOSS_CROSS_ENTROPY, .distance = DUN_DISTANCE_EUCLIDEAN, .temperature = 1.0f};
    const dun_optim_settings optim = {
        .kind = DUN_OPTIMIZER_ADAM, .beta1 = adam.beta1, .beta2 = adam.beta2, .eps = adam.eps};
    dun_check_tensor *centroids = dun_check_input(c, "centroids", s->centroids, n_centroids);
    dun_check_tensor *d_centroids_out = dun_check_output(c, "gradient of the centroids", n_centroids);
    float value = NAN;
    run_points(c, d, s);
    DUN_CHECK_TRY(c, dun_loss_create(&d->loss, c->compute, &settings, TEXTS, CLASSES, WIDTH));
    DUN_CHECK_TRY(c,
                  dun_loss_run(&d->loss, dun_engine_point_gradient(&d->engine), &d_centroids_out->buffer,
                               dun_engine_point_buffer(&d->engine), &centroids->buffer, labels, NULL, TEXTS));
    DUN_CHECK_TRY(c, dun_loss_read(&value, NULL, &d->loss, TEXTS));
    dun_check_close(c, copy_of(c, "points", dun_engine_point_buffer(&d->engine), n_points), points,
                    point_tolerance);
    const double got = (double)value;
    dun_check_close(c, dun_check_in_out(c, "loss", &got, 1), &want, point_tolerance);
    dun_check_close(c, d_centroids_out, d_centroids, gradient_tolerance);
    DUN_CHECK_TRY(c, dun_engine_backward(&d->engine));
    dun_check_tensor *gradient = copy_of(c, "gradient of the prompt", &d->engine.d_prompt, n_prompt);
    dun_check_close(c, gradient, d_prompt, gradient_tolerance);

    DUN_CHECK_TRY(c, dun_optim_init(&d->optim, c->compute, &optim));
    DUN_CHECK_TRY(c, dun_optim_add(&d->optim, optim.kind, &d->engine.prompt, &d->engine.d_prompt, ROWS, WIDTH,
                                   adam.lr));
    DUN_CHECK_TRY(c, dun_optim_step(&d->optim, 1.0));
    const double *g = dun_check_read(c, gradient); /* its sign alone decides the first step */
    if (c->stopped)
        return;
    dun_ref_adam_step(s->prompt, m, v, g, (int)n_prompt, 1, &adam);
    dun_check_close(c, copy_of(c, "the prompt after the step", &d->engine.prompt, n_prompt), s->prompt,
                    point_tolerance);
}

static void run(dun_check *c, size_t index) {
    dun_check_begin(c, index, "a training step, heads of %u, %s", c->compute->tiles.head_dim,
                    dun_gemm_name(c->compute->gemm));
    const step_scene *scene = make_scene(c);
    if (scene)
        step(c, scene);
}

const dun_check_topic dun_check_step = {"step", 1, run, true};
