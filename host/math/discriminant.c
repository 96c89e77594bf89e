/* Within-class covariance, its factor, and the class means in its terms. See discriminant.h. */
#include "math/discriminant.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/symmetric.h"
#include "math/vectors.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Points whose products are added to the covariance at a time: it is larger than a cache. */
enum { TOGETHER = 8 };

typedef struct {
    const dun_discriminant_data *data;
    size_t D, K;
    double total;   /* weight of all points */
    double *mean;   /* (K, D) of the classes */
    double *share;  /* [K] of the weight */
    double *factor; /* (D, D) covariance, then its Cholesky factor L, lower triangle */
    double *rows;   /* (M, D) directions in which space L^-1 x is taken apart, orthonormal */
    uint32_t n_rows;
} fit;

static double weight_of(const dun_discriminant_data *data, size_t i) {
    return data->weights ? data->weights[i] : 1;
}

static void find_means(fit *f) {
    const dun_discriminant_data *data = f->data;
    for (size_t i = 0; i < data->n; i++) {
        const double weight = weight_of(data, i);
        double *mean = f->mean + data->labels[i] * f->D;
        for (size_t j = 0; j < f->D; j++)
            mean[j] += weight * (double)data->points[i * f->D + j];
        f->share[data->labels[i]] += weight;
        f->total += weight;
    }
    for (size_t k = 0; k < f->K; k++) {
        for (size_t j = 0; j < f->D; j++)
            f->mean[k * f->D + j] /= f->share[k] > 0 ? f->share[k] : 1;
        f->share[k] /= f->total;
    }
}

/* Adds x x^T of TOGETHER rows x to the lower triangle. */
static void add_products(double *sum, const double *x, size_t D) {
    for (size_t a = 0; a < D; a++) {
        double own[TOGETHER], *to = sum + a * D;
        for (size_t t = 0; t < TOGETHER; t++)
            own[t] = x[t * D + a];
        for (size_t b = 0; b <= a; b++) {
            double add = 0;
            for (size_t t = 0; t < TOGETHER; t++)
                add += own[t] * x[t * D + b];
            to[b] += add;
        }
    }
}

/* What shrinkage goes by. */
typedef struct {
    double fourth; /* mean of |x|^4 */
    double one;    /* 1 / n, or, where points do not weigh alike, the sum of their shares' squares */
} moments;

/* The covariance within classes, lower triangle. */
static int add_up(fit *f, moments *of) {
    int rc = DUN_OK;
    const dun_discriminant_data *data = f->data;
    const size_t D = f->D;
    double *x = NULL;
    *of = (moments){0};
    TRY_NEW(x, TOGETHER * D);
    for (size_t first = 0; first < data->n; first += TOGETHER) {
        memset(x, 0, TOGETHER * D * sizeof *x);
        for (size_t i = first; i < data->n && i < first + TOGETHER; i++) {
            const double share = weight_of(data, i) / f->total, root = sqrt(share);
            const double *mean = f->mean + data->labels[i] * D;
            double *row = x + (i - first) * D;
            for (size_t j = 0; j < D; j++)
                row[j] = root * ((double)data->points[i * D + j] - mean[j]);
            const double square = dun_dot(row, row, D); /* share |x|^2 */
            of->fourth += share > 0 ? square * square / share : 0;
            of->one += share * share;
        }
        add_products(f->factor, x, D);
    }
out:
    dun_free(x);
    return rc;
}

/* Shrinks the covariance S towards m I, m = trace(S) / D, by a = (1/n) (E |x|^4 - |S|^2) / |S - m I|^2 in
 * Frobenius norms, at most 1, or by what is wanted; a little is always left to the identity, so that it has a
 * factor. */
static double shrink(fit *f, const moments *of, double wanted) {
    const double least = 1e-6;
    const size_t D = f->D;
    double trace = 0, squares = 0, a = wanted;
    for (size_t i = 0; i < D; i++) {
        trace += f->factor[i * D + i];
        squares += 2 * dun_dot(f->factor + i * D, f->factor + i * D, i) + pow(f->factor[i * D + i], 2);
    }
    const double m = trace / (double)D, away = squares - trace * m;
    if (wanted < 0)
        a = away > 0 ? fmin(1, fmax(0, of->one * (of->fourth - squares) / away)) : 1;
    a = fmax(a, least);
    for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j <= i; j++)
            f->factor[i * D + j] *= 1 - a;
        f->factor[i * D + i] += m > 0 ? a * m : 1;
    }
    return a;
}

/* S = L L^T in its place, row by row (Golub and Van Loan, Matrix Computations, 4.2). */
static void factorize(double *s, size_t D) {
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j <= i; j++) {
            const double left = s[i * D + j] - dun_dot(s + i * D, s + j * D, j);
            s[i * D + j] = i == j ? sqrt(left) : left / s[j * D + j];
        }
}

