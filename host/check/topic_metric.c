/* Cases of host/kernels/metric.cl: points through a matrix, and the gradients of both. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

/* Sums of up to 576 products. */
static const double tolerance = 2e-6;
static const int batches[] = {1, 5, 33}, dimensions[] = {1, 7, 64};
enum { N_BATCHES = 3 };

static void run(dun_check *c, size_t index) {
    const int B = batches[index % N_BATCHES], D = dun_check_widths[index / N_BATCHES];
    const int M = dimensions[(index / N_BATCHES + index) % N_BATCHES];
    const size_t n_x = (size_t)(B * D), n_y = (size_t)(B * M), n_matrix = (size_t)(M * D);
    dun_check_begin(c, index, "%d rows of %d through a matrix to %d", B, D, M);
    double *x = dun_check_random(c, n_x, 1.0), *matrix = dun_check_random(c, n_matrix, 1.0);
    double *dy = dun_check_random(c, n_y, 1.0), *y = dun_check_doubles(c, n_y);
    double *dx = dun_check_doubles(c, n_x), *d_matrix = dun_check_doubles(c, n_matrix);
    if (c->stopped)
        return;
    dun_check_tensor *x_in = dun_check_input(c, "x", x, n_x), *dy_in = dun_check_input(c, "dy", dy, n_y),
                     *matrix_in = dun_check_input(c, "matrix", matrix, n_matrix);
    dun_check_tensor *y_out = dun_check_output(c, "y", n_y), *dx_out = dun_check_output(c, "dx", n_x),
                     *d_matrix_out = dun_check_output(c, "d_matrix", n_matrix);
    dun_range pairs = DUN_CHECK_ROWS(c, M);
    pairs.groups[1] = (size_t)B;
    DUN_CHECK_LAUNCH(c, learn, metric_fwd, pairs, DUN_BUF(y_out->buffer), DUN_BUF(x_in->buffer),
                     DUN_BUF(matrix_in->buffer), DUN_INT(D));
    DUN_CHECK_LAUNCH(c, learn, metric_bwd, DUN_CHECK_ROWS(c, B), DUN_BUF(dx_out->buffer),
                     DUN_BUF(dy_in->buffer), DUN_BUF(matrix_in->buffer), DUN_INT(M), DUN_INT(D));
    DUN_CHECK_LAUNCH(c, learn, metric_bwd_matrix, DUN_CHECK_ROWS(c, M), DUN_BUF(d_matrix_out->buffer),
                     DUN_BUF(dy_in->buffer), DUN_BUF(x_in->buffer), DUN_INT(B), DUN_INT(D));
    dun_ref_metric_fwd(y, x, matrix, B, M, D);
    dun_ref_metric_bwd(dx, d_matrix, dy, x, matrix, B, M, D);
    /* A single sum may nearly cancel out; it is as exact as its terms are large. */
    dun_check_close_floor(c, y_out, y, tolerance, sqrt(D));
    dun_check_close_floor(c, dx_out, dx, tolerance, sqrt(M));
    dun_check_close_floor(c, d_matrix_out, d_matrix, tolerance, sqrt(B));
}

const dun_check_topic dun_check_metric = {"metric", (size_t)N_BATCHES *DUN_CHECK_N_WIDTHS, run, false};
