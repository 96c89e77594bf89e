/* The double reference loops themselves: every backward against central differences of a random-weighted sum
 * of its forward. No device. */
#include "base/mem.h"
#include "base/rng.h"
#include "check/reference_ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* With h = 1e-5 a central difference errs by h^2 f'''/6 and by rounding, both near 1e-10. */
static const double step = 1e-5, tolerance = 1e-7;

/* A function of n_x inputs with n_out outputs, and its gradient to the inputs. */
typedef struct op {
    const char *name;
    int n_x, n_out;
    void (*forward)(double *out, const double *x, const struct op *op);
    void (*backward)(double *dx, const double *d_out, const double *x, const struct op *op);
    int a, b, c; /* sizes, as the op reads them */
    dun_ref_loss *loss;
    dun_ref_distance distance;
} op;

static uint64_t draws;

static double *random_numbers(int n) {
    double *values = dun_calloc((size_t)n, sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < n; i++)
        values[i] = dun_random_normal(11, DUN_STREAM_TEST, draws++);
    return values;
}

static double weighted_sum(const op *o, const double *x, const double *weights, double *out) {
    double sum = 0.0;
    o->forward(out, x, o);
    for (int i = 0; i < o->n_out; i++)
        sum += weights[i] * out[i];
    return sum;
}

static void check_op(const op *o) {
    double *x = random_numbers(o->n_x), *weights = random_numbers(o->n_out);
    double *out = random_numbers(o->n_out), *dx = random_numbers(o->n_x), error = 0.0, norm = 0.0;
    o->backward(dx, weights, x, o);
    for (int i = 0; i < o->n_x; i++) {
        double kept = x[i];
        x[i] = kept + step;
        double above = weighted_sum(o, x, weights, out);
        x[i] = kept - step;
        double below = weighted_sum(o, x, weights, out), slope = (above - below) / (2.0 * step);
        x[i] = kept;
        error += (slope - dx[i]) * (slope - dx[i]);
        norm += slope * slope;
    }
    dun_free(x);
    dun_free(weights);
    dun_free(out);
    dun_free(dx);
    if (!(sqrt(error) <= tolerance * sqrt(norm)) || !(norm > 0.0))
        fail_msg("%s (%d, %d, %d): relative error %.3g", o->name, o->a, o->b, o->c, sqrt(error / norm));
}

/* What an op holds constant. */
static const int ids[] = {2, -1, -3, 0, -1, -2, -1}, starts[] = {0, 1, 4, 7};
static double fixed[400];

static void embed_forward(double *out, const double *x, const op *o) {
    dun_ref_embed_fwd(out, ids, fixed, x, 7, o->a);
}
static void embed_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    dun_ref_embed_bwd(dx, d_out, ids, 7, 3, o->a);
}

static void last_forward(double *out, const double *x, const op *o) {
    dun_ref_last_fwd(out, x, starts, 3, o->a);
}
static void last_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    dun_ref_last_bwd(dx, d_out, starts, 3, 7, o->a);
}

static void mean_forward(double *out, const double *x, const op *o) {
    dun_ref_mean_fwd(out, x, starts, 3, o->a);
}
static void mean_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    dun_ref_mean_bwd(dx, d_out, starts, 3, o->a);
}

static void add_forward(double *out, const double *x, const op *o) {
    dun_ref_add_fwd(out, x, x + o->a, o->a);
}
static void add_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    dun_ref_add_bwd(dx, dx + o->a, d_out, o->a);
}

static void swiglu_forward(double *out, const double *x, const op *o) {
    dun_ref_swiglu_fwd(out, x, o->a, o->b);
}
static void swiglu_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_swiglu_bwd(dx, d_out, x, o->a, o->b);
}

static void norm_forward(double *out, const double *x, const op *o) {
    dun_ref_rmsnorm_fwd(out, x, fixed, 0.1, o->a, o->b);
}
static void norm_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_rmsnorm_bwd(dx, d_out, x, fixed, 0.1, o->a, o->b);
}

