/* What a training begins with: buffers, optimisers, centroids, yardsticks. See trainer.h. */
#include "run/trainer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "math/probe.h"
#include "session/centroid.h"
#include "session/embedding.h"
#include "session/label_rows.h"

#include <math.h>

int dun_trainer_probe(double *accuracy, dun_trainer *t) {
    const dun_session *session = t->session;
    dun_probe_data data = {.points = t->pass.sink,
                           .labels = session->texts.label,
                           .weights = session->texts.weight,
                           .n_train = session->n_train,
                           .n_valid = session->n_valid,
                           .width = dun_session_point_width(session),
                           .n_classes = session->labels.n_classes};
    return t->pass.sink ? dun_probe(accuracy, &data) : DUN_OK;
}

/* The offsets of label words, where there are some. */
static int calibrate_words(dun_trainer *t, const float *means) {
    int rc = DUN_OK;
    const dun_label_rows *words = &t->session->label_words;
    if (!words->rows)
        goto out;
    TRY(dun_session_fit_label_words(t->session, means));
    TRY(dun_buffer_write(&t->loss.words.offset, 0, words->offsets, words->n_classes * sizeof(float)));
out:
    return rc;
}

int dun_trainer_start_centroids(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    float *means = NULL, *distances = NULL, *centroids = NULL;
    size_t K = session->labels.n_classes, D = dun_session_point_width(session), bytes = K * D * sizeof(float);
    double begun = dun_clock_seconds(), baseline_begun, baseline = 0.0;
    TRY_NEW(means, K * D);
    TRY_NEW(centroids, K * D);
    TRY_NEW(distances, session->n_valid * K);
    t->pass.at_start = true;
    TRY(dun_centroid_means(means, session, &t->pass));
    TRY(calibrate_words(t, means));
    TRY(dun_buffer_write(&t->centroids, 0, means, bytes));
    baseline_begun = dun_clock_seconds();
    if (session->n_valid > 0)
        TRY(dun_evaluate(distances, session, &t->pass, &t->loss, &t->centroids, session->first_valid,
                         session->n_valid, "untrained baseline"));
    dun_metrics_clear(&t->result->baseline);
    dun_evaluate_metrics(&t->result->baseline, session, distances);
    TRY(dun_trainer_probe(&t->watch.probe_before, t));
    baseline = dun_clock_seconds() - baseline_begun;
    TRY(dun_centroid_start(centroids, session, means));
    TRY(dun_buffer_write(&t->centroids, 0, centroids, bytes));
out:
    t->pass.at_start = false;
    session->timings.start += dun_clock_seconds() - begun - baseline;
    session->timings.baseline += baseline;
    dun_free(distances);
    dun_free(centroids);
    dun_free(means);
    return rc;
}

static int prepare_probe(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    uint32_t n = session->texts.n, D = dun_session_point_width(session);
    dun_watch_init(&t->watch);
    t->result->probe_before = t->result->probe_after = NAN;
    /* It wants training and validation texts side by side, as they are but for some of them
     * (session/subset.h). */
    if (!session->config->train.probe || session->n_valid == 0 || session->first_valid != session->n_train)
        goto out;
    if (!dun_probe_fits(n, D)) {
        dun_observe_say(session->observer,
                        "probe     none: %u points of width %u are too many; model.point = hidden, or fewer "
                        "texts, would do",
                        n, D);
        goto out;
    }
    TRY_NEW(t->pass.sink, (size_t)n * D);
out:
    return rc;
}

/* prompt.lr, for this model's embeddings. */
static int scale_rate(dun_trainer *t) {
    int rc = DUN_OK;
    const dun_config *config = t->session->config;
    double factor = 1;
    if (config->prompt.lr_scale == DUN_LR_SCALE_AUTO)
        TRY(dun_embedding_rate(&factor, t->session->model));
    t->prompt_lr = factor * config->prompt.lr;
    if (factor < 1 || factor > 1)
        dun_observe_say(
            t->session->observer,
            "rate      prompt.lr = %g times %.3g, as the model's embeddings spread against SmolLM2-135M's",
            config->prompt.lr, factor);
out:
    return rc;
}

