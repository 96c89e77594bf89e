/* A product as every kind of it is asked for, against loops in double. */
#include "check/product_case.h"

#include "check/reference_ops.h"

#include <math.h>

/* Sums of up to 577 products taken in order: roundings add up like a random walk, to about 1e-6 at most. */
static const double tolerance = 2e-6;

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

static void free_matrix(void *matrix) {
    dun_matrix_free(matrix);
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
    if (kind->backward)
        dun_ref_linear_bwd(want, x, w, M, rows, columns);
    else
        dun_ref_linear_fwd(want + offset, x, w, M, rows, columns);
    for (size_t i = 0; i < n_out; i++)
        want[offset + i] += (kind->add ? old[i] : 0.0) + (kind->bias ? bias[i % (size_t)n_columns_out] : 0.0);
    dun_check_close(c, out, want, tolerance);
    return c->stopped ? NULL : out;
}