/* A layer norm with biases, and norms of heads of which each has its own weights, with values behind them. */
static const dun_ref_norms_shape norms_shapes[] = {{5, 1, 7, 0, 7, 1, 1, 0.1},
                                                   {3, 4, 5, 0, 23, 0, 0, 0.1},
                                                   {3, 4, 5, 5, 23, 1, 0, 0.1},
                                                   {2, 1, 12, 0, 20, 0, 0, 0.1}};
static void norms_forward(double *out, const double *x, const op *o) {
    dun_ref_norms_fwd(out, x, fixed, &norms_shapes[o->a]);
}
static void norms_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_norms_bwd(dx, d_out, x, fixed, &norms_shapes[o->a]);
}

static void act_forward(double *out, const double *x, const op *o) {
    dun_ref_act_fwd(out, x, &(dun_ref_units){3, 7, (dun_ref_act)o->a, o->b});
}
static void act_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_act_bwd(dx, d_out, x, &(dun_ref_units){3, 7, (dun_ref_act)o->a, o->b});
}

static void cap_forward(double *out, const double *x, const op *o) {
    dun_ref_cap_fwd(out, x, 1.5, o->n_x);
}
static void cap_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_cap_bwd(dx, d_out, x, 1.5, o->n_x);
}

static void linear_forward(double *out, const double *x, const op *o) {
    dun_ref_linear_fwd(out, x, fixed, o->a, o->b, o->c);
}
static void linear_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    dun_ref_linear_bwd(dx, d_out, fixed, o->a, o->b, o->c);
}

/* Keys of a key/value row turn, in part; the gradient turns back. */
static const float divisors[] = {0.0f, 2.5f};
static const dun_ref_rope_shape rope_shapes[] = {{2, 6, 4, 24, 100.0, 0.0, NULL},
                                                 {2, 6, 4, 24, 100.0, 1.3, divisors}};
static const int positions[] = {0, 1, 17};

static void rope_forward(double *out, const double *x, const op *o) {
    memcpy(out, x, (size_t)o->n_x * sizeof *out);
    dun_ref_rope(out, positions, 3, &rope_shapes[o->a], 1.0);
}
static void rope_backward(double *dx, const double *d_out, const double *x, const op *o) {
    (void)x;
    memcpy(dx, d_out, (size_t)o->n_x * sizeof *dx);
    dun_ref_rope(dx, positions, 3, &rope_shapes[o->a], -1.0);
}

/* Two sequences with 0 and 1 shared rows, 3 and 0 cached ones, and 2 and 3 own ones; x is q, then the own
 * keys and values. a: all rows ask, or only the last ones. */
static const int sequence[] = {0, 0, 1, 1, 1}, own_start[] = {0, 2, 5}, shared_len[] = {0, 1},
                 prefix_start[] = {1, 0}, prefix_len[] = {3, 0}, all_rows[] = {0, 1, 2, 3, 4},
                 last_rows[] = {1, 4};
static const dun_ref_heads heads[] = {{4, 2, 3, 0.5, 0.0, 0.0, 0},
                                      {4, 2, 3, 0.5, 0.8, 0.0, 0},
                                      {4, 2, 3, 0.5, 0.0, 3.0, 0},
                                      {4, 2, 3, 0.5, 0.8, 0.0, 2}};

static dun_ref_batch attention_batch(const op *o) {
    return (dun_ref_batch){2,
                           5,
                           o->a,
                           own_start,
                           sequence,
                           shared_len,
                           prefix_start,
                           prefix_len,
                           o->a == 5 ? all_rows : last_rows};
}
static void attention_forward(double *out, const double *x, const op *o) {
    dun_ref_batch batch = attention_batch(o);
    dun_ref_attention_fwd(out, NULL, x, fixed, x + o->a * 12, &batch, &heads[o->b]);
}
static void attention_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_batch batch = attention_batch(o);
    dun_ref_attention_bwd(dx, dx + o->a * 12, d_out, x, fixed, x + o->a * 12, &batch, &heads[o->b]);
}

