/* Sweeps: keys that take several values each, and the grid of their combinations. */
#ifndef DUN_SWEEP_H
#define DUN_SWEEP_H

#include "config/config.h"

enum { DUN_SWEEP_POINTS = 10000 }; /* most combinations */

/* One key and its values, as a config file holds them without quotes. */
typedef struct {
    enum dun_config_id id;
    char **values; /* [n] */
    size_t n, capacity;
} dun_axis;

typedef struct {
    dun_axis *axes; /* the dearest to change first: they vary slowest */
    size_t n_axes, capacity;
} dun_sweep;

/* Adds "section.key=v1,v2"; a value in double quotes may hold
 * commas, and spaces before it, which otherwise do not count. Start from {0}. DUN_USAGE: no such key,
 * a value it does not take, a value or a key twice, too many combinations. */
int dun_sweep_add(dun_sweep *sweep, const char *assignment);
void dun_sweep_free(dun_sweep *sweep);

/* How many combinations there are; 1 without axes. */
size_t dun_sweep_points(const dun_sweep *sweep);

/* Value of an axis in a combination. */
const char *dun_sweep_value(const dun_sweep *sweep, size_t axis, size_t point);

/* Puts a combination's values into a config. */
int dun_sweep_apply(dun_config *config, const dun_sweep *sweep, size_t point);

/* "prompt.lr" of an axis, in `out`. */
enum { DUN_SWEEP_KEY_BYTES = 64 };
void dun_sweep_key(char out[DUN_SWEEP_KEY_BYTES], const dun_sweep *sweep, size_t axis);

#endif
