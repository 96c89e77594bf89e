/* Pictures of runs to paste elsewhere, made with cairo and giflib. The same run gives the same bytes. */
#ifndef DUN_PICTURES_H
#define DUN_PICTURES_H

#include "report/rundata.h"
#include "run/boids.h"

/* The held-out points and centroids, as PNG and as SVG; each is appended. The run must have points. */
int dun_picture_scatter_png(dun_str *out, const dun_run_data *run);
int dun_picture_scatter_svg(dun_str *out, const dun_run_data *run);

/* Batches and centroids over training as GIF, older batches faded and smaller. The run must have scenes. */
int dun_picture_training(dun_str *out, const dun_run_data *run);

/* Writes all of these that the run has into its folder. A program without cairo has this function and the
 * last one from host/lean.c, which only warn. */
int dun_run_pictures(const dun_run_dir *folder, const dun_run_data *run);

/* The flock as GIF. */
int dun_picture_flock(dun_str *out, const dun_flock *flock);

/* Writes boids.gif into the run's folder. */
int dun_flock_pictures(const dun_run_dir *run, const dun_flock *flock);

#endif
