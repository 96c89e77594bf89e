/* Cases of host/kernels/norms.cl and units.cl: what some models have in place of a plain Llama's rows. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

/* As of rows.cl and norm.cl: a handful of products and one function of 2 to 4 ulp; sums over rows of up to
 * 576 floats; a backward subtracts terms of the same size. tanh and erf near 1, and what is left of it, cost
 * half a digit. */
static const double act_tolerance = 2e-6, forward_tolerance = 1e-6, backward_tolerance = 4e-6;

enum { MAX_ROWS = 40, HEADS = 3 };

/* A layer norm with biases; heads with one vector, or each with its own, and values behind them; all heads at
 * once. */
static const struct {
    const char *name;
    int groups, own, centred, biased, behind;
} norms[] = {
    {"layer norm", 1, 0, 1, 1, 0},
    {"norm of heads", HEADS, 0, 0, 0, 1},
    {"layer norm of each head", HEADS, 1, 1, 0, 1},
    {"norm of a row", 1, 0, 0, 0, 1},
};

/* Rows that are mostly their mean, as a layer norm's input may be, lose the digits of the mean. */
static void norm(dun_check *c, size_t kind, int N, int width, double mean, bool backward, int beta) {
    const int groups = norms[kind].groups, behind = norms[kind].behind ? 2 * width + 1 : 0;
    dun_ref_norms_shape shape = {N,
                                 groups,
                                 width,
                                 norms[kind].own ? width : 0,
                                 groups * width + behind,
                                 norms[kind].centred,
                                 norms[kind].biased,
                                 1e-5};
    size_t n = (size_t)(N * shape.row_floats), n_w = (size_t)(width * HEADS);
    double *x = dun_check_random(c, n, 1.0), *w = dun_check_random(c, n_w, 1.0),
           *want = dun_check_doubles(c, n);
    double *dy = dun_check_random(c, n, 1.0), *old = dun_check_random(c, n, 1.0);
    if (c->stopped)
        return;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] + mean);
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n), *w_in = dun_check_input(c, "w", w, n_w);
    if (!backward) {
        enum { OFFSET = 5 };
        double *shifted = dun_check_doubles(c, n + OFFSET);
        dun_check_tensor *y = dun_check_output(c, "y", n + OFFSET);
        if (c->stopped)
            return;
        DUN_CHECK_LAUNCH(c, nn, norms_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(y->buffer), DUN_OFFSET(OFFSET),
                         DUN_BUF(x_in->buffer), DUN_BUF(w_in->buffer), DUN_FLOAT(shape.eps), DUN_INT(groups),
                         DUN_INT(width), DUN_INT(shape.step), DUN_INT(shape.centred), DUN_INT(shape.biased),
                         DUN_INT(shape.row_floats));
        dun_ref_norms_fwd(want, x, w, &shape);
        for (size_t i = 0; i < n + OFFSET; i++)
            shifted[i] = i < OFFSET ? NAN : want[i - OFFSET];
        dun_check_close(c, y, shifted, forward_tolerance * fmax(1.0, mean));
        return;
    }
    dun_check_tensor *dy_in = dun_check_input(c, "dy", dy, n);
    dun_check_tensor *dx = beta ? dun_check_in_out(c, "dx", old, n) : dun_check_output(c, "dx", n);
    DUN_CHECK_LAUNCH(c, nn, norms_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(dy_in->buffer),
                     DUN_BUF(x_in->buffer), DUN_BUF(w_in->buffer), DUN_FLOAT(shape.eps), DUN_INT(groups),
                     DUN_INT(width), DUN_INT(shape.step), DUN_INT(shape.centred), DUN_INT(beta),
                     DUN_INT(shape.row_floats));
    dun_ref_norms_bwd(want, dy, x, w, &shape);
    for (size_t i = 0; beta && i < n; i++)
        want[i] += old[i];
    /* Rows of one or two floats are their own norm: what is left is rounding of 1/s, at most 1/sqrt(eps). */
    dun_check_close_floor(c, dx, want, backward_tolerance * fmax(1.0, mean), width <= 3 ? 320.0 : 0.0);
}

static void act(dun_check *c, dun_ref_act kind, int gated, int N, int F, double scale, bool backward) {
    const dun_ref_units units = {N, F, kind, gated};
    size_t n = (size_t)(N * F), n_x = n * (gated ? 2 : 1);
    double *x = dun_check_random(c, n_x, scale), *d_out = dun_check_random(c, n, 1.0),
           *want = dun_check_doubles(c, n_x);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n_x);
    if (!backward) {
        dun_check_tensor *out = dun_check_output(c, "out", n);
        DUN_CHECK_LAUNCH(c, nn, act_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(out->buffer), DUN_BUF(x_in->buffer),
                         DUN_INT(kind), DUN_INT(gated), DUN_INT(F));
        dun_ref_act_fwd(want, x, &units);
        dun_check_close_floor(c, out, want, act_tolerance, 0.1 * scale);
        return;
    }
    dun_check_tensor *d_out_in = dun_check_input(c, "d_out", d_out, n), *dx = dun_check_output(c, "dx", n_x);
    DUN_CHECK_LAUNCH(c, nn, act_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(d_out_in->buffer),
                     DUN_BUF(x_in->buffer), DUN_INT(kind), DUN_INT(gated), DUN_INT(F));
    dun_ref_act_bwd(want, d_out, x, &units);
    dun_check_close_floor(c, dx, want, act_tolerance, 0.1 * scale);
}

