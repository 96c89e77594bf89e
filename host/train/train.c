/* See train.h. */
#include "train.h"

#include "centroid.h"
#include "clock.h"
#include "err.h"
#include "mem.h"
#include "optim.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>

typedef struct {
    dun_session *session;
    dun_run_dir *run;
    dun_run_result *result;
    dun_loss loss;
    dun_optim optim;
    dun_buffer centroids, d_centroids; /* (K, D) */
    uint32_t *order;                   /* [n_train] */
    int32_t *labels;                   /* [batch_size] */
    float *distances;                  /* (batch_size, K) */
    uint64_t steps_per_epoch;
} trainer;

static uint32_t count_correct(const trainer *t, uint32_t n) {
    uint32_t correct = 0, K = t->loss.n_classes;
    for (uint32_t i = 0; i < n; i++)
        correct += dun_nearest_centroid(t->distances + (size_t)i * K, K) == (uint32_t)t->labels[i];
    return correct;
}

/* Class means under the starting prompt, the baseline they make, and the starting centroids. */
static int start_centroids(trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    float *means = NULL, *distances = NULL, *centroids = NULL;
    size_t K = session->labels.n_classes, D = dun_session_point_width(session), bytes = K * D * sizeof(float);
    double begun = dun_clock_seconds();
    TRY_NEW(means, K * D);
    TRY_NEW(centroids, K * D);
    TRY_NEW(distances, session->n_valid * K);
    TRY(dun_centroid_means(means, session));
    TRY(dun_buffer_write(&t->centroids, 0, means, bytes));
    TRY(dun_evaluate(distances, session, &t->loss, &t->centroids, session->n_train, session->n_valid,
                     "untrained baseline"));
    TRY(dun_evaluate_metrics(&t->result->baseline, session, distances));
    TRY(dun_centroid_start(centroids, session, means));
    TRY(dun_buffer_write(&t->centroids, 0, centroids, bytes));
out:
    session->timings.start += dun_clock_seconds() - begun;
    dun_free(distances);
    dun_free(centroids);
    dun_free(means);
    return rc;
}

static int prepare(trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    const dun_config *config = session->config;
    dun_engine *engine = &session->engine;
    const dun_loss_settings settings = dun_loss_settings_from(config);
    uint32_t K = session->labels.n_classes, D = dun_session_point_width(session);
    uint32_t batch_size = (uint32_t)config->train.batch_size;
    size_t bytes = (size_t)K * D * sizeof(float);
    t->steps_per_epoch = (session->n_train + batch_size - 1) / batch_size;
    TRY_NEW(t->order, session->n_train);
    TRY_NEW(t->labels, batch_size);
    TRY_NEW(t->distances, (size_t)batch_size * K);
    TRY(dun_buffer_create(&t->centroids, session->device, bytes, "the centroids"));
    TRY(dun_buffer_create(&t->d_centroids, session->device, bytes, "the centroids' gradient"));
    TRY(dun_loss_create(&t->loss, &session->compute, &settings, engine->options.max_sequences, K, D));
    dun_optim_init(&t->optim, &session->compute, config);
    TRY(dun_optim_add(&t->optim, &engine->prompt, &engine->d_prompt, session->prompt.n_rows,
                      session->prompt.width, config->prompt.lr));
    if (config->centroid.train)
        TRY(dun_optim_add(&t->optim, &t->centroids, &t->d_centroids, K, D,
                          isnan(config->centroid.lr) ? config->prompt.lr : config->centroid.lr));
out:
    return rc;
}

static int train_step(trainer *t, float *loss, uint32_t *correct, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_engine *engine = &session->engine;
    bool train_centroids = session->config->centroid.train;
    for (uint32_t i = 0; i < n; i++)
        t->labels[i] = (int32_t)session->texts.label[which[i]];
    TRY(dun_session_run(session, which, n));
    TRY(dun_loss_run(&t->loss, dun_engine_point_gradient(engine), train_centroids ? &t->d_centroids : NULL,
                     dun_engine_point_buffer(engine), &t->centroids, t->labels, n));
    TRY(dun_engine_backward(engine));
    TRY(dun_optim_step(&t->optim));
    TRY(dun_loss_read(loss, t->distances, &t->loss, n));
    *correct = count_correct(t, n);
out:
    return rc;
}

static int validate(trainer *t, uint64_t step, uint64_t epoch) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    dun_run_result *result = t->result;
    double begun = dun_clock_seconds();
    dun_metrics_free(&result->metrics);
    TRY(dun_evaluate(result->distances, session, &t->loss, &t->centroids, session->n_train, session->n_valid,
                     "validation"));
    TRY(dun_evaluate_metrics(&result->metrics, session, result->distances));
    TRY(dun_run_dir_valid(t->run, step, epoch, result->metrics.accuracy));
    dun_observe_say(session->observer, "valid     epoch %llu, step %llu: accuracy %.4f",
                    (unsigned long long)epoch, (unsigned long long)step, result->metrics.accuracy);
