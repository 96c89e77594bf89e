/* Cases of host/kernels/optim.cl: an optimiser over many steps, each with a new gradient. */
#include "check_topics.h"
#include "reference_ops.h"

#include <math.h>

enum { STEPS = 50 };

/* Each step rounds x, m and v once; 50 steps of independent roundings stay below 50 * 6e-8. */
static const double tolerance = 3e-6, square_tolerance = 3e-6, x_tolerance = 3e-6;

static const struct {
    int rows, columns;
    double gradient;
    ref_adam options;
} kinds[] = {
    {1, 1, 1.0, {1e-3, 0.9, 0.999, 1e-8}},   {5, 31, 1.0, {1e-3, 0.9, 0.999, 1e-8}},
    {2, 32, 1e-4, {3e-2, 0.9, 0.999, 1e-8}}, {5, 33, 1e4, {1e-1, 0.9, 0.999, 1e-8}},
    {37, 127, 1.0, {1e-2, 0.5, 0.9, 1e-3}},  {3, 576, 1e-9, {1e-2, 0.9, 0.999, 1e-8}}, /* eps decides */
    {2, 257, 0.0, {1e-2, 0.9, 0.999, 1e-8}},
};

static void run(check *c, size_t index) {
    int rows = kinds[index].rows, columns = kinds[index].columns, n = rows * columns;
    const ref_adam *o = &kinds[index].options;
    check_begin(c, index, "adam_step, %d steps on %d rows of %d, gradients of %g", STEPS, rows, columns,
                kinds[index].gradient);
    double *x = check_random(c, (size_t)n, 1.0), *m = check_doubles(c, (size_t)n);
    double *v = check_doubles(c, (size_t)n);
    check_tensor *x_in = check_in_out(c, "x", x, (size_t)n), *m_in = check_in_out(c, "m", m, (size_t)n);
    check_tensor *v_in = check_in_out(c, "v", v, (size_t)n), *g_in = check_in_out(c, "g", m, (size_t)n);
    double *random = check_random(c, (size_t)(STEPS * n), kinds[index].gradient);
    float *g_floats = (float *)check_doubles(c, (size_t)n);
    for (int t = 1; t <= STEPS; t++) {
        double *g = random + (t - 1) * n;
        for (int i = 0; i < n; i++)
            g_floats[i] = (float)(g[i] += 0.1 * kinds[index].gradient); /* not all of it noise */
        for (int i = 0; i < n; i++)
            g[i] = g_floats[i];
        check_ok(dun_buffer_write(&g_in->buffer, 0, g_floats, (size_t)n * sizeof *g_floats));
        CHECK_LAUNCH(c, adam_step, CHECK_ROWS(c, rows), DUN_BUF(x_in->buffer), DUN_BUF(m_in->buffer),
                     DUN_BUF(v_in->buffer), DUN_BUF(g_in->buffer),
                     DUN_FLOAT(o->lr / (1.0 - pow(o->beta1, t))), DUN_FLOAT(1.0 - o->beta1),
                     DUN_FLOAT(1.0 - o->beta2), DUN_FLOAT(o->eps), DUN_FLOAT(sqrt(1.0 - pow(o->beta2, t))),
                     DUN_INT(columns));
        ref_adam_step(x, m, v, g, n, t, o);
    }
    check_close(c, x_in, x, x_tolerance);
    check_close(c, m_in, m, tolerance);
    check_close(c, v_in, v, square_tolerance);
}

const check_topic check_optim = {"optim", sizeof kinds / sizeof *kinds, run, false};
