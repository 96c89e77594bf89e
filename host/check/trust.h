/* Whether a device may be trained on: its self-test with heads of the model's size, run once and kept in the
 * cache by device, driver, platform, kernel text, that size, and whether weights stay as they are stored. */
#ifndef DUN_TRUST_H
#define DUN_TRUST_H

#include "base/observer.h"
#include "check/self_test.h"
#include "config/config.h"
#include "nn/stored.h"

/* What is kept of a self-test. */
typedef struct {
    bool known, passed, set_aside, quick;
    char gemm[32];     /* to be used; empty: none passes */
    char failure[700]; /* why it did not pass, or what was set aside */
} dun_verdict;

dun_verdict dun_verdict_of(const dun_self_test *report);

/* What an earlier self-test of the device as it is described, with heads of head_dim floats (0: the latest of
 * any heads, precision and weights) and perhaps of weights as they are `stored`, found; `known` is false when
 * there was none. */
int dun_verdict_recall(dun_verdict *verdict, const dun_device_info *info, uint32_t head_dim, const char *gemm,
                       const char *precision, bool stored);

/* Keeps a verdict; failing at it is no failure. */
int dun_verdict_keep(const dun_verdict *verdict, const dun_device_info *info, uint32_t head_dim,
                     const char *gemm, const char *precision, bool stored);

/* Before training: recalls the verdict on the device a selector means, or tests it quickly, and says so.
 * `form`: of the weights, `precision`: of the products, or "auto". `gemm` ("auto" or a provider) goes in, the
 * provider to use comes out. DUN_BAD_DEVICE: the device failed, unless `force`. */
int dun_trust(char *gemm_out, size_t gemm_size, const char *selector, uint32_t head_dim, const char *gemm,
              const char *precision, enum dun_weight_form form, bool force, const dun_observer *observer);

/* dun_trust as [device] use, gemm and check say, in the precision of all devices. What fails of the matrix
 * products is put aside in the config, and so in the run's record. */
int dun_trust_config(dun_config *config, uint32_t head_dim, const char *precision, enum dun_weight_form form,
                     const dun_observer *observer);

#endif
