/* The starting points of a flock: at random, or from a file. */
#ifndef DUN_BOIDS_START_H
#define DUN_BOIDS_START_H

#include "config/config.h"

/* Newly allocated (n_points, n_dimensions). The file of boids.start holds a point a line, its numbers between
 * spaces, tabs or commas; empty lines do not count. DUN_BAD_INPUT: file:line; DUN_USAGE: boids.count or
 * boids.dimensions is set and says otherwise. */
int dun_boids_places(float **numbers, uint32_t *n_points, uint32_t *n_dimensions, const dun_config *config);

#endif
