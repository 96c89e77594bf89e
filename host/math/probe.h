/* The honest yardstick: a linear probe (multinomial logistic regression with an L2 penalty, on standardised
 * features) fitted to the training points and scored on the validation points. */
#ifndef DUN_PROBE_H
#define DUN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The penalty, l2 / 2 ||W||^2 against the sum of the texts' losses, which other programs write as C = 0.1;
 * and the most floats a probe is fitted to, which keeps it to seconds. */
#define DUN_PROBE_L2 10.0
enum { DUN_PROBE_FLOATS = 1 << 25 };

/* Training points first, then validation points; what a probe is fitted to and scored on. */
typedef struct {
    float *points;          /* (n_train + n_valid, D) */
    const uint32_t *labels; /* [n_train + n_valid] */
    const double *weights;  /* [n_train] of the training points in fit and scale; NULL: alike */
    uint32_t n_train, n_valid, width, n_classes;
} dun_probe_data;

/* False: so many points of such a width are too many. */
bool dun_probe_fits(uint32_t n_points, uint32_t width);

/* Makes every feature's mean 0 and deviation 1 over the training points, in place; one that is constant
 * there becomes 0. */
void dun_probe_standardize(dun_probe_data *data);

/* Accuracy on the validation points; the points become standardised. DUN_FAILED: no memory. */
int dun_probe(double *accuracy, dun_probe_data *data);

#endif
