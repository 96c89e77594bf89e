/* Cases of host/kernels/normalize.cl, and of the moving average: what is done to points, and its way back. */
#include "check/check_topics.h"
#include "learn/average.h"
#include "learn/normalizer.h"

#include <math.h>

static const double tolerance = 2e-6;
static const int batches[] = {1, 5, 33};
enum { KIND_AFFINE, KIND_UNIT, KIND_AVERAGE, N_KINDS, N_BATCHES = 3 };

static void free_normalizer(void *normalizer) {
    dun_normalizer_free(normalizer);
}

static void free_average(void *average) {
    dun_average_free(average);
}

static void affine(dun_check *c, int B, int D) {
    size_t n = (size_t)(B * D);
    double *x = dun_check_random(c, n, 100.0), *d = dun_check_random(c, n, 1.0);
    double *constants = dun_check_random(c, (size_t)(2 * D), 3.0);
    if (c->stopped)
        return;
    dun_check_tensor *points = dun_check_in_out(c, "points", x, n),
                     *gradient = dun_check_in_out(c, "d_points", d, n);
    dun_check_tensor *constants_in = dun_check_input(c, "constants", constants, (size_t)(2 * D));
    DUN_CHECK_LAUNCH(c, learn, affine_fwd, DUN_CHECK_ROWS(c, B), DUN_BUF(points->buffer),
                     DUN_BUF(constants_in->buffer), DUN_INT(D));
    DUN_CHECK_LAUNCH(c, learn, affine_bwd, DUN_CHECK_ROWS(c, B), DUN_BUF(gradient->buffer),
                     DUN_BUF(constants_in->buffer), DUN_INT(D));
    for (int at = 0; at < B * D; at++) {
        x[at] = (x[at] - constants[at % D]) * constants[D + at % D];
        d[at] *= constants[D + at % D];
    }
    dun_check_close(c, points, x, tolerance);
    dun_check_close(c, gradient, d, tolerance);
}

/* y = x / |x|, dx = (d - y (y . d)) / |x|; the last point is zero, and stays so without a gradient. */
static void unit(dun_check *c, int B, int D) {
    const uint32_t parts = B == 33 ? 3 : 1; /* in a row, which stand for themselves */
    size_t n = (size_t)(B * D);
    double *x = dun_check_random(c, n, 100.0), *d = dun_check_random(c, n, 1.0);
    dun_normalizer *normalizer = dun_check_own(c, sizeof *normalizer, free_normalizer);
    if (c->stopped)
        return;
    for (int j = 0; B > 1 && j < D; j++)
        x[(B - 1) * D + j] = 0.0;
    dun_check_tensor *points = dun_check_in_out(c, "points", x, n),
                     *gradient = dun_check_in_out(c, "d_points", d, n);
    DUN_CHECK_TRY(c, dun_normalizer_create(normalizer, c->compute, DUN_NORMALIZE_UNIT, (uint32_t)B + 1,
                                           parts * (uint32_t)D, parts));
    DUN_CHECK_TRY(c, dun_normalizer_fwd(normalizer, &points->buffer, (uint32_t)B / parts));
    dun_check_freeze(c, points);
    DUN_CHECK_TRY(c, dun_normalizer_bwd(normalizer, &gradient->buffer, &points->buffer, (uint32_t)B / parts));
    for (int i = 0; i < B; i++) {
        double squares = 0.0, along = 0.0;
        for (int j = 0; j < D; j++)
            squares += x[i * D + j] * x[i * D + j];
        double inverse = squares > 0.0 ? 1.0 / sqrt(squares) : 0.0;
        for (int j = 0; j < D; j++) {
            x[i * D + j] *= inverse;
            along += x[i * D + j] * d[i * D + j];
        }
        for (int j = 0; j < D; j++)
            d[i * D + j] = inverse * (d[i * D + j] - x[i * D + j] * along);
    }
    dun_check_close(c, points, x, tolerance);
    dun_check_close_floor(c, gradient, d, tolerance, 0.01);
}

/* Three steps of live values; then the average in their place, and they back. */
static void average(dun_check *c, int B, int D) {
    enum { STEPS = 3 };
    size_t n = (size_t)(B * D);
    const double decay = 0.25;
    dun_average *averaged = dun_check_own(c, sizeof *averaged, free_average);
    double *mean = dun_check_random(c, n, 1.0), *live = NULL;
    dun_check_tensor *values = dun_check_in_out(c, "live", mean, n),
                     *swapped = dun_check_output(c, "the average", n);
    if (c->stopped)
        return;
    dun_average_init(averaged, c->compute, decay);
    dun_buffer without_canary = values->buffer;
    without_canary.bytes = n * sizeof(float);
    DUN_CHECK_TRY(c, dun_average_add(averaged, &without_canary, "an average"));
    DUN_CHECK_TRY(c, dun_average_start(averaged));
    for (int step = 1; step <= STEPS; step++) {
        double d = fmin(decay, (1.0 + step) / (10.0 + step));
        live = dun_check_random(c, n, 1.0);
        if (c->stopped)
            return;
        dun_check_tensor *next = dun_check_input(c, "next", live, n);
        DUN_CHECK_TRY(c, dun_buffer_copy(&values->buffer, 0, &next->buffer, 0, n * sizeof(float)));
        DUN_CHECK_TRY(c, dun_average_step(averaged, (uint64_t)step));
        for (size_t i = 0; i < n; i++)
            mean[i] = d * mean[i] + (1.0 - d) * live[i];
    }
    DUN_CHECK_TRY(c, dun_average_swap_in(averaged));
    DUN_CHECK_TRY(c, dun_buffer_copy(&swapped->buffer, 0, &values->buffer, 0, n * sizeof(float)));
    DUN_CHECK_TRY(c, dun_average_swap_out(averaged));
    dun_check_close(c, swapped, mean, tolerance);
    dun_check_close(c, values, live, 0.0);
}

static void run(dun_check *c, size_t index) {
    static void (*const kinds[])(dun_check *, int, int) = {affine, unit, average};
    static const char *const names[] = {"affine", "unit", "average"};
    size_t i = index;
    int B = batches[i % N_BATCHES], D = dun_check_widths[(i /= N_BATCHES) % DUN_CHECK_N_WIDTHS];
    size_t kind = i / DUN_CHECK_N_WIDTHS;
    dun_check_begin(c, index, "%s, %d rows of %d", names[kind], B, D);
    kinds[kind](c, B, D);
}

const dun_check_topic dun_check_normalize = {"normalize", (size_t)N_KINDS *N_BATCHES *DUN_CHECK_N_WIDTHS, run,
                                             false};
