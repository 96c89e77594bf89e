/* See classifier.h. */
#include "classifier.h"

#include "err.h"
#include "mem.h"

enum { SCRATCH_ROWS = 2048 }; /* tokens of texts in flight, unless one text alone is longer */

int dun_classifier_create(dun_classifier *c, dun_session *session, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    const dun_loss_settings settings = dun_loss_settings_from(session->config);
    uint32_t K = saved->n_classes, D = dun_session_point_width(session),
             longest = (uint32_t)session->config->data.max_length;
    uint32_t most = session->engine.options.max_sequences;
    size_t bytes = (size_t)K * D * sizeof(float);
    *c =
        (dun_classifier){.session = session, .scratch_rows = longest > SCRATCH_ROWS ? longest : SCRATCH_ROWS};
    if (saved->point_width != D)
        TRY(dun_error(DUN_BAD_INPUT, "the run's centroids are %u wide; its config makes points %u wide",
                      saved->point_width, D));
    TRY(dun_text_cache_create(&session->cache, &session->engine, &session->texts, 0, c->scratch_rows));
    TRY(dun_loss_create(&c->loss, &session->compute, &settings, most, K, D));
    TRY(dun_buffer_create(&c->centroids, session->device, bytes, "the centroids"));
    TRY(dun_buffer_write(&c->centroids, 0, saved->centroids, bytes));
    TRY_NEW(c->distances, (size_t)most * K);
    TRY_NEW(c->which, most);
    for (uint32_t i = 0; i < most; i++)
        c->which[i] = i;
out:
    if (rc < 0)
        dun_classifier_free(c);
    return rc;
}

void dun_classifier_free(dun_classifier *c) {
    dun_loss_free(&c->loss);
    dun_buffer_free(&c->centroids);
    dun_free(c->distances);
    dun_free(c->which);
    *c = (dun_classifier){0};
}

int dun_classifier_add(dun_classifier *c, const char *text, size_t length) {
    int rc = DUN_OK;
    dun_texts *texts = &c->session->texts;
    uint32_t longest = (uint32_t)c->session->config->data.max_length;
    /* Its length is known only when it is tokenised, so a queue that might not hold it is full. */
    if (texts->n == c->session->engine.options.max_sequences || texts->tokens.n + longest > c->scratch_rows)
        return 0;
    TRY(dun_texts_add(texts, c->session->tokenizer, text, length, 0, longest));
    rc = 1;
out:
    return rc;
}

uint32_t dun_classifier_queued(const dun_classifier *c) {
    return c->session->texts.n;
}

int dun_classifier_run(dun_classifier *c) {
    int rc = DUN_OK;
    uint32_t n = c->session->texts.n;
    if (n == 0)
        goto out;
    TRY(dun_session_run(c->session, c->which, n));
    TRY(dun_loss_distances(&c->loss, dun_engine_point_buffer(&c->session->engine), &c->centroids, n));
    TRY(dun_loss_read(NULL, c->distances, &c->loss, n));
out:
    return rc;
}

void dun_classifier_clear(dun_classifier *c) {
    dun_texts_clear(&c->session->texts);
}
