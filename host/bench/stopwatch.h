/* How long a piece of work takes on a device: repeated, and told by its best and its median time. */
#ifndef DUN_STOPWATCH_H
#define DUN_STOPWATCH_H

#include "dev/device.h"

/* Seconds of one repetition, over several. */
typedef struct {
    double best, median;
} dun_bench_seconds;

/* Smallest and middle of n samples (n >= 1), which are sorted; with an even n the mean of the two middle
 * ones.
 */
dun_bench_seconds dun_bench_summarise(double *samples, size_t n);

/* At least `least` repetitions, and more until `enough_s` seconds have passed, DUN_BENCH_REPEATS at most. */
enum { DUN_BENCH_REPEATS = 100 };
typedef struct {
    size_t least, most;
    double enough_s;
} dun_bench_patience;

/* Repeats `work` on a device with nothing else to do; each repetition ends when the device is done. */
int dun_bench_repeat(dun_bench_seconds *out, dun_device *device, const dun_bench_patience *patience,
                     int (*work)(void *self), void *self);

#endif