/* x is points (a, c), then centroids (b, c). */
static dun_ref_distance_shape distance_shape(const op *o) {
    return (dun_ref_distance_shape){o->a, o->b, o->c, o->distance, 0};
}
static void distance_forward(double *out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    dun_ref_distance_fwd(out, x, x + o->a * o->c, &s);
}
static void distance_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    dun_ref_distance_bwd(dx, dx + o->a * o->c, d_out, x, x + o->a * o->c, &s);
}

static void pair_forward(double *out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    dun_ref_pair_distance_fwd(out, x, &s);
}
static void pair_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    dun_ref_pair_distance_bwd(dx, d_out, x, &s);
}

/* Rows and offsets are fixed; d_points is added to. */
static void words_forward(double *out, const double *x, const op *o) {
    const dun_ref_words_shape s = {o->a, o->b, o->c, 0.7};
    double *zeros = dun_calloc((size_t)o->n_out, sizeof *zeros);
    assert_non_null(zeros);
    dun_ref_words_fwd(out, zeros, x, fixed, fixed + o->b * o->c, &s);
    dun_free(zeros);
}
static void words_backward(double *dx, const double *d_out, const double *x, const op *o) {
    const dun_ref_words_shape s = {o->a, o->b, o->c, 0.7};
    (void)x;
    memset(dx, 0, (size_t)o->n_x * sizeof *dx);
    dun_ref_words_bwd(dx, d_out, fixed, &s);
}

/* Three points in each row. */
static void parts_forward(double *out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    s.parts = 3;
    dun_ref_distance_fwd(out, x, x + o->a * o->c, &s);
}
static void parts_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_distance_shape s = distance_shape(o);
    s.parts = 3;
    dun_ref_distance_bwd(dx, dx + o->a * o->c, d_out, x, x + o->a * o->c, &s);
}

/* x is made positive: distances (a, b), then pairs (b, b); the one output is the loss. */
static void loss_both(double *value, double *gradient, const double *x, const op *o) {
    static const int labels[] = {0, 2, 1, 1, 0, 2, 2};
    static const double weights[] = {1, 0.5, 2, 0, 3, 1, 0.25};
    int n = o->a * o->b, n_all = n + o->b * o->b;
    dun_ref_loss_shape shape = {o->a, o->b, 0.7, 0.4, 3.0, 2.0, weights};
    double *d = random_numbers(n_all);
    for (int i = 0; i < n_all; i++)
        d[i] = exp(x[i]);
    *value = o->loss(gradient, gradient + n, d, d + n, labels, &shape);
    for (int i = 0; i < n_all; i++)
        gradient[i] *= d[i];
    dun_free(d);
}
static void loss_forward(double *out, const double *x, const op *o) {
    double *gradient = random_numbers(o->n_x);
    loss_both(out, gradient, x, o);
    dun_free(gradient);
}
static void loss_backward(double *dx, const double *d_out, const double *x, const op *o) {
    double value;
    loss_both(&value, dx, x, o);
    for (int i = 0; i < o->n_x; i++)
        dx[i] *= d_out[0];
}

static dun_ref_reparam_shape reparam_shape(const op *o) {
    return (dun_ref_reparam_shape){o->a, o->b, o->c, 0.1};
}
static void reparam_forward(double *out, const double *x, const op *o) {
    dun_ref_reparam_shape s = reparam_shape(o);
    double *hidden = random_numbers(s.P * s.M), *u = random_numbers(s.P * s.C);
    dun_ref_reparam_fwd(out, hidden, u, x, &s);
    dun_free(hidden);
    dun_free(u);
}
static void reparam_backward(double *dx, const double *d_out, const double *x, const op *o) {
    dun_ref_reparam_shape s = reparam_shape(o);
    double *hidden = random_numbers(s.P * s.M), *u = random_numbers(s.P * s.C);
    assert_int_equal(dun_ref_reparam_bwd(dx, hidden, u, d_out, x, &s), 0);
    dun_free(hidden);
    dun_free(u);
}

