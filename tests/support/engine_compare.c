/* A scene's points and gradients against the same model as plain double loops over whole sequences. */
#include "device_check.h"
#include "engine_scene.h"

#include <math.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

/* Three blocks of sums of up to 48 products, each rounded to float: a few 1e-7. */
static const double point_tolerance = 2e-6, gradient_tolerance = 5e-6;

static void reference_point(double *out, const scene *s, int q, const double *prompt_rows) {
    int ids[MAX_TEXT + MAX_OWN], n = scene_ids(ids, s->spec, q);
    const int first = s->point.mean ? n - scene_sequences[q].n : n - 1;
    check_ok(dun_random_model_mean(out, s->weights, &s->point, ids, n, first, prompt_rows));
}

static bool uses_row(int q, int row) {
    bool used = false;
    for (int i = 0; i < scene_sequences[q].n; i++)
        used |= scene_sequences[q].ids[i] == -1 - row;
    return used;
}

/* Of the sequences that use a row of the prompt: the others do not change with it. */
static double reference_sum(const scene *s, const double *prompt_rows, int row) {
    double sum = 0.0, out[MAX_POINT];
    for (int q = 0; q < N_SEQUENCES; q++) {
        if (!uses_row(q, row))
            continue;
        reference_point(out, s, q, prompt_rows);
        for (uint32_t j = 0; j < s->width; j++)
            sum += scene_slope(q, j) * out[j];
    }
    return sum;
}

double scene_compare_points(const scene *s) {
    double worst = 0.0;
    for (int q = 0; q < N_SEQUENCES; q++) {
        double want[MAX_POINT], got[MAX_POINT];
        reference_point(want, s, q, s->prompt);
        for (uint32_t j = 0; j < s->width; j++)
            got[j] = s->points[q][j];
        double error = dun_check_relative_error(got, want, s->width);
        worst = fmax(worst, error);
        if (!(error <= point_tolerance))
            fail_msg("%s, %s: the point of sequence %d is off by %.3g", s->spec->architecture,
                     dun_gemm_name(s->engine.compute->gemm), q, error);
    }
    return worst;
}

/* Central differences of the double model: with h = 1e-4 right to about 1e-8. */
double scene_compare_gradient(const scene *s, const float *d_prompt) {
    const double h = 1e-4;
    int C = (int)s->spec->width;
    double want[MAX_P * MAX_WIDTH] = {0}, got[MAX_P * MAX_WIDTH], rows[P * MAX_WIDTH];
    memcpy(rows, s->prompt, sizeof rows);
    for (int i = 0; i < P * C; i++) {
        rows[i] = s->prompt[i] + h;
        double above = reference_sum(s, rows, i / C);
        rows[i] = s->prompt[i] - h;
        want[i] = (above - reference_sum(s, rows, i / C)) / (2.0 * h);
        rows[i] = s->prompt[i];
    }
    for (int i = 0; i < MAX_P * C; i++)
        got[i] = d_prompt[i];
    double error = dun_check_relative_error(got, want, MAX_P * (size_t)C);
    if (!(error <= gradient_tolerance))
        fail_msg("%s, %s: the prompt's gradient is off by %.3g", s->spec->architecture,
                 dun_gemm_name(s->engine.compute->gemm), error);
    for (int i = P * C; i < MAX_P * C; i++)
        assert_true(d_prompt[i] == 0.0f); /* rows that no sequence uses */
    return error;
}
