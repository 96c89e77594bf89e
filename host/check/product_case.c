/* A product as every kind of it is asked for, against loops in double. */
#include "check/product_case.h"

#include "check/reference_ops.h"

#include <math.h>

/* Sums of up to 577 products taken in order: roundings add up like a random walk, to about 1e-6 at most. */
static const double tolerance = 2e-6;

/* How far products of parts may be from those of whole factors, by how many parts a factor has: rounded to 8
 * bits, and to 16 without the product of both rests. As a share of the result and of the size of its terms,
 * which may cancel each other. */
static const double allowances[] = {0, 8e-3, 1e-5};

const dun_product_kind dun_product_kinds[DUN_N_PRODUCT_KINDS] = {
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
enum { OFFSET = 37 };

/* To 8 bits, ties to even, as bfloat16. */
static double rounded(double x) {
    int exponent;
    (void)frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(x, 8 - exponent)), exponent - 8);
}

/* The linear layer on factors in parts, the same roundings in double: all but the product of both rests. */
static void parts_reference(dun_check *c, double *want, const double *x, size_t n_in,
                            const dun_matrix *matrix, const double *w, int M, bool backward, int n_parts) {
    const int rows = (int)matrix->rows, columns = (int)matrix->columns;
    const size_t n_w = (size_t)(rows * columns), n_out = (size_t)(M * (backward ? columns : rows));
    double *x_part[2] = {dun_check_doubles(c, n_in), dun_check_doubles(c, n_in)};
    double *w_part[2] = {dun_check_doubles(c, n_w), dun_check_doubles(c, n_w)},
           *sum = dun_check_doubles(c, n_out);
    if (c->stopped)
        return;
    for (size_t i = 0; i < n_in; i++) {
        x_part[0][i] = rounded(x[i]);
        x_part[1][i] = rounded(x[i] - x_part[0][i]);
    }
    for (size_t i = 0; i < n_w; i++) {
        w_part[0][i] = rounded(w[i]);
        w_part[1][i] = rounded(w[i] - w_part[0][i]);
    }
    for (int i = 0; i < (n_parts > 1 ? 3 : 1); i++) {
        (backward ? dun_ref_linear_bwd : dun_ref_linear_fwd)(sum, x_part[i == 1], w_part[i == 2], M, rows,
                                                             columns);
        for (size_t j = 0; j < n_out; j++)
            want[j] = i ? want[j] + sum[j] : sum[j];
    }
}

static double root_mean_square(const double *w, size_t n) {
    double squares = 0.0;
    for (size_t i = 0; i < n; i++)
        squares += w[i] * w[i];
    return sqrt(squares / (double)n);
}

/* What is asked for besides the product. */
static void add_rest(double *want, const dun_product_kind *kind, const double *old, const double *bias,
                     size_t n_out, int n_columns) {
    for (size_t i = 0; i < n_out; i++)
        want[i] += (kind->add ? old[i] : 0.0) + (kind->bias ? bias[i % (size_t)n_columns] : 0.0);
}

static void free_matrix(void *matrix) {
    dun_matrix_free(matrix);
}

const char *dun_check_products(const dun_check *c) {
    return dun_gemm_parts(c->gemm, false) ? dun_gemm_precision(c->gemm) : dun_gemm_name(c->gemm);
}

dun_matrix *dun_check_matrix(dun_check *c) {
    return dun_check_own(c, sizeof(dun_matrix), free_matrix);
}

dun_check_tensor *dun_check_product(dun_check *c, const dun_product_kind *kind, const dun_matrix *matrix,
                                    const double *w, int M) {
    if (c->stopped)
        return NULL;
    const int rows = (int)matrix->rows, columns = (int)matrix->columns;
    const int n_columns_out = kind->backward ? columns : rows, n_columns_in = kind->backward ? rows : columns;
    const size_t n_out = (size_t)(M * n_columns_out), n_in = (size_t)(M * n_columns_in);
    const size_t offset = kind->offset ? OFFSET : 0;
    double *x = dun_check_random(c, n_in, 1.0), *old = dun_check_random(c, n_out, 1.0);
    double *bias = dun_check_random(c, (size_t)rows, 1.0), *want = dun_check_doubles(c, offset + n_out);
    if (c->stopped)
        return NULL;
    for (size_t i = 0; i < offset; i++)
        want[i] = NAN; /* must keep its bits */
    dun_check_tensor *in = dun_check_input(c, kind->backward ? "dy" : "x", x, n_in);
    dun_check_tensor *bias_in = dun_check_input(c, "bias", bias, (size_t)rows);
    dun_check_tensor *old_in = dun_check_input(c, "add", old, n_out);
    dun_check_tensor *out =
        kind->in_place ? dun_check_in_out(c, "out", old, n_out) : dun_check_output(c, "out", offset + n_out);
    const dun_buffer *add = kind->in_place ? &out->buffer : &old_in->buffer;
    if (kind->backward)
        DUN_CHECK_TRY(
            c, dun_gemm_backward(c->gemm, &out->buffer, &in->buffer, matrix, kind->in_place, (uint32_t)M));
    else
        DUN_CHECK_TRY(c, dun_gemm_forward(c->gemm, &out->buffer, offset, &in->buffer, matrix,
                                          kind->bias ? &bias_in->buffer : NULL, kind->add ? add : NULL,
                                          (uint32_t)M));
    const int n_parts = dun_gemm_parts(c->gemm, kind->backward);
    (kind->backward ? dun_ref_linear_bwd : dun_ref_linear_fwd)(want + offset, x, w, M, rows, columns);
    add_rest(want + offset, kind, old, bias, n_out, n_columns_out);
    if (n_parts) {
        dun_check_close_floor(c, out, want, allowances[n_parts],
                              sqrt(n_columns_in) * root_mean_square(w, (size_t)(rows * columns)));
        parts_reference(c, want + offset, x, n_in, matrix, w, M, kind->backward, n_parts);
        if (c->stopped)
            return NULL;
        add_rest(want + offset, kind, old, bias, n_out, n_columns_out);
    }
    dun_check_close(c, out, want, tolerance);
    return c->stopped ? NULL : out;
}
