/* Principal component analysis, the two components that pictures show: directions of most variance of centred
 * points, as scikit-learn's PCA(2) finds them; here the component of largest magnitude of each is positive.
 */
#ifndef DUN_PCA_H
#define DUN_PCA_H

#include <stddef.h>

enum { DUN_PCA_AXES = 2 };

typedef struct {
    size_t width;                  /* D */
    double *mean;                  /* [D] */
    double *axes;                  /* (2, D), orthonormal; zeros where the points have no more directions */
    double variance[DUN_PCA_AXES]; /* along each axis, over n - 1 */
    double share[DUN_PCA_AXES];    /* of the variance in all directions; 0 when there is none */
} dun_pca;

/* Fits points (n, D), all finite, in double precision: Lanczos with full reorthogonalisation (Golub and Van
 * Loan, Matrix Computations, chapter 10), no more than about 30 passes over the points as a rule and never a
 * D by D or n by n matrix. `pca` needs dun_pca_free only after success. */
int dun_pca_fit(dun_pca *pca, const float *points, size_t n, size_t width);
void dun_pca_free(dun_pca *pca);

/* Coordinates of a point (D) on the two axes. */
void dun_pca_project(float out[DUN_PCA_AXES], const dun_pca *pca, const float *point);

#endif
