/* Queues texts, runs them in passes, and reads their distances. */
#include "session/classifier.h"

#include "base/err.h"
#include "base/mem.h"
#include "session/evaluate.h"

/* Those of the session, which knows their offsets by now. */
static int use_label_words(dun_classifier *c) {
    int rc = DUN_OK;
    const dun_label_rows *words = &c->session->label_words;
    if (!words->rows || !words->offsets)
        goto out;
    TRY(dun_loss_use_words(&c->loss, words->rows));
    TRY(dun_buffer_write(&c->loss.words.offset, 0, words->offsets, words->n_classes * sizeof(float)));
out:
    return rc;
}

int dun_classifier_create(dun_classifier *c, dun_session *session, const float *centroids, uint32_t K) {
    int rc = DUN_OK;
    const dun_loss_settings settings = dun_loss_settings_from(session->config);
    uint32_t D = dun_session_point_width(session), most = session->engine.options.max_sequences;
    size_t bytes = (size_t)K * D * sizeof *centroids;
    *c = (dun_classifier){.session = session};
    TRY(dun_loss_create(&c->loss, &session->compute, &settings, most, K, D));
    TRY(use_label_words(c));
    TRY(dun_buffer_create(&c->centroids, session->device, bytes, "the centroids"));
    TRY(dun_buffer_write(&c->centroids, 0, centroids, bytes));
    TRY_NEW(c->distances, (size_t)most * K);
    TRY_NEW(c->which, most);
    for (uint32_t i = 0; i < most; i++)
        c->which[i] = i;
out:
    if (rc < 0)
        dun_classifier_free(c);
    return rc;
}

/* Centroids lie where points are that went through all that the run has. */
static int refuse_left_out(const dun_session *session, const char *what, enum dun_config_id key) {
    return dun_error(DUN_BAD_INPUT, "the run has a %s, which %s.%s = %s (%s) would leave out", what,
                     dun_config_key_table[key].section, dun_config_key_table[key].name,
                     dun_config_word(session->config, key), dun_config_origin(session->config, key));
}

int dun_classifier_open(dun_classifier *c, dun_session *session, const dun_saved_prompt *saved) {
    *c = (dun_classifier){0};
    if (saved->metric && !session->saved_metric)
        return refuse_left_out(session, "metric", DUN_KEY_metric_start);
    if (saved->normalization && !session->saved_normalization)
        return refuse_left_out(session, "normalization", DUN_KEY_model_normalize);
    return dun_classifier_create(c, session, saved->centroids, saved->n_classes);
}

void dun_classifier_free(dun_classifier *c) {
    dun_loss_free(&c->loss);
    dun_buffer_free(&c->centroids);
    dun_free(c->distances);
    dun_free(c->which);
    *c = (dun_classifier){0};
}

int dun_classifier_add(dun_classifier *c, const char *text, size_t length) {
    return dun_session_queue(c->session, text, length);
}

uint32_t dun_classifier_queued(const dun_classifier *c) {
    return c->session->texts.n;
}

bool dun_classifier_full(const dun_classifier *c) {
    return dun_session_queue_full(c->session);
}

int dun_classifier_run(uint32_t *n_answered, dun_classifier *c) {
    int rc = DUN_OK;
    dun_session *session = c->session;
    uint32_t n = dun_session_pass(session, 0, session->texts.n);
    *n_answered = n;
    if (n == 0)
        goto out;
    TRY(dun_session_run(session, c->which, n));
    TRY(dun_loss_distances(&c->loss, dun_session_points(session), &c->centroids, n));
    TRY(dun_loss_read(NULL, c->distances, &c->loss, n));
    TRY(dun_distances_check(c->distances, n, c->loss.n_classes, "the batch's", 0));
    dun_texts_drop(&session->texts, n);
out:
    return rc;
}

int dun_classifier_points(float *points, const dun_classifier *c, uint32_t n) {
    dun_session *session = c->session;
    return dun_buffer_read(points, dun_session_points(session), 0,
                           (size_t)n * dun_session_point_width(session) * sizeof *points);
}

int dun_classifier_evaluate(float *distances, dun_classifier *c) {
    return dun_evaluate(distances, c->session, NULL, &c->loss, &c->centroids, c->session->first_valid,
                        c->session->n_valid, "validation");
}
