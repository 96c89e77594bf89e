/* Newton's method on one number, and bins. */
#include "math/calibration.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdbool.h>

enum { STEPS = 100, BINS = DUN_CALIBRATION_BINS, BOTH = 2 };

static double nearest_of(const float *distances, uint32_t K) {
    double nearest = (double)distances[0];
    for (uint32_t k = 1; k < K; k++)
        nearest = fmin(nearest, (double)distances[k]);
    return nearest;
}

double dun_surprise(const float *distances, uint32_t K, uint32_t label, double temperature) {
    const double nearest = nearest_of(distances, K);
    double total = 0;
    for (uint32_t k = 0; k < K; k++)
        total += exp((nearest - (double)distances[k]) / temperature);
    return log(total) + ((double)distances[label] - nearest) / temperature;
}

/* Texts that are fitted on or measured: of one half, or BOTH. */
typedef struct {
    const dun_judged_texts *texts;
    const uint8_t *half; /* [n] */
    uint8_t which;
} part;

static bool is_in(const part *p, uint32_t i) {
    return p->which == BOTH || p->half[i] == p->which;
}

/* Mean spread of the distances of a text: the scale of its temperature. */
static double spread_of(const part *p, double *n) {
    double sum = 0;
    const uint32_t K = p->texts->n_classes;
    *n = 0;
    for (uint32_t i = 0; i < p->texts->n; i++) {
        const float *d = p->texts->distances + (size_t)i * K;
        double most = (double)d[0];
        if (!is_in(p, i))
            continue;
        for (uint32_t k = 1; k < K; k++)
            most = fmax(most, (double)d[k]);
        sum += most - nearest_of(d, K);
        (*n)++;
    }
    return *n > 0 ? sum / *n : 0;
}

/* First and second derivative of the summed surprise by b = 1 / temperature:
 * sum of (sum_k t_k d_k) - E[d], and of Var[d], under p_k ~ exp(-b d_k). */
static double slope(double *curve, const part *p, double n, double b) {
    double first = 0;
    const uint32_t K = p->texts->n_classes;
    const double other = 1 / (n + K), right = (n + 1) / (n + K);
    *curve = 0;
    for (uint32_t i = 0; i < p->texts->n; i++) {
        const float *d = p->texts->distances + (size_t)i * K;
        double total = 0, mean = 0, square = 0, wanted = 0;
        if (!is_in(p, i))
            continue;
        const double nearest = nearest_of(d, K);
        for (uint32_t k = 0; k < K; k++) {
            const double gap = (double)d[k] - nearest, e = exp(-b * gap);
            total += e;
            mean += e * gap;
            square += e * gap * gap;
            wanted += (k == p->texts->labels[i] ? right : other) * gap;
        }
        mean /= total;
        first += wanted - mean;
        *curve += square / total - mean * mean;
    }
    return first;
}

/* The temperature of the least surprise, which is convex in its inverse; 0: none is. Newton's steps, or
 * halves of the logarithm where one would leave what is left. */
static double fit(const part *p) {
    double n, curve;
    const double spread = spread_of(p, &n);
    double low = 1e-6 / spread, high = 1e6 / spread, b = 1 / spread;
    if (!(spread > 0) || !isfinite(spread) || slope(&curve, p, n, low) >= 0)
        return 0;
    for (int i = 0; i < STEPS && high > low * (1 + 1e-12); i++) {
        const double first = slope(&curve, p, n, b);
        *(first < 0 ? &low : &high) = b;
        const double next = b - first / curve;
        if (fabs(next - b) <= 1e-12 * b)
            break;
        b = next > low && next < high ? next : sqrt(low * high);
    }
    return 1 / b;
}

/* Adds the texts of a part under a temperature; sums until finish_reliability. */
static void add_reliability(dun_reliability *r, const part *p, double temperature) {
    const uint32_t K = p->texts->n_classes;
    for (uint32_t i = 0; i < p->texts->n; i++) {
        const float *d = p->texts->distances + (size_t)i * K;
        uint32_t best = 0;
        if (!is_in(p, i))
            continue;
        for (uint32_t k = 1; k < K; k++)
            best = d[k] < d[best] ? k : best;
        const double confidence = exp(-dun_surprise(d, K, best, temperature));
        const int bin = (int)fmin(BINS - 1, floor(confidence * BINS));
        r->bins[bin].n++;
        r->bins[bin].confidence += confidence;
        r->bins[bin].accuracy += best == p->texts->labels[i];
        r->surprise += dun_surprise(d, K, p->texts->labels[i], temperature);
    }
}

