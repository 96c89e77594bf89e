/* Cases of host/kernels/cache.cl: keys and values through half precision and back. */
#include "check/check_topics.h"

#include <math.h>

/* What half precision (IEEE 754 binary16: 11 significant bits, least normal exponent -14) makes of a float:
 * nearest, ties to even, at most its largest number. */
static double to_half(double x) {
    int exponent;
    (void)frexp(x, &exponent); /* |x| in [2^(e-1), 2^e) */
    double step = ldexp(1.0, (exponent < -13 ? -13 : exponent) - 11);
    return fmin(fmax(nearbyint(x / step) * step, -65504.0), 65504.0);
}

/* Rows go out at kept row 2, and come back in reverse order into another place of the cache. */
static void there_and_back(dun_check *c, int N, int C, double scale) {
    enum { KEPT_ROW = 2, CACHE_ROW = 1 };
    size_t rows = (size_t)(2 * N + CACHE_ROW), columns = (size_t)C;
    double *cache = dun_check_random(c, rows * columns, scale), *want = dun_check_doubles(c, rows * columns);
    int32_t *pairs = dun_check_ints(c, 2 * (size_t)N);
    if (c->stopped)
        return;
    for (size_t i = 0; i < rows * columns; i++)
        want[i] = cache[i];
    for (int r = 0; r < N; r++) {
        int to = CACHE_ROW + N + r, from = N - 1 - r;
        pairs[2 * r] = to;
        pairs[2 * r + 1] = KEPT_ROW + from;
        for (size_t j = 0; j < columns; j++)
            want[(size_t)to * columns + j] = to_half(cache[(size_t)(CACHE_ROW + from) * columns + j]);
    }
    dun_check_tensor *cached = dun_check_in_out(c, "cache", cache, rows * columns);
    dun_check_tensor *kept =
        dun_check_output(c, "kept", ((size_t)(N + KEPT_ROW) * columns + 1) / 2); /* two a word */
    dun_check_tensor *pairs_in = dun_check_input_ints(c, "rows", pairs, 2 * (size_t)N);
    DUN_CHECK_LAUNCH(c, nn, kv_keep, DUN_CHECK_ROWS(c, N), DUN_BUF(kept->buffer), DUN_BUF(cached->buffer),
                     DUN_INT(KEPT_ROW), DUN_INT(CACHE_ROW), DUN_INT(C));
    DUN_CHECK_LAUNCH(c, nn, kv_recall, DUN_CHECK_ROWS(c, N), DUN_BUF(cached->buffer), DUN_BUF(kept->buffer),
                     DUN_BUF(pairs_in->buffer), DUN_INT(C));
    dun_check_close(c, cached, want, 0.0);
}

static void run(dun_check *c, size_t index) {
    static const int rows[] = {1, 2, 5, 37};
    static const double scales[] = {1.0, 1e-5,
                                    4e4}; /* the second below half's normal numbers, the third above */
    size_t width = index % DUN_CHECK_N_WIDTHS, scale = index / DUN_CHECK_N_WIDTHS;
    int N = rows[(width + scale) % 4], C = dun_check_widths[width];
    dun_check_begin(c, index, "%d rows of %d, numbers of size %g", N, C, scales[scale]);
    there_and_back(c, N, C, scales[scale]);
}

const dun_check_topic dun_check_cache = {"cache", 3 * (size_t)DUN_CHECK_N_WIDTHS, run, false};
