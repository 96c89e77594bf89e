/* Standardises two sets of points and fits and scores logistic regression on them. */
#include "math/probe.h"

#include "base/err.h"
#include "base/mem.h"
#include "math/logistic.h"

#include <math.h>

enum { MOST_ITERATIONS = 500 };
static const double gradient_tolerance = 1e-5;

bool dun_probe_fits(uint32_t n_points, uint32_t width) {
    return (uint64_t)n_points * width <= DUN_PROBE_FLOATS;
}

static double weight_of(const dun_probe_data *data, size_t i) {
    return data->weights ? data->weights[i] : 1;
}

static double total_of(const dun_probe_data *data) {
    double total = 0;
    for (size_t i = 0; i < data->n_train; i++)
        total += weight_of(data, i);
    return total;
}

void dun_probe_standardize(dun_probe_data *data) {
    size_t D = data->width, n_all = (size_t)data->n_train + data->n_valid;
    const double total = total_of(data);
    for (size_t j = 0; j < D; j++) {
        double mean = 0, squares = 0;
        for (size_t i = 0; i < data->n_train; i++)
            mean += weight_of(data, i) * (double)data->points[i * D + j] / total;
        for (size_t i = 0; i < data->n_train; i++) {
            double away = (double)data->points[i * D + j] - mean;
            squares += weight_of(data, i) * away * away;
        }
        double deviation = sqrt(squares / total);
        /* What a float cannot tell from its mean is constant. */
        double scale = deviation > 1e-6 * fabs(mean) ? 1 / deviation : 0;
        for (size_t i = 0; i < n_all; i++)
            data->points[i * D + j] = (float)(((double)data->points[i * D + j] - mean) * scale);
    }
}

int dun_probe(double *accuracy, dun_probe_data *data) {
    int rc = DUN_OK;
    size_t D = data->width;
    double *weights = NULL;
    uint32_t right = 0;
    dun_logistic_fit fit;
    const dun_logistic problem = {.points = data->points,
                                  .labels = data->labels,
                                  .weights = data->weights,
                                  .n = data->n_train,
                                  .width = data->width,
                                  .n_classes = data->n_classes,
                                  .l2 = DUN_PROBE_L2};
    TRY_NEW(weights, data->n_classes * (D + 1));
    dun_probe_standardize(data);
    TRY(dun_logistic_minimize(weights, &fit, &problem, gradient_tolerance, MOST_ITERATIONS));
    if (!fit.converged)
        dun_warn("the linear probe is not at its optimum after %u iterations (gradient %.1e)", fit.iterations,
                 fit.gradient);
    for (size_t i = data->n_train; i < (size_t)data->n_train + data->n_valid; i++)
        right += dun_logistic_predict(data->points + i * D, weights, data->width, data->n_classes) ==
                 data->labels[i];
    *accuracy = data->n_valid ? (double)right / data->n_valid : NAN;
out:
    dun_free(weights);
    return rc;
}
