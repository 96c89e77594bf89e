/* What is done to the points of a session before they are compared, and its way back: normalised, then
 * through the metric, where the config asks for it. */
#include "session/session_inside.h"

#include "base/err.h"
#include "base/mem.h"

#include <string.h>

bool dun_points_are_fitted(const dun_config *config) {
    return dun_normalize_is_affine(config->model.normalize) || config->metric.start != DUN_METRIC_NONE;
}

/* A copy of what a saved prompt has and the config asks for. */
static int take(float **out, const float *values, size_t n, const char *tensor, enum dun_config_id key,
                const dun_session *session, const char *path) {
    int rc = DUN_OK;
    if (!values)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no tensor %s, which %s.%s (%s) needs: it was trained without",
                      path, tensor, dun_config_key_table[key].section, dun_config_key_table[key].name,
                      dun_config_origin(session->config, key)));
    TRY_NEW(*out, n);
    memcpy(*out, values, n * sizeof **out);
out:
    return rc;
}

/* The sizes that the config asks for are known before there is an engine. */
static int check_sizes(const dun_session *session, const dun_saved_prompt *saved, const char *path) {
    const dun_config *config = session->config;
    const uint32_t D = (uint32_t)config->prompt.count *
                       dun_point_width(dun_model_file_spec(session->model), &session->point);
    const uint32_t M = dun_metric_dimensions(config, D);
    if (session->saved_metric && (saved->metric_width != D || saved->point_width != M))
        return dun_error(DUN_BAD_INPUT, "%s: the run's metric is (%u, %u); its config asks for (%u, %u)",
                         path, saved->point_width, saved->metric_width, M, D);
    if (saved->n_classes > 0 && saved->point_width != (M ? M : D))
        return dun_error(DUN_BAD_INPUT,
                         "%s: the run's centroids are %u wide; its config makes points %u wide", path,
                         saved->point_width, M ? M : D);
    return DUN_OK;
}

int dun_session_take_saved_points(dun_session *session, const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    const size_t D = saved->metric ? saved->metric_width : saved->point_width;
    if (dun_normalize_is_affine(config->model.normalize))
        TRY(take(&session->saved_normalization, saved->normalization, 2 * D, "normalization",
                 DUN_KEY_model_normalize, session, path));
    if (config->metric.start != DUN_METRIC_NONE)
        TRY(take(&session->saved_metric, saved->metric, saved->point_width * D, "metric",
                 DUN_KEY_metric_start, session, path));
    TRY(check_sizes(session, saved, path));
out:
    return rc;
}

int dun_session_start_normalizer(dun_session *session) {
    int rc = DUN_OK;
    const dun_config *config = session->config;
    const dun_engine_options *options = &session->engine.options;
    const uint32_t D = dun_engine_point_width(&session->engine);
    dun_normalizer_free(&session->normalizer);
    dun_metric_free(&session->metric);
    TRY(dun_normalizer_create(&session->normalizer, &session->compute, config->model.normalize,
                              options->max_sequences, D, options->prompts));
    TRY(dun_metric_create(&session->metric, &session->compute, config, options->max_sequences, D,
                          options->backward));
    if (session->saved_normalization)
        TRY(dun_normalizer_set(&session->normalizer, session->saved_normalization));
    if (session->saved_metric)
        TRY(dun_metric_set(&session->metric, session->saved_metric));
out:
    return rc;
}

void dun_session_free_points(dun_session *session) {
    dun_normalizer_free(&session->normalizer);
    dun_metric_free(&session->metric);
    dun_free(session->saved_normalization);
    dun_free(session->saved_metric);
}

uint32_t dun_session_point_width(const dun_session *session) {
    const uint32_t M = session->metric.dimensions;
    return M ? M : dun_engine_point_width(&session->engine);
}

dun_buffer *dun_session_points(dun_session *session) {
    return session->metric.dimensions ? &session->metric.points : dun_engine_point_buffer(&session->engine);
}

dun_buffer *dun_session_point_gradient(dun_session *session) {
    return session->metric.dimensions ? &session->metric.d_points
                                      : dun_engine_point_gradient(&session->engine);
}

int dun_session_shape_points(dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    dun_buffer *points = dun_engine_point_buffer(&session->engine);
    TRY(dun_normalizer_fwd(&session->normalizer, points, n));
    TRY(dun_metric_fwd(&session->metric, points, n));
out:
    return rc;
}

int dun_session_shape_back(dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    const dun_buffer *points = dun_engine_point_buffer(&session->engine);
    dun_buffer *d_points = dun_engine_point_gradient(&session->engine);
    TRY(dun_metric_bwd(&session->metric, d_points, points, n));
    TRY(dun_normalizer_bwd(&session->normalizer, d_points, points, n));
out:
    return rc;
}
