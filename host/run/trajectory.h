/* What the animation of a run needs: the points of some batches and the centroids they were compared with,
 * spread evenly over the steps, in the file `trajectory` of the run directory. Frames have one size and the
 * steps that get one are known beforehand, so the file only grows, and a resumed run cuts it to what the
 * checkpoint's step had and ends in the same bytes. */
#ifndef DUN_TRAJECTORY_H
#define DUN_TRAJECTORY_H

#include "base/file.h"
#include "base/stream.h"
#include "dev/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Caps: frames, points of a frame, and bytes of the file, which wide points or many classes reach first. */
enum { DUN_TRAJECTORY_FRAMES = 200, DUN_TRAJECTORY_POINTS = 64, DUN_TRAJECTORY_BYTES = 32 << 20 };

typedef struct {
    uint32_t n_classes, width;   /* K, D */
    uint32_t n_points, n_frames; /* of a frame at most; of the whole run. No frames: K and D are too large */
    uint64_t n_steps;            /* of the whole run */
} dun_trajectory_shape;

/* The shape within the caps, for a run of n_steps with that many texts in a batch. */
dun_trajectory_shape dun_trajectory_plan(uint32_t n_classes, uint32_t width, uint32_t batch_size,
                                         uint64_t n_steps);

/* Bytes of the file once all frames are in it. */
uint64_t dun_trajectory_bytes(const dun_trajectory_shape *shape);

typedef struct {
    dun_trajectory_shape shape;
    dun_stream file; /* not open: nothing is recorded */
    float *origin;   /* [D]; frames hold differences from it, which half precision holds better */
    float *values;   /* (n_points + K, D) scratch */
    uint8_t *frame;
    dun_device *reads; /* whose reads into `values` are not waited for yet, or NULL */
} dun_trajectory;

/* Begins run_path/trajectory with the starting centroids (K, D), or cuts the one that is there to what it had
 * after `step` steps when that is not 0. DUN_BAD_INPUT: it is not this run's, or has too few frames. */
int dun_trajectory_open(dun_trajectory *t, const dun_trajectory_shape *shape, const char *run_path,
                        const dun_buffer *centroids, uint64_t step);

/* Called in every step (from 1) with its points (n, D), their classes, and the centroids before the update:
 * begins a frame where the plan has one, without a wait. */
int dun_trajectory_step(dun_trajectory *t, uint64_t step, const dun_buffer *points,
                        const dun_buffer *centroids, const int32_t *labels, uint32_t n);

/* Called after that once the device was waited for: writes the frame that was begun, if one was. */
int dun_trajectory_write(dun_trajectory *t);
void dun_trajectory_close(dun_trajectory *t);

/* A trajectory read back. */
typedef struct {
    dun_trajectory_shape shape;
    uint32_t n_frames; /* in the file */
    float *origin;     /* [D] */
    dun_file file;
} dun_trajectory_file;

typedef struct {
    uint64_t step;
    uint32_t n;                            /* points */
    int32_t labels[DUN_TRAJECTORY_POINTS]; /* their classes */
} dun_trajectory_frame;

/* DUN_BAD_INPUT: not a trajectory, cut off. `out` needs dun_trajectory_free only after success. */
int dun_trajectory_read(dun_trajectory_file *out, const char *path);

/* The frame's head, and its points (n, D) and after them the centroids (K, D) in values
 * (shape.n_points + K, D). */
int dun_trajectory_get(dun_trajectory_frame *frame, float *values, const dun_trajectory_file *file,
                       uint32_t index);
void dun_trajectory_free(dun_trajectory_file *file);

#endif
