/* Cases of the products with frozen weights, for whichever provider the check carries. */
#include "check/check_topics.h"
#include "check/product_case.h"

#include <math.h>

/* Rows M of activations around the tile of 12 (and 4, 6), weights of (rows, columns) around its 32 (and 8,
 * 16) columns; K is `columns` forward and `rows` backward, once beyond the 768 of a block of parts. */
static const int batches[] = {1, 3, 11, 12, 13, 160};
static const struct {
    int rows, columns;
} weights[] = {{1, 1},   {1, 33},  {7, 5},    {31, 64},  {32, 32},
               {33, 31}, {64, 48}, {65, 127}, {96, 577}, {33, 801}};
enum { N_BATCHES = 6, N_WEIGHTS = sizeof weights / sizeof *weights, N_KINDS = DUN_N_PRODUCT_KINDS };

/* Stored as f16, weights keep 11 bits, and steps of 2^-24 at the least: only such ones compare exactly. */
static void round_to_half(double *w, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int exponent;
        (void)frexp(w[i], &exponent);
        int step = exponent - 11 > -24 ? exponent - 11 : -24;
        w[i] = ldexp(nearbyint(ldexp(w[i], -step)), step);
    }
}

static void product(dun_check *c, const dun_product_kind *kind, int M, int rows, int columns) {
    size_t n_w = (size_t)(rows * columns);
    double *w = dun_check_random(c, n_w, 1.0);
    if (c->stopped)
        return;
    if (c->compute->tiles.half_weights)
        round_to_half(w, n_w);
    dun_check_tensor *staging = dun_check_input(c, "w", w, n_w);
    dun_matrix *matrix = dun_check_matrix(c);
    DUN_CHECK_TRY(c, dun_matrix_load(matrix, c->gemm, &staging->buffer, (uint32_t)rows, (uint32_t)columns,
                                     kind->backward ? DUN_BACKWARD : DUN_FORWARD));
    dun_check_product(c, kind, matrix, w, M);
}

static void run(dun_check *c, size_t index) {
    size_t weight = index / N_KINDS % N_WEIGHTS, batch = index / N_KINDS / N_WEIGHTS;
    const dun_product_kind *kind = &dun_product_kinds[index % N_KINDS];
    int M = batches[batch], rows = weights[weight].rows, columns = weights[weight].columns;
    dun_check_begin(c, index, "gemm %s, %s, %d rows, weight (%d, %d)", dun_check_products(c), kind->name, M,
                    rows, columns);
    product(c, kind, M, rows, columns);
}

const dun_check_topic dun_check_gemm = {"gemm", (size_t)N_KINDS *N_WEIGHTS *N_BATCHES, run, false};
