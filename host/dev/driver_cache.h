/* Can a driver use the folder in which it keeps what it compiled? PoCL ends the process where it cannot, and
 * takes an empty program for a right one. */
#ifndef DUN_DRIVER_CACHE_H
#define DUN_DRIVER_CACHE_H

#include <stdbool.h>

typedef struct {
    unsigned n_programs; /* that lie there */
    char fault[1200];    /* what is wrong, and what to delete; empty: nothing was found */
} dun_driver_cache;

/* Looks at the folder, which need not exist yet (may it be made, written, can what lies there be run, is
 * there room?), and at what PoCL keeps in it, every program and the kernels of those used last: is each file
 * whole, by its own header? Nothing is changed. It takes a quarter of a millisecond for a run's kernels, some
 * milliseconds at most. */
bool dun_driver_cache_is_sound(dun_driver_cache *out, const char *folder);

#endif
