/* The model's ops as double loops; losses, distances and optimisers are in reference_loss.c. */
#include "check/reference_ops.h"

#include <math.h>

void dun_ref_embed_fwd(double *out, const int *ids, const double *table, const double *prompt, int N, int C) {
    for (int n = 0; n < N; n++)
        for (int j = 0; j < C; j++)
            out[n * C + j] = ids[n] >= 0 ? table[ids[n] * C + j] : prompt[(-1 - ids[n]) * C + j];
}

void dun_ref_embed_bwd(double *d_prompt, const double *d_out, const int *ids, int N, int P, int C) {
    for (int i = 0; i < P * C; i++)
        d_prompt[i] = 0.0;
    for (int n = 0; n < N; n++)
        for (int j = 0; ids[n] < 0 && j < C; j++)
            d_prompt[(-1 - ids[n]) * C + j] += d_out[n * C + j];
}

void dun_ref_last_fwd(double *out, const double *in, const int *start, int S, int C) {
    for (int s = 0; s < S; s++)
        for (int j = 0; j < C; j++)
            out[s * C + j] = in[(start[s + 1] - 1) * C + j];
}

void dun_ref_last_bwd(double *d_in, const double *d_out, const int *start, int S, int N, int C) {
    for (int i = 0; i < N * C; i++)
        d_in[i] = 0.0;
    for (int s = 0; s < S; s++)
        for (int j = 0; j < C; j++)
            d_in[(start[s + 1] - 1) * C + j] = d_out[s * C + j];
}

void dun_ref_mean_fwd(double *out, const double *in, const int *start, int S, int C) {
    for (int s = 0; s < S; s++)
        for (int j = 0; j < C; j++) {
            double sum = 0.0;
            for (int n = start[s]; n < start[s + 1]; n++)
                sum += in[n * C + j];
            out[s * C + j] = sum / (start[s + 1] - start[s]);
        }
}

void dun_ref_mean_bwd(double *d_in, const double *d_out, const int *start, int S, int C) {
    for (int s = 0; s < S; s++)
        for (int n = start[s]; n < start[s + 1]; n++)
            for (int j = 0; j < C; j++)
                d_in[n * C + j] = d_out[s * C + j] / (start[s + 1] - start[s]);
}

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

void dun_ref_swiglu_fwd(double *out, const double *gate_up, int N, int F) {
    for (int n = 0; n < N; n++)
        for (int j = 0; j < F; j++) {
            double gate = gate_up[n * 2 * F + j], up = gate_up[n * 2 * F + F + j];
            out[n * F + j] = gate * sigmoid(gate) * up;
        }
}

void dun_ref_swiglu_bwd(double *d_gate_up, const double *d_out, const double *gate_up, int N, int F) {
    for (int n = 0; n < N; n++)
        for (int j = 0; j < F; j++) {
            double gate = gate_up[n * 2 * F + j], up = gate_up[n * 2 * F + F + j], d = d_out[n * F + j];
            double t = sigmoid(gate), slope = t * (1.0 - t);
            d_gate_up[n * 2 * F + j] = d * up * (t + gate * slope);
            d_gate_up[n * 2 * F + F + j] = d * gate * t;
        }
}

static double root_mean_square(const double *x, double eps, int C) {
    double sum = 0.0;
    for (int j = 0; j < C; j++)
        sum += x[j] * x[j];
    return sqrt(sum / C + eps);
}

void dun_ref_add_fwd(double *out, const double *x, const double *y, int n) {
    for (int i = 0; i < n; i++)
        out[i] = x[i] + y[i];
}

void dun_ref_add_bwd(double *dx, double *dy, const double *d_out, int n) {
    for (int i = 0; i < n; i++)
        dx[i] = dy[i] = d_out[i];
}

void dun_ref_rmsnorm_fwd(double *y, const double *x, const double *w, double eps, int N, int C) {
    for (int n = 0; n < N; n++) {
        double rms = root_mean_square(x + n * C, eps, C);
        for (int j = 0; j < C; j++)
            y[n * C + j] = x[n * C + j] / rms * w[j];
    }
}

