/* Distances, losses and the optimiser in double; see reference_ops.h. */
#include "check/reference_ops.h"

#include <math.h>

/* PyTorch's pairwise_distance adds this to every component of the difference. */
static const double distance_eps = 1e-6;

static double dot(const double *a, const double *b, int D) {
    double sum = 0.0;
    for (int j = 0; j < D; j++)
        sum += a[j] * b[j];
    return sum;
}

static int parts_of(const dun_ref_distance_shape *s) {
    return s->parts ? s->parts : 1;
}

static double part_distance(const double *a, const double *b, const dun_ref_distance_shape *s) {
    const int D = s->D / parts_of(s);
    double sum = 0.0, eps = s->kind == DUN_REF_EUCLIDEAN ? distance_eps : 0.0;
    for (int j = 0; j < D; j++)
        sum += (a[j] - b[j] + eps) * (a[j] - b[j] + eps);
    switch (s->kind) {
    case DUN_REF_EUCLIDEAN:
        return sqrt(sum);
    case DUN_REF_SQUARED:
        return sum;
    default:
        return 1.0 - dot(a, b, D) / sqrt(dot(a, a, D) * dot(b, b, D));
    }
}

static double distance_of(const double *a, const double *b, const dun_ref_distance_shape *s) {
    const int parts = parts_of(s), D = s->D / parts;
    double sum = 0.0;
    for (int part = 0; part < parts; part++)
        sum += part_distance(a + part * D, b + part * D, s);
    return sum / parts;
}

/* Adds slope * dd(a, b) of one part to both gradients. */
static void add_part_slopes(double *d_a, double *d_b, double slope, const double *a, const double *b,
                            const dun_ref_distance_shape *s) {
    const int D = s->D / parts_of(s);
    double d = part_distance(a, b, s), aa = dot(a, a, D), bb = dot(b, b, D), lengths = sqrt(aa * bb);
    for (int j = 0; j < D; j++) {
        double to_a, to_b;
        switch (s->kind) {
        case DUN_REF_EUCLIDEAN:
            to_a = (a[j] - b[j] + distance_eps) / d;
            to_b = -to_a;
            break;
        case DUN_REF_SQUARED:
            to_a = 2.0 * (a[j] - b[j]);
            to_b = -to_a;
            break;
        default:
            to_a = (1.0 - d) * a[j] / aa - b[j] / lengths;
            to_b = (1.0 - d) * b[j] / bb - a[j] / lengths;
        }
        d_a[j] += slope * to_a;
        d_b[j] += slope * to_b;
    }
}

static void add_slopes(double *d_a, double *d_b, double slope, const double *a, const double *b,
                       const dun_ref_distance_shape *s) {
    const int parts = parts_of(s), D = s->D / parts;
    for (int at = 0; at < s->D; at += D)
        add_part_slopes(d_a + at, d_b + at, slope / parts, a + at, b + at, s);
}

static void clear(double *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = 0.0;
}

void dun_ref_metric_fwd(double *y, const double *x, const double *matrix, int B, int M, int D) {
    for (int i = 0; i < B * M; i++)
        y[i] = dot(x + i / M * D, matrix + i % M * D, D);
}

void dun_ref_metric_bwd(double *dx, double *d_matrix, const double *dy, const double *x, const double *matrix,
                        int B, int M, int D) {
    clear(dx, B * D);
    clear(d_matrix, M * D);
    for (int i = 0; i < B * M; i++)
        for (int j = 0; j < D; j++) {
            dx[i / M * D + j] += dy[i] * matrix[i % M * D + j];
            d_matrix[i % M * D + j] += dy[i] * x[i / M * D + j];
        }
}

void dun_ref_distance_fwd(double *distance, const double *points, const double *centroids,
                          const dun_ref_distance_shape *s) {
    for (int i = 0; i < s->B; i++)
        for (int k = 0; k < s->K; k++)
            distance[i * s->K + k] = distance_of(points + i * s->D, centroids + k * s->D, s);
}

void dun_ref_distance_bwd(double *d_points, double *d_centroids, const double *d_distance,
                          const double *points, const double *centroids, const dun_ref_distance_shape *s) {
    clear(d_points, s->B * s->D);
    clear(d_centroids, s->K * s->D);
    for (int i = 0; i < s->B; i++)
        for (int k = 0; k < s->K; k++)
            add_slopes(d_points + i * s->D, d_centroids + k * s->D, d_distance[i * s->K + k],
                       points + i * s->D, centroids + k * s->D, s);
}

void dun_ref_pair_distance_fwd(double *pair, const double *centroids, const dun_ref_distance_shape *s) {
    clear(pair, s->K * s->K);
    for (int j = 0; j < s->K; j++)
        for (int k = j + 1; k < s->K; k++)
            pair[j * s->K + k] = distance_of(centroids + j * s->D, centroids + k * s->D, s);
}

void dun_ref_pair_distance_bwd(double *d_centroids, const double *d_pair, const double *centroids,
                               const dun_ref_distance_shape *s) {
    clear(d_centroids, s->K * s->D);
    for (int j = 0; j < s->K; j++)
        for (int k = j + 1; k < s->K; k++)
            add_slopes(d_centroids + j * s->D, d_centroids + k * s->D, d_pair[j * s->K + k],
                       centroids + j * s->D, centroids + k * s->D, s);
}

void dun_ref_words_fwd(double *told, const double *distance, const double *points, const double *row,
                       const double *offset, const dun_ref_words_shape *s) {
    for (int i = 0; i < s->B; i++)
        for (int k = 0; k < s->K; k++)
            told[i * s->K + k] = distance[i * s->K + k] -
                                 s->weight * (dot(points + i * s->D, row + k * s->D, s->D) - offset[k]);
}

