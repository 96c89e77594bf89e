/* What a run says of texts: distances, probabilities, classes, points. */
#include "api/run.h"
#include "api/texts.h"

#include "session/answer.h"
#include "session/evaluate.h"

#include <math.h>
#include <string.h>

/* Where the answers go; each may be NULL. */
typedef struct {
    float *distances, *points;
    double *probabilities;
    uint32_t *labels;
} answers;

/* The rule of dun_answer_of for every class. */
static void set_probabilities(double *out, const float *distances, uint32_t K, double temperature) {
    const double nearest = (double)distances[dun_nearest_centroid(distances, K)];
    double total = 0;
    for (uint32_t k = 0; k < K; k++)
        total += out[k] = exp((nearest - (double)distances[k]) / temperature);
    for (uint32_t k = 0; k < K; k++)
        out[k] = 1 / total * out[k];
}

static void answer(const answers *to, const dunlin_run *run, size_t first, uint32_t n) {
    const uint32_t K = run->experiment.saved.n_classes;
    const float *distances = run->classifier.distances;
    const size_t at = first * K;
    if (to->distances)
        memcpy(to->distances + at, distances, (size_t)n * K * sizeof *distances);
    for (uint32_t i = 0; i < n; i++) {
        if (to->probabilities)
            set_probabilities(to->probabilities + at + (size_t)i * K, distances + (size_t)i * K, K,
                              dun_answer_temperature(&run->experiment.saved, &run->experiment.config));
        if (to->labels)
            to->labels[first + i] = dun_nearest_centroid(distances + (size_t)i * K, K);
    }
}

/* The points of the texts at the front of the queue, which are taken off. */
static int take_points(uint32_t *n, const answers *to, dunlin_run *run, size_t first) {
    int rc = DUN_OK;
    dun_session *session = &run->experiment.session;
    const size_t D = dun_session_point_width(session);
    *n = dun_session_pass(session, 0, session->texts.n);
    TRY(dun_session_run(session, run->classifier.which, *n));
    TRY(dun_buffer_read(to->points + first * D, dun_session_points(session), 0, *n * D * sizeof *to->points));
    dun_texts_drop(&session->texts, *n);
out:
    return rc;
}

/* One pass over what is queued. */
static int run_pass(size_t *done, const answers *to, dunlin_run *run) {
    int rc = DUN_OK;
    uint32_t n = 0;
    if (to->points) {
        TRY(take_points(&n, to, run, *done));
    } else {
        TRY(dun_classifier_run(&n, &run->classifier));
        answer(to, run, *done, n);
    }
    *done += n;
out:
    return rc;
}

static int run_all(const answers *to, dunlin_run *run, const dun_given *given) {
    int rc = DUN_OK;
    size_t done = 0;
    for (size_t i = 0; i < given->n; i++) {
        TRY(dun_classifier_add(&run->classifier, given->texts[i], given->lengths[i]));
        if (dun_classifier_full(&run->classifier))
            TRY(run_pass(&done, to, run));
    }
    while (dun_classifier_queued(&run->classifier))
        TRY(run_pass(&done, to, run));
out:
    /* After a failure the next call begins with an empty queue. */
    dun_texts_drop(&run->experiment.session.texts, run->experiment.session.texts.n);
    return rc;
}

static dunlin_status answer_texts(const answers *to, dunlin_run *run, const dunlin_texts *texts) {
    int rc = DUN_OK;
    TRY(dun_api_use_devices());
    TRY(dun_handle_enter(DUN_HANDLE(run), DUN_HANDLE_RUN, true, "run"));
    rc = dun_api_texts_enter(texts, false, "texts");
    if (rc >= 0) {
        rc = run_all(to, run, &texts->given);
        dun_api_texts_leave(texts);
    }
    dun_handle_leave(DUN_HANDLE(run));
out:
    return dun_api_end(rc);
}

dunlin_status dunlin_classify(dunlin_run *run, const dunlin_texts *texts, float *distances,
                              double *probabilities, uint32_t *labels) {
    const answers to = {.distances = distances, .probabilities = probabilities, .labels = labels};
    dun_api_begin();
    return answer_texts(&to, run, texts);
}

dunlin_status dunlin_points(dunlin_run *run, const dunlin_texts *texts, float *points) {
    const answers to = {.points = points};
    dun_api_begin();
    const int rc = dun_api_need(points, "points");
    return rc < 0 ? dun_api_end(rc) : answer_texts(&to, run, texts);
}