static void position(dun_check *c, int N, int C) {
    enum { POSITIONS = 9, OFFSET = 2 };
    size_t n = (size_t)(N * C), n_table = (size_t)(POSITIONS * C);
    double *x = dun_check_random(c, n, 1.0), *table = dun_check_random(c, n_table, 1.0);
    int32_t *at = dun_check_ints(c, (size_t)N);
    if (c->stopped)
        return;
    for (int i = 0; i < N; i++)
        at[i] = i * 5 % (POSITIONS - OFFSET);
    dun_check_tensor *rows = dun_check_in_out(c, "x", x, n),
                     *table_in = dun_check_input(c, "table", table, n_table),
                     *at_in = dun_check_input_ints(c, "position", at, (size_t)N);
    DUN_CHECK_LAUNCH(c, nn, position_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(rows->buffer),
                     DUN_BUF(table_in->buffer), DUN_BUF(at_in->buffer), DUN_INT(OFFSET), DUN_INT(C));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < C; j++)
            x[i * C + j] += table[(at[i] + OFFSET) * C + j];
    dun_check_close(c, rows, x, forward_tolerance);
}

/* Values from far below the cap to far above it. */
static void cap(dun_check *c, int N, int C, bool backward) {
    static const double most = 3.0;
    size_t n = (size_t)(N * C);
    double *x = dun_check_random(c, n, 4.0), *dy = dun_check_random(c, n, 1.0),
           *want = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n);
    if (!backward) {
        dun_check_tensor *y = dun_check_output(c, "y", n);
        DUN_CHECK_LAUNCH(c, nn, cap_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(y->buffer), DUN_BUF(x_in->buffer),
                         DUN_FLOAT(most), DUN_INT(C));
        dun_ref_cap_fwd(want, x, most, (int)n);
        dun_check_close(c, y, want, act_tolerance);
        return;
    }
    dun_check_tensor *dy_in = dun_check_input(c, "dy", dy, n), *dx = dun_check_output(c, "dx", n);
    DUN_CHECK_LAUNCH(c, nn, cap_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(dy_in->buffer),
                     DUN_BUF(x_in->buffer), DUN_FLOAT(most), DUN_INT(C));
    dun_ref_cap_bwd(want, dy, x, most, (int)n);
    dun_check_close_floor(c, dx, want, act_tolerance, 0.1);
}

/* The kernels come by turns, so that a test of few cases, scattered over the list, launches them all. */
enum { NORMS_FWD, NORMS_BWD, ACT_FWD, ACT_BWD, POSITION_FWD, CAP_FWD, CAP_BWD, N_KERNELS, N_WAYS = 16 };

static void run_norm(dun_check *c, size_t index, bool backward, size_t way, int N, int C) {
    const size_t kind = way % 4;
    const bool second = way / 4 % 2; /* of a high mean, or adding to what is there */
    dun_check_begin(c, index, "norms_%s%s, %s, %d rows of %d", backward ? "bwd" : "fwd",
                    !second    ? ""
                    : backward ? " beta"
                               : " of a high mean",
                    norms[kind].name, N, C);
    norm(c, kind, N, C, second && !backward && norms[kind].centred ? 30.0 : 0.0, backward,
         backward && second);
}

static void run_act(dun_check *c, size_t index, bool backward, size_t way, int N, int F) {
    static const char *const acts[] = {"SiLU", "GELU", "GELU by tanh", "ReLU"};
    const bool gated = way / 4 % 2, large = way / 8 % 2;
    dun_check_begin(c, index, "act_%s, %s%s%s, %d rows of %d", backward ? "bwd" : "fwd", acts[way % 4],
                    gated ? ", gated" : "", large ? ", large" : "", N, F);
    act(c, (dun_ref_act)(way % 4), gated, N, F, large ? 100.0 : 1.0, backward);
}

static void run(dun_check *c, size_t index) {
    static const int rows[] = {1, 2, 5, 37};
    const size_t kernel = index % N_KERNELS, way = index / N_KERNELS % N_WAYS;
    const size_t width = index / N_KERNELS / N_WAYS;
    const int N = rows[(way + way / 4 + width) % 4], C = dun_check_widths[width];
    switch (kernel) {
    case NORMS_FWD:
    case NORMS_BWD:
        run_norm(c, index, kernel == NORMS_BWD, way, N, C);
        break;
    case ACT_FWD:
    case ACT_BWD:
        run_act(c, index, kernel == ACT_BWD, way, N, C);
        break;
    case POSITION_FWD:
        dun_check_begin(c, index, "position_fwd, %d rows of %d", N, C);
        position(c, N, C);
        break;
    default:
        dun_check_begin(c, index, "cap_%s, %d rows of %d", kernel == CAP_BWD ? "bwd" : "fwd", N, C);
        cap(c, N, C, kernel == CAP_BWD);
    }
}

const dun_check_topic dun_check_traits = {"traits", (size_t)N_KERNELS *N_WAYS *DUN_CHECK_N_WIDTHS, run,
                                          false};
