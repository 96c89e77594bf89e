/* Class means and first examples, by running the texts under the starting prompt. */
#include "session/centroid.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "session/metric_fit.h"

#include <string.h>

typedef struct {
    dun_session *session;
    const dun_pass *pass;
    float *points;   /* (S, D) */
    double *sums;    /* (K, D) */
    double *squares; /* (D), NULL: nothing to fit */
    double *weight;  /* (K) of the texts of a class together */
} mean_job;

/* Adds a block's points (n, D), of texts from `first` on, times their weights: the sum of each class that is
 * in it, and of all squares. */
static void add_block(mean_job *job, const float *points, uint32_t first, uint32_t n, size_t D) {
    const uint32_t *label = job->session->texts.label + first;
    const double *weight = job->session->texts.weight + first;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = label[i], before = 0;
        job->weight[k] += weight[i];
        while (label[before] != k)
            before++;
        for (size_t j = 0; before == i && j < D; j++) { /* the first of a class stands for all of them */
            double sum = 0.0;
            for (uint32_t t = i; t < n; t++)
                sum += label[t] == k ? weight[t] * (double)points[t * D + j] : 0.0;
            job->sums[k * D + j] += sum;
        }
    }
    for (size_t j = 0; job->squares && j < D; j++) {
        double sum = 0.0;
        for (uint32_t t = 0; t < n; t++)
            sum += weight[t] * (double)points[t * D + j] * (double)points[t * D + j];
        job->squares[j] += sum;
    }
}

static int add_batch(void *self, uint32_t first, uint32_t count) {
    int rc = DUN_OK;
    mean_job *job = self;
    size_t D = dun_session_point_width(job->session);
    TRY(dun_buffer_read(job->points, dun_session_points(job->session), 0, count * D * sizeof *job->points));
    for (uint32_t at = 0; at < count; at += DUN_BLOCK_TEXTS) {
        uint32_t n = count - at < DUN_BLOCK_TEXTS ? count - at : DUN_BLOCK_TEXTS;
        add_block(job, job->points + at * D, first + at, n, D);
    }
out:
    return rc;
}

/* Fits the normalisation and takes the sums (K, D) through it. */
static int fit(mean_job *job) {
    int rc = DUN_OK;
    dun_normalizer *normalizer = &job->session->normalizer;
    size_t K = job->session->labels.n_classes, D = dun_session_point_width(job->session);
    double *all = NULL;
    double total = 0.0;
    TRY_NEW(all, D);
    for (size_t k = 0; k < K; k++) {
        total += job->weight[k];
        for (size_t j = 0; j < D; j++)
            all[j] += job->sums[k * D + j];
    }
    TRY(dun_normalizer_fit(normalizer, all, job->squares, total));
    if (job->pass && job->pass->sink)
        dun_normalizer_apply(normalizer, job->pass->sink + job->session->first_train * D,
                             job->session->n_train);
    for (size_t at = 0; at < K * D; at++) {
        double shift = (double)normalizer->values[at % D], scale = (double)normalizer->values[D + at % D];
        job->sums[at] = (job->sums[at] - job->weight[at / D] * shift) * scale;
    }
out:
    dun_free(all);
    return rc;
}

int dun_centroid_means(float *means, dun_session *session, const dun_pass *pass) {
    int rc = DUN_OK;
    size_t K = session->labels.n_classes, D = dun_session_point_width(session);
    mean_job job = {.session = session, .pass = pass};
    TRY(dun_metric_fit(session, pass));
    TRY_NEW(job.points, session->engine.options.max_sequences * D);
    TRY_NEW(job.sums, K * D);
    TRY_NEW(job.weight, K);
    bool to_fit = session->normalizer.values && !session->normalizer.fitted;
    if (to_fit)
        TRY_NEW(job.squares, D);
    TRY(dun_session_run_all(session, pass, session->first_train, session->n_train, "class means", add_batch,
                            &job));
    if (to_fit)
        TRY(fit(&job));
    for (size_t at = 0; at < K * D; at++)
        means[at] = job.weight[at / D] > 0 ? (float)(job.sums[at] / job.weight[at / D]) : 0.0f;
out:
    dun_free(job.weight);
    dun_free(job.squares);
    dun_free(job.sums);
    dun_free(job.points);
    return rc;
}

/* The first training text of every class, in file order. */
static int first_of_each(uint32_t *which, const dun_session *session) {
    uint32_t K = session->labels.n_classes;
    const uint32_t end = session->first_train + session->n_train;
    for (uint32_t k = 0; k < K; k++) {
        uint32_t i = session->first_train;
        while (i < end && session->texts.label[i] != k)
            i++;
        if (i == end)
            return dun_error(DUN_BAD_INPUT,
                             "%s: no training text of class \"%s\"; its centroid cannot start from "
                             "its texts (centroid.start = random needs none)",
                             session->config->data.train, session->labels.names[k]);
        which[k] = i;
    }
    return DUN_OK;
}

static int start_from_examples(float *centroids, dun_session *session, const uint32_t *which) {
    int rc = DUN_OK;
    uint32_t K = session->labels.n_classes, most = session->engine.options.max_sequences;
    size_t D = dun_session_point_width(session);
    for (uint32_t k = 0; k < K; k += most) {
        uint32_t count = K - k < most ? K - k : most;
        TRY(dun_session_run(session, which + k, count));
        TRY(dun_buffer_read(centroids + k * D, dun_session_points(session), 0,
                            count * D * sizeof *centroids));
    }
out:
    return rc;
}

int dun_centroid_start(float *centroids, dun_session *session, const float *means) {
    int rc = DUN_OK;
    uint32_t *which = NULL;
    const dun_config *config = session->config;
    size_t K = session->labels.n_classes, n = K * dun_session_point_width(session);
    if (config->centroid.start == DUN_START_RANDOM) {
        for (size_t i = 0; i < n; i++)
            centroids[i] =
                (float)dun_random_normal((uint64_t)config->experiment.seed, DUN_STREAM_CENTROID, i);
        goto out;
    }
    TRY_NEW(which, K);
    TRY(first_of_each(which, session));
    if (config->centroid.start == DUN_START_MEAN)
        memcpy(centroids, means, n * sizeof *centroids);
    else
        TRY(start_from_examples(centroids, session, which));
out:
    dun_free(which);
    return rc;
}
