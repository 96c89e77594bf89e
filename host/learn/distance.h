/* Distances between the rows of two matrices on the device, of each kind, and their gradients. A row may be
 * several points side by side, of several prompts: its distance is then the mean of their distances. */
#ifndef DUN_DISTANCE_H
#define DUN_DISTANCE_H

#include "config/config.h"
#include "learn/kernels.h"

typedef struct {
    const dun_compute *compute;
    enum dun_loss_distance kind;
    uint32_t max_a, max_b, width; /* A and B at most, D of one point */
    uint32_t parts;               /* points of a row */
    dun_buffer scale_a, scale_b;  /* (A, parts), (B, parts): 1, or for cosines 1 / the point's length */
    dun_buffer sums;              /* (parts, chunks, A, B) */
    dun_buffer each, each_pair;   /* (parts, A, B), (parts, B, B) distances of the parts; only of several */
    dun_buffer weight;            /* (parts, A, B) or (parts, B, A) or (parts, B, B) */
    dun_buffer shift, own;        /* (A, parts) or (B, parts) */
} dun_distance;

/* Rows of `parts` points of `width` floats; D below is that of the row. */
int dun_distance_create(dun_distance *distance, const dun_compute *compute, enum dun_loss_distance kind,
                        uint32_t max_a, uint32_t max_b, uint32_t width, uint32_t parts);
void dun_distance_free(dun_distance *distance);

/* out (n_a, n_b) of a (n_a, D) to b (n_b, D). */
int dun_distance_fwd(dun_distance *distance, dun_buffer *out, const dun_buffer *a, uint32_t n_a,
                     const dun_buffer *b, uint32_t n_b);

/* out (n, n) among the rows of b (n, D), n at most max_b: out[j][k] = d(b_j, b_k) for j < k, else 0. */
int dun_distance_pairs_fwd(dun_distance *distance, dun_buffer *out, const dun_buffer *b, uint32_t n);

/* After dun_distance_fwd on the same rows: d_a (n_a, D), d_b (n_b, D), from the gradient d_out (n_a, n_b). */
int dun_distance_bwd_a(dun_distance *distance, dun_buffer *d_a, const dun_buffer *d_out,
                       const dun_buffer *out, const dun_buffer *a, uint32_t n_a, const dun_buffer *b,
                       uint32_t n_b);
int dun_distance_bwd_b(dun_distance *distance, dun_buffer *d_b, const dun_buffer *d_out,
                       const dun_buffer *out, const dun_buffer *a, uint32_t n_a, const dun_buffer *b,
                       uint32_t n_b);

/* After dun_distance_pairs_fwd on the same rows: adds to d_b (n, D) (beta 1) or overwrites it (beta 0). */
int dun_distance_pairs_bwd(dun_distance *distance, dun_buffer *d_b, const dun_buffer *d_out,
                           const dun_buffer *out, const dun_buffer *b, uint32_t n, bool beta);

#endif
