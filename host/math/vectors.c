/* Loops over vectors of doubles. */
#include "math/vectors.h"

double dun_dot(const double *a, const double *b, size_t n) {
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void dun_add_scaled(double *y, double a, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}
