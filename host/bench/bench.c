/* Times products, text passes and the stages of a step, the device drained before and after each. */
#include "bench/bench.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "learn/loss.h"
#include "learn/optim.h"

/* A figure is taken from at least MIN_REPEATS repetitions, and from more until ENOUGH_SECONDS have passed. */
enum { MIN_REPEATS = 5, MAX_REPEATS = DUN_BENCH_REPEATS };
static const double ENOUGH_SECONDS = 0.5;

static const uint32_t text_tokens[DUN_BENCH_TEXTS] = {22, 512};
enum {
    STEP_TEXT = 0,
    SEED = 1,
    N_CLASSES = 2
}; /* the texts of a step are as long as text_tokens[STEP_TEXT] */

/* Repeats `work`; the first time does not count, but for its launches. */
static int measure(dun_bench_seconds *out, uint64_t *launches, dun_device *device, int (*work)(void *self),
                   void *self) {
    int rc = DUN_OK;
    const dun_bench_patience patience = {MIN_REPEATS, MAX_REPEATS, ENOUGH_SECONDS};
    const uint64_t before = dun_device_launches(device);
    TRY(work(self));
    if (launches)
        *launches = dun_device_launches(device) - before;
    TRY(dun_bench_repeat(out, device, &patience, work, self));
out:
    return rc;
}

typedef struct {
    dun_session *session;
    dun_buffer in, out; /* room for the widest side of every product */
    dun_bench_product *product;
} products_job;

/* The weight and its layers, or the head alone. */
static int run_product(void *self) {
    int rc = DUN_OK;
    products_job *job = self;
    const dun_bench_product *p = job->product;
    const dun_engine *engine = &job->session->engine;
    dun_gemm *gemm = job->session->compute.gemm;
    for (uint32_t layer = 0; layer < p->n_matrices; layer++) {
        const dun_matrix *matrix = dun_model_matrix(&engine->model, p->matrix, layer);
        TRY(p->backward ? dun_gemm_backward(gemm, &job->out, &job->in, matrix, false, p->m)
                        : dun_gemm_forward(gemm, &job->out, 0, &job->in, matrix, NULL, NULL, p->m));
    }
out:
    return rc;
}

/* Every kind of matrix with M rows, both directions. The model gives its head one row a sequence. */
static void list_products(dun_bench *bench, const dun_engine *engine, uint32_t M, bool head) {
    for (unsigned kind = 0; kind < DUN_N_MATRICES; kind++) {
        const dun_matrix *matrix = dun_model_matrix(&engine->model, (enum dun_weight)kind, 0);
        if ((kind == DUN_MAT_HEAD) != head)
            continue;
        uint32_t n_matrices = head ? 1 : engine->model.n_layers;
        for (int backward = 0; backward < 2; backward++)
            bench->products[bench->n_products++] =
                (dun_bench_product){.matrix = (enum dun_weight)kind,
                                    .backward = backward == 1,
                                    .m = M,
                                    .rows = matrix->rows,
                                    .columns = matrix->columns,
                                    .n_matrices = n_matrices,
                                    .flops = 2.0 * M * matrix->rows * matrix->columns * n_matrices};
    }
}

/* Numbers around 1: nothing that a processor is slow with. */
static int create_input(dun_buffer *out, dun_device *device, size_t n) {
    int rc = DUN_OK;
    float *values = NULL;
    TRY_NEW(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(0.5 + dun_random_uniform(SEED, DUN_STREAM_TEST, i));
    TRY(dun_buffer_create(out, device, n * sizeof *values, "the products' input"));
    TRY(dun_buffer_write(out, 0, values, n * sizeof *values));
out:
    dun_free(values);
    return rc;
}

static int measure_products(dun_bench *bench, dun_session *session, uint32_t rows) {
    int rc = DUN_OK;
    products_job job = {.session = session};
    const dun_engine *engine = &session->engine;
    size_t most = 0;
    list_products(bench, engine, rows ? rows : bench->batch_size * bench->n_prompt, false);
    if (!rows)
        list_products(bench, engine, engine->options.max_text_rows, false);
    if (engine->options.point.logits)
        list_products(bench, engine, rows ? rows : bench->batch_size, true);
    for (uint32_t i = 0; i < bench->n_products; i++) {
        const dun_bench_product *p = &bench->products[i];
        size_t widest = p->rows > p->columns ? p->rows : p->columns;
        most = widest * p->m > most ? widest * p->m : most;
    }
    TRY(create_input(&job.in, session->device, most));
    TRY(dun_buffer_create(&job.out, session->device, most * sizeof(float), "the products' output"));
    dun_observe_begin(session->observer, "products", "shapes", bench->n_products);
    for (uint32_t i = 0; i < bench->n_products; i++) {
        job.product = &bench->products[i];
        TRY(measure(&job.product->seconds, NULL, session->device, run_product, &job));
        dun_observe_advance(session->observer, i + 1, NULL);
    }
out:
    dun_observe_end(session->observer);
    dun_buffer_free(&job.out);
    dun_buffer_free(&job.in);
    return rc;
}

uint32_t dun_bench_longest_text(const dun_session *session) {
    uint32_t context = dun_model_file_spec(session->model)->context, P = session->prompt.n_rows;
    uint32_t room = context > P ? context - P : 0, longest = 0;
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++)
        longest = text_tokens[i] > longest ? text_tokens[i] : longest;
    return longest < room ? longest : room;
}

