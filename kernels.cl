/* dunlin's device text. One vocabulary for every driver: OpenCL C 1.2, float32, no atomics, no fast-math,
 * masks and guards finite, sums in a fixed order, so that one device gives the same bits twice.
 *
 * Shapes: N rows of a ragged batch, S sequences, Nq query rows (N, or S where only last rows are needed),
 *   C width, H query heads, G key/value heads, D head dim, F ffn width, P prompt rows, K classes.
 *   A key/value row holds G*D keys, then G*D values.
 *
 * file              kernels                              meaning                            backward partner
 * gemm_naive.cl     gemm_naive                           any product, one item an output    itself, strides swapped
 *                   gemm_start                           a bias, for a product to add to    -
 * gemm_reg.cl       gemm_reg, gemm_reg_pack              register tile over packed panels   itself, other packing
 * gemm_local.cl     gemm_local, gemm_local_sum, gemm_local_pack  tiles in local memory   itself, other packing
 * gemm_reg_tile.cl  -                                    the register tile, for both of its products -
 * quant.cl          -                                    stored blocks as floats, host code too -
 * stored.cl         -                                    a matrix as it lies in the file    -
 * gemm_naive_stored.cl, gemm_reg_stored.cl  gemm_naive_stored, gemm_reg_stored  the same on such a matrix  itself, told so
 * gemm_local.cl     gemm_local_stored                    the same, with TS_STORED           itself, told so
 * parts_pack.cl     parts_rows, parts_pack               factors in parts of bfloat16        itself, other packing
 * parts_stored.cl   parts_pack_stored                    the same of such a matrix           itself, told so
 * parts_product.cl  parts_product                        product of factors in parts         itself, other packing
 * parts.cl, parts_portable.cl, parts_amx.cl  -           layouts; what computes a tile of it -
 * parts_passes.cl, parts_avx512.cl  -                    the same                            -
 * parts_mma.cl      parts_product                        the same product by work-groups     itself, other packing
 * rows_stored.cl    embed_stored                         embed_fwd on such a table          as embed_fwd's
 * rows.cl           embed_fwd, last_fwd, swiglu_fwd      gather, pick rows, gated unit      embed_bwd and block_sum, last_bwd, swiglu_bwd
 *                   mean_fwd                             means of sequences' rows           mean_bwd
 *                   beside_fwd                           rows side by side                  beside_bwd
 *                   add_fwd                              sum of two tensors                 add_bwd
 * norm.cl           rmsnorm_fwd                          root mean square norm              rmsnorm_bwd
 * rope.cl           rope_fwd                             rotary positions                   rope_bwd
 * attention.cl      attention_fwd                        causal, grouped heads, cached text attention_bwd_q, attention_bwd_kv
 * attention_group.cl  the same three                     the same, a work-group a row and head
 * attention_block.cl  -                                  neighbouring rows, which share keys -
 * attention_shared.cl  -                                 rows that a query sees, for both    -
 * attention_bent.cl  bent_attention_fwd                  the same with windows, caps, ALiBi bent_attention_bwd_q, bent_attention_bwd_kv
 * norms.cl          norms_fwd                            layer norms, of queries and keys   norms_bwd
 * units.cl          act_fwd, cap_fwd                     other activations, capped logits   act_bwd, cap_bwd
 *                   position_fwd                         learned positions                  - (as it is)
 * cache.cl          kv_keep                              keys and values in half precision  kv_recall is its reverse
 * normalize.cl      affine_fwd, unit_fwd                 points, before they are compared   affine_bwd, unit_bwd
 * metric.cl         metric_fwd                           points through a matrix            metric_bwd, metric_bwd_matrix
 * distance.cl       distance_fwd, distance_finish        distances of rows, three kinds     distance_weights, distance_bwd
 * loss.cl           loss_<name>, loss_pairs, loss_total  value and gradient of distances    (same kernel)
 * words.cl          words_fwd                            label words, in distances          words_bwd
 * boids.cl          boids_loss                           a flock's pairs                    (same kernel)
 * centroid.cl       centroid_total, centroid_pull        calculated centroids               -
 * optim.cl          adam_step, sgd_step                  one parameter tensor               -
 *                   row_squares, clip_gain               length of all gradients            -
 *                   average_step                         moving average of a tensor         -
 * reparam.cl        reparam_product, reparam_norm_fwd    a prompt through a small network   itself, reparam_*_bwd, *_bwd_gain
 * roof.cl           roof_fma, roof_read, roof_copy, roof_nothing  what a device can do at most, for bench  -
 *
 * A line `#pragma topic NAME` begins a topic: what is compiled as one program, from the lines before the first such
 * line and its own (host/dev/kernel_text.c). Rooms list their topics and kernels (host/nn/kernels.h,
 * host/learn/kernels.h; products: a provider's row in host/dev). A topic is built when it is first used, with the
 * tiles that it is cut by: WG, VW, SUB_GROUPS in every topic but products; ATT_WG, HEAD_DIM, HEAD_VW in model and
 * traits; REG_* in reg; TS_*, WPT_* in local. traits is what a plain Llama does without. stored, reg_stored and
 * local_stored are for weights as they lie in the file, and built for such weights alone; stored has WG. parts,
 * parts_stored and other variants of the products, parts_amx, parts_avx512 and parts_mma, are for device.precision other
 * than f32; nothing cuts them.
 *
 * Defines (the host chooses, see host/dev/choice.c):
 *   WG        items in a work-group of the row kernels; power of two; 1 on CPUs        default 1
 *   VW        floats in a vector of the row kernels: 4, 8, 16                          default 4
 *   SUB_GROUPS  1: sums over a work-group go through sub-groups                       default 0
 *   ATT_WG    items for a row and head of attention; 1: attention.cl, else attention_group.cl  default 1
 *   HEAD_DIM  D                                                                        default 64
 *   HEAD_VW   vector width that divides HEAD_DIM: 1, 2, 4, 8, 16                       default 4
 *   REG_MR    rows of the register tile: 4, 6, 12                                      default 4
 *   REG_VW    half the columns of the register tile: 4, 8, 16                          default 4
 *   REG_AHEAD 1: the register tile prefetches                                        default 0
 *   TS_M, TS_N, TS_K, WPT_M, WPT_N, TS_VW, TS_PAD, TS_HALF  the local tile, see gemm_local.cl; TS_M 0: none
 */
