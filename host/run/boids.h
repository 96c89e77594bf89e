/* Boids: a flock of points that no model knows. Every point is drawn to the others and kept apart from them,
 *   loss = mean over pairs of d + 1/d,   d(a, b) = || a - b + 1e-6 ||
 * and the optimiser of the config moves all of them at once. Every position is kept.
 *
 * A run directory of boids holds config.ini, history.jsonl (a line a step: step, loss before it, lr),
 * metrics.json and positions.safetensors, for readers and for pictures:
 *   positions  F32 (steps + 1, points, dimensions): the start, then the points after every step
 *   loss       F32 (steps + 1): of the positions of the same index
 * with the metadata kind = dunlin-boids-1. */
#ifndef DUN_BOIDS_H
#define DUN_BOIDS_H

#include "base/observer.h"
#include "config/config.h"
#include "learn/kernels.h"
#include "run/rundir.h"

typedef struct {
    uint32_t n_points, n_dimensions;
    uint32_t n_steps;
    float *positions;                     /* (n_steps + 1, n_points, n_dimensions) */
    float *losses;                        /* [n_steps + 1] */
    double mean_distance, least_distance; /* between the points in the end */
    double seconds;
} dun_flock;

/* Room for all steps, and the start: at random in [0, extent), or the points of boids.start, which set count
 * and dimensions. DUN_BAD_INPUT: that file, file:line; DUN_USAGE: it and a key disagree, or more positions
 * than can be kept. */
int dun_flock_start(dun_flock *flock, const dun_config *config);
void dun_flock_free(dun_flock *flock);

/* The topics of dun_learn_kernels that a flock needs: bits for dun_wish.uses. */
unsigned dun_flock_topics(void);

/* Moves the flock from its start. `run` (NULL: none) gets a line of history a step. DUN_INTERRUPTED: Ctrl-C;
 * DUN_FAILED: a loss that is not finite. */
int dun_flock_run(dun_flock *flock, const dun_compute *compute, const dun_config *config, dun_run_dir *run,
                  const dun_observer *observer);

/* Writes positions.safetensors and, last, metrics.json. */
int dun_flock_finish(const dun_flock *flock, const dun_compute *compute, const dun_run_dir *run);

/* Reads the positions of a run of boids. DUN_BAD_INPUT: not such a file. */
int dun_flock_read(dun_flock *flock, const char *path);

#endif