typedef struct {
    dun_session *session;
    dun_batch batch;
    uint32_t cache_row;
} texts_job;

static int run_texts(void *self) {
    texts_job *job = self;
    return dun_engine_text(&job->session->engine, &job->batch, job->cache_row);
}

int32_t dun_bench_token(const dun_session *session, uint64_t i) {
    return (int32_t)dun_random_below(session->engine.model.spec.vocab, SEED, DUN_STREAM_TEST, i);
}

/* Fills the batch with at most n texts, from the token on that stands for the first row of their cache. */
static void add_texts(texts_job *job, uint32_t tokens, uint32_t n) {
    dun_batch_clear(&job->batch);
    while (job->batch.n_sequences < n && dun_batch_fits(&job->batch, tokens)) {
        uint64_t first = job->cache_row + job->batch.n_rows;
        int32_t *ids = dun_batch_add(&job->batch, tokens, 0, 0);
        for (uint32_t j = 0; j < tokens; j++)
            ids[j] = dun_bench_token(job->session, first + j);
    }
}

static int measure_texts(dun_bench *bench, texts_job *job) {
    int rc = DUN_OK;
    const dun_engine *engine = &job->session->engine;
    const dun_observer *observer = job->session->observer;
    dun_observe_begin(observer, "texts", "lengths", DUN_BENCH_TEXTS);
    for (uint32_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        dun_bench_text *text = &bench->texts[i];
        uint32_t longest = engine->options.max_position - engine->options.max_prompt;
        text->tokens = text_tokens[i] < longest ? text_tokens[i] : longest;
        add_texts(job, text->tokens, UINT32_MAX);
        text->n_texts = job->batch.n_sequences;
        text->work.flops = dun_bench_flops(&engine->text, job->batch.n_rows, job->batch.n_sequences);
        text->work.bytes =
            dun_bench_bytes(&engine->text, &engine->model, job->batch.n_rows, job->batch.n_sequences);
        TRY(measure(&text->seconds, &text->work.launches, job->session->device, run_texts, job));
        dun_observe_advance(observer, i + 1, NULL);
    }
out:
    dun_observe_end(observer);
    return rc;
}

typedef struct {
    dun_session *session;
    dun_loss loss;
    dun_optim optim;
    dun_buffer centroids, d_centroids; /* (K, D) */
    int32_t *labels;                   /* [B] */
} step_job;

/* The keys and values of the step's texts, and the batch of prompts after them. */
static int read_step_texts(texts_job *job, const dun_bench *bench) {
    int rc = DUN_OK;
    dun_batch *batch = &job->session->first->batch;
    uint32_t B = bench->batch_size, tokens = bench->text_tokens;
    for (uint32_t done = 0; done < B; done += job->batch.n_sequences) {
        job->cache_row = done * tokens;
        add_texts(job, tokens, B - done);
        TRY(run_texts(job));
    }
    dun_batch_clear(batch);
    for (uint32_t i = 0; i < B; i++) {
        int32_t *ids = dun_batch_add(batch, bench->n_prompt, i * tokens, tokens);
        for (uint32_t j = 0; j < bench->n_prompt; j++)
            ids[j] = -1 - (int32_t)j;
    }
    dun_batch_repeat(batch, job->session->engine.options.prompts, bench->n_prompt);
out:
    return rc;
}

