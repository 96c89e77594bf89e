/* Held-out points in the plane: kept on the host while they are measured, projected on their two principal
 * components, and stored as projection.safetensors in the run directory, from which every picture is drawn.
 */
#ifndef DUN_PROJECTION_H
#define DUN_PROJECTION_H

#include "math/pca.h"
#include "session/session.h"

/* Caps: points shown; bytes of points kept for the fit, which wide points reach first. */
enum { DUN_PROJECTION_POINTS = 20000, DUN_PROJECTION_BYTES = 1 << 30 };

/* Some of n points of width D, evenly spread. Without rows it keeps nothing. */
typedef struct {
    uint32_t n, n_kept, width;
    float *rows; /* (n_kept, D) */
} dun_kept_points;

/* `kept` needs dun_kept_points_free only after success. */
int dun_kept_points_create(dun_kept_points *kept, uint32_t n, uint32_t width);
void dun_kept_points_free(dun_kept_points *kept);

/* Takes those it wants of points first .. first + count - 1, which lie in the buffer (count, D). */
int dun_kept_points_take(dun_kept_points *kept, const dun_buffer *points, uint32_t first, uint32_t count);

/* Which of the n points the i-th kept one is. */
uint32_t dun_kept_points_index(const dun_kept_points *kept, uint32_t i);

typedef struct {
    uint32_t n, n_classes, width; /* points shown, K, D */
    float *points;                /* (n, 2) */
    float *centroids;             /* (K, 2) */
    float *distances;             /* (n, K), in all D dimensions */
    int64_t *rows;                /* [n] row of predictions.tsv, from 0, ascending */
    int64_t *labels;              /* [n] */
    dun_pca pca;
} dun_projection;

/* Projects kept validation points and the centroids (K, D); distances (n_valid, K) are those measured.
 * `out` needs dun_projection_free only after success. */
int dun_projection_make(dun_projection *out, const dun_kept_points *kept, const dun_session *session,
                        const float *centroids, const float *distances);

/* run_path/projection.safetensors: points, centroids, distances, rows, labels, mean, axes, share. */
int dun_projection_write(const dun_projection *projection, const char *run_path);

/* DUN_BAD_INPUT: not such a file, or not finite; `out` needs dun_projection_free only after success. */
int dun_projection_read(dun_projection *out, const char *path);
void dun_projection_free(dun_projection *projection);

#endif
