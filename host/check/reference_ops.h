/* Every op of the kernels as plain loops in double, forward and backward: what the kernels are compared with.
 * Nothing is blocked, cached or shared between the directions, so that a formula is wrong in one place only;
 * test_reference_ops.c holds each backward against central differences of its forward.
 * Shapes and letters as in kernels.cl; outputs are overwritten, beta is the caller's affair. */
#ifndef DUN_REFERENCE_OPS_H
#define DUN_REFERENCE_OPS_H

/* A ragged batch and the queries on it, as the kernels see them. */
typedef struct {
    int S, N, Nq;
    const int *start;                                  /* (S+1) */
    const int *sequence;                               /* (N) */
    const int *shared_len, *prefix_start, *prefix_len; /* (S) */
    const int *row_of;                                 /* (Nq) */
} dun_ref_batch;

void dun_ref_embed_fwd(double *out, const int *ids, const double *table, const double *prompt, int N, int C);
void dun_ref_embed_bwd(double *d_prompt, const double *d_out, const int *ids, int N, int P, int C);

void dun_ref_last_fwd(double *out, const double *in, const int *start, int S, int C);
void dun_ref_last_bwd(double *d_in, const double *d_out, const int *start, int S, int N, int C);

void dun_ref_mean_fwd(double *out, const double *in, const int *start, int S, int C);
void dun_ref_mean_bwd(double *d_in, const double *d_out, const int *start, int S, int C);

void dun_ref_swiglu_fwd(double *out, const double *gate_up, int N, int F);
void dun_ref_swiglu_bwd(double *d_gate_up, const double *d_out, const double *gate_up, int N, int F);

void dun_ref_add_fwd(double *out, const double *x, const double *y, int n);
void dun_ref_add_bwd(double *dx, double *dy, const double *d_out, int n);

void dun_ref_rmsnorm_fwd(double *y, const double *x, const double *w, double eps, int N, int C);
void dun_ref_rmsnorm_bwd(double *dx, const double *dy, const double *x, const double *w, double eps, int N,
                         int C);

/* Groups of `width` floats of every row normed each for itself, the rest of a row as it is:
 * host/kernels/norms.cl. */
typedef struct {
    int N, groups, width, step, row_floats;
    int centred, biased;
    double eps;
} dun_ref_norms_shape;
void dun_ref_norms_fwd(double *y, const double *x, const double *w, const dun_ref_norms_shape *shape);
void dun_ref_norms_bwd(double *dx, const double *dy, const double *x, const double *w,
                       const dun_ref_norms_shape *shape);

/* Units of an ffn, by kind: out (N, F) = act(x) of x (N, F), or act(gate) * up of x (N, 2F). */
typedef enum { DUN_REF_SILU, DUN_REF_GELU, DUN_REF_GELU_TANH, DUN_REF_RELU } dun_ref_act;
typedef struct {
    int N, F;
    dun_ref_act act;
    int gated;
} dun_ref_units;
void dun_ref_act_fwd(double *out, const double *x, const dun_ref_units *units);
void dun_ref_act_bwd(double *dx, const double *d_out, const double *x, const dun_ref_units *units);

/* cap tanh(x / cap) of n numbers. */
void dun_ref_cap_fwd(double *y, const double *x, double cap, int n);
void dun_ref_cap_bwd(double *dx, const double *dy, const double *x, double cap, int n);

/* Turns, in place, the first rope_dim of D components of the first `heads` heads of every row by the angle of
 * position[n]; direction -1 turns back. Rows are row_floats apart. */
typedef struct {
    int heads, D, rope_dim, row_floats;
    double base;
    double magnitude;     /* of what turned; 0: 1 */
    const float *divisor; /* (rope_dim / 2) of the angles, 0: 1; or NULL */
} dun_ref_rope_shape;
void dun_ref_rope(double *x, const int *position, int N, const dun_ref_rope_shape *shape, double direction);

/* y (M, rows) = x (M, columns) W^T;  dx (M, columns) = dy (M, rows) W. */
void dun_ref_linear_fwd(double *y, const double *x, const double *w, int M, int rows, int columns);
void dun_ref_linear_bwd(double *dx, const double *dy, const double *w, int M, int rows, int columns);

typedef struct {
    int H, G, D;
    double scale;
    double cap, alibi; /* 0: none; see host/kernels/attention_bent.cl */
    int window;        /* 0: all rows are seen */
} dun_ref_heads;
/* stats (Nq, H) may be NULL. */
void dun_ref_attention_fwd(double *o, double *stats, const double *q, const double *prefix_kv,
                           const double *own_kv, const dun_ref_batch *batch, const dun_ref_heads *heads);