/* Centroids are the means of the points of each class, as they are when a training starts. */
static int start_centroids(step_job *job, uint32_t B, size_t D) {
    int rc = DUN_OK;
    float *points = NULL, *means = NULL;
    uint32_t n[N_CLASSES] = {0};
    TRY_NEW(points, B * D);
    TRY_NEW(means, N_CLASSES * D);
    TRY(dun_engine_points(&job->session->engine, &job->session->first->batch));
    TRY(dun_buffer_read(points, dun_engine_point_buffer(&job->session->engine), 0, B * D * sizeof *points));
    for (uint32_t i = 0; i < B; i++) {
        uint32_t k = (uint32_t)job->labels[i];
        n[k]++;
        for (size_t j = 0; j < D; j++)
            means[k * D + j] += (points[i * D + j] - means[k * D + j]) / (float)n[k];
    }
    TRY(dun_buffer_write(&job->centroids, 0, means, N_CLASSES * D * sizeof *means));
out:
    dun_free(means);
    dun_free(points);
    return rc;
}

static int prepare_step(step_job *job, const dun_bench *bench) {
    int rc = DUN_OK;
    dun_session *session = job->session;
    dun_engine *engine = &session->engine;
    const dun_loss_settings settings = dun_loss_settings_from(session->config);
    const dun_optim_settings optim_settings = dun_optim_settings_from(session->config);
    uint32_t B = bench->batch_size, D = dun_engine_point_width(engine);
    size_t bytes = (size_t)N_CLASSES * D * sizeof(float);
    TRY_NEW(job->labels, B);
    for (uint32_t i = 0; i < B; i++)
        job->labels[i] = (int32_t)(i % N_CLASSES);
    TRY(dun_buffer_create(&job->centroids, session->device, bytes, "the centroids"));
    TRY(dun_buffer_create(&job->d_centroids, session->device, bytes, "the centroids' gradient"));
    TRY(dun_loss_create(&job->loss, &session->compute, &settings, engine->options.max_sequences, N_CLASSES,
                        D));
    /* A learning rate of 0: every repetition does the same work on the same numbers. */
    TRY(dun_optim_init(&job->optim, &session->compute, &optim_settings));
    TRY(dun_optim_add(&job->optim, optim_settings.kind, &engine->prompt, &engine->d_prompt,
                      session->prompt.n_prompts * session->prompt.n_rows, session->prompt.width, 0.0));
    TRY(dun_optim_add(&job->optim, optim_settings.kind, &job->centroids, &job->d_centroids, N_CLASSES, D,
                      0.0));
    TRY(start_centroids(job, B, D));
out:
    return rc;
}

static int run_stage(step_job *job, enum dun_bench_stage stage) {
    dun_engine *engine = &job->session->engine;
    const dun_batch *batch = &job->session->first->batch;
    switch (stage) {
    case DUN_BENCH_POINTS:
        return dun_engine_points(engine, batch);
    case DUN_BENCH_LOSS:
        return dun_loss_run(&job->loss, dun_engine_point_gradient(engine), &job->d_centroids,
                            dun_engine_point_buffer(engine), &job->centroids, job->labels, NULL,
                            batch->n_sequences);
    case DUN_BENCH_BACKWARD:
        return dun_engine_backward(engine);
    default:
        return dun_optim_step(&job->optim, 1.0);
    }
}

static int run_step(void *self) {
    int rc = DUN_OK;
    for (unsigned stage = 0; stage < DUN_BENCH_WHOLE; stage++)
        TRY(run_stage(self, (enum dun_bench_stage)stage));
out:
    return rc;
}

/* As measure(), for all stages of a step at once: one cannot run again without those before it. */
static int measure_stages(dun_bench *bench, step_job *job) {
    int rc = DUN_OK;
    dun_bench_samples samples[DUN_BENCH_WHOLE] = {{.n = 0}};
    double total = 0;
    while (samples[0].n < MIN_REPEATS || (samples[0].n < MAX_REPEATS && total < ENOUGH_SECONDS))
        for (unsigned stage = 0; stage < DUN_BENCH_WHOLE; stage++) {
            dun_bench_begin(&samples[stage]);
            TRY(run_stage(job, (enum dun_bench_stage)stage));
            TRY(dun_device_finish(job->session->device));
            dun_bench_end(&samples[stage]);
            total += samples[stage].clock[samples[stage].n - 1];
        }
    for (unsigned stage = 0; stage < DUN_BENCH_WHOLE; stage++)
        bench->step[stage] = dun_bench_summarise(&samples[stage]);
out:
    return rc;
}

