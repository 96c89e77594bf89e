/* The kernels' cases by topic, one topic a file of host/kernels. A topic is a list of cases; running one adds
 * to the check's counts. test_kernels.c and test_gemm.c demand that all pass, test_broken.c that a case of
 * the topic fails once its kernel is broken. */
#ifndef CHECK_TOPICS_H
#define CHECK_TOPICS_H

#include "check/check.h"

typedef struct {
    const char *name;
    size_t n_cases;
    void (*run)(check *c, size_t index);
    bool by_head_dim; /* its kernels are cut by HEAD_DIM */
} check_topic;

extern const check_topic check_rows, check_norm, check_rope, check_attention, check_distance, check_loss,
    check_optim, check_centroid, check_normalize, check_gemm, check_boids, check_reparam, check_step,
    check_cache;

/* Runs a topic's cases; up to the first failure, or all. */
void check_run(check *c, const check_topic *topic, bool stop_at_failure);

/* Widths of rows: around 4, 8 and 16 floats of a vector, 64 items of four floats, and primes. */
extern const int check_widths[];
enum { CHECK_N_WIDTHS = 18 };

#endif
