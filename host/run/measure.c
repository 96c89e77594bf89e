/* Measuring an experiment without training it. */
#include "run/measure.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/export.h"
#include "session/centroid.h"
#include "session/classifier.h"
#include "session/label_rows.h"

/* Class means (K, D) of the training texts; fits the normalisation of points on the way. */
static int make_means(float **means, dun_session *session) {
    int rc = DUN_OK;
    TRY_NEW(*means, session->labels.n_classes * (size_t)dun_session_point_width(session));
    TRY(dun_centroid_means(*means, session, NULL));
out:
    return rc;
}

/* The run's centroids, or the class means under the config's starting prompt. */
static int open_classifier(dun_classifier *classifier, dun_experiment *e) {
    int rc = DUN_OK;
    float *means = NULL;
    uint32_t K = e->session.labels.n_classes;
    if (e->run_path && e->saved.n_classes != K)
        TRY(dun_error(DUN_BAD_INPUT, "%s: it has %u classes; the data of its config have %u", e->run_path,
                      e->saved.n_classes, K));
    if (e->run_path) {
        TRY(dun_classifier_open(classifier, &e->session, &e->saved));
        goto out;
    }
    TRY(make_means(&means, &e->session));
    TRY(dun_session_fit_label_words(&e->session, means));
    TRY(dun_classifier_create(classifier, &e->session, means, K));
out:
    dun_free(means);
    return rc;
}

/* A file of validation texts, or a share of the training texts. */
static int require_valid(const dun_config *config) {
    return config->data.valid_share > 0 ? DUN_OK : dun_config_require(config, DUN_KEY_data_valid);
}

int dun_experiment_measure(dun_metrics *metrics, dun_experiment *e) {
    int rc = DUN_OK;
    dun_session *session = &e->session;
    dun_classifier classifier = {0};
    float *distances = NULL;
    TRY(require_valid(&e->config));
    TRY(dun_session_read_data(session, !e->run_path));
    TRY(dun_session_start_engine(session, false));
    TRY(open_classifier(&classifier, e));
    TRY_NEW(distances, (size_t)session->n_valid * session->labels.n_classes);
    TRY(dun_classifier_evaluate(distances, &classifier));
    TRY(dun_metrics_create(metrics, session->labels.n_classes));
    dun_evaluate_metrics(metrics, session, distances);
out:
    dun_free(distances);
    dun_classifier_free(&classifier);
    return rc;
}

typedef struct {
    dun_session *session;
    float *points; /* (n_valid, D) */
} points_job;

static int read_batch(void *self, uint32_t first, uint32_t count) {
    points_job *job = self;
    size_t D = dun_session_point_width(job->session);
    return dun_buffer_read(job->points + (first - job->session->first_valid) * D,
                           dun_session_points(job->session), 0, count * D * sizeof(float));
}

static int write_points(dun_session *session, const char *path) {
    int rc = DUN_OK;
    points_job job = {.session = session};
    int64_t *labels = NULL;
    uint64_t n = session->n_valid, D = dun_session_point_width(session);
    TRY_NEW(job.points, n * D);
    TRY_NEW(labels, n);
    TRY(dun_session_run_all(session, NULL, session->first_valid, session->n_valid, "points", read_batch,
                            &job));
    for (uint32_t i = 0; i < session->n_valid; i++)
        labels[i] = session->texts.label[session->first_valid + i];
    TRY(dun_points_write(path, job.points, labels, n, D));
out:
    dun_free(labels);
    dun_free(job.points);
    return rc;
}

/* A run has the normalisation of its points; that of a config is fitted on its training texts. */
int dun_experiment_points(dun_experiment *e, const char *path) {
    int rc = DUN_OK;
    float *means = NULL;
    bool to_fit = !e->run_path && dun_points_are_fitted(&e->config);
    TRY(require_valid(&e->config));
    TRY(dun_session_read_data(&e->session, to_fit));
    TRY(dun_session_start_engine(&e->session, false));
    if (to_fit)
        TRY(make_means(&means, &e->session));
    TRY(write_points(&e->session, path));
out:
    dun_free(means);
    return rc;
}