/* A step that keeps nothing of its texts. */
typedef struct {
    texts_job *texts;
    step_job *step;
    const dun_bench *bench;
} whole_job;

static int run_whole(void *self) {
    int rc = DUN_OK;
    whole_job *job = self;
    TRY(read_step_texts(job->texts, job->bench));
    TRY(run_step(job->step));
out:
    return rc;
}

static int measure_builds(dun_bench *bench, const dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    dun_bench_samples samples = {.n = 0};
    for (uint32_t i = 0; i < n; i++) {
        dun_bench_begin(&samples);
        TRY(dun_programs_build_again(session->compute.programs));
        dun_bench_end(&samples);
    }
    bench->builds = dun_bench_summarise(&samples);
out:
    return rc;
}

static int measure_step(dun_bench *bench, texts_job *texts, bool whole) {
    int rc = DUN_OK;
    dun_session *session = texts->session;
    step_job job = {.session = session};
    whole_job whole_texts = {.texts = texts, .step = &job, .bench = bench};
    bench->text_tokens = bench->texts[STEP_TEXT].tokens;
    const uint32_t N = bench->batch_size * bench->n_prompt, S = bench->batch_size;
    const dun_graph *graph = &session->engine.points;
    const dun_roof_work one_way = {.flops = dun_bench_flops(graph, N, S),
                                   .bytes = dun_bench_bytes(graph, &session->engine.model, N, S)};
    dun_roof_work *work = &bench->step_work[DUN_BENCH_WHOLE];
    bench->step_work[DUN_BENCH_POINTS] = bench->step_work[DUN_BENCH_BACKWARD] = one_way;
    *work = (dun_roof_work){.flops = 2 * one_way.flops, .bytes = 2 * one_way.bytes};
    dun_observe_begin(session->observer, "training step", "passes", 2);
    TRY(read_step_texts(texts, bench));
    TRY(prepare_step(&job, bench));
    TRY(measure(&bench->step[DUN_BENCH_WHOLE], &work->launches, session->device, run_step, &job));
    dun_observe_advance(session->observer, 1, NULL);
    TRY(measure_stages(bench, &job));
    if (whole)
        TRY(measure(&bench->whole, NULL, session->device, run_whole, &whole_texts));
    dun_observe_advance(session->observer, 2, NULL);
out:
    dun_observe_end(session->observer);
    dun_optim_free(&job.optim);
    dun_loss_free(&job.loss);
    dun_buffer_free(&job.centroids);
    dun_buffer_free(&job.d_centroids);
    dun_free(job.labels);
    return rc;
}

int dun_bench_run(dun_bench *out, dun_session *session, const dun_bench_wish *wish) {
    int rc = DUN_OK;
    const dun_engine_options *o = &session->engine.options;
    texts_job texts = {.session = session};
    if (dun_template_is_prefix(&session->template))
        return dun_error(DUN_USAGE, "prompt.placement or prompt.template puts the prompt before the text; "
                                    "benchmarks keep texts, so the prompt must follow them");
    *out = (dun_bench){.batch_size = (uint32_t)session->config->train.batch_size,
                       .n_prompt = session->prompt.n_rows};
    uint64_t cache_rows = (uint64_t)out->batch_size * text_tokens[STEP_TEXT];
    if (cache_rows < o->max_text_rows)
        cache_rows = o->max_text_rows;
    TRY(dun_batch_create(&texts.batch, o->max_texts, o->max_text_rows));
    TRY(dun_engine_create_cache(&session->engine, (uint32_t)cache_rows));
    TRY(dun_roof_measure(&out->roof, &session->compute));
    if (!wish->no_products)
        TRY(measure_products(out, session, wish->rows));
    TRY(measure_texts(out, &texts));
    TRY(measure_step(out, &texts, wish->whole));
    if (wish->builds > 0)
        TRY(measure_builds(out, session, wish->builds));
out:
    dun_batch_free(&texts.batch);
    return rc;
}
