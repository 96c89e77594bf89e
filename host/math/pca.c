/* Two axes by Lanczos steps on the covariance, which is never made. */
#include "math/pca.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/symmetric.h"
#include "math/vectors.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Krylov vectors; a check of the Ritz values costs their number cubed. */
enum { FIRST_CHECK = 8, MOST_VECTORS = 256 };

/* An axis may be off by about this angle: the residual of a Ritz pair over the gap to the next (Golub and Van
 * Loan, 8.1). */
static const double wanted_angle = 1e-7;

typedef struct {
    const float *points; /* (n, D) */
    size_t n, width;
    const double *mean;
    double *basis[MOST_VECTORS + 1]; /* orthonormal Krylov vectors [D] */
    double alpha[MOST_VECTORS], beta[MOST_VECTORS];
    size_t n_vectors;
    uint64_t draws;
} lanczos;

/* As dun_dot. */
static double dot_point(const float *a, const double *b, size_t n) {
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sums[j] += (double)a[i + j] * b[i + j];
    for (; i < n; i++)
        sums[0] += (double)a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void scale(double *x, double a, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

/* out = covariance v = sum_i (x_i - mean) ((x_i - mean) . v) / (n - 1), one pass over the points. */
static void apply(double *out, const lanczos *l, const double *v) {
    double mean_v = dun_dot(l->mean, v, l->width), sum = 0;
    memset(out, 0, l->width * sizeof *out);
    for (size_t i = 0; i < l->n; i++) {
        const float *point = l->points + i * l->width;
        double a = (dot_point(point, v, l->width) - mean_v) / (double)(l->n - 1);
        for (size_t j = 0; j < l->width; j++)
            out[j] += a * (double)point[j];
        sum += a;
    }
    dun_add_scaled(out, -sum, l->mean, l->width);
}

/* Takes the basis out of w, twice, since once leaves rounding errors (Kahan, "twice is enough"). Returns what
 * is left of its length. */
static double orthogonalise(double *w, const lanczos *l) {
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < l->n_vectors; i++)
            dun_add_scaled(w, -dun_dot(w, l->basis[i], l->width), l->basis[i], l->width);
    return sqrt(dun_dot(w, w, l->width));
}

/* A random direction among those of the points that the basis does not have yet: 1, or 0 when there is none.
 */
static int start_vector(double *w, double *scratch, lanczos *l, double scale_of_all) {
    for (size_t j = 0; j < l->width; j++)
        scratch[j] = dun_random_normal(0, DUN_STREAM_PCA, l->draws++);
    scale(scratch, 1 / sqrt(dun_dot(scratch, scratch, l->width)), l->width);
    apply(w, l, scratch);
    double length = orthogonalise(w, l);
    if (!(length > 1e-12 * scale_of_all))
        return 0;
    scale(w, 1 / length, l->width);
    orthogonalise(w, l);
    scale(w, 1 / sqrt(dun_dot(w, w, l->width)), l->width);
    return 1;
}

/* The tridiagonal matrix's eigenvectors for its largest eigenvalues: which[2], values[3] descending. */
static int ritz(size_t which[DUN_PCA_AXES], double values[DUN_PCA_AXES + 1], double *matrix, double *vectors,
                const lanczos *l) {
    size_t m = l->n_vectors, found = 0;
    memset(matrix, 0, m * m * sizeof *matrix);
    for (size_t i = 0; i < m; i++) {
        matrix[i * m + i] = l->alpha[i];
        if (i + 1 < m)
            matrix[i * m + i + 1] = matrix[(i + 1) * m + i] = l->beta[i];
    }
    dun_symmetric_eigen(matrix, vectors, m);
    for (; found <= DUN_PCA_AXES && found < m; found++) {
        size_t best = m;
        for (size_t j = 0; j < m; j++)
            if ((found < 1 || j != which[0]) && (found < 2 || j != which[1]) &&
                (best == m || matrix[j * m + j] > matrix[best * m + best]))
                best = j;
        values[found] = matrix[best * m + best];
        if (found < DUN_PCA_AXES)
            which[found] = best;
    }
    for (size_t i = found; i <= DUN_PCA_AXES; i++)
        values[i] = 0;
    return (int)found;
}

/* Residual of each pair against its distance from the other Ritz values. */
static int settled(const size_t which[DUN_PCA_AXES], const double values[DUN_PCA_AXES + 1],
                   const double *vectors, const lanczos *l) {
    size_t m = l->n_vectors;
    for (size_t i = 0; i < DUN_PCA_AXES; i++) {
        double residual = fabs(l->beta[m - 1] * vectors[(m - 1) * m + which[i]]);
        double gap = values[i] - values[i + 1];
        if (i > 0 && values[i - 1] - values[i] < gap)
            gap = values[i - 1] - values[i];
        if (!(residual <= wanted_angle * gap))
            return 0;
    }
    return 1;
}

/* Axes from Ritz vectors, with the sign that makes the largest component positive. */
static void set_axes(dun_pca *pca, const lanczos *l, const size_t which[DUN_PCA_AXES], const double *values,
                     const double *vectors, size_t n_axes) {
    size_t m = l->n_vectors, D = pca->width;
    for (size_t a = 0; a < n_axes; a++) {
        double *axis = pca->axes + a * D;
        size_t largest = 0;
        for (size_t i = 0; i < m; i++)
            dun_add_scaled(axis, vectors[i * m + which[a]], l->basis[i], D);
        for (size_t j = 1; j < D; j++)
            if (fabs(axis[j]) > fabs(axis[largest]))
                largest = j;
        scale(axis, (axis[largest] < 0 ? -1.0 : 1.0) / sqrt(dun_dot(axis, axis, D)), D);
        pca->variance[a] = values[a] > 0 ? values[a] : 0;
    }
}

static int fit(dun_pca *pca, lanczos *l, double total) {
    int rc = DUN_OK;
    size_t D = pca->width, which[DUN_PCA_AXES] = {0}, check = FIRST_CHECK, n_axes = 0;
    double *w = NULL, *matrix = NULL, *vectors = NULL, values[DUN_PCA_AXES + 1] = {0};
    size_t most = l->n - 1 < D ? l->n - 1 : D;
    most = most < MOST_VECTORS ? most : MOST_VECTORS;
    TRY_NEW(w, D);
    TRY_NEW(matrix, most * most);
    TRY_NEW(vectors, most * most);
    TRY_NEW(l->basis[0], D);
    if (!start_vector(l->basis[0], w, l, total))
        goto out;
    for (bool done = false; !done;) {
        size_t m = l->n_vectors;
        apply(w, l, l->basis[m]);
        l->alpha[m] = dun_dot(w, l->basis[m], D);
        l->n_vectors = ++m;
        double length = orthogonalise(w, l);
        bool broken = !(length > 1e-12 * total); /* the Krylov space is whole; there may be another */
        l->beta[m - 1] = broken ? 0 : length;
        done = m == most;
        if (!done) {
            TRY_NEW(l->basis[m], D);
            if (broken)
                done = !start_vector(l->basis[m], w, l, total);
            else
                dun_add_scaled(l->basis[m], 1 / length, w, D);
        }
        if (m < check && !done)
            continue;
        n_axes = (size_t)ritz(which, values, matrix, vectors, l);
        check = m + m / 2;
        done = done || (n_axes > DUN_PCA_AXES && !broken && settled(which, values, vectors, l));
    }
    set_axes(pca, l, which, values, vectors, n_axes < DUN_PCA_AXES ? n_axes : DUN_PCA_AXES);
out:
    dun_free(w);
    dun_free(matrix);
    dun_free(vectors);
    return rc;
}

/* The mean, and the variance in all directions together. */
static double centre(double *mean, const float *points, size_t n, size_t D) {
    double total = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            mean[j] += (double)points[i * D + j];
    scale(mean, 1 / (double)n, D);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++) {
            double d = (double)points[i * D + j] - mean[j];
            total += d * d;
        }
    return n > 1 ? total / (double)(n - 1) : 0;
}

