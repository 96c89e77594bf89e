/* The compiled kernels of one device and model shape, by name. */
#ifndef DUN_KERNELS_H
#define DUN_KERNELS_H

#include "dev/choice.h"
#include "dev/gemm.h"
#include "dev/program.h"
#include "dev/tiles.h"

#define DUN_KERNELS(X)                                                                                       \
    X(embed_fwd)                                                                                             \
    X(embed_bwd)                                                                                             \
    X(block_sum)                                                                                             \
    X(last_fwd)                                                                                              \
    X(last_bwd)                                                                                              \
    X(swiglu_fwd)                                                                                            \
    X(swiglu_bwd)                                                                                            \
    X(add_fwd)                                                                                               \
    X(add_bwd)                                                                                               \
    X(rmsnorm_fwd)                                                                                           \
    X(rmsnorm_bwd)                                                                                           \
    X(rope_fwd)                                                                                              \
    X(rope_bwd)                                                                                              \
    X(attention_fwd)                                                                                         \
    X(attention_bwd_q)                                                                                       \
    X(attention_bwd_kv)                                                                                      \
    X(kv_keep)                                                                                               \
    X(kv_recall)                                                                                             \
    X(distance_fwd)                                                                                          \
    X(distance_finish)                                                                                       \
    X(distance_weights)                                                                                      \
    X(distance_bwd)                                                                                          \
    X(inverse_norm)                                                                                          \
    X(loss_cross_entropy)                                                                                    \
    X(loss_centroid)                                                                                         \
    X(loss_attract_repel)                                                                                    \
    X(loss_pairs)                                                                                            \
    X(loss_total)                                                                                            \
    X(reparam_product)                                                                                       \
    X(reparam_relu_bwd)                                                                                      \
    X(reparam_norm_fwd)                                                                                      \
    X(reparam_norm_bwd)                                                                                      \
    X(reparam_norm_bwd_gain)                                                                                 \
    X(boids_loss)                                                                                            \
    X(adam_step)                                                                                             \
    X(sgd_step)                                                                                              \
    X(row_squares)                                                                                           \
    X(clip_gain)                                                                                             \
    X(centroid_total)                                                                                        \
    X(centroid_pull)                                                                                         \
    X(affine_fwd)                                                                                            \
    X(affine_bwd)                                                                                            \
    X(unit_fwd)                                                                                              \
    X(unit_bwd)                                                                                              \
    X(average_step)

enum dun_kernel_id {
#define X(name) DUN_K_##name,
    DUN_KERNELS(X)
#undef X
        DUN_N_KERNELS
};

/* Everything launched on one device: compiled once, owned here. */
typedef struct {
    dun_device *device;
    dun_tiles tiles;
    dun_program *program;
    dun_kernel *kernel[DUN_N_KERNELS];
    dun_gemm *gemm;
    char reason[DUN_REASON_BYTES]; /* why these tiles */
} dun_compute;

/* Builds the program for heads of head_dim floats (any legal value where no model is run) and the GEMM
 * provider `gemm` ("auto", ...). */
int dun_compute_create(dun_compute *out, dun_device *device, uint32_t head_dim, const char *gemm);

/* The same from a kernel text of the caller's, for tests that break a kernel on purpose. */
int dun_compute_create_text(dun_compute *out, dun_device *device, const char *text, uint32_t head_dim,
                            const char *gemm);

/* The same as the user wishes; `text` NULL: the program's own. Tiles that the driver does not take give way
 * to simpler ones, with a warning. */
int dun_compute_create_wish(dun_compute *out, dun_device *device, const char *text, const dun_wish *wish);
void dun_compute_free(dun_compute *compute);

/* Ranges: one work-group for each of n rows; one item for each of n, in groups of the tile's size. */
dun_range dun_rows(const dun_compute *compute, size_t n);
dun_range dun_items(const dun_compute *compute, size_t n);

/* One work-group of attention, or one item where tiles say so, for each of n (row, head) or (row, group). */
dun_range dun_attention_items(const dun_compute *compute, size_t n);

#endif