/* d rms / d x_j = x_j / (C rms), so dx_j = dy_j w_j / rms - x_j / (C rms^3) sum_i dy_i w_i x_i. */
void dun_ref_rmsnorm_bwd(double *dx, const double *dy, const double *x, const double *w, double eps, int N,
                         int C) {
    for (int n = 0; n < N; n++) {
        double rms = root_mean_square(x + n * C, eps, C), sum = 0.0;
        for (int i = 0; i < C; i++)
            sum += dy[n * C + i] * w[i] * x[n * C + i];
        for (int j = 0; j < C; j++)
            dx[n * C + j] = dy[n * C + j] * w[j] / rms - x[n * C + j] * sum / (C * rms * rms * rms);
    }
}

/* y = n w [+ b] with n = (x - m) / s, s^2 = mean (x - m)^2 + eps, m the mean or 0. */
static void moments(double *m, double *s, const double *x, const dun_ref_norms_shape *shape) {
    double squares = 0.0;
    *m = 0.0;
    for (int j = 0; shape->centred && j < shape->width; j++)
        *m += x[j] / shape->width;
    for (int j = 0; j < shape->width; j++)
        squares += (x[j] - *m) * (x[j] - *m);
    *s = sqrt(squares / shape->width + shape->eps);
}

void dun_ref_norms_fwd(double *y, const double *x, const double *w, const dun_ref_norms_shape *shape) {
    for (int i = 0; i < shape->N * shape->row_floats; i++)
        y[i] = x[i];
    for (int n = 0; n < shape->N; n++)
        for (int g = 0; g < shape->groups; g++) {
            int at = n * shape->row_floats + g * shape->width;
            const double *gain = w + g * shape->step;
            double m, s;
            moments(&m, &s, x + at, shape);
            for (int j = 0; j < shape->width; j++)
                y[at + j] = (x[at + j] - m) / s * gain[j] + (shape->biased ? gain[shape->width + j] : 0.0);
        }
}

/* dm/dx_j = 1/C, ds/dx_j = n_j/C: dx_j = (g_j - [mean g] - n_j mean(g n)) / s with g = w dy. */
void dun_ref_norms_bwd(double *dx, const double *dy, const double *x, const double *w,
                       const dun_ref_norms_shape *shape) {
    for (int i = 0; i < shape->N * shape->row_floats; i++)
        dx[i] = dy[i];
    for (int n = 0; n < shape->N; n++)
        for (int g = 0; g < shape->groups; g++) {
            int at = n * shape->row_floats + g * shape->width;
            const double *gain = w + g * shape->step;
            double m, s, level = 0.0, along = 0.0;
            moments(&m, &s, x + at, shape);
            for (int j = 0; j < shape->width; j++) {
                level += shape->centred ? gain[j] * dy[at + j] / shape->width : 0.0;
                along += gain[j] * dy[at + j] * (x[at + j] - m) / s / shape->width;
            }
            for (int j = 0; j < shape->width; j++)
                dx[at + j] = (gain[j] * dy[at + j] - level - (x[at + j] - m) / s * along) / s;
        }
}

static const double pi = 3.14159265358979323846;

/* act(x), and its slope. */
static double act_of(double x, dun_ref_act act, double *slope) {
    double t = sigmoid(x), cubic = sqrt(2.0 / pi) * (x + 0.044715 * x * x * x);
    switch (act) {
    case DUN_REF_GELU:
        t = 0.5 * (1.0 + erf(x / sqrt(2.0)));
        *slope = t + x * exp(-0.5 * x * x) / sqrt(2.0 * pi);
        return x * t;
    case DUN_REF_GELU_TANH:
        t = tanh(cubic);
        *slope = 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * sqrt(2.0 / pi) * (1.0 + 3.0 * 0.044715 * x * x);
        return 0.5 * x * (1.0 + t);
    case DUN_REF_RELU:
        *slope = x > 0.0 ? 1.0 : 0.0;
        return x > 0.0 ? x : 0.0;
    case DUN_REF_SILU:
        break;
    }
    *slope = t * (1.0 + x * (1.0 - t));
    return x * t;
}

void dun_ref_act_fwd(double *out, const double *x, const dun_ref_units *u) {
    double slope;
    for (int n = 0; n < u->N; n++)
        for (int j = 0; j < u->F; j++) {
            const double *row = x + n * u->F * (u->gated ? 2 : 1);
            out[n * u->F + j] = act_of(row[j], u->act, &slope) * (u->gated ? row[u->F + j] : 1.0);
        }
}