#include "host/kernels/preface.cl"

#pragma topic naive
#include "host/kernels/gemm_naive.cl"

#pragma topic stored
#include "host/kernels/quant.cl"
#include "host/kernels/stored.cl"
#include "host/kernels/rows_stored.cl"
#include "host/kernels/gemm_naive_stored.cl"

#pragma topic reg
#include "host/kernels/gemm_reg_tile.cl"
#include "host/kernels/gemm_reg.cl"

#pragma topic reg_stored
#define REG_PANEL __local
#define DECODED __local
#include "host/kernels/quant.cl"
#include "host/kernels/stored.cl"
#include "host/kernels/gemm_reg_tile.cl"
#include "host/kernels/gemm_reg_stored.cl"

#pragma topic local
#if TS_M
#include "host/kernels/gemm_local.cl"
#endif

#pragma topic local_stored
#if TS_M
#define TS_STORED 1
#include "host/kernels/quant.cl"
#include "host/kernels/stored.cl"
#include "host/kernels/gemm_local.cl"
#endif

#pragma topic parts
#include "host/kernels/parts.cl"
#include "host/kernels/parts_pack.cl"
#include "host/kernels/parts_portable.cl"
#include "host/kernels/parts_passes.cl"
#include "host/kernels/parts_product.cl"

#pragma topic parts_amx
#ifdef __x86_64__
#include "host/kernels/parts.cl"
#include "host/kernels/parts_amx.cl"
#include "host/kernels/parts_product.cl"
#endif

#pragma topic parts_avx512
#ifdef __x86_64__
#include "host/kernels/parts.cl"
#include "host/kernels/parts_avx512.cl"
#include "host/kernels/parts_passes.cl"
#include "host/kernels/parts_product.cl"
#endif

#pragma topic parts_mma
#include "host/kernels/parts.cl"
#include "host/kernels/parts_mma.cl"

#pragma topic parts_stored
#include "host/kernels/quant.cl"
#include "host/kernels/stored.cl"
#include "host/kernels/parts.cl"
#include "host/kernels/parts_stored.cl"

#pragma topic model
#if ATT_WG <= 1
#include "host/kernels/attention.cl"
#else
#include "host/kernels/attention_group.cl"
#endif
#include "host/kernels/cache.cl"
#include "host/kernels/norm.cl"
#include "host/kernels/rope.cl"
#include "host/kernels/rows.cl"

#pragma topic traits
#include "host/kernels/attention_bent.cl"
#if ATT_WG <= 1
#include "host/kernels/attention.cl"
#else
#include "host/kernels/attention_group.cl"
#endif
#include "host/kernels/norms.cl"
#include "host/kernels/units.cl"

#pragma topic points
#include "host/kernels/distance.cl"
#include "host/kernels/loss.cl"
#include "host/kernels/words.cl"
#include "host/kernels/normalize.cl"
#include "host/kernels/centroid.cl"

#pragma topic metric
#include "host/kernels/metric.cl"

#pragma topic optim
#include "host/kernels/optim.cl"

#pragma topic reparam
#include "host/kernels/reparam.cl"

#pragma topic boids
#include "host/kernels/boids.cl"

#pragma topic roof
#include "host/kernels/roof.cl"
