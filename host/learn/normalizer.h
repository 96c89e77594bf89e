/* Normalisation of points: an affine map fitted once on the training points under the starting prompt and
 * fixed from then on (centred, or z-scores), or each point divided by its own length. Part of the way from
 * prompt to loss, so it has a backward. */
#ifndef DUN_NORMALIZER_H
#define DUN_NORMALIZER_H

#include "config/config.h"
#include "learn/kernels.h"

typedef struct {
    const dun_compute *compute;
    enum dun_model_normalize kind;
    uint32_t max_points, width; /* D */
    uint32_t parts;             /* points side by side in it: each gets unit length for itself */
    bool fitted;                /* until then an affine map leaves points as they are */
    dun_buffer constants;       /* (2, D): shift, scale; only of an affine map */
    float *values;              /* the same on the host */
    dun_buffer inverse;         /* (max_points, parts): 1 over each length; only of `unit` */
} dun_normalizer;

/* True for the kinds that are fitted. */
bool dun_normalize_is_affine(enum dun_model_normalize kind);

int dun_normalizer_create(dun_normalizer *normalizer, const dun_compute *compute,
                          enum dun_model_normalize kind, uint32_t max_points, uint32_t width, uint32_t parts);
void dun_normalizer_free(dun_normalizer *normalizer);

/* Fits from the sums (D) and sums of squares (D) of the points, times their weights, and the sum of these, in
 * double. A component that never changes is not scaled. */
int dun_normalizer_fit(dun_normalizer *n, const double *sums, const double *squares, double weight);

/* Takes constants (2, D) from an earlier fit; those that lie in the device buffer already (a checkpoint's).
 */
int dun_normalizer_set(dun_normalizer *normalizer, const float *values);
int dun_normalizer_adopt(dun_normalizer *normalizer);

/* A fitted map on points (n_points, D) on the host: those of the pass that it was fitted from. */
void dun_normalizer_apply(const dun_normalizer *n, float *points, size_t n_points);

/* In place on points (n_points, D); their gradient in place, with the points as the forward left them. */
int dun_normalizer_fwd(dun_normalizer *n, dun_buffer *points, uint32_t n_points);
int dun_normalizer_bwd(dun_normalizer *n, dun_buffer *d_points, const dun_buffer *points, uint32_t n_points);

#endif
