/* Cases of host/kernels/boids.cl: the flock's loss by rows and its gradient by pairs. */
#include "check/check_topics.h"

#include <math.h>

/* Sums of up to 100 terms around 1 or 10. */
static const double tolerance = 2e-6;

static const int counts[] = {2, 3, 5, 31, 32, 33, 64, 65, 100};
enum { N_COUNTS = sizeof counts / sizeof *counts, EQUAL = 1, N_KINDS };

static void run(dun_check *c, size_t index) {
    int K = counts[index / N_KINDS];
    size_t n = (size_t)(K * K);
    bool equal = index % N_KINDS == EQUAL;
    dun_check_begin(c, index, "boids_loss, %d points%s", K, equal ? ", two in one place" : "");
    double *pair = dun_check_random(c, n, 3.0);
    double *value = dun_check_doubles(c, (size_t)K), *d_pair = dun_check_doubles(c, n);
    if (c->stopped)
        return;
    double share = 2.0 / ((double)K * (K - 1));
    for (int j = 0; j < K; j++)
        for (int k = 0; k < K; k++) {
            double *d = &pair[j * K + k];
            if (k <= j) {
                *d = NAN; /* only j < k has a distance */
                continue;
            }
            *d = equal && j == 0 && k == 1 ? 0.0 : (float)(0.1 + fabs(*d));
            double r = *d > 0 ? 1.0 / *d : 0.0;
            value[j] += share * (*d + r);
            d_pair[j * K + k] = share * (1.0 - r * r);
        }
    dun_check_tensor *pair_in = dun_check_input(c, "pair", pair, n);
    dun_check_tensor *value_out = dun_check_output(c, "value", (size_t)K),
                     *d_pair_out = dun_check_output(c, "d_pair", n);
    DUN_CHECK_LAUNCH(c, learn, boids_loss, DUN_CHECK_ROWS(c, K), DUN_BUF(value_out->buffer),
                     DUN_BUF(d_pair_out->buffer), DUN_BUF(pair_in->buffer), DUN_INT(K));
    dun_check_close(c, value_out, value, tolerance);
    dun_check_close(c, d_pair_out, d_pair, tolerance);
}

const dun_check_topic dun_check_boids = {"boids", N_KINDS *N_COUNTS, run, false};
