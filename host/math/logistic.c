/* The objective with its gradient, and L-BFGS with halved steps on it. */
#include "math/logistic.h"

#include "base/err.h"
#include "base/mem.h"
#include "math/vectors.h"

#include <math.h>
#include <string.h>

enum { LANES = 8, MEMORY = 10, MOST_HALVINGS = 40 };

/* Eight sums side by side, so that the compiler may use vectors without reordering anything. */
static double dot_point(const float *x, const double *w, uint32_t n) {
    double lane[LANES] = {0}, rest = 0;
    uint32_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (uint32_t i = 0; i < LANES; i++)
            lane[i] += (double)x[j + i] * w[j + i];
    for (; j < n; j++)
        rest += (double)x[j] * w[j];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])) + rest;
}

static void add_point(double *g, const float *x, double share, uint32_t n) {
    for (uint32_t j = 0; j < n; j++)
        g[j] += share * (double)x[j];
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Scores to probabilities, in place. Returns -log of that of `label`. */
static double softmax(double *scores, uint32_t K, uint32_t label) {
    double top = scores[0], own = scores[label], sum = 0;
    for (uint32_t k = 1; k < K; k++)
        top = fmax(top, scores[k]);
    for (uint32_t k = 0; k < K; k++)
        sum += scores[k] = exp(scores[k] - top);
    for (uint32_t k = 0; k < K; k++)
        scores[k] /= sum;
    return log(sum) + top - own;
}

static double total_of(const dun_logistic *p) {
    double total = 0;
    for (uint32_t i = 0; i < p->n; i++)
        total += p->weights ? p->weights[i] : 1;
    return total;
}

/* Only differences of scores count, and slopes of all classes add up to 0: the last class is never
 * multiplied, which halves the work for two. */
double dun_logistic_value(double *gradient, double *scratch, const dun_logistic *p, const double *weights) {
    uint32_t K = p->n_classes, D = p->width;
    size_t row = (size_t)D + 1;
    const double total = total_of(p);
    double value = 0, decay = p->l2 / total;
    double *scores = scratch, *apart = scratch + K, *last = gradient + (K - 1) * row;
    memset(gradient, 0, K * row * sizeof *gradient);
    for (uint32_t k = 0; k + 1 < K; k++)
        for (size_t j = 0; j < row; j++)
            apart[k * row + j] = weights[k * row + j] - weights[(K - 1) * row + j];
    for (uint32_t i = 0; i < p->n; i++) {
        const float *x = p->points + (size_t)i * D;
        for (uint32_t k = 0; k + 1 < K; k++)
            scores[k] = dot_point(x, apart + k * row, D) + apart[k * row + D];
        scores[K - 1] = 0;
        const double share = (p->weights ? p->weights[i] : 1.0) / total;
        value += share * softmax(scores, K, p->labels[i]);
        for (uint32_t k = 0; k + 1 < K; k++) {
            double slope = share * (scores[k] - (k == p->labels[i]));
            add_point(gradient + k * row, x, slope, D);
            gradient[k * row + D] += slope;
        }
    }
    for (uint32_t k = 0; k + 1 < K; k++)
        dun_add_scaled(last, -1, gradient + k * row, row);
    for (uint32_t k = 0; k < K; k++) {
        const double *w = weights + k * row;
        value += 0.5 * decay * dot(w, w, D);
        dun_add_scaled(gradient + k * row, decay, w, D);
    }
    return value;
}

/* The last few steps s and changes of the gradient y, oldest first from `first` on. */
typedef struct {
    size_t n; /* K * (D + 1) */
    double *s[MEMORY], *y[MEMORY], rho[MEMORY];
    uint32_t count, first;
} history;

/* Where the next pair goes: after the newest, or over the oldest. */
static uint32_t next_slot(history *h) {
    if (h->count < MEMORY)
        return h->count;
    return h->first;
}

static void keep_pair(history *h, uint32_t slot) {
    double sy = dot(h->s[slot], h->y[slot], h->n);
    if (!(sy > 0)) /* rounding; the step is taken, the pair says nothing */
        return;
    h->rho[slot] = 1 / sy;
    if (h->count < MEMORY)
        h->count++;
    else
        h->first = (h->first + 1) % MEMORY;
}

/* direction = -H gradient, the two loops of L-BFGS. */
static void find_direction(double *direction, const double *gradient, const history *h) {
    double alpha[MEMORY];
    for (size_t i = 0; i < h->n; i++)
        direction[i] = -gradient[i];
    for (uint32_t age = h->count; age-- > 0;) {
        uint32_t at = (h->first + age) % MEMORY;
        alpha[at] = h->rho[at] * dot(h->s[at], direction, h->n);
        dun_add_scaled(direction, -alpha[at], h->y[at], h->n);
    }
    if (h->count > 0) {
        uint32_t newest = (h->first + h->count - 1) % MEMORY;
        double scale = 1 / (h->rho[newest] * dot(h->y[newest], h->y[newest], h->n));
        for (size_t i = 0; i < h->n; i++)
            direction[i] *= scale;
    }
    for (uint32_t age = 0; age < h->count; age++) {
        uint32_t at = (h->first + age) % MEMORY;
        double beta = h->rho[at] * dot(h->y[at], direction, h->n);
        dun_add_scaled(direction, alpha[at] - beta, h->s[at], h->n);
    }
}

static double largest(const double *x, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

typedef struct {
    const dun_logistic *problem;
    double *weights, *gradient;     /* the current place */
    double *tried, *tried_gradient; /* the one looked at */
    double *direction, *scratch;
    double value;
    history history;
} search;

/* Halves the step until the objective falls as its slope promises (Armijo). False: it does not any more. */
static bool take_step(search *s, double length) {
    size_t n = s->history.n;
    double slope = dot(s->gradient, s->direction, n);
    for (int tries = 0; tries < MOST_HALVINGS; tries++) {
        length = tries ? length / 2 : length;
        memcpy(s->tried, s->weights, n * sizeof *s->tried);
        dun_add_scaled(s->tried, length, s->direction, n);
        double value = dun_logistic_value(s->tried_gradient, s->scratch, s->problem, s->tried);
        if (!(value <= s->value + 1e-4 * length * slope))
            continue;
        uint32_t slot = next_slot(&s->history);
        for (size_t i = 0; i < n; i++) {
            s->history.s[slot][i] = s->tried[i] - s->weights[i];
            s->history.y[slot][i] = s->tried_gradient[i] - s->gradient[i];
        }
        keep_pair(&s->history, slot);
        memcpy(s->weights, s->tried, n * sizeof *s->tried);
        memcpy(s->gradient, s->tried_gradient, n * sizeof *s->tried);
        s->value = value;
        return true;
    }
    return false;
}

static double *take(double **at, size_t n) {
    *at += n;
    return *at - n;
}

int dun_logistic_minimize(double *weights, dun_logistic_fit *fit, const dun_logistic *problem,
                          double tolerance, uint32_t most) {
    int rc = DUN_OK;
    size_t n = (size_t)problem->n_classes * (problem->width + 1);
    double *block = NULL;
    search s = {.problem = problem, .weights = weights, .history = {.n = n}};
    *fit = (dun_logistic_fit){0};
    TRY_NEW(block, (2 * MEMORY + 5) * n + problem->n_classes);
    double *at = block;
    for (uint32_t i = 0; i < MEMORY; i++) {
        s.history.s[i] = take(&at, n);
        s.history.y[i] = take(&at, n);
    }
    s.gradient = take(&at, n);
    s.tried = take(&at, n);
    s.tried_gradient = take(&at, n);
    s.direction = take(&at, n);
    s.scratch = take(&at, n + problem->n_classes);
    memset(weights, 0, n * sizeof *weights);
    s.value = dun_logistic_value(s.gradient, s.scratch, problem, weights);
    while (largest(s.gradient, n) > tolerance && fit->iterations < most) {
        find_direction(s.direction, s.gradient, &s.history);
        if (!take_step(&s, s.history.count ? 1.0 : 1.0 / sqrt(dot(s.gradient, s.gradient, n))))
            break;
        fit->iterations++;
    }
    fit->value = s.value;
    fit->gradient = largest(s.gradient, n);
    fit->converged = fit->gradient <= tolerance;
out:
    dun_free(block);
    return rc;
}

uint32_t dun_logistic_predict(const float *point, const double *weights, uint32_t width, uint32_t n_classes) {
    uint32_t best = 0;
    double top = -INFINITY;
    for (uint32_t k = 0; k < n_classes; k++) {
        const double *w = weights + (size_t)k * (width + 1);
        double score = dot_point(point, w, width) + w[width];
        if (score > top) {
            top = score;
            best = k;
        }
    }
    return best;
}
