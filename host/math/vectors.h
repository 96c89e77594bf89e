/* Sums over vectors of doubles that the solvers here share; the same order each time, so the same bits. */
#ifndef DUN_VECTORS_H
#define DUN_VECTORS_H

#include <stddef.h>

/* a . b, in four partial sums, which processors add side by side. */
double dun_dot(const double *a, const double *b, size_t n);

/* y += a x. */
void dun_add_scaled(double *y, double a, const double *x, size_t n);

#endif
