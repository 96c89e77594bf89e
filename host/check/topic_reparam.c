/* Cases of host/kernels/reparam.cl: the whole network forward and backward, every tensor on the way compared.
 */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <string.h>

/* Sums of up to 576 products, three in a row. */
static const double tolerance = 1e-6, gradient_tolerance = 3e-6;

static const dun_ref_reparam_shape shapes[] = {{1, 1, 1, 1e-5},   {5, 32, 8, 1e-5}, {3, 33, 7, 1e-5},
                                               {2, 31, 65, 1e-5}, {1, 64, 1, 1e-5}, {5, 576, 16, 1e-5},
                                               {37, 17, 5, 1e-2}, {4, 3, 127, 1e-5}};

/* The tensors on the device. */
typedef struct {
    dun_check_tensor *base, *down, *up, *gain, *hidden, *u, *stats, *rows, *d_rows;
} tensors;

static void product(dun_check *c, dun_check_tensor *out, const dun_check_tensor *a, int a_row, int a_step,
                    const dun_check_tensor *b, int b_row, int b_step, int beta, int relu, int R, int N,
                    int K) {
    DUN_CHECK_LAUNCH(c, learn, reparam_product, DUN_CHECK_ROWS(c, R), DUN_BUF(out->buffer),
                     DUN_BUF(a->buffer), DUN_INT(a_row), DUN_INT(a_step), DUN_BUF(b->buffer), DUN_INT(b_row),
                     DUN_INT(b_step), DUN_INT(beta), DUN_INT(relu), DUN_INT(N), DUN_INT(K));
}

static void forward(dun_check *c, tensors *t, const double *x, const dun_ref_reparam_shape *s) {
    int P = s->P, C = s->C, M = s->M;
    size_t n_rows = (size_t)(P * C), n_hidden = (size_t)(P * M);
    double *rows = dun_check_doubles(c, n_rows), *hidden = dun_check_doubles(c, n_hidden),
           *u = dun_check_doubles(c, n_rows);
    if (c->stopped)
        return;
    dun_ref_reparam_fwd(rows, hidden, u, x, s);
    t->hidden = dun_check_output(c, "hidden", n_hidden);
    t->u = dun_check_output(c, "u", n_rows);
    t->rows = dun_check_output(c, "rows", n_rows);
    t->stats = dun_check_output(c, "stats", (size_t)(2 * P));
    product(c, t->hidden, t->base, C, 1, t->down, C, 1, 0, 1, P, M, C);
    product(c, t->u, t->hidden, M, 1, t->up, M, 1, 0, 0, P, C, M);
    DUN_CHECK_LAUNCH(c, learn, reparam_norm_fwd, DUN_CHECK_ROWS(c, P), DUN_BUF(t->rows->buffer),
                     DUN_BUF(t->stats->buffer), DUN_BUF(t->base->buffer), DUN_BUF(t->u->buffer),
                     DUN_BUF(t->gain->buffer), DUN_FLOAT(s->eps), DUN_INT(C));
    dun_check_close(c, t->hidden, hidden, tolerance);
    dun_check_close(c, t->u, u, tolerance);
    /* In a row of one float the norm's value is 0, but for rounding times 1 / sqrt(eps). */
    dun_check_close_floor(c, t->rows, rows, tolerance, C == 1 ? 1.0 : 0.0);
    dun_check_freeze(c, t->hidden);
    dun_check_freeze(c, t->u);
    dun_check_freeze(c, t->stats);
}