static void finish_reliability(dun_reliability *r) {
    double n = 0;
    for (int i = 0; i < BINS; i++) {
        n += (double)r->bins[i].n;
        r->error += fabs(r->bins[i].accuracy - r->bins[i].confidence);
        if (r->bins[i].n) {
            r->bins[i].confidence /= (double)r->bins[i].n;
            r->bins[i].accuracy /= (double)r->bins[i].n;
        }
    }
    r->error /= n;
    r->surprise /= n;
}

/* The texts of each class by turns. */
static int take_turns(uint8_t *half, const dun_judged_texts *texts) {
    int rc = DUN_OK;
    uint8_t *next = NULL;
    TRY_NEW(next, texts->n_classes);
    for (uint32_t i = 0; i < texts->n; i++) {
        half[i] = next[texts->labels[i]];
        next[texts->labels[i]] ^= 1;
    }
out:
    dun_free(next);
    return rc;
}

int dun_calibrate(dun_calibration *out, const dun_judged_texts *texts, double temperature) {
    int rc = DUN_OK;
    uint8_t *half = NULL;
    *out = (dun_calibration){.n = texts->n, .before_temperature = temperature};
    if (texts->n < DUN_CALIBRATION_TEXTS)
        goto out;
    TRY_NEW(half, texts->n);
    TRY(take_turns(half, texts));
    const part all = {texts, half, BOTH};
    const double fitted = fit(&all);
    for (uint8_t i = 0; i < 2; i++)
        out->halves[i] = fit(&(part){texts, half, i});
    if (!(fitted > 0) || !(out->halves[0] > 0) || !(out->halves[1] > 0))
        goto out;
    add_reliability(&out->before, &all, temperature);
    for (uint8_t i = 0; i < 2; i++)
        add_reliability(&out->after, &(part){texts, half, i}, out->halves[1 - i]);
    finish_reliability(&out->before);
    finish_reliability(&out->after);
    out->temperature = fitted;
    rc = 1;
out:
    dun_free(half);
    return rc;
}

static int bin_json(json_t *bins, const dun_reliability *r, int i) {
    int rc = DUN_OK;
    json_t *bin = json_array();
    TRY(dun_json_append(bin, json_integer((json_int_t)r->bins[i].n)));
    TRY(dun_json_append(bin, dun_json_real(r->bins[i].confidence)));
    TRY(dun_json_append(bin, dun_json_real(r->bins[i].accuracy)));
    TRY(dun_json_append(bins, json_incref(bin)));
out:
    json_decref(bin);
    return rc;
}

/* `temperature` 0: none for all. */
static int reliability_json(json_t *root, const char *name, const dun_reliability *r, double temperature) {
    int rc = DUN_OK;
    json_t *object = json_object(), *bins = json_array();
    if (temperature > 0)
        TRY(dun_json_set(object, "temperature", dun_json_real(temperature)));
    TRY(dun_json_set(object, "error", dun_json_real(r->error)));
    TRY(dun_json_set(object, "surprise", dun_json_real(r->surprise)));
    for (int i = 0; i < BINS; i++)
        TRY(bin_json(bins, r, i));
    TRY(dun_json_set(object, "bins", json_incref(bins)));
    TRY(dun_json_set(root, name, json_incref(object)));
out:
    json_decref(bins);
    json_decref(object);
    return rc;
}

int dun_calibration_json(json_t **out, const dun_calibration *c) {
    int rc = DUN_OK;
    json_t *root = json_object(), *halves = json_array();
    *out = NULL;
    TRY(dun_json_set(root, "temperature", dun_json_real(c->temperature)));
    TRY(dun_json_set(root, "texts", json_integer(c->n)));
    for (int i = 0; i < 2; i++)
        TRY(dun_json_append(halves, dun_json_real(c->halves[i])));
    TRY(dun_json_set(root, "halves", json_incref(halves)));
    TRY(reliability_json(root, "before", &c->before, c->before_temperature));
    TRY(reliability_json(root, "after", &c->after, 0));
    *out = root;
    root = NULL;
out:
    json_decref(root);
    json_decref(halves);
    return rc;
}
