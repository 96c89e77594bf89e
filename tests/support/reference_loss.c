/* Distances, losses and the optimiser in double; see reference_ops.h. */
#include "reference_ops.h"

#include <math.h>

/* PyTorch's pairwise_distance adds this to every component of the difference. */
static const double distance_eps = 1e-6;

static double distance_of(const double *a, const double *b, int D) {
    double sum = 0.0;
    for (int j = 0; j < D; j++)
        sum += (a[j] - b[j] + distance_eps) * (a[j] - b[j] + distance_eps);
    return sqrt(sum);
}

/* Adds slope * dd(a, b) to both gradients. */
static void add_slopes(double *d_a, double *d_b, double slope, const double *a, const double *b, int D) {
    double d = distance_of(a, b, D);
    for (int j = 0; j < D; j++) {
        double change = slope * (a[j] - b[j] + distance_eps) / d;
        d_a[j] += change;
        d_b[j] -= change;
    }
}

static void clear(double *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = 0.0;
}

void ref_distance_fwd(double *distance, const double *points, const double *centroids, int B, int K, int D) {
    for (int i = 0; i < B; i++)
        for (int k = 0; k < K; k++)
            distance[i * K + k] = distance_of(points + i * D, centroids + k * D, D);
}

void ref_distance_bwd(double *d_points, double *d_centroids, const double *d_distance, const double *points,
                      const double *centroids, int B, int K, int D) {
    clear(d_points, B * D);
    clear(d_centroids, K * D);
    for (int i = 0; i < B; i++)
        for (int k = 0; k < K; k++)
            add_slopes(d_points + i * D, d_centroids + k * D, d_distance[i * K + k], points + i * D,
                       centroids + k * D, D);
}

void ref_pair_distance_fwd(double *pair, const double *centroids, int K, int D) {
    clear(pair, K * K);
    for (int j = 0; j < K; j++)
        for (int k = j + 1; k < K; k++)
            pair[j * K + k] = distance_of(centroids + j * D, centroids + k * D, D);
}

void ref_pair_distance_bwd(double *d_centroids, const double *d_pair, const double *centroids, int K, int D) {
    clear(d_centroids, K * D);
    for (int j = 0; j < K; j++)
        for (int k = j + 1; k < K; k++)
            add_slopes(d_centroids + j * D, d_centroids + k * D, d_pair[j * K + k], centroids + j * D,
                       centroids + k * D, D);
}

double ref_loss_cross_entropy(double *d_distance, double *d_pair, const double *distance, const double *pair,
                              const int *label, const ref_loss_shape *s) {
    double value = 0.0;
    (void)pair;
    clear(d_pair, s->K * s->K);
    for (int i = 0; i < s->B; i++) {
        const double *d = distance + i * s->K;
        double top = -INFINITY, total = 0.0;
        for (int k = 0; k < s->K; k++)
            top = fmax(top, -d[k] / s->temperature);
        for (int k = 0; k < s->K; k++)
            total += exp(-d[k] / s->temperature - top);
        value += d[label[i]] / s->temperature + top + log(total);
        for (int k = 0; k < s->K; k++) {
            double p = exp(-d[k] / s->temperature - top) / total;
            d_distance[i * s->K + k] = ((k == label[i]) - p) / (s->temperature * s->B);
        }
    }
    return value / s->B;
}

double ref_loss_centroid(double *d_distance, double *d_pair, const double *distance, const double *pair,
                         const int *label, const ref_loss_shape *s) {
    double value = 0.0;
    int n_pairs = s->K * (s->K - 1) / 2;
    clear(d_distance, s->B * s->K);
    clear(d_pair, s->K * s->K);
    for (int i = 0; i < s->B; i++) {
        value += s->attraction * distance[i * s->K + label[i]] / s->B;
        d_distance[i * s->K + label[i]] = s->attraction / s->B;
    }
    for (int j = 0; j < s->K; j++)
        for (int k = j + 1; k < s->K; k++) {
            double d = pair[j * s->K + k];
            value += s->repulsion / d / n_pairs;
            d_pair[j * s->K + k] = -s->repulsion / (d * d) / n_pairs;
        }
    return value;
}

void ref_adam_step(double *x, double *m, double *v, const double *g, int n, int t, const ref_adam *o) {
    for (int i = 0; i < n; i++) {
        m[i] = o->beta1 * m[i] + (1.0 - o->beta1) * g[i];
        v[i] = o->beta2 * v[i] + (1.0 - o->beta2) * g[i] * g[i];
        double mean = m[i] / (1.0 - pow(o->beta1, t)), square = v[i] / (1.0 - pow(o->beta2, t));
        x[i] -= o->lr * mean / (sqrt(square) + o->eps);
    }
}
