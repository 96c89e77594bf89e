/* The kernels that a model's graph is made of. */
#ifndef DUN_NN_KERNELS_H
#define DUN_NN_KERNELS_H

#include "dev/compute.h"

/* X(topic of kernels.cl, kernel) */
#define DUN_NN_KERNELS(X)                                                                                    \
    X(model, embed_fwd)                                                                                      \
    X(model, embed_bwd)                                                                                      \
    X(model, block_sum)                                                                                      \
    X(model, last_fwd)                                                                                       \
    X(model, last_bwd)                                                                                       \
    X(model, mean_fwd)                                                                                       \
    X(model, mean_bwd)                                                                                       \
    X(model, beside_fwd)                                                                                     \
    X(model, beside_bwd)                                                                                     \
    X(model, swiglu_fwd)                                                                                     \
    X(model, swiglu_bwd)                                                                                     \
    X(model, add_fwd)                                                                                        \
    X(model, add_bwd)                                                                                        \
    X(model, rmsnorm_fwd)                                                                                    \
    X(model, rmsnorm_bwd)                                                                                    \
    X(model, rope_fwd)                                                                                       \
    X(model, rope_bwd)                                                                                       \
    X(model, attention_fwd)                                                                                  \
    X(model, attention_bwd_q)                                                                                \
    X(model, attention_bwd_kv)                                                                               \
    X(model, kv_keep)                                                                                        \
    X(model, kv_recall)                                                                                      \
    X(traits, bent_attention_fwd)                                                                            \
    X(traits, bent_attention_bwd_q)                                                                          \
    X(traits, bent_attention_bwd_kv)                                                                         \
    X(traits, norms_fwd)                                                                                     \
    X(traits, norms_bwd)                                                                                     \
    X(traits, act_fwd)                                                                                       \
    X(traits, act_bwd)                                                                                       \
    X(traits, position_fwd)                                                                                  \
    X(traits, cap_fwd)                                                                                       \
    X(traits, cap_bwd)                                                                                       \
    X(stored, embed_stored)

/* What every model needs; what only those need that are no plain Llamas, or whose weights are no floats. */
enum { DUN_TOPIC_model, DUN_TOPIC_traits, DUN_TOPIC_stored, DUN_N_NN_TOPICS };

enum dun_nn_kernel {
#define X(topic, name) DUN_K_##name,
    DUN_NN_KERNELS(X)
#undef X
        DUN_N_NN_KERNELS
};

extern const dun_kernel_list dun_nn_kernels;

/* What every model needs in use, and the rest where it is needed (dun_compute_use). Errors as there. */
int dun_nn_use(const dun_compute *compute, bool traits, bool stored);

/* One work-group of attention, or one item where tiles say so, for each of n (row, head) or (row, group). */
dun_range dun_attention_items(const dun_compute *compute, size_t n);

/* Query rows that one item takes (ATT_ROWS of the kernels). */
enum { DUN_ATTENTION_ROWS = 4 };

/* The same for query rows of H heads, of which one item takes several. */
dun_range dun_attention_queries(const dun_compute *compute, size_t n_rows, size_t H);

#endif