/* dq (Nq, H*D), d_kv (N, 2*G*D). */
void dun_ref_attention_bwd(double *dq, double *d_kv, const double *d_o, const double *q,
                           const double *prefix_kv, const double *own_kv, const dun_ref_batch *batch,
                           const dun_ref_heads *heads);

/* y (B, M) = x (B, D) matrix^T, matrix (M, D). */
void dun_ref_metric_fwd(double *y, const double *x, const double *matrix, int B, int M, int D);
void dun_ref_metric_bwd(double *dx, double *d_matrix, const double *dy, const double *x, const double *matrix,
                        int B, int M, int D);

/* ||a - b + 1e-6||, ||a - b||^2, 1 - cos(a, b). */
typedef enum { DUN_REF_EUCLIDEAN, DUN_REF_SQUARED, DUN_REF_COSINE } dun_ref_distance;
typedef struct {
    int B, K, D;
    dun_ref_distance kind;
    int parts; /* points side by side in a row of D, whose distances are averaged; 0: 1 */
} dun_ref_distance_shape;
void dun_ref_distance_fwd(double *distance, const double *points, const double *centroids,
                          const dun_ref_distance_shape *shape);
void dun_ref_distance_bwd(double *d_points, double *d_centroids, const double *d_distance,
                          const double *points, const double *centroids, const dun_ref_distance_shape *shape);
/* Among centroids: pair (K, K), for j < k. */
void dun_ref_pair_distance_fwd(double *pair, const double *centroids, const dun_ref_distance_shape *shape);
void dun_ref_pair_distance_bwd(double *d_centroids, const double *d_pair, const double *centroids,
                               const dun_ref_distance_shape *shape);

/* Label words: told (B, K) from distances and points (B, D), with the words' rows (K, D) and offsets (K);
 * what is added to d_points for d_told. */
typedef struct {
    int B, K, D;
    double weight;
} dun_ref_words_shape;
void dun_ref_words_fwd(double *told, const double *distance, const double *points, const double *row,
                       const double *offset, const dun_ref_words_shape *shape);
void dun_ref_words_bwd(double *d_points, const double *d_told, const double *row,
                       const dun_ref_words_shape *shape);

/* Losses: the batch's mean value returned, gradients of the distances written. */
typedef struct {
    int B, K;
    double temperature, margin, attraction, repulsion;
    const double *weight; /* (B) by which each point's loss counts in the mean; NULL: alike */
} dun_ref_loss_shape;
typedef double dun_ref_loss(double *d_distance, double *d_pair, const double *distance, const double *pair,
                            const int *label, const dun_ref_loss_shape *shape);
dun_ref_loss dun_ref_loss_cross_entropy, dun_ref_loss_centroid, dun_ref_loss_attract_repel;

/* Step t = 1, 2, ... on n floats. */
typedef struct {
    double lr, beta1, beta2, eps, weight_decay, momentum; /* weight_decay: decoupled */
} dun_ref_adam;
void dun_ref_sgd_step(double *x, double *velocity, const double *g, int n, const dun_ref_adam *options);

/* The calculated update of centroids (K, D) from a batch, by the textbook: every new_k first, then the moves.
 */
typedef struct {
    double repulsion, lethargy, momentum;
    int away; /* or the original form */
} dun_ref_update;
void dun_ref_calculated(double *centroids, double *velocity, const double *points, const int *label,
                        const double *weight, int B, int K, int D, const dun_ref_update *options);

void dun_ref_adam_step(double *x, double *m, double *v, const double *g, int n, int t,
                       const dun_ref_adam *options);

/* A prompt of P rows of C through a network with a middle of M (host/kernels/reparam.cl). x is base (P, C),
 * down (M, C), up (C, M), gain (C), shift (C), one after another; dx likewise. hidden and d_hidden are (P,
 * M), u and d_u (P, C). */
typedef struct {
    int P, C, M;
    double eps;
} dun_ref_reparam_shape;
int dun_ref_reparam_size(const dun_ref_reparam_shape *shape);
void dun_ref_reparam_fwd(double *rows, double *hidden, double *u, const double *x,
                         const dun_ref_reparam_shape *shape);
/* Needs memory of its own. */
int dun_ref_reparam_bwd(double *dx, double *d_hidden, double *d_u, const double *d_rows, const double *x,
                        const dun_ref_reparam_shape *shape);

#endif
