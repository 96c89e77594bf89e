/* Buffers of the matrix, and launches through it and back. */
#include "learn/metric.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

uint32_t dun_metric_dimensions(const dun_config *config, uint32_t width) {
    const uint32_t wanted = (uint32_t)config->metric.dimensions;
    if (config->metric.start == DUN_METRIC_NONE)
        return 0;
    const bool all = config->metric.start == DUN_METRIC_WHITEN || config->metric.start == DUN_METRIC_IDENTITY;
    return all || wanted > width ? width : wanted;
}

bool dun_metric_is_trained(const dun_config *config) {
    return config->metric.start != DUN_METRIC_NONE && config->metric.train;
}

int dun_metric_create(dun_metric *m, const dun_compute *compute, const dun_config *config,
                      uint32_t max_points, uint32_t width, bool backward) {
    int rc = DUN_OK;
    dun_device *device = compute->device;
    *m = (dun_metric){.compute = compute,
                      .max_points = max_points,
                      .width = width,
                      .dimensions = dun_metric_dimensions(config, width)};
    if (m->dimensions == 0)
        goto out;
    const size_t values = (size_t)m->dimensions * width, bytes = values * sizeof(float);
    const size_t points = (size_t)max_points * m->dimensions * sizeof(float);
    TRY(dun_learn_use(compute, DUN_TOPIC_metric));
    TRY_NEW(m->values, values);
    TRY(dun_buffer_create(&m->matrix, device, bytes, "the metric"));
    TRY(dun_buffer_create(&m->points, device, points, "points as they are compared"));
    if (backward)
        TRY(dun_buffer_create(&m->d_points, device, points, "their gradients"));
    if (backward && dun_metric_is_trained(config))
        TRY(dun_buffer_create(&m->d_matrix, device, bytes, "the metric's gradient"));
out:
    if (rc < 0)
        dun_metric_free(m);
    return rc;
}

void dun_metric_free(dun_metric *m) {
    dun_buffer_free(&m->matrix);
    dun_buffer_free(&m->d_matrix);
    dun_buffer_free(&m->points);
    dun_buffer_free(&m->d_points);
    dun_free(m->values);
    *m = (dun_metric){0};
}

int dun_metric_set(dun_metric *m, const float *values) {
    int rc = DUN_OK;
    if (values != m->values)
        memcpy(m->values, values, m->matrix.bytes);
    TRY(dun_buffer_write(&m->matrix, 0, m->values, m->matrix.bytes));
    dun_metric_adopt(m);
out:
    return rc;
}

void dun_metric_adopt(dun_metric *m) {
    m->fitted = m->dimensions > 0;
}

int dun_metric_read(dun_metric *m) {
    return m->dimensions > 0 ? dun_buffer_read(m->values, &m->matrix, 0, m->matrix.bytes) : DUN_OK;
}

int dun_metric_fwd(dun_metric *m, const dun_buffer *x, uint32_t n_points) {
    dun_range rows = dun_rows(m->compute, m->dimensions);
    if (!m->fitted)
        return DUN_OK;
    assert(n_points <= m->max_points);
    rows.groups[1] = n_points;
    return DUN_LAUNCH(dun_learn_kernel(m->compute, DUN_K_metric_fwd), rows, DUN_BUF(m->points), DUN_BUF(*x),
                      DUN_BUF(m->matrix), DUN_INT(m->width));
}

int dun_metric_bwd(dun_metric *m, dun_buffer *dx, const dun_buffer *x, uint32_t n_points) {
    int rc = DUN_OK;
    const dun_compute *c = m->compute;
    if (!m->fitted)
        goto out;
    if (m->d_matrix.bytes > 0)
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_metric_bwd_matrix), dun_rows(c, m->dimensions),
                       DUN_BUF(m->d_matrix), DUN_BUF(m->d_points), DUN_BUF(*x), DUN_INT(n_points),
                       DUN_INT(m->width)));
    TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_metric_bwd), dun_rows(c, n_points), DUN_BUF(*dx),
                   DUN_BUF(m->d_points), DUN_BUF(m->matrix), DUN_INT(m->dimensions), DUN_INT(m->width)));
out:
    return rc;
}
