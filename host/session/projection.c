/* Thins points out while they are measured, projects them, and writes and reads the file. */
#include "session/projection.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/store/safetensors.h"

#include <math.h>
#include <string.h>

int dun_kept_points_create(dun_kept_points *kept, uint32_t n, uint32_t width) {
    int rc = DUN_OK;
    uint64_t most = DUN_PROJECTION_BYTES / (width * sizeof(float));
    most = most < DUN_PROJECTION_POINTS ? most : DUN_PROJECTION_POINTS;
    *kept = (dun_kept_points){.n = n, .n_kept = n < most ? n : (uint32_t)most, .width = width};
    TRY_NEW(kept->rows, (size_t)kept->n_kept * width);
out:
    return rc;
}

void dun_kept_points_free(dun_kept_points *kept) {
    dun_free(kept->rows);
    *kept = (dun_kept_points){0};
}

uint32_t dun_kept_points_index(const dun_kept_points *kept, uint32_t i) {
    return (uint32_t)((uint64_t)i * kept->n / kept->n_kept);
}

/* Kept ones before point `index`: the smallest i with index(i) >= index. */
static uint32_t kept_before(const dun_kept_points *kept, uint32_t index) {
    return (uint32_t)(((uint64_t)index * kept->n_kept + kept->n - 1) / kept->n);
}

int dun_kept_points_take(dun_kept_points *kept, const dun_buffer *points, uint32_t first, uint32_t count) {
    int rc = DUN_OK;
    if (!kept->rows || kept->n_kept == 0)
        return DUN_OK;
    size_t row = kept->width * sizeof(float);
    uint32_t begin = kept_before(kept, first), end = kept_before(kept, first + count);
    if (kept->n_kept == kept->n) {
        TRY(dun_buffer_read(kept->rows + (size_t)begin * kept->width, points, 0, count * row));
        goto out;
    }
    for (uint32_t i = begin; i < end; i++)
        TRY(dun_buffer_read(kept->rows + (size_t)i * kept->width, points,
                            (dun_kept_points_index(kept, i) - first) * row, row));
out:
    return rc;
}

static int allocate(dun_projection *p) {
    int rc = DUN_OK;
    TRY_NEW(p->points, (size_t)p->n * DUN_PCA_AXES);
    TRY_NEW(p->centroids, (size_t)p->n_classes * DUN_PCA_AXES);
    TRY_NEW(p->distances, (size_t)p->n * p->n_classes);
    TRY_NEW(p->rows, p->n);
    TRY_NEW(p->labels, p->n);
out:
    return rc;
}

int dun_projection_make(dun_projection *out, const dun_kept_points *kept, const dun_session *session,
                        const float *centroids, const float *distances) {
    int rc = DUN_OK;
    uint32_t K = session->labels.n_classes, D = kept->width;
    *out = (dun_projection){.n = kept->n_kept, .n_classes = K, .width = D};
    TRY(allocate(out));
    TRY(dun_pca_fit(&out->pca, kept->rows, kept->n_kept, D));
    for (uint32_t i = 0; i < kept->n_kept; i++) {
        uint32_t row = dun_kept_points_index(kept, i);
        dun_pca_project(out->points + (size_t)i * DUN_PCA_AXES, &out->pca, kept->rows + (size_t)i * D);
        memcpy(out->distances + (size_t)i * K, distances + (size_t)row * K, K * sizeof *distances);
        out->rows[i] = row;
        out->labels[i] = session->texts.label[session->first_valid + row];
    }
    for (uint32_t k = 0; k < K; k++)
        dun_pca_project(out->centroids + (size_t)k * DUN_PCA_AXES, &out->pca, centroids + (size_t)k * D);
out:
    if (rc < 0)
        dun_projection_free(out);
    return rc;
}

/* The file's tensors by name, in the file's order; `of_width` are stored as floats from doubles. */
enum { POINTS, CENTROIDS, DISTANCES, ROWS, LABELS, MEAN, AXES, SHARE, N_TENSORS };

static void describe(dun_tensor tensors[N_TENSORS], const dun_projection *p) {
    uint64_t n = p->n, K = p->n_classes, D = p->width, A = DUN_PCA_AXES, f = sizeof(float);
    const dun_tensor all[N_TENSORS] = {
        [POINTS] = {"points", DUN_F32, 2, {n, A}, p->points, n * A * f},
        [CENTROIDS] = {"centroids", DUN_F32, 2, {K, A}, p->centroids, K * A * f},
        [DISTANCES] = {"distances", DUN_F32, 2, {n, K}, p->distances, n * K * f},
        [ROWS] = {"rows", DUN_I64, 1, {n}, p->rows, n * sizeof(int64_t)},
        [LABELS] = {"labels", DUN_I64, 1, {n}, p->labels, n * sizeof(int64_t)},
        [MEAN] = {"mean", DUN_F32, 1, {D}, NULL, D * f},
        [AXES] = {"axes", DUN_F32, 2, {A, D}, NULL, A * D * f},
        [SHARE] = {"share", DUN_F32, 1, {A}, NULL, A * f},
    };
    memcpy(tensors, all, sizeof all);
}

static void to_floats(float *out, const double *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
}

