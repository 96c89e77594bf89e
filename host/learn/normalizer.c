/* Fits shift and scale from sums, and launches points through them and gradients back. */
#include "learn/normalizer.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

bool dun_normalize_is_affine(enum dun_model_normalize kind) {
    return kind == DUN_NORMALIZE_CENTER || kind == DUN_NORMALIZE_ZSCORE;
}

static size_t constants_bytes(const dun_normalizer *n) {
    return 2 * (size_t)n->width * sizeof(float);
}

int dun_normalizer_create(dun_normalizer *n, const dun_compute *compute, enum dun_model_normalize kind,
                          uint32_t max_points, uint32_t width, uint32_t parts) {
    int rc = DUN_OK;
    *n = (dun_normalizer){
        .compute = compute, .kind = kind, .max_points = max_points, .width = width, .parts = parts};
    TRY(dun_learn_use(compute, DUN_TOPIC_points));
    if (dun_normalize_is_affine(kind)) {
        TRY_NEW(n->values, 2 * (size_t)width);
        TRY(dun_buffer_create(&n->constants, compute->device, constants_bytes(n),
                              "the points' normalisation"));
    }
    if (kind == DUN_NORMALIZE_UNIT)
        TRY(dun_buffer_create(&n->inverse, compute->device, (size_t)max_points * parts * sizeof(float),
                              "the points' lengths"));
out:
    if (rc < 0)
        dun_normalizer_free(n);
    return rc;
}

void dun_normalizer_free(dun_normalizer *n) {
    dun_buffer_free(&n->constants);
    dun_buffer_free(&n->inverse);
    dun_free(n->values);
    *n = (dun_normalizer){0};
}

int dun_normalizer_fit(dun_normalizer *n, const double *sums, const double *squares, double weight) {
    for (uint32_t j = 0; j < n->width; j++) {
        double mean = sums[j] / weight, deviation = 1.0;
        if (n->kind == DUN_NORMALIZE_ZSCORE)
            deviation = sqrt(fmax(0.0, squares[j] / weight - mean * mean));
        /* What is left of a constant by the rounding of its squares is not a spread. */
        bool spread = deviation > 1e-7 * fabs(mean);
        n->values[j] = (float)mean;
        n->values[n->width + j] = spread ? (float)(1.0 / deviation) : 1.0f;
    }
    return dun_normalizer_set(n, n->values);
}

int dun_normalizer_set(dun_normalizer *n, const float *values) {
    int rc = DUN_OK;
    if (values != n->values)
        memcpy(n->values, values, constants_bytes(n));
    TRY(dun_buffer_write(&n->constants, 0, n->values, constants_bytes(n)));
    n->fitted = true;
out:
    return rc;
}

int dun_normalizer_adopt(dun_normalizer *n) {
    int rc = DUN_OK;
    if (!dun_normalize_is_affine(n->kind))
        goto out;
    TRY(dun_buffer_read(n->values, &n->constants, 0, constants_bytes(n)));
    n->fitted = true;
out:
    return rc;
}

void dun_normalizer_apply(const dun_normalizer *n, float *points, size_t n_points) {
    const float *shift = n->values, *scale = n->values + n->width;
    for (size_t i = 0; i < n_points; i++)
        for (size_t j = 0; j < n->width; j++)
            points[i * n->width + j] = (points[i * n->width + j] - shift[j]) * scale[j];
}

int dun_normalizer_fwd(dun_normalizer *n, dun_buffer *points, uint32_t n_points) {
    int rc = DUN_OK;
    const dun_compute *c = n->compute;
    if (n->kind == DUN_NORMALIZE_NONE)
        return DUN_OK;
    if (n->kind == DUN_NORMALIZE_UNIT) {
        const dun_range rows = dun_rows(c, (size_t)n_points * n->parts);
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_inverse_norm), rows, DUN_BUF(n->inverse), DUN_BUF(*points),
                       DUN_INT(n->width / n->parts)));
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_unit_fwd), rows, DUN_BUF(*points), DUN_BUF(n->inverse),
                       DUN_INT(n->width / n->parts)));
    } else if (n->fitted) {
        TRY(DUN_LAUNCH(dun_learn_kernel(c, DUN_K_affine_fwd), dun_rows(c, n_points), DUN_BUF(*points),
                       DUN_BUF(n->constants), DUN_INT(n->width)));
    }
out:
    return rc;
}

int dun_normalizer_bwd(dun_normalizer *n, dun_buffer *d_points, const dun_buffer *points, uint32_t n_points) {
    const dun_compute *c = n->compute;
    if (n->kind == DUN_NORMALIZE_UNIT)
        return DUN_LAUNCH(dun_learn_kernel(c, DUN_K_unit_bwd), dun_rows(c, (size_t)n_points * n->parts),
                          DUN_BUF(*d_points), DUN_BUF(*points), DUN_BUF(n->inverse),
                          DUN_INT(n->width / n->parts));
    if (n->fitted)
        return DUN_LAUNCH(dun_learn_kernel(c, DUN_K_affine_bwd), dun_rows(c, n_points), DUN_BUF(*d_points),
                          DUN_BUF(n->constants), DUN_INT(n->width));
    return DUN_OK;
}