void dun_ref_act_bwd(double *dx, const double *d_out, const double *x, const dun_ref_units *u) {
    for (int n = 0; n < u->N; n++)
        for (int j = 0; j < u->F; j++) {
            int at = n * u->F * (u->gated ? 2 : 1) + j;
            double slope, value = act_of(x[at], u->act, &slope), d = d_out[n * u->F + j];
            dx[at] = d * slope * (u->gated ? x[at + u->F] : 1.0);
            if (u->gated)
                dx[at + u->F] = d * value;
        }
}

void dun_ref_cap_fwd(double *y, const double *x, double cap, int n) {
    for (int i = 0; i < n; i++)
        y[i] = cap * tanh(x[i] / cap);
}

void dun_ref_cap_bwd(double *dx, const double *dy, const double *x, double cap, int n) {
    for (int i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0 - tanh(x[i] / cap) * tanh(x[i] / cap));
}

void dun_ref_rope(double *x, const int *position, int N, const dun_ref_rope_shape *shape, double direction) {
    int half = shape->rope_dim / 2;
    double m = shape->magnitude > 0.0 ? shape->magnitude : 1.0;
    for (int n = 0; n < N; n++)
        for (int head = 0; head < shape->heads; head++)
            for (int i = 0; i < half; i++) {
                double *at = x + n * shape->row_floats + head * shape->D + i, a = at[0], b = at[half];
                double angle = direction * position[n] * pow(shape->base, -2.0 * i / shape->rope_dim);
                if (shape->divisor && shape->divisor[i] > 0)
                    angle /= (double)shape->divisor[i];
                at[0] = m * (a * cos(angle) - b * sin(angle));
                at[half] = m * (a * sin(angle) + b * cos(angle));
            }
}

void dun_ref_linear_fwd(double *y, const double *x, const double *w, int M, int rows, int columns) {
    for (int m = 0; m < M; m++)
        for (int r = 0; r < rows; r++) {
            double sum = 0.0;
            for (int k = 0; k < columns; k++)
                sum += x[m * columns + k] * w[r * columns + k];
            y[m * rows + r] = sum;
        }
}

void dun_ref_linear_bwd(double *dx, const double *dy, const double *w, int M, int rows, int columns) {
    for (int i = 0; i < M * columns; i++)
        dx[i] = 0.0;
    for (int m = 0; m < M; m++)
        for (int r = 0; r < rows; r++)
            for (int k = 0; k < columns; k++)
                dx[m * columns + k] += dy[m * rows + r] * w[r * columns + k];
}

/* One head of one query: where its keys and values lie, and its softmax. */
typedef struct {
    int first, n, n_shared, n_cached, row0, row_floats, at_key, at_value;
    double slope;
    const double *shared, *prefix, *own;
} ref_view;

/* ALiBi's slope of a head: 2^(-B/n), 2^(-2B/n), ... for the n = 2^k heads, then every other one for 2n heads.
 */
static double alibi_slope(const dun_ref_heads *heads, int head) {
    int n = 1;
    while (2 * n <= heads->H)
        n *= 2;
    if (heads->alibi <= 0.0)
        return 0.0;
    return head < n ? pow(2.0, -heads->alibi * (head + 1) / n)
                    : pow(2.0, -heads->alibi * (2 * (head - n) + 1) / (2.0 * n));
}

static ref_view view_of(const double *prefix_kv, const double *own_kv, const dun_ref_batch *b,
                        const dun_ref_heads *heads, int query, int head) {
    int row = b->row_of[query], s = b->sequence[row], row_floats = 2 * heads->G * heads->D;
    int group = head / (heads->H / heads->G);
    int n_cached = b->shared_len[s] + b->prefix_len[s], n = n_cached + row - b->start[s] + 1;
    return (ref_view){.first = heads->window > 0 && n > heads->window ? n - heads->window : 0,
                      .n = n,
                      .slope = alibi_slope(heads, head),
                      .n_shared = b->shared_len[s],
                      .n_cached = n_cached,
                      .row0 = b->start[s],
                      .row_floats = row_floats,
                      .at_key = group * heads->D,
                      .at_value = (heads->G + group) * heads->D,
                      .shared = prefix_kv,
                      .prefix = prefix_kv + b->prefix_start[s] * row_floats,
                      .own = own_kv + b->start[s] * row_floats};
}