int dun_projection_write(const dun_projection *p, const char *run_path) {
    int rc = DUN_OK;
    dun_str path = {0};
    dun_tensor tensors[N_TENSORS];
    size_t D = p->width, A = DUN_PCA_AXES;
    float *floats = NULL;
    TRY_NEW(floats, D + A * D + A);
    to_floats(floats, p->pca.mean, D);
    to_floats(floats + D, p->pca.axes, A * D);
    to_floats(floats + D + A * D, p->pca.share, A);
    describe(tensors, p);
    tensors[MEAN].data = floats;
    tensors[AXES].data = floats + D;
    tensors[SHARE].data = floats + D + A * D;
    TRY(dun_str_addf(&path, "%s/projection.safetensors", run_path));
    TRY(dun_safetensors_write(path.bytes, tensors, N_TENSORS, NULL));
out:
    dun_free(floats);
    dun_str_free(&path);
    return rc;
}

static int check_tensor(const dun_tensor *found, const dun_tensor *wanted, const char *path) {
    bool same = found && found->dtype == wanted->dtype && found->n_dims == wanted->n_dims &&
                found->bytes == wanted->bytes;
    for (uint32_t i = 0; same && i < wanted->n_dims; i++)
        same = found->dims[i] == wanted->dims[i];
    if (!same)
        return dun_error(DUN_BAD_INPUT, "%s: tensor %s is missing or has another shape than the others say",
                         path, wanted->name);
    for (size_t i = 0; found->dtype == DUN_F32 && i < found->bytes; i += sizeof(float)) {
        float value;
        memcpy(&value, (const uint8_t *)found->data + i, sizeof value);
        if (!isfinite(value))
            return dun_error(DUN_BAD_INPUT, "%s: tensor %s holds a value that is not finite", path,
                             wanted->name);
    }
    return DUN_OK;
}

static int check_rows(const dun_projection *p, const char *path) {
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->labels[i] < 0 || p->labels[i] >= p->n_classes)
            return dun_error(DUN_BAD_INPUT, "%s: label %lld of point %u is not a class", path,
                             (long long)p->labels[i], i);
        if (p->rows[i] < 0 || (i > 0 && p->rows[i] <= p->rows[i - 1]))
            return dun_error(DUN_BAD_INPUT, "%s: the rows do not ascend at point %u", path, i);
    }
    return DUN_OK;
}

/* Copies a tensor's floats as doubles. */
static int copy_doubles(double **out, const dun_tensor *tensor) {
    int rc = DUN_OK;
    size_t n = tensor->bytes / sizeof(float);
    TRY_NEW(*out, n);
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const uint8_t *)tensor->data + i * sizeof value, sizeof value);
        (*out)[i] = (double)value;
    }
out:
    return rc;
}

static int read_tensors(dun_projection *p, const dun_safetensors *file, const char *path) {
    int rc = DUN_OK;
    const dun_tensor *found[N_TENSORS];
    dun_tensor wanted[N_TENSORS];
    describe(wanted, p);
    for (size_t i = 0; i < N_TENSORS; i++) {
        found[i] = dun_safetensors_find(file, wanted[i].name);
        TRY(check_tensor(found[i], &wanted[i], path));
    }
    TRY(allocate(p));
    describe(wanted, p);
    for (size_t i = POINTS; i <= LABELS; i++)
        memcpy((void *)(uintptr_t)wanted[i].data, found[i]->data, found[i]->bytes);
    p->pca.width = p->width;
    TRY(copy_doubles(&p->pca.mean, found[MEAN]));
    TRY(copy_doubles(&p->pca.axes, found[AXES]));
    for (size_t a = 0; a < DUN_PCA_AXES; a++) {
        float share;
        memcpy(&share, (const uint8_t *)found[SHARE]->data + a * sizeof share, sizeof share);
        p->pca.share[a] = (double)share;
    }
    TRY(check_rows(p, path));
out:
    return rc;
}

int dun_projection_read(dun_projection *out, const char *path) {
    int rc = DUN_OK;
    dun_safetensors file = {0};
    *out = (dun_projection){0};
    TRY(dun_safetensors_open(&file, path));
    const dun_tensor *points = dun_safetensors_find(&file, "points");
    const dun_tensor *centroids = dun_safetensors_find(&file, "centroids");
    const dun_tensor *mean = dun_safetensors_find(&file, "mean");
    if (!points || !centroids || !mean || points->dims[0] > DUN_PROJECTION_POINTS ||
        centroids->dims[0] > INT32_MAX || mean->dims[0] > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not a projection as a run of dunlin leaves it", path));
    out->n = (uint32_t)points->dims[0];
    out->n_classes = (uint32_t)centroids->dims[0];
    out->width = (uint32_t)mean->dims[0];
    TRY(read_tensors(out, &file, path));
out:
    dun_safetensors_free(&file);
    if (rc < 0)
        dun_projection_free(out);
    return rc;
}

void dun_projection_free(dun_projection *p) {
    dun_free(p->points);
    dun_free(p->centroids);
    dun_free(p->distances);
    dun_free(p->rows);
    dun_free(p->labels);
    dun_pca_free(&p->pca);
    *p = (dun_projection){0};
}
