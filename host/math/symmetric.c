/* Jacobi rotations until nothing is left beside the diagonal. */
#include "math/symmetric.h"

#include <float.h>
#include <math.h>

enum { MAX_SWEEPS = 60 };

static double off_diagonal(const double *a, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            sum += a[i * n + j] * a[i * n + j];
    return sum;
}

/* Turns rows or columns p and q: step is the distance between elements, first that between the two. */
static void turn(double *p, double *q, size_t step, size_t n, double c, double s) {
    for (size_t i = 0; i < n; i++) {
        double x = p[i * step], y = q[i * step];
        p[i * step] = c * x - s * y;
        q[i * step] = s * x + c * y;
    }
}

static void rotate(double *a, double *v, size_t n, size_t p, size_t q) {
    double apq = a[p * n + q];
    if (apq == 0)
        return;
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta < 0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    turn(a + p, a + q, n, n, c, s);         /* columns */
    turn(a + p * n, a + q * n, 1, n, c, s); /* rows */
    turn(v + p, v + q, n, n, c, s);
}

void dun_symmetric_eigen(double *matrix, double *vectors, size_t n) {
    double whole = 0;
    for (size_t i = 0; i < n * n; i++) {
        whole += matrix[i] * matrix[i];
        vectors[i] = i % (n + 1) == 0;
    }
    for (int sweep = 0; sweep < MAX_SWEEPS && off_diagonal(matrix, n) > DBL_EPSILON * DBL_EPSILON * whole;
         sweep++)
        for (size_t p = 0; p + 1 < n; p++)
            for (size_t q = p + 1; q < n; q++)
                rotate(matrix, vectors, n, p, q);
}
