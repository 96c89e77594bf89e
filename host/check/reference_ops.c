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

void dun_ref_rope(double *x, const int *position, int N, const dun_ref_rope_shape *shape, double direction) {
    int half = shape->rope_dim / 2;
    for (int n = 0; n < N; n++)
        for (int head = 0; head < shape->heads; head++)
            for (int i = 0; i < half; i++) {
                double *at = x + n * shape->row_floats + head * shape->D + i, a = at[0], b = at[half];
                double angle = direction * position[n] * pow(shape->base, -2.0 * i / shape->rope_dim);
                at[0] = a * cos(angle) - b * sin(angle);
                at[half] = a * sin(angle) + b * cos(angle);
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
    int n, n_shared, n_cached, row0, row_floats, at_key, at_value;
    const double *shared, *prefix, *own;
} ref_view;

static ref_view view_of(const double *prefix_kv, const double *own_kv, const dun_ref_batch *b,
                        const dun_ref_heads *heads, int query, int head) {
    int row = b->row_of[query], s = b->sequence[row], row_floats = 2 * heads->G * heads->D;
    int group = head / (heads->H / heads->G);
    int n_cached = b->shared_len[s] + b->prefix_len[s];
    return (ref_view){.n = n_cached + row - b->start[s] + 1,
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

/* log sum_t exp(scale q . k_t) */
static double log_total(const ref_view *v, const double *q, const dun_ref_heads *heads) {
    double top = -INFINITY, total = 0.0;
    for (int t = 0; t < v->n; t++)
        top = fmax(top, heads->scale * dot(q, row_at(v, t) + v->at_key, heads->D));
    for (int t = 0; t < v->n; t++)
        total += exp(heads->scale * dot(q, row_at(v, t) + v->at_key, heads->D) - top);
    return top + log(total);
}

void dun_ref_attention_fwd(double *o, double *stats, const double *q, const double *prefix_kv,
                           const double *own_kv, const dun_ref_batch *batch, const dun_ref_heads *heads) {
    int D = heads->D;
    for (int query = 0; query < batch->Nq; query++)
        for (int head = 0; head < heads->H; head++) {
            ref_view v = view_of(prefix_kv, own_kv, batch, heads, query, head);
            int at = query * heads->H + head;
            double total = log_total(&v, q + at * D, heads);
            for (int i = 0; i < D; i++)
                o[at * D + i] = 0.0;
            for (int t = 0; t < v.n; t++) {
                double p = exp(heads->scale * dot(q + at * D, row_at(&v, t) + v.at_key, D) - total);
                for (int i = 0; i < D; i++)
                    o[at * D + i] += p * row_at(&v, t)[v.at_value + i];
            }
            if (stats)
                stats[at] = total;
        }
}

/* dL/ds_t = p_t (g_t - sum_u p_u g_u) with g_t = do . v_t. */
void dun_ref_attention_bwd(double *dq, double *d_kv, const double *d_o, const double *q,
                           const double *prefix_kv, const double *own_kv, const dun_ref_batch *batch,
                           const dun_ref_heads *heads) {
    int D = heads->D;
    for (int i = 0; i < batch->N * 2 * heads->G * D; i++)
        d_kv[i] = 0.0;
    for (int query = 0; query < batch->Nq; query++)
        for (int head = 0; head < heads->H; head++) {
            ref_view v = view_of(prefix_kv, own_kv, batch, heads, query, head);
            const double *qh = q + (query * heads->H + head) * D, *doh = d_o + (query * heads->H + head) * D;
            double *dqh = dq + (query * heads->H + head) * D, total = log_total(&v, qh, heads), mean = 0.0;
            for (int t = 0; t < v.n; t++)
                mean += exp(heads->scale * dot(qh, row_at(&v, t) + v.at_key, D) - total) *
                        dot(doh, row_at(&v, t) + v.at_value, D);
            for (int i = 0; i < D; i++)
                dqh[i] = 0.0;
            for (int t = 0; t < v.n; t++) {
                const double *k = row_at(&v, t) + v.at_key;
                double p = exp(heads->scale * dot(qh, k, D) - total);
                double ds = heads->scale * p * (dot(doh, row_at(&v, t) + v.at_value, D) - mean);
                for (int i = 0; i < D; i++)
                    dqh[i] += ds * k[i];
                if (t < v.n_cached)
                    continue; /* the cached text is constant */
                double *d_row = d_kv + (v.row0 + t - v.n_cached) * v.row_floats;
                for (int i = 0; i < D; i++) {
                    d_row[v.at_key + i] += ds * qh[i];
                    d_row[v.at_value + i] += p * doh[i];
                }
            }
        }
}