/* What is trained of the prompt: its rows, or what they are made from. */
static int prepare_prompt(dun_trainer *t, enum dun_train_optimizer kind) {
    int rc = DUN_OK;
    const dun_prompt *prompt = &t->session->prompt;
    const dun_config *config = t->session->config;
    dun_engine *engine = &t->session->engine;
    if (config->prompt.reparametrize) {
        TRY(dun_reparam_create(&t->reparam, &t->session->compute, prompt->rows,
                               prompt->n_prompts * prompt->n_rows, prompt->width,
                               (uint32_t)config->prompt.bottleneck, (uint64_t)config->experiment.seed));
        TRY(dun_reparam_add(&t->optim, kind, &t->reparam, t->prompt_lr));
    } else {
        TRY(dun_optim_add(&t->optim, kind, &engine->prompt, &engine->d_prompt,
                          prompt->n_prompts * prompt->n_rows, prompt->width, t->prompt_lr));
    }
out:
    return rc;
}

/* All that is trained, each with its rate, and what is remembered of it: its averages and its best values. */
static int prepare_trained(dun_trainer *t, enum dun_train_optimizer kind) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    const dun_config *config = session->config;
    dun_metric *metric = &session->metric;
    dun_buffer *tensors[] = {&session->engine.prompt, &t->centroids, &metric->matrix};
    static const char *const names[] = {"the averaged prompt", "the averaged centroids",
                                        "the averaged metric"};
    const size_t n = dun_metric_is_trained(config) ? 3 : 2;
    TRY(prepare_prompt(t, kind));
    if (config->centroid.train)
        TRY(dun_optim_add(&t->optim, dun_centroid_optimizer(config), &t->centroids, &t->d_centroids,
                          session->labels.n_classes, dun_session_point_width(session),
                          isnan(config->centroid.lr) ? config->prompt.lr : config->centroid.lr));
    if (n > 2)
        TRY(dun_optim_add(&t->optim, kind, &metric->matrix, &metric->d_matrix, metric->dimensions,
                          metric->width, isnan(config->metric.lr) ? config->prompt.lr : config->metric.lr));
    dun_average_init(&t->average, &session->compute, config->train.average);
    for (size_t i = 0; i < n; i++)
        TRY(dun_average_add(&t->average, tensors[i], names[i]));
    TRY(dun_best_create(&t->best, config, tensors, n));
out:
    return rc;
}

int dun_trainer_prepare(dun_trainer *t) {
    int rc = DUN_OK;
    dun_session *session = t->session;
    const dun_config *config = session->config;
    dun_engine *engine = &session->engine;
    const dun_loss_settings settings = dun_loss_settings_from(config);
    const dun_optim_settings optim_settings = dun_optim_settings_from(config);
    uint32_t K = session->labels.n_classes, D = dun_session_point_width(session);
    uint32_t batch_size = (uint32_t)config->train.batch_size;
    size_t bytes = (size_t)K * D * sizeof(float);
    t->n_steps = ((session->n_train + batch_size - 1) / batch_size) * (uint64_t)config->train.epochs;
    if (t->n_steps > 0 && (uint64_t)config->train.warmup >= t->n_steps)
        dun_warn(
            "train.warmup = %lld takes all of the run's %llu steps; learning rates never get to their value",
            (long long)config->train.warmup, (unsigned long long)t->n_steps);
    TRY_NEW(t->order, session->n_train);
    TRY_NEW(t->labels, batch_size);
    TRY_NEW(t->weights, batch_size);
    TRY_NEW(t->distances, (size_t)batch_size * K);
    if (session->team.n > 1)
        TRY_NEW(t->prompt, engine->prompt.bytes / sizeof(float));
    TRY(dun_buffer_create(&t->centroids, session->device, bytes, "the centroids"));
    TRY(dun_buffer_create(&t->d_centroids, session->device, bytes, "the centroids' gradient"));
    TRY(dun_loss_create(&t->loss, &session->compute, &settings, engine->options.max_sequences, K, D));
    if (session->label_words.rows)
        TRY(dun_loss_use_words(&t->loss, session->label_words.rows));
    TRY(dun_optim_init(&t->optim, &session->compute, &optim_settings));
    TRY(scale_rate(t));
    TRY(prepare_trained(t, optim_settings.kind));
    if (config->centroid.update == DUN_UPDATE_CLASS_MEAN)
        TRY(dun_calculated_create(&t->calculated, &session->compute, config, &t->centroids, K, D));
    if (config->output.report && t->run->path && session->n_valid > 0)
        TRY(dun_kept_points_create(&t->kept, session->n_valid, D));
    TRY(prepare_probe(t));
out:
    return rc;
}