/* x: points (B, D), then the matrix (M, D). */
static void metric_forward(double *out, const double *x, const op *o) {
    dun_ref_metric_fwd(out, x, x + o->a * o->c, o->a, o->b, o->c);
}
static void metric_backward(double *dx, const double *d_out, const double *x, const op *o) {
    const int n_x = o->a * o->c;
    dun_ref_metric_bwd(dx, dx + n_x, d_out, x, x + n_x, o->a, o->b, o->c);
}

static const op ops[] = {
    {"embed", 3 * 4, 7 * 4, embed_forward, embed_backward, 4, 0, 0, NULL, 0},
    {"last", 7 * 4, 3 * 4, last_forward, last_backward, 4, 0, 0, NULL, 0},
    {"mean", 7 * 4, 3 * 4, mean_forward, mean_backward, 4, 0, 0, NULL, 0},
    {"add", 2 * 35, 35, add_forward, add_backward, 35, 0, 0, NULL, 0},
    {"swiglu", 5 * 14, 5 * 7, swiglu_forward, swiglu_backward, 5, 7, 0, NULL, 0},
    {"rmsnorm", 5 * 7, 5 * 7, norm_forward, norm_backward, 5, 7, 0, NULL, 0},
    {"rmsnorm", 3, 3, norm_forward, norm_backward, 3, 1, 0, NULL, 0},
    {"layer norm", 5 * 7, 5 * 7, norms_forward, norms_backward, 0, 0, 0, NULL, 0},
    {"norm of heads", 3 * 23, 3 * 23, norms_forward, norms_backward, 1, 0, 0, NULL, 0},
    {"layer norm of heads", 3 * 23, 3 * 23, norms_forward, norms_backward, 2, 0, 0, NULL, 0},
    {"norm of all heads", 2 * 20, 2 * 20, norms_forward, norms_backward, 3, 0, 0, NULL, 0},
    {"SiLU", 3 * 7, 3 * 7, act_forward, act_backward, DUN_REF_SILU, 0, 0, NULL, 0},
    {"GELU", 3 * 7, 3 * 7, act_forward, act_backward, DUN_REF_GELU, 0, 0, NULL, 0},
    {"gated GELU", 3 * 14, 3 * 7, act_forward, act_backward, DUN_REF_GELU, 1, 0, NULL, 0},
    {"GELU by tanh", 3 * 7, 3 * 7, act_forward, act_backward, DUN_REF_GELU_TANH, 0, 0, NULL, 0},
    {"gated GELU by tanh", 3 * 14, 3 * 7, act_forward, act_backward, DUN_REF_GELU_TANH, 1, 0, NULL, 0},
    {"ReLU", 3 * 7, 3 * 7, act_forward, act_backward, DUN_REF_RELU, 0, 0, NULL, 0},
    {"cap", 35, 35, cap_forward, cap_backward, 0, 0, 0, NULL, 0},
    {"linear", 4 * 5, 4 * 6, linear_forward, linear_backward, 4, 6, 5, NULL, 0},
    {"reparametrisation", 3 * 6 + 2 * 4 * 6 + 2 * 6, 3 * 6, reparam_forward, reparam_backward, 3, 6, 4, NULL,
     0},
    {"reparametrisation", 5 + 2 * 7 * 5 + 2 * 5, 5, reparam_forward, reparam_backward, 1, 5, 7, NULL, 0},
    {"metric", 4 * 5 + 3 * 5, 4 * 3, metric_forward, metric_backward, 4, 3, 5, NULL, 0},
    {"rope", 3 * 24, 3 * 24, rope_forward, rope_backward, 0, 0, 0, NULL, 0},
    {"scaled rope", 3 * 24, 3 * 24, rope_forward, rope_backward, 1, 0, 0, NULL, 0},
    {"attention", 5 * 12 + 5 * 12, 5 * 12, attention_forward, attention_backward, 5, 0, 0, NULL, 0},
    {"attention", 2 * 12 + 5 * 12, 2 * 12, attention_forward, attention_backward, 2, 0, 0, NULL, 0},
    {"attention with a cap", 5 * 12 + 5 * 12, 5 * 12, attention_forward, attention_backward, 5, 1, 0, NULL,
     0},
    {"attention with slopes", 5 * 12 + 5 * 12, 5 * 12, attention_forward, attention_backward, 5, 2, 0, NULL,
     0},
    {"attention in a window", 5 * 12 + 5 * 12, 5 * 12, attention_forward, attention_backward, 5, 3, 0, NULL,
     0},
    {"attention in a window", 2 * 12 + 5 * 12, 2 * 12, attention_forward, attention_backward, 2, 3, 0, NULL,
     0},
    {"euclidean distance", 4 * 6 + 3 * 6, 4 * 3, distance_forward, distance_backward, 4, 3, 6, NULL,
     DUN_REF_EUCLIDEAN},
    {"euclidean pair distance", 4 * 6, 16, pair_forward, pair_backward, 0, 4, 6, NULL, DUN_REF_EUCLIDEAN},
    {"squared distance", 4 * 6 + 3 * 6, 4 * 3, distance_forward, distance_backward, 4, 3, 6, NULL,
     DUN_REF_SQUARED},
    {"squared pair distance", 4 * 6, 16, pair_forward, pair_backward, 0, 4, 6, NULL, DUN_REF_SQUARED},
    {"cosine distance", 4 * 6 + 3 * 6, 4 * 3, distance_forward, distance_backward, 4, 3, 6, NULL,
     DUN_REF_COSINE},
    {"cosine pair distance", 4 * 6, 16, pair_forward, pair_backward, 0, 4, 6, NULL, DUN_REF_COSINE},
    {"label words", 4 * 6, 4 * 3, words_forward, words_backward, 4, 3, 6, NULL, 0},
    {"mean euclidean distance", 4 * 6 + 3 * 6, 4 * 3, parts_forward, parts_backward, 4, 3, 6, NULL,
     DUN_REF_EUCLIDEAN},
    {"mean cosine distance", 4 * 6 + 3 * 6, 4 * 3, parts_forward, parts_backward, 4, 3, 6, NULL,
     DUN_REF_COSINE},
    {"cross entropy", 7 * 3 + 9, 1, loss_forward, loss_backward, 7, 3, 0, dun_ref_loss_cross_entropy, 0},
    {"centroid loss", 7 * 3 + 9, 1, loss_forward, loss_backward, 7, 3, 0, dun_ref_loss_centroid, 0},
    {"attract repel", 7 * 3 + 9, 1, loss_forward, loss_backward, 7, 3, 0, dun_ref_loss_attract_repel, 0},
};

