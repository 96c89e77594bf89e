/* Runs texts against centroids, and counts the nearest into metrics. */
#include "session/evaluate.h"

#include "base/err.h"
#include "math/calibration.h"

#include <math.h>

typedef struct {
    dun_session *session;
    dun_loss *loss;
    const dun_buffer *centroids;
    float *distances;
    dun_kept_points *kept; /* NULL: none */
    uint32_t first;
    bool check; /* for what is not finite */
} evaluate_job;

int dun_distances_check(const float *distances, uint32_t n, uint32_t K, const char *kind, uint32_t first) {
    for (size_t i = 0; i < (size_t)n * K; i++)
        if (!isfinite(distances[i]))
            return dun_error(
                DUN_FAILED,
                "the distance of %s text %u to the centroid of class %u is %g: the model's weights, "
                "the prompt or the centroids hold what is no number, or too large a one",
                kind, first + (unsigned)(i / K) + 1, (unsigned)(i % K), (double)distances[i]);
    return DUN_OK;
}

static int read_batch(void *self, uint32_t first, uint32_t count) {
    int rc = DUN_OK;
    evaluate_job *job = self;
    float *out = job->distances + (size_t)(first - job->first) * job->loss->n_classes;
    TRY(dun_loss_distances(job->loss, dun_session_points(job->session), job->centroids, count));
    TRY(dun_loss_read(NULL, out, job->loss, count));
    const bool valid = first >= job->session->first_valid;
    if (job->check)
        TRY(dun_distances_check(out, count, job->loss->n_classes, valid ? "validation" : "training",
                                first - (valid ? job->session->first_valid : job->session->first_train)));
    if (job->kept)
        TRY(dun_kept_points_take(job->kept, dun_session_points(job->session), first - job->first, count));
out:
    return rc;
}

int dun_evaluate(float *distances, dun_session *session, const dun_pass *pass, dun_loss *loss,
                 const dun_buffer *centroids, uint32_t first, uint32_t n, const char *stage) {
    evaluate_job job = {.session = session,
                        .loss = loss,
                        .centroids = centroids,
                        .distances = distances,
                        .first = first,
                        .check = true};
    return dun_session_run_all(session, pass, first, n, stage, read_batch, &job);
}

int dun_evaluate_valid(float *distances, dun_kept_points *kept, dun_session *session, const dun_pass *pass,
                       dun_loss *loss, const dun_buffer *centroids, const char *stage) {
    evaluate_job job = {.session = session,
                        .loss = loss,
                        .centroids = centroids,
                        .distances = distances,
                        .kept = kept,
                        .first = session->first_valid};
    return dun_session_run_all(session, pass, session->first_valid, session->n_valid, stage, read_batch,
                               &job);
}

uint32_t dun_nearest_centroid(const float *distances, uint32_t K) {
    uint32_t nearest = 0;
    for (uint32_t k = 1; k < K; k++)
        if (distances[k] < distances[nearest])
            nearest = k;
    return nearest;
}

void dun_evaluate_metrics(dun_metrics *metrics, const dun_session *session, const float *distances) {
    uint32_t K = session->labels.n_classes;
    for (uint32_t i = 0; i < session->n_valid; i++)
        dun_metrics_add(metrics, session->texts.label[session->first_valid + i],
                        dun_nearest_centroid(distances + (size_t)i * K, K));
    dun_metrics_finish(metrics);
}

double dun_evaluate_loss(const dun_session *session, const float *distances) {
    const uint32_t K = session->labels.n_classes;
    double sum = 0, weight = 0;
    for (uint32_t i = 0; i < session->n_valid; i++) {
        const uint32_t label = session->texts.label[session->first_valid + i];
        const double own = session->class_weight[label];
        sum += own * dun_surprise(distances + (size_t)i * K, K, label, session->config->loss.temperature);
        weight += own;
    }
    return weight > 0 ? sum / weight : NAN;
}
