/* A queue of texts, its passes, and the two ways to go through many: arrays in memory, and files as they are
 * read. See vectors.h. */
#include "session/vectors.h"

#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

int dun_vectors_create(dun_vectors *v, dun_session *session) {
    int rc = DUN_OK;
    *v = (dun_vectors){.session = session, .most = session->engine.options.max_sequences};
    TRY_NEW(v->which, v->most);
    TRY_NEW(v->points, (size_t)v->most * dun_session_point_width(session));
out:
    if (rc < 0)
        dun_vectors_free(v);
    return rc;
}

void dun_vectors_free(dun_vectors *v) {
    dun_free(v->which);
    dun_free(v->points);
    *v = (dun_vectors){0};
}

/* Moves the m points of `which` to their places among n, and makes the others 0. */
static void spread(dun_vectors *v, uint32_t m, uint32_t n, size_t D) {
    for (uint32_t i = n; i-- > 0;) {
        float *to = v->points + i * D;
        if (m > 0 && v->which[m - 1] == i)
            memmove(to, v->points + (size_t)--m * D, D * sizeof *to);
        else
            memset(to, 0, D * sizeof *to);
    }
}

static int check_finite(const dun_vectors *v, uint32_t n, size_t D) {
    for (size_t i = 0; i < n * D; i++)
        if (!isfinite(v->points[i]))
            return dun_error(DUN_FAILED,
                             "the point of a text is %g: the model's weights or the prompt hold what is no "
                             "number, or too large a one",
                             (double)v->points[i]);
    return DUN_OK;
}

int dun_vectors_run(uint32_t *n, dun_vectors *v) {
    int rc = DUN_OK;
    dun_session *session = v->session;
    const dun_texts *texts = &session->texts;
    const size_t D = dun_session_point_width(session);
    const uint32_t own = dun_template_own_rows(&session->template);
    uint32_t m = 0;
    *n = dun_session_pass(session, 0, texts->n);
    for (uint32_t i = 0; i < *n; i++)
        if (own + dun_texts_length(texts, i) > 0)
            v->which[m++] = i;
    if (m > 0) {
        TRY(dun_session_run(session, v->which, m));
        TRY(dun_buffer_read(v->points, dun_session_points(session), 0, m * D * sizeof *v->points));
    }
    TRY(check_finite(v, m, D));
    if (m < *n)
        spread(v, m, *n, D);
    v->n_empty += *n - m;
    dun_texts_drop(&session->texts, *n);
out:
    return rc;
}

/* One pass, whose points a caller wants. */
static int run_pass(uint32_t *n, dun_vectors *v) {
    int rc = DUN_OK;
    if (dun_interrupted())
        TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
    TRY(dun_vectors_run(n, v));
out:
    return rc;
}

int dun_vectors_of(float *points, dun_vectors *v, const char *const *texts, const size_t *lengths, size_t n) {
    int rc = DUN_OK;
    const dun_observer *observer = v->session->observer;
    const size_t D = dun_session_point_width(v->session);
    uint32_t count;
    dun_observe_begin(observer, "texts", "texts", n);
    for (size_t added = 0, done = 0; done < n; done += count) {
        while (added < n && !dun_session_queue_full(v->session)) {
            TRY(dun_session_queue(v->session, texts[added], lengths ? lengths[added] : strlen(texts[added])));
            added++;
        }
        TRY(run_pass(&count, v));
        memcpy(points + done * D, v->points, count * D * sizeof *points);
        dun_observe_advance(observer, done + count, NULL);
    }
out:
    dun_observe_end(observer);
    if (rc < 0)
        dun_texts_drop(&v->session->texts, v->session->texts.n);
    return rc;
}

int dun_vectors_of_asked(uint64_t *n, dun_spool *out, dun_vectors *v, dun_asked *asked) {
    int rc = DUN_OK, more = 1;
    const dun_observer *observer = v->session->observer;
    const size_t D = dun_session_point_width(v->session);
    const char *text;
    size_t length;
    uint32_t count;
    *n = 0;
    dun_observe_begin(observer, "texts", "texts", 0);
    while (more == 1 || v->session->texts.n > 0) {
        while (more == 1 && !dun_session_queue_full(v->session)) {
            TRY(more = dun_asked_next(&text, &length, asked));
            if (more == 1)
                TRY(dun_session_queue(v->session, text, length));
        }
        TRY(run_pass(&count, v));
        TRY(dun_spool_add(out, v->points, count * D * sizeof *v->points));
        *n += count;
        dun_observe_advance(observer, *n, NULL);
    }
    TRY(dun_asked_tell(asked));
    dun_vectors_tell(v);
out:
    dun_observe_end(observer);
    return rc;
}

void dun_vectors_tell(const dun_vectors *v) {
    const dun_session *session = v->session;
    if (session->texts.n_cut)
        dun_warn("texts that are longer than data.max_length = %lld tokens: %llu; they are cut",
                 (long long)session->config->data.max_length, (unsigned long long)session->texts.n_cut);
    if (v->n_empty)
        dun_warn("texts without a token: %llu; their rows are zeros", (unsigned long long)v->n_empty);
}