out:
    session->timings.eval += dun_clock_seconds() - begun;
    return rc;
}

static int train_epoch(trainer *t, uint64_t epoch) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    const dun_config *config = session->config;
    uint32_t batch_size = (uint32_t)config->train.batch_size, seen = 0, correct = 0;
    double loss_sum = 0, begun = dun_clock_seconds();
    char stage[64];
    if (config->train.shuffle)
        dun_random_shuffle(t->order, session->n_train, (uint64_t)config->experiment.seed, DUN_STREAM_SHUFFLE,
                           epoch);
    snprintf(stage, sizeof stage, "epoch %llu/%lld", (unsigned long long)epoch,
             (long long)config->train.epochs);
    dun_observe_begin(session->observer, stage, "texts", session->n_train);
    for (uint32_t first = 0; first < session->n_train; first += batch_size) {
        uint32_t n = session->n_train - first < batch_size ? session->n_train - first : batch_size, right = 0;
        uint64_t step = ++t->result->steps;
        float loss = NAN;
        TRY(train_step(t, &loss, &right, t->order + first, n));
        if (!isfinite(loss))
            TRY(dun_error(
                DUN_FAILED,
                "the loss is %g at step %llu: training stopped; try a lower prompt.lr or centroid.lr",
                (double)loss, (unsigned long long)step));
        TRY(dun_run_dir_step(t->run, step, epoch, loss, (double)right / n, config->prompt.lr));
        seen += n;
        correct += right;
        loss_sum += (double)loss * n;
        t->result->last_loss = loss;
        char note[80];
        snprintf(note, sizeof note, "loss %.4f acc %.3f", loss_sum / seen, (double)correct / seen);
        dun_observe_advance(session->observer, seen, note);
        if (config->train.eval_every > 0 && step % (uint64_t)config->train.eval_every == 0)
            TRY(validate(t, step, epoch));
    }
out:
    dun_observe_end(session->observer);
    session->timings.train += dun_clock_seconds() - begun;
    return rc;
}

static double majority_accuracy(const dun_session *session, const dun_metrics *metrics) {
    uint64_t most = 0;
    for (uint32_t k = 0; k < metrics->n_classes; k++) {
        uint64_t support = 0;
        for (uint32_t p = 0; p < metrics->n_classes; p++)
            support += metrics->confusion[(size_t)k * metrics->n_classes + p];
        if (most < support)
            most = support;
    }
    return session->n_valid ? (double)most / session->n_valid : 0.0;
}

/* Brings the trained prompt and centroids to the host. */
static int collect(trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    size_t n = (size_t)session->labels.n_classes * dun_session_point_width(session);
    TRY_NEW(t->result->centroids, n);
    TRY(dun_buffer_read(t->result->centroids, &t->centroids, 0, n * sizeof(float)));
    TRY(dun_buffer_read(session->prompt.rows, &session->engine.prompt, 0,
                        (size_t)session->prompt.n_rows * session->prompt.width * sizeof(float)));
out:
    return rc;
}

int dun_train(dun_run_result *result, dun_session *session, dun_run_dir *run) {
    int rc = DUN_OK;
    trainer t = {.session = session, .run = run, .result = result};
    const dun_config *config = session->config;
    double begun = dun_clock_seconds();
    bool measured = false;
    *result = (dun_run_result){0};
    TRY_NEW(result->distances, (size_t)session->n_valid * session->labels.n_classes);
    TRY(prepare(&t));
    TRY(start_centroids(&t));
    for (uint32_t i = 0; i < session->n_train; i++)
        t.order[i] = i;
    for (uint64_t epoch = 1; epoch <= (uint64_t)config->train.epochs; epoch++) {
        TRY(train_epoch(&t, epoch));
        measured = config->train.eval_every == DUN_CONFIG_UNSET;
        if (measured)
            TRY(validate(&t, result->steps, epoch));
    }
    if (!measured)
        TRY(validate(&t, result->steps, (uint64_t)config->train.epochs));
    result->majority = majority_accuracy(session, &result->metrics);
    TRY(collect(&t));
    result->seconds = dun_clock_seconds() - begun;
    TRY(dun_run_dir_finish(run, session, result));
out:
    dun_optim_free(&t.optim);
    dun_loss_free(&t.loss);
    dun_buffer_free(&t.centroids);
    dun_buffer_free(&t.d_centroids);
    dun_free(t.order);
    dun_free(t.labels);
    dun_free(t.distances);
    return rc;
}