void dun_ref_words_bwd(double *d_points, const double *d_told, const double *row,
                       const dun_ref_words_shape *s) {
    for (int i = 0; i < s->B; i++)
        for (int k = 0; k < s->K; k++)
            for (int j = 0; j < s->D; j++)
                d_points[i * s->D + j] -= s->weight * d_told[i * s->K + k] * row[k * s->D + j];
}

/* What point i's loss counts in the mean. */
static double share_of(int i, const dun_ref_loss_shape *s) {
    double total = 0.0;
    if (!s->weight)
        return 1.0 / s->B;
    for (int j = 0; j < s->B; j++)
        total += s->weight[j];
    return s->weight[i] / total;
}

double dun_ref_loss_cross_entropy(double *d_distance, double *d_pair, const double *distance,
                                  const double *pair, const int *label, const dun_ref_loss_shape *s) {
    double value = 0.0;
    (void)pair;
    clear(d_pair, s->K * s->K);
    for (int i = 0; i < s->B; i++) {
        const double *d = distance + i * s->K;
        double *z = d_distance + i * s->K, top = -INFINITY, total = 0.0;
        for (int k = 0; k < s->K; k++) {
            z[k] = -(d[k] + (k == label[i]) * s->margin) / s->temperature;
            top = fmax(top, z[k]);
        }
        for (int k = 0; k < s->K; k++)
            total += exp(z[k] - top);
        value += share_of(i, s) * (top + log(total) - z[label[i]]);
        for (int k = 0; k < s->K; k++)
            z[k] = share_of(i, s) * ((k == label[i]) - exp(z[k] - top) / total) / s->temperature;
    }
    return value;
}

double dun_ref_loss_centroid(double *d_distance, double *d_pair, const double *distance, const double *pair,
                             const int *label, const dun_ref_loss_shape *s) {
    double value = 0.0;
    int n_pairs = s->K * (s->K - 1) / 2;
    clear(d_distance, s->B * s->K);
    clear(d_pair, s->K * s->K);
    for (int i = 0; i < s->B; i++) {
        value += s->attraction * distance[i * s->K + label[i]] * share_of(i, s);
        d_distance[i * s->K + label[i]] = s->attraction * share_of(i, s);
    }
    for (int j = 0; j < s->K; j++)
        for (int k = j + 1; k < s->K; k++) {
            double d = pair[j * s->K + k];
            value += s->repulsion / d / n_pairs;
            d_pair[j * s->K + k] = -s->repulsion / (d * d) / n_pairs;
        }
    return value;
}

double dun_ref_loss_attract_repel(double *d_distance, double *d_pair, const double *distance,
                                  const double *pair, const int *label, const dun_ref_loss_shape *s) {
    double value = 0.0;
    (void)pair;
    clear(d_pair, s->K * s->K);
    for (int i = 0; i < s->B; i++)
        for (int k = 0; k < s->K; k++) {
            double d = distance[i * s->K + k], share = s->repulsion / (s->K - 1);
            value += (k == label[i] ? s->attraction * d : share / d) * share_of(i, s);
            d_distance[i * s->K + k] = (k == label[i] ? s->attraction : -share / (d * d)) * share_of(i, s);
        }
    return value;
}

void dun_ref_adam_step(double *x, double *m, double *v, const double *g, int n, int t,
                       const dun_ref_adam *o) {
    for (int i = 0; i < n; i++) {
        m[i] = o->beta1 * m[i] + (1.0 - o->beta1) * g[i];
        v[i] = o->beta2 * v[i] + (1.0 - o->beta2) * g[i] * g[i];
        double mean = m[i] / (1.0 - pow(o->beta1, t)), square = v[i] / (1.0 - pow(o->beta2, t));
        x[i] -= o->lr * (mean / (sqrt(square) + o->eps) + o->weight_decay * x[i]);
    }
}

void dun_ref_sgd_step(double *x, double *velocity, const double *g, int n, const dun_ref_adam *o) {
    for (int i = 0; i < n; i++) {
        velocity[i] = o->momentum * velocity[i] + g[i];
        x[i] -= o->lr * (velocity[i] + o->weight_decay * x[i]);
    }
}

/* new_k in `target`; 0 where the batch has no point of class k that counts. */
static int target_of(double *target, int k, const double *centroids, const double *points, const int *label,
                     const double *weight, int B, int K, int D, const dun_ref_update *o) {
    double length = 0.0, n = 0.0;
    for (int i = 0; i < B; i++)
        n += label[i] == k ? weight[i] : 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int j = 0; j < D; j++) {
            double mean = 0.0, m = 0.0;
            for (int other = 0; other < K; other++)
                m += other == k ? 0.0 : centroids[other * D + j] / (K - 1);
            for (int i = 0; i < B; i++)
                mean += label[i] == k && n > 0.0 ? weight[i] * points[i * D + j] / n : 0.0;
            double u = o->away ? centroids[k * D + j] - m : m;
            if (pass == 0)
                length += u * u;
            else
                target[j] = mean + o->repulsion * u / sqrt(length);
        }
    return n > 0.0;
}

void dun_ref_calculated(double *centroids, double *velocity, const double *points, const int *label,
                        const double *weight, int B, int K, int D, const dun_ref_update *o) {
    double old[128 * 64] = {0}, target[64] = {0};
    for (int i = 0; i < K * D; i++)
        old[i] = centroids[i];
    for (int k = 0; k < K; k++) {
        if (!target_of(target, k, old, points, label, weight, B, K, D, o))
            continue;
        for (int j = 0; j < D; j++) {
            double *v = &velocity[k * D + j];
            *v = o->momentum * *v + (1.0 - o->lethargy) * (target[j] - old[k * D + j]);
            centroids[k * D + j] += *v;
        }
    }
}
