/* Linear discriminants: directions in which classes lie apart, measured by how their own points are spread.
 */
#ifndef DUN_DISCRIMINANT_H
#define DUN_DISCRIMINANT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const float *points;    /* (n, D), finite */
    const uint32_t *labels; /* [n] */
    const double *weights;  /* [n], not all 0; NULL: alike */
    uint32_t n, width, n_classes;
} dun_discriminant_data;

/* Fits `matrix` (M, D), M at most D, so that lengths of matrix x are Mahalanobis distances: with S the
 * covariance of points within their classes, shrunk towards a multiple of the identity, S = (1 - a) S_within
 * + a trace(S_within) / D I,   matrix S matrix^T = I. With M < D its first rows, at most one less than there
 * are classes, are the discriminants, the strongest first (Fisher 1936; Rao 1948): no other direction tells
 * the class means apart, so that the nearest class mean is the same as with M = D; the other rows are random
 * by `seed`. a is *shrinkage, or, where that is negative, the value that is best on average (Ledoit and Wolf
 * 2004, "A well-conditioned estimator for large-dimensional covariance matrices"), which is then left there.
 * DUN_FAILED: no memory. */
int dun_discriminant_fit(float *matrix, double *shrinkage, const dun_discriminant_data *data, uint32_t M,
                         uint64_t seed);

#endif