int dun_pca_fit(dun_pca *pca, const float *points, size_t n, size_t width) {
    int rc = DUN_OK;
    lanczos *l = NULL;
    *pca = (dun_pca){.width = width};
    TRY_NEW(pca->mean, width);
    TRY_NEW(pca->axes, DUN_PCA_AXES * width);
    TRY_NEW(l, 1);
    if (n == 0)
        goto out;
    double total = centre(pca->mean, points, n, width);
    *l = (lanczos){.points = points, .n = n, .width = width, .mean = pca->mean};
    if (total > 0)
        TRY(fit(pca, l, total));
    for (size_t a = 0; a < DUN_PCA_AXES; a++)
        pca->share[a] = total > 0 ? pca->variance[a] / total : 0;
out:
    for (size_t i = 0; l && i <= MOST_VECTORS; i++)
        dun_free(l->basis[i]);
    dun_free(l);
    if (rc < 0)
        dun_pca_free(pca);
    return rc;
}

void dun_pca_free(dun_pca *pca) {
    dun_free(pca->mean);
    dun_free(pca->axes);
    *pca = (dun_pca){0};
}

void dun_pca_project(float out[DUN_PCA_AXES], const dun_pca *pca, const float *point) {
    for (size_t a = 0; a < DUN_PCA_AXES; a++) {
        const double *axis = pca->axes + a * pca->width;
        out[a] = (float)(dot_point(point, axis, pca->width) - dun_dot(pca->mean, axis, pca->width));
    }
}