/* The key/value row of visible row t. */
static const double *row_at(const ref_view *v, int t) {
    if (t < v->n_shared)
        return v->shared + t * v->row_floats;
    return t < v->n_cached ? v->prefix + (t - v->n_shared) * v->row_floats
                           : v->own + (t - v->n_cached) * v->row_floats;
}

static double dot(const double *x, const double *y, int n) {
    double sum = 0.0;
    for (int i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The score of visible row t, and its slope by scale q . k_t. */
static double score_of(const ref_view *v, int t, const double *q, const dun_ref_heads *heads, double *rate) {
    double s = heads->scale * dot(q, row_at(v, t) + v->at_key, heads->D);
    *rate = 1.0;
    if (heads->cap > 0.0) {
        const double bent = tanh(s / heads->cap);
        *rate = 1.0 - bent * bent;
        s = heads->cap * bent;
    }
    return s + v->slope * (t - (v->n - 1));
}

/* log sum_t exp(score_t) */
static double log_total(const ref_view *v, const double *q, const dun_ref_heads *heads) {
    double top = -INFINITY, total = 0.0, rate;
    for (int t = v->first; t < v->n; t++)
        top = fmax(top, score_of(v, t, q, heads, &rate));
    for (int t = v->first; t < v->n; t++)
        total += exp(score_of(v, t, q, heads, &rate) - top);
    return top + log(total);
}

void dun_ref_attention_fwd(double *o, double *stats, const double *q, const double *prefix_kv,
                           const double *own_kv, const dun_ref_batch *batch, const dun_ref_heads *heads) {
    int D = heads->D;
    for (int query = 0; query < batch->Nq; query++)
        for (int head = 0; head < heads->H; head++) {
            ref_view v = view_of(prefix_kv, own_kv, batch, heads, query, head);
            int at = query * heads->H + head;
            double total = log_total(&v, q + at * D, heads), rate;
            for (int i = 0; i < D; i++)
                o[at * D + i] = 0.0;
            for (int t = v.first; t < v.n; t++) {
                double p = exp(score_of(&v, t, q + at * D, heads, &rate) - total);
                for (int i = 0; i < D; i++)
                    o[at * D + i] += p * row_at(&v, t)[v.at_value + i];
            }
            if (stats)
                stats[at] = total;
        }
}

/* One head of one query: dL/ds_t = p_t (g_t - sum_u p_u g_u) rate_t with g_t = do . v_t. */
static void head_bwd(double *dq, double *d_kv, const double *d_o, const double *q, const ref_view *v,
                     const dun_ref_heads *heads) {
    int D = heads->D;
    double total = log_total(v, q, heads), mean = 0.0, rate;
    for (int t = v->first; t < v->n; t++)
        mean += exp(score_of(v, t, q, heads, &rate) - total) * dot(d_o, row_at(v, t) + v->at_value, D);
    for (int i = 0; i < D; i++)
        dq[i] = 0.0;
    for (int t = v->first; t < v->n; t++) {
        const double *k = row_at(v, t) + v->at_key;
        double p = exp(score_of(v, t, q, heads, &rate) - total);
        double ds = heads->scale * p * rate * (dot(d_o, row_at(v, t) + v->at_value, D) - mean);
        for (int i = 0; i < D; i++)
            dq[i] += ds * k[i];
        if (t < v->n_cached)
            continue; /* the cached text is constant */
        double *d_row = d_kv + (v->row0 + t - v->n_cached) * v->row_floats;
        for (int i = 0; i < D; i++) {
            d_row[v->at_key + i] += ds * q[i];
            d_row[v->at_value + i] += p * d_o[i];
        }
    }
}

void dun_ref_attention_bwd(double *dq, double *d_kv, const double *d_o, const double *q,
                           const double *prefix_kv, const double *own_kv, const dun_ref_batch *batch,
                           const dun_ref_heads *heads) {
    for (int i = 0; i < batch->N * 2 * heads->G * heads->D; i++)
        d_kv[i] = 0.0;
    for (int query = 0; query < batch->Nq; query++)
        for (int head = 0; head < heads->H; head++) {
            ref_view v = view_of(prefix_kv, own_kv, batch, heads, query, head);
            int at = (query * heads->H + head) * heads->D;
            head_bwd(dq + at, d_kv, d_o + at, q + at, &v, heads);
        }
}
