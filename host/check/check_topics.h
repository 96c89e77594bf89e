/* The kernels' cases by topic, one topic a file of host/kernels. A topic is a list of cases; running one adds
 * to the check's counts. test_kernels.c and test_gemm.c demand that all pass, test_broken.c that a case of
 * the topic fails once its kernel is broken. */
#ifndef DUN_CHECK_TOPICS_H
#define DUN_CHECK_TOPICS_H

#include "check/check.h"

typedef struct {
    const char *name;
    size_t n_cases;
    void (*run)(dun_check *c, size_t index);
    bool by_head_dim; /* its kernels are cut by HEAD_DIM */
} dun_check_topic;

#define DUN_DECLARE(name) extern const dun_check_topic dun_check_##name;
#define CASES DUN_DECLARE
#define STORED_CASES DUN_DECLARE
#define PRODUCT_CASES DUN_DECLARE
#define STEP_CASES DUN_DECLARE
#include "check/topics.def"
#undef DUN_DECLARE

/* dun_check_stored, and besides bit for bit what the provider gives of the same weights as floats. */
extern const dun_check_topic dun_check_stored_bits;

/* Runs a topic's cases; up to the first failure, or all. */
void dun_check_run(dun_check *c, const dun_check_topic *topic, bool stop_at_failure);

/* Widths of rows: around 4, 8 and 16 floats of a vector, 64 items of four floats, and primes. */
extern const int dun_check_widths[];
enum { DUN_CHECK_N_WIDTHS = 18 };

#endif