static void backward(dun_check *c, const tensors *t, const double *d_rows, const double *x,
                     const dun_ref_reparam_shape *s) {
    int P = s->P, C = s->C, M = s->M;
    size_t n_rows = (size_t)(P * C), n_hidden = (size_t)(P * M), n_down = (size_t)(M * C);
    double *want = dun_check_doubles(c, (size_t)dun_ref_reparam_size(s));
    double *d_hidden = dun_check_doubles(c, n_hidden), *d_u = dun_check_doubles(c, n_rows);
    double floor = C == 1 ? 1e3 : 0.0; /* the same zero, in the way back */
    if (c->stopped)
        return;
    DUN_CHECK_TRY(c, dun_ref_reparam_bwd(want, d_hidden, d_u, d_rows, x, s));
    dun_check_tensor *du = dun_check_output(c, "d_u", n_rows),
                     *dh = dun_check_output(c, "d_hidden", n_hidden);
    dun_check_tensor *d_gain = dun_check_output(c, "d_gain", (size_t)(2 * C)),
                     *d_up = dun_check_output(c, "d_up", n_down);
    dun_check_tensor *d_down = dun_check_output(c, "d_down", n_down),
                     *d_base = dun_check_in_out(c, "d_base", d_rows, n_rows);
    DUN_CHECK_LAUNCH(c, learn, reparam_norm_bwd_gain, DUN_CHECK_ITEMS(c, C), DUN_BUF(d_gain->buffer),
                     DUN_BUF(t->d_rows->buffer), DUN_BUF(t->u->buffer), DUN_BUF(t->stats->buffer), DUN_INT(P),
                     DUN_INT(C));
    DUN_CHECK_LAUNCH(c, learn, reparam_norm_bwd, DUN_CHECK_ROWS(c, P), DUN_BUF(du->buffer),
                     DUN_BUF(t->d_rows->buffer), DUN_BUF(t->u->buffer), DUN_BUF(t->stats->buffer),
                     DUN_BUF(t->gain->buffer), DUN_INT(C));
    product(c, d_up, du, 1, C, t->hidden, 1, M, 0, 0, C, M, P);
    product(c, dh, du, C, 1, t->up, 1, M, 0, 0, P, M, C);
    DUN_CHECK_LAUNCH(c, learn, reparam_relu_bwd, DUN_CHECK_ROWS(c, P), DUN_BUF(dh->buffer),
                     DUN_BUF(t->hidden->buffer), DUN_INT(M));
    product(c, d_down, dh, 1, M, t->base, 1, C, 0, 0, M, C, P);
    product(c, d_base, dh, M, 1, t->down, 1, C, 1, 0, P, C, M);
    dun_check_close_floor(c, du, d_u, gradient_tolerance, floor);
    dun_check_close_floor(c, dh, d_hidden, gradient_tolerance, floor);
    dun_check_close_floor(c, d_base, want, gradient_tolerance, floor);
    dun_check_close_floor(c, d_down, want + n_rows, gradient_tolerance, floor);
    dun_check_close_floor(c, d_up, want + n_rows + n_down, gradient_tolerance, floor);
    dun_check_close_floor(c, d_gain, want + n_rows + 2 * n_down, gradient_tolerance, floor);
}

static void run(dun_check *c, size_t index) {
    const dun_ref_reparam_shape *s = &shapes[index];
    size_t n_rows = (size_t)(s->P * s->C), n_down = (size_t)(s->M * s->C);
    dun_check_begin(c, index, "reparametrisation of %d rows of %d through %d", s->P, s->C, s->M);
    double *x = dun_check_random(c, (size_t)dun_ref_reparam_size(s), 1.0),
           *d_rows = dun_check_random(c, n_rows, 1.0);
    if (c->stopped)
        return;
    tensors t = {.base = dun_check_input(c, "base", x, n_rows),
                 .down = dun_check_input(c, "down", x + n_rows, n_down),
                 .up = dun_check_input(c, "up", x + n_rows + n_down, n_down),
                 .gain = dun_check_input(c, "gain", x + n_rows + 2 * n_down, (size_t)(2 * s->C)),
                 .d_rows = dun_check_input(c, "d_rows", d_rows, n_rows)};
    forward(c, &t, x, s);
    if (c->stopped)
        return;
    backward(c, &t, d_rows, x, s);
}

const dun_check_topic dun_check_reparam = {"reparam", sizeof shapes / sizeof *shapes, run, false};
