/* Gathers the training points as the engine makes them, and fits from them on the host. */
#include "session/metric_fit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/discriminant.h"
#include "session/projection.h"

#include <math.h>

/* The covariance is a matrix of doubles of this width, its factor takes the cube of it. */
enum { MOST_WIDTH = 8192 };

typedef struct {
    dun_session *session;
    dun_kept_points kept; /* as the engine left them */
    uint32_t *labels;     /* [n_kept] */
    double *weights;
} fit_job;

static int gather(void *self, uint32_t first, uint32_t count) {
    fit_job *job = self;
    return dun_kept_points_take(&job->kept, dun_engine_point_buffer(&job->session->engine),
                                first - job->session->first_train, count);
}

static int gather_all(fit_job *job, const dun_pass *pass) {
    int rc = DUN_OK;
    dun_session *session = job->session;
    const dun_pass without_sink = {.patient = pass && pass->patient, .at_start = pass && pass->at_start};
    TRY(dun_kept_points_create(&job->kept, session->n_train, dun_engine_point_width(&session->engine)));
    TRY_NEW(job->labels, job->kept.n_kept);
    TRY_NEW(job->weights, job->kept.n_kept);
    for (uint32_t i = 0; i < job->kept.n_kept; i++) {
        const uint32_t text = session->first_train + dun_kept_points_index(&job->kept, i);
        job->labels[i] = session->texts.label[text];
        job->weights[i] = session->texts.weight[text];
    }
    TRY(dun_session_run_all(session, &without_sink, session->first_train, session->n_train, "metric", gather,
                            job));
out:
    return rc;
}

/* The normalisation that is fitted, and the points through it. */
static int normalize(fit_job *job) {
    int rc = DUN_OK;
    dun_normalizer *normalizer = &job->session->normalizer;
    const dun_kept_points *kept = &job->kept;
    const size_t D = kept->width;
    double *sums = NULL, *squares = NULL, total = 0;
    if (!normalizer->values || normalizer->fitted)
        goto out;
    TRY_NEW(sums, D);
    TRY_NEW(squares, D);
    for (size_t i = 0; i < kept->n_kept; i++) {
        total += job->weights[i];
        for (size_t j = 0; j < D; j++) {
            const double x = (double)kept->rows[i * D + j];
            sums[j] += job->weights[i] * x;
            squares[j] += job->weights[i] * x * x;
        }
    }
    TRY(dun_normalizer_fit(normalizer, sums, squares, total));
    dun_normalizer_apply(normalizer, kept->rows, kept->n_kept);
out:
    dun_free(squares);
    dun_free(sums);
    return rc;
}

/* Without a look at the points: ones on the diagonal, or random numbers that keep lengths on average. */
static void fill(float *matrix, const dun_metric *m, const dun_config *config) {
    const bool random = config->metric.start == DUN_METRIC_RANDOM;
    const size_t M = m->dimensions, D = m->width;
    for (size_t at = 0; at < M * D; at++)
        matrix[at] =
            random ? (float)(dun_random_normal((uint64_t)config->experiment.seed, DUN_STREAM_METRIC, at) /
                             sqrt((double)M))
                   : (float)(at / D == at % D);
}

static int discriminants(float *matrix, const fit_job *job) {
    int rc = DUN_OK;
    const dun_session *session = job->session;
    const dun_config *config = session->config;
    const dun_discriminant_data data = {.points = job->kept.rows,
                                        .labels = job->labels,
                                        .weights = job->weights,
                                        .n = job->kept.n_kept,
                                        .width = job->kept.width,
                                        .n_classes = session->labels.n_classes};
    if (data.width > MOST_WIDTH)
        TRY(dun_error(
            DUN_USAGE,
            "%s: metric.start = %s takes the covariance of points of width %u; at most %d is possible; "
            "fewer model.layers, or metric.start = random, would do",
            dun_config_origin(config, DUN_KEY_metric_start), dun_config_word(config, DUN_KEY_metric_start),
            data.width, MOST_WIDTH));
    double shrinkage = isnan(config->metric.shrinkage) ? -1 : config->metric.shrinkage;
    TRY(dun_discriminant_fit(matrix, &shrinkage, &data, session->metric.dimensions,
                             (uint64_t)config->experiment.seed));
    dun_observe_say(session->observer,
                    "metric    %u of %u components, from %u texts' covariance within classes, shrunk by %.3g",
                    session->metric.dimensions, data.width, data.n, shrinkage);
out:
    return rc;
}

int dun_metric_fit(dun_session *session, const dun_pass *pass) {
    int rc = DUN_OK;
    fit_job job = {.session = session};
    dun_metric *metric = &session->metric;
    const enum dun_metric_start start = session->config->metric.start;
    const bool looks = start == DUN_METRIC_LDA || start == DUN_METRIC_WHITEN;
    if (metric->dimensions == 0 || metric->fitted)
        goto out;
    if (looks || (session->normalizer.values && !session->normalizer.fitted)) {
        TRY(gather_all(&job, pass));
        TRY(normalize(&job));
    }
    if (looks)
        TRY(discriminants(metric->values, &job));
    else
        fill(metric->values, metric, session->config);
    TRY(dun_metric_set(metric, metric->values));
out:
    dun_kept_points_free(&job.kept);
    dun_free(job.labels);
    dun_free(job.weights);
    return rc;
}