static void test_op(void **state) {
    for (int i = 0; i < (int)(sizeof fixed / sizeof *fixed); i++)
        fixed[i] = dun_random_normal(12, DUN_STREAM_TEST, (uint64_t)i);
    check_op(*state);
}

/* Forwards that a backward of the same mistake would not betray, against values worked out by hand. */
static void test_known_values(void **state) {
    (void)state;
    double y[4], x[] = {3.0, 4.0}, w[] = {1.0, 2.0}, top[] = {0.0, 2.0};
    dun_ref_rmsnorm_fwd(y, x, w, 0.0, 1, 2); /* rms = sqrt(12.5) */
    assert_true(fabs(y[0] - 3.0 / sqrt(12.5)) < 1e-15 && fabs(y[1] - 8.0 / sqrt(12.5)) < 1e-15);
    dun_ref_swiglu_fwd(y, top, 1, 1);
    assert_true(y[0] == 0.0);
    double gate[] = {1.0, 3.0};
    dun_ref_swiglu_fwd(y, gate, 1, 1);
    assert_true(fabs(y[0] - 3.0 / (1.0 + exp(-1.0))) < 1e-15);
    /* component 0 pairs with component 1 of two; a quarter turn at position 1 needs base^0 = 1 radian */
    double turned[] = {1.0, 0.0};
    dun_ref_rope(turned, (const int[]){1}, 1, &(dun_ref_rope_shape){1, 2, 2, 2, 10000.0, 0.0, NULL}, 1.0);
    assert_true(fabs(turned[0] - cos(1.0)) < 1e-15 && fabs(turned[1] - sin(1.0)) < 1e-15);
    /* a layer norm of 1 and 3: mean 2, deviation 1; GELU's two forms at 1, which differ by 1.5e-4 */
    double two[] = {1.0, 3.0}, gains[] = {2.0, 5.0, 0.5, 0.25}, one = 1.0;
    dun_ref_norms_fwd(y, two, gains, &(dun_ref_norms_shape){1, 1, 2, 0, 2, 1, 1, 0.0});
    assert_true(fabs(y[0] + 1.5) < 1e-15 && fabs(y[1] - 5.25) < 1e-15);
    dun_ref_act_fwd(y, &one, &(dun_ref_units){1, 1, DUN_REF_GELU, 0});
    assert_true(fabs(y[0] - 0.8413447460685429) < 1e-14);
    dun_ref_act_fwd(y, &one, &(dun_ref_units){1, 1, DUN_REF_GELU_TANH, 0});
    assert_true(fabs(y[0] - 0.8411919906082768) < 1e-14);
    double a[] = {1.0, 2.0}, b[] = {4.0, 6.0}, d;
    dun_ref_distance_fwd(&d, a, b, &(dun_ref_distance_shape){1, 1, 2, DUN_REF_EUCLIDEAN, 0});
    assert_true(fabs(d - 5.0) < 2e-6 && d < 5.0); /* eps shrinks these negative differences */
    dun_ref_distance_fwd(&d, a, b, &(dun_ref_distance_shape){1, 1, 2, DUN_REF_SQUARED, 0});
    assert_true(fabs(d - 25.0) < 1e-12);
    dun_ref_distance_fwd(&d, a, b, &(dun_ref_distance_shape){1, 1, 2, DUN_REF_COSINE, 0});
    assert_true(fabs(d - (1.0 - 16.0 / sqrt(5.0 * 52.0))) < 1e-12);
    double four[] = {1.0, 2.0, 0.0, 0.0}, others[] = {4.0, 6.0, 0.0, 7.0}; /* distances 5 and 7 */
    dun_ref_distance_fwd(&d, four, others, &(dun_ref_distance_shape){1, 1, 4, DUN_REF_EUCLIDEAN, 2});
    assert_true(fabs(d - 6.0) < 3e-6);
}

