/* Multinomial logistic regression on the host: the linear probe's arithmetic. Full-batch L-BFGS (Liu and
 * Nocedal 1989) in double, in a fixed order: the same points give the same bits. */
#ifndef DUN_LOGISTIC_H
#define DUN_LOGISTIC_H

#include <stdbool.h>
#include <stdint.h>

/* mean_i [ -log softmax_{y_i}(W x_i + b) ] + l2 / (2 n) || W ||^2; the intercepts b are free. l2 is the
 * inverse of what other programs call C. With weights w_i the mean is sum_i w_i [...] / n and n their sum. */
typedef struct {
    const float *points;    /* (n, D) */
    const uint32_t *labels; /* [n], below K */
    const double *weights;  /* [n], or NULL: all are 1 */
    uint32_t n, width, n_classes;
    double l2;
} dun_logistic;

typedef struct {
    uint32_t iterations;
    double value;    /* of the objective */
    double gradient; /* its largest component */
    bool converged;
} dun_logistic_fit;

/* The objective at `weights` (K, D + 1), the intercept last; its gradient likewise. `scratch` holds
 * K * (D + 2) numbers. */
double dun_logistic_value(double *gradient, double *scratch, const dun_logistic *problem,
                          const double *weights);

/* Minimises from zero until no component of the gradient exceeds `tolerance`; fit->converged says whether it
 * got there within `most` iterations. */
int dun_logistic_minimize(double *weights, dun_logistic_fit *fit, const dun_logistic *problem,
                          double tolerance, uint32_t most);

/* Class of the largest W x + b; the lower one of equals. */
uint32_t dun_logistic_predict(const float *point, const double *weights, uint32_t width, uint32_t n_classes);

#endif
