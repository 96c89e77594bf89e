/* Eigenvalues of small symmetric matrices, in double precision. */
#ifndef DUN_SYMMETRIC_H
#define DUN_SYMMETRIC_H

#include <stddef.h>

/* Cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5): matrix (n, n) is destroyed, its
 * diagonal then holds the eigenvalues in no order; column j of vectors (n, n) belongs to the j-th. */
void dun_symmetric_eigen(double *matrix, double *vectors, size_t n);

#endif
