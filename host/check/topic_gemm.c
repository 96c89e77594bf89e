/* Cases of the products with frozen weights, for whichever provider the check carries. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

/* Sums of up to 577 products taken in order: roundings add up like a random walk, to about 1e-6 at most. */
static const double tolerance = 2e-6;

/* Rows M of activations around the tile of 12 (and 4, 6), weights of (rows, columns) around its 32 (and 8,
 * 16) columns; K is `columns` forward and `rows` backward. */
static const int batches[] = {1, 3, 11, 12, 13, 160};
static const struct {
    int rows, columns;
} weights[] = {{1, 1}, {1, 33}, {7, 5}, {31, 64}, {32, 32}, {33, 31}, {64, 48}, {65, 127}, {96, 577}};
enum { N_BATCHES = 6, N_WEIGHTS = sizeof weights / sizeof *weights };

static const struct {
    const char *name;
    bool backward, add, in_place, offset, bias;
} kinds[] = {
    {"forward", false, false, false, false, false},
    {"forward, add", false, true, false, false, false},
    {"forward, add in place", false, true, true, false, false},
    {"forward at an offset", false, false, false, true, false},
    {"forward at an offset, add", false, true, false, true, false},
    {"backward", true, false, false, false, false},
    {"backward, beta", true, true, true, false, false},
    {"forward, bias", false, false, false, false, true},
    {"forward, bias, add in place", false, true, true, false, true},
    {"forward at an offset, bias, add", false, true, false, true, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, OFFSET = 37 };

/* Stored as f16, weights keep 11 bits, and steps of 2^-24 at the least: only such ones compare exactly. */
static void round_to_half(double *w, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int exponent;
        (void)frexp(w[i], &exponent);
        int step = exponent - 11 > -24 ? exponent - 11 : -24;
        w[i] = ldexp(nearbyint(ldexp(w[i], -step)), step);
    }
}

static void free_matrix(void *matrix) {
    dun_matrix_free(matrix);
}

static void product(dun_check *c, size_t kind, int M, int rows, int columns) {
    bool backward = kinds[kind].backward;
    int n_columns_out = backward ? columns : rows, n_columns_in = backward ? rows : columns;
    size_t n_out = (size_t)(M * n_columns_out), n_in = (size_t)(M * n_columns_in);
    size_t n_w = (size_t)(rows * columns), offset = kinds[kind].offset ? OFFSET : 0;
    double *x = dun_check_random(c, n_in, 1.0), *w = dun_check_random(c, n_w, 1.0);
    double *old = dun_check_random(c, n_out, 1.0), *want = dun_check_doubles(c, offset + n_out);
    double *bias = dun_check_random(c, (size_t)rows, 1.0);
    if (c->stopped)
        return;
    if (c->compute->tiles.half_weights)
        round_to_half(w, n_w);
    for (size_t i = 0; i < offset; i++)
        want[i] = NAN; /* must keep its bits */
    dun_check_tensor *in = dun_check_input(c, backward ? "dy" : "x", x, n_in),
                     *staging = dun_check_input(c, "w", w, n_w);
    dun_check_tensor *bias_in = dun_check_input(c, "bias", bias, (size_t)rows);
    dun_check_tensor *old_in = dun_check_input(c, "add", old, n_out);
    dun_check_tensor *out = kinds[kind].in_place ? dun_check_in_out(c, "out", old, n_out)
                                                 : dun_check_output(c, "out", offset + n_out);
    dun_matrix *matrix = dun_check_own(c, sizeof *matrix, free_matrix);
    unsigned directions = backward ? DUN_BACKWARD : DUN_FORWARD;
    DUN_CHECK_TRY(
        c, dun_matrix_load(matrix, c->gemm, &staging->buffer, (uint32_t)rows, (uint32_t)columns, directions));
    if (backward)
        DUN_CHECK_TRY(c, dun_gemm_backward(c->gemm, &out->buffer, &in->buffer, matrix, kinds[kind].in_place,
                                           (uint32_t)M));
    else
        DUN_CHECK_TRY(c, dun_gemm_forward(c->gemm, &out->buffer, offset, &in->buffer, matrix,
                                          kinds[kind].bias ? &bias_in->buffer : NULL,
                                          !kinds[kind].add       ? NULL
                                          : kinds[kind].in_place ? &out->buffer
                                                                 : &old_in->buffer,
                                          (uint32_t)M));
    if (backward)
        dun_ref_linear_bwd(want, x, w, M, rows, columns);
    else
        dun_ref_linear_fwd(want + offset, x, w, M, rows, columns);
    for (size_t i = 0; i < n_out; i++)
        want[offset + i] +=
            (kinds[kind].add ? old[i] : 0.0) + (kinds[kind].bias ? bias[i % (size_t)n_columns_out] : 0.0);
    dun_check_close(c, out, want, tolerance);
}

static void run(dun_check *c, size_t index) {
    size_t kind = index % N_KINDS, weight = index / N_KINDS % N_WEIGHTS, batch = index / N_KINDS / N_WEIGHTS;
    int M = batches[batch], rows = weights[weight].rows, columns = weights[weight].columns;
    dun_check_begin(c, index, "gemm %s, %s, %d rows, weight (%d, %d)", dun_gemm_name(c->gemm),
                    kinds[kind].name, M, rows, columns);
    product(c, kind, M, rows, columns);
}

const dun_check_topic dun_check_gemm = {"gemm", (size_t)N_KINDS *N_WEIGHTS *N_BATCHES, run, false};
