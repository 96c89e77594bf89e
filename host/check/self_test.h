/* The known-answer self-test of a device: every kernel, every way to multiply matrices, and a whole training
 * step, against double loops on the host, on that very device and driver. */
#ifndef DUN_SELF_TEST_H
#define DUN_SELF_TEST_H

#include "base/observer.h"
#include "check/check_topics.h"

enum { DUN_SELF_TEST_ROWS = 40 };

/* One topic, or one GEMM provider. */
typedef struct {
    const char *topic;
    const char *gemm;      /* the provider or variant that this row is about; NULL: a topic of its own */
    const char *precision; /* of its products; NULL: float32 */
    const char *cannot;    /* why the provider was not tested, or NULL */
    size_t n_cases, n_compared, n_failed;
    double worst; /* largest error as a part of what is allowed */
    size_t histogram[DUN_CHECK_BINS];
    char message[700]; /* the first failure */
} dun_self_test_row;

typedef struct {
    dun_self_test_row rows[DUN_SELF_TEST_ROWS];
    size_t n_rows;
    char gemm[32];  /* the provider to use: the one asked for, else the first that passes; empty: none does */
    bool set_aside; /* it is not the one a run would have taken, which failed */
    bool passed;    /* with that provider, and in the precision asked for, the device can be trusted */
    bool precision_failed; /* by every variant, and it was asked for by its word */
    bool stored;           /* weights as they are stored were tested too */
    bool quick;
    size_t n_kernels; /* kernels that were launched */
    double seconds;
} dun_self_test;

/* Heads of this size, those of most models, where no model says otherwise. */
enum { DUN_SELF_TEST_HEADS = 64 };

/* Tests a device with kernels cut for heads of head_dim floats; `wanted` is a provider's name or "auto",
 * `precision` a word of dev/precision.h, "auto", or "all". A variant that fails is put aside for the next
 * slower one. `stored`: the kernels for weights as they lie in a file too, which no others need. `quick`:
 * some cases of each topic instead of all. An error only when the kernels cannot be built at all; failures
 * are in the report. */
int dun_self_test_run(dun_self_test *report, dun_device *device, uint32_t head_dim, const char *wanted,
                      const char *precision, bool stored, bool quick);

/* The same, with its progress. DUN_INTERRUPTED between two topics. */
int dun_self_test_told(dun_self_test *report, dun_device *device, uint32_t head_dim, const char *wanted,
                       const char *precision, bool stored, bool quick, const dun_observer *observer);

/* Why the device cannot be trusted: the first failure of a row that matters; "" when it passed. */
const char *dun_self_test_failure(const dun_self_test *report);

#endif
