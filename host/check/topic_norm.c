/* Cases of host/kernels/norm.cl. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

/* A sum of up to 576 squares over at least 4 lanes, a root and two products. The backward subtracts two terms
 * of the same size, which costs a digit in narrow rows. */
static const double forward_tolerance = 1e-6, backward_tolerance = 4e-6;

static const struct {
    const char *name;
    double scale, eps;
    int backward, beta;
} kinds[] = {
    {"rmsnorm_fwd", 1.0, 1e-5, 0, 0},
    {"rmsnorm_bwd", 1.0, 1e-5, 1, 0},
    {"rmsnorm_bwd beta", 1.0, 1e-5, 1, 1},
    {"rmsnorm_fwd of tiny rows", 1e-4, 1e-5, 0, 0}, /* eps decides */
    {"rmsnorm_bwd of tiny rows", 1e-4, 1e-5, 1, 0},
    {"rmsnorm_fwd of large rows", 1e4, 1e-6, 0, 0},
    {"rmsnorm_bwd of large rows", 1e4, 1e-6, 1, 0},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static void forward(dun_check *c, int N, int C, double scale, double eps) {
    size_t n = (size_t)(N * C);
    double *x = dun_check_random(c, n, scale), *w = dun_check_random(c, (size_t)C, 1.0),
           *want = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n), *w_in = dun_check_input(c, "w", w, (size_t)C);
    dun_check_tensor *y = dun_check_output(c, "y", n);
    DUN_CHECK_LAUNCH(c, nn, rmsnorm_fwd, DUN_CHECK_ROWS(c, N), DUN_BUF(y->buffer), DUN_BUF(x_in->buffer),
                     DUN_BUF(w_in->buffer), DUN_FLOAT(eps), DUN_INT(C));
    dun_ref_rmsnorm_fwd(want, x, w, eps, N, C);
    dun_check_close(c, y, want, forward_tolerance);
}

static void backward(dun_check *c, int N, int C, double scale, double eps, int beta) {
    size_t n = (size_t)(N * C);
    double *x = dun_check_random(c, n, scale), *w = dun_check_random(c, (size_t)C, 1.0),
           *want = dun_check_doubles(c, n);
    double *dy = dun_check_random(c, n, 1.0), *old = dun_check_random(c, n, 1.0);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n), *w_in = dun_check_input(c, "w", w, (size_t)C);
    dun_check_tensor *dy_in = dun_check_input(c, "dy", dy, n);
    dun_check_tensor *dx = beta ? dun_check_in_out(c, "dx", old, n) : dun_check_output(c, "dx", n);
    DUN_CHECK_LAUNCH(c, nn, rmsnorm_bwd, DUN_CHECK_ROWS(c, N), DUN_BUF(dx->buffer), DUN_BUF(dy_in->buffer),
                     DUN_BUF(x_in->buffer), DUN_BUF(w_in->buffer), DUN_FLOAT(eps), DUN_INT(beta), DUN_INT(C));
    dun_ref_rmsnorm_bwd(want, dy, x, w, eps, N, C);
    for (size_t i = 0; beta && i < n; i++)
        want[i] += old[i];
    /* In a row of one float the two terms cancel but for eps: what is left is rounding of 1/scale. */
    dun_check_close_floor(c, dx, want, backward_tolerance, C == 1 ? 1.0 / scale : 0.0);
}

static void run(dun_check *c, size_t index) {
    static const int rows[] = {1, 2, 5, 37};
    size_t kind = index % N_KINDS, width = index / N_KINDS;
    int N = rows[(kind + width) % 4], C = dun_check_widths[width];
    dun_check_begin(c, index, "%s, %d rows of %d", kinds[kind].name, N, C);
    if (kinds[kind].backward)
        backward(c, N, C, kinds[kind].scale, kinds[kind].eps, kinds[kind].beta);
    else
        forward(c, N, C, kinds[kind].scale, kinds[kind].eps);
}

const dun_check_topic dun_check_norm = {"norm", (size_t)N_KINDS *DUN_CHECK_N_WIDTHS, run, false};
