/* How long a piece of work takes on a device: repeated, and told by its best and its median time, and by the
 * processors'. */
#ifndef DUN_STOPWATCH_H
#define DUN_STOPWATCH_H

#include "dev/device.h"

/* Seconds of one repetition, over n: of the clock, and the median of what processors worked in this process,
 * its threads together; a device that is no CPU of this process does not count there. */
typedef struct {
    double best, median, processor, worst;
    size_t n;
} dun_bench_seconds;

/* Repetitions: seconds of the clock and of processors. */
enum { DUN_BENCH_REPEATS = 100 };
typedef struct {
    double clock[DUN_BENCH_REPEATS], processor[DUN_BENCH_REPEATS];
    size_t n;
    double total; /* of the clock */
} dun_bench_samples;

/* A repetition begins, and ends: one more sample. */
void dun_bench_begin(dun_bench_samples *samples);
void dun_bench_end(dun_bench_samples *samples);

/* Smallest, middle and largest of n >= 1 samples, which are sorted; with an even n the middle is the mean of
 * two. */
dun_bench_seconds dun_bench_summarise(dun_bench_samples *samples);

/* At least `least` repetitions, and more until `enough_s` seconds have passed, DUN_BENCH_REPEATS at most. */
typedef struct {
    size_t least, most;
    double enough_s;
} dun_bench_patience;

/* Repeats `work` on a device with nothing else to do; each repetition ends when the device is done. */
int dun_bench_repeat(dun_bench_seconds *out, dun_device *device, const dun_bench_patience *patience,
                     int (*work)(void *self), void *self);

#endif