/* Adam by its definition: the first step moves by lr against the sign, whatever the size of the gradient. */
static void test_adam(void **state) {
    (void)state;
    double x[] = {1.0, 1.0}, m[2] = {0}, v[2] = {0}, g[] = {1e3, -1e-3};
    dun_ref_adam_step(x, m, v, g, 2, 1, &(dun_ref_adam){0.1, 0.9, 0.999, 0.0, 0.0, 0.0});
    assert_true(fabs(x[0] - 0.9) < 1e-12 && fabs(x[1] - 1.1) < 1e-12);
    dun_ref_adam_step(x, m, v, g, 2, 2,
                      &(dun_ref_adam){0.1, 0.9, 0.999, 0.0, 0.0, 0.0}); /* an equal gradient again */
    assert_true(fabs(x[0] - 0.8) < 1e-12 && fabs(x[1] - 1.2) < 1e-12);
}

enum { N_OPS = sizeof ops / sizeof *ops };

int main(void) {
    struct CMUnitTest tests[N_OPS + 2] = {cmocka_unit_test(test_known_values), cmocka_unit_test(test_adam)};
    for (size_t i = 0; i < N_OPS; i++)
        tests[i + 2] = (struct CMUnitTest){ops[i].name, test_op, NULL, NULL, (void *)(uintptr_t)&ops[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
