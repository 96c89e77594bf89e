/* Losses on the device: distances of points to centroids, the loss and its gradients. A loss is one row of
 * a table here and one kernel in host/kernels/loss.cl. */
#ifndef DUN_LOSS_H
#define DUN_LOSS_H

#include "learn/distance.h"
#include "learn/label_words.h"

typedef struct {
    enum dun_loss_kind kind;
    enum dun_loss_distance distance;
    float temperature, margin;
    float attraction; /* distance_factor or attraction_factor, whichever the loss reads */
    float repulsion;
    float label_weight; /* of label words, where there are some */
    uint32_t parts;     /* points of a text side by side, whose distances are averaged; 0: 1 */
} dun_loss_settings;

dun_loss_settings dun_loss_settings_from(const dun_config *config);

typedef struct {
    const dun_compute *compute;
    dun_loss_settings settings;
    uint32_t max_points, n_classes, width; /* B at most, K, D */
    dun_distance between;                  /* points and centroids */
    dun_label_words words;                 /* that distances are told with; perhaps none */
    dun_buffer label, weight;              /* (B) weights of mean 1 */
    float *relative;                       /* [B] the same on the host */
    bool alike;                            /* weight is all 1 */
    dun_buffer distance, d_distance;       /* (B, K) */
    dun_buffer pair, d_pair;               /* (K, K); only where the loss reads pairs of centroids */
    dun_buffer row_value, pair_value;      /* (B), (K): what each adds to the loss */
    dun_buffer value;                      /* (1) */
} dun_loss;

int dun_loss_create(dun_loss *loss, const dun_compute *compute, const dun_loss_settings *settings,
                    uint32_t max_points, uint32_t n_classes, uint32_t width);
void dun_loss_free(dun_loss *loss);

/* From now on distances are told with label words, whose rows of the head, less their mean, are `rows` (K,
 * D); their offsets are 0 until loss->words.offset is written. */
int dun_loss_use_words(dun_loss *loss, const float *rows);

/* distance (B, K) of points (B, D) to centroids (K, D), with label words where there are some: dun_loss_told.
 */
int dun_loss_distances(dun_loss *loss, const dun_buffer *points, const dun_buffer *centroids,
                       uint32_t n_points);

/* Where the distances are that the loss and its readers go by. */
const dun_buffer *dun_loss_told(const dun_loss *loss);

/* Mean loss of a batch, and its gradients where wanted (d_points (B, D), d_centroids (K, D), either NULL).
 * `weights`, finite and not negative, make it the sum of weighted losses over the sum of weights; the
 * repulsion between centroids is nobody's loss. NULL: all texts weigh alike, which gives the same bits as
 * weights that are equal; all 0: the texts' part is 0. */
int dun_loss_run(dun_loss *loss, dun_buffer *d_points, dun_buffer *d_centroids, const dun_buffer *points,
                 const dun_buffer *centroids, const int32_t *labels, const double *weights,
                 uint32_t n_points);

/* What the last run left: the loss, and the distances (B, K) row-major. Either may be NULL. Waits. */
int dun_loss_read(float *value, float *distances, const dun_loss *loss, uint32_t n_points);

/* What that reads, for who reads more at the same time: one wait (dun_buffer_read_parts). */
enum { DUN_LOSS_PARTS = 2 };
void dun_loss_parts(dun_buffer_part parts[DUN_LOSS_PARTS], float *value, float *distances,
                    const dun_loss *loss, uint32_t n_points);

#endif