/* x = L^-1 x, and x = L^-T x. */
static void solve(double *x, const double *L, size_t D) {
    for (size_t i = 0; i < D; i++)
        x[i] = (x[i] - dun_dot(L + i * D, x, i)) / L[i * D + i];
}

static void solve_transposed(double *x, const double *L, size_t D) {
    for (size_t i = D; i-- > 0;) {
        x[i] /= L[i * D + i];
        dun_add_scaled(x, -x[i], L + i * D, i);
    }
}

/* Takes the rows there are out of the next one, twice, since once leaves rounding errors; it becomes one of
 * them where at least `least` of its length is left. */
static void add_row(fit *f, double least) {
    double *row = f->rows + f->n_rows * f->D;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < f->n_rows; i++)
            dun_add_scaled(row, -dun_dot(row, f->rows + i * f->D, f->D), f->rows + i * f->D, f->D);
    const double length = sqrt(dun_dot(row, row, f->D));
    if (!(length > least))
        return;
    for (size_t j = 0; j < f->D; j++)
        row[j] /= length;
    f->n_rows++;
}

/* Of the values on the diagonal of (K, K) the largest but those that were taken. */
static size_t next_largest(const double *matrix, const bool *taken, size_t K) {
    size_t best = K;
    for (size_t k = 0; k < K; k++)
        if (!taken[k] && (best == K || matrix[k * K + k] > matrix[best * K + best]))
            best = k;
    return best;
}

/* The class means' principal directions in terms of the factor, from the products of these means. */
static int find_discriminants(fit *f, uint32_t M) {
    int rc = DUN_OK;
    const size_t K = f->K, D = f->D;
    double *products = NULL, *vectors = NULL, *whole = NULL;
    bool *taken = NULL;
    TRY_NEW(products, K * K);
    TRY_NEW(vectors, K * K);
    TRY_NEW(whole, D);
    TRY_NEW(taken, K);
    for (size_t k = 0; k < K; k++)
        dun_add_scaled(whole, f->share[k], f->mean + k * D, D);
    for (size_t k = 0; k < K; k++) {
        double *mean = f->mean + k * D;
        dun_add_scaled(mean, -1, whole, D);
        solve(mean, f->factor, D);
        for (size_t j = 0; j < D; j++)
            mean[j] *= sqrt(f->share[k]);
        for (size_t i = 0; i <= k; i++)
            products[i * K + k] = products[k * K + i] = dun_dot(mean, f->mean + i * D, D);
    }
    dun_symmetric_eigen(products, vectors, K);
    const double largest = products[next_largest(products, taken, K) * (K + 1)];
    for (size_t r = 0; r + 1 < K && f->n_rows < M; r++) {
        const size_t best = next_largest(products, taken, K);
        double *row = f->rows + f->n_rows * D;
        taken[best] = true;
        if (!(products[best * (K + 1)] > 1e-12 * largest))
            break;
        memset(row, 0, D * sizeof *row);
        for (size_t k = 0; k < K; k++)
            dun_add_scaled(row, vectors[k * K + best], f->mean + k * D, D);
        add_row(f, 0);
    }
out:
    dun_free(taken);
    dun_free(whole);
    dun_free(vectors);
    dun_free(products);
    return rc;
}

static void add_random(fit *f, uint32_t M, uint64_t seed) {
    for (uint64_t draws = 0; f->n_rows < M;) {
        double *row = f->rows + f->n_rows * f->D;
        for (size_t j = 0; j < f->D; j++)
            row[j] = dun_random_normal(seed, DUN_STREAM_METRIC, draws++);
        add_row(f, 1e-6);
    }
}

int dun_discriminant_fit(float *matrix, double *shrinkage, const dun_discriminant_data *data, uint32_t M,
                         uint64_t seed) {
    int rc = DUN_OK;
    fit f = {.data = data, .D = data->width, .K = data->n_classes};
    moments of;
    TRY_NEW(f.mean, f.K * f.D);
    TRY_NEW(f.share, f.K);
    TRY_NEW(f.factor, f.D * f.D);
    TRY_NEW(f.rows, (M + (size_t)1) * f.D);
    find_means(&f);
    TRY(add_up(&f, &of));
    *shrinkage = shrink(&f, &of, *shrinkage);
    factorize(f.factor, f.D);
    if (M < data->width)
        TRY(find_discriminants(&f, M));
    for (; M == data->width && f.n_rows < M; f.n_rows++) /* any will do */
        f.rows[f.n_rows * (f.D + 1)] = 1;
    add_random(&f, M, seed);
    for (size_t i = 0; i < M; i++) {
        solve_transposed(f.rows + i * f.D, f.factor, f.D);
        for (size_t j = 0; j < f.D; j++)
            matrix[i * f.D + j] = (float)f.rows[i * f.D + j];
    }
out:
    dun_free(f.rows);
    dun_free(f.factor);
    dun_free(f.share);
    dun_free(f.mean);
    return rc;
}
