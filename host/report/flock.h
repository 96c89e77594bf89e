/* A flock in the plane, and as a page. */
#ifndef DUN_REPORT_FLOCK_H
#define DUN_REPORT_FLOCK_H

#include "base/str.h"
#include "run/boids.h"
#include "run/rundir.h"

/* All positions in the plane, (steps + 1, points, 2), newly allocated: as they are, with 0 for a second
 * dimension that is not there, or on the principal components of all positions. */
int dun_flock_flatten(float **out, const dun_flock *flock);

int dun_flock_page(dun_str *html, const dun_flock *flock, const char *name);

/* Writes it into the run's folder, as boids.html, and boids.gif (pictures.h). */
int dun_flock_report(const dun_run_dir *run, const dun_flock *flock, const char *name);

#endif
