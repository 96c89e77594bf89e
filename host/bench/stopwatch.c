/* Repetitions against the clock, and their order statistics. */
#include "bench/stopwatch.h"

#include "base/clock.h"
#include "base/err.h"

#include <assert.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Both clocks are read in the place of the sample that follows, and then taken from what they show. */
void dun_bench_begin(dun_bench_samples *samples) {
    assert(samples->n < DUN_BENCH_REPEATS);
    samples->processor[samples->n] = dun_clock_processor();
    samples->clock[samples->n] = dun_clock_seconds();
}

void dun_bench_end(dun_bench_samples *samples) {
    const size_t i = samples->n++;
    samples->clock[i] = dun_clock_seconds() - samples->clock[i];
    samples->processor[i] = dun_clock_processor() - samples->processor[i];
    samples->total += samples->clock[i];
}

static double median_of_sorted(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_size);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

dun_bench_seconds dun_bench_summarise(dun_bench_samples *samples) {
    const double median = median_of_sorted(samples->clock, samples->n);
    return (dun_bench_seconds){.best = samples->clock[0],
                               .median = median,
                               .processor = median_of_sorted(samples->processor, samples->n),
                               .worst = samples->clock[samples->n - 1],
                               .n = samples->n};
}

int dun_bench_repeat(dun_bench_seconds *out, dun_device *device, const dun_bench_patience *patience,
                     int (*work)(void *self), void *self) {
    int rc = DUN_OK;
    dun_bench_samples samples = {.n = 0};
    assert(patience->least > 0 && patience->most <= DUN_BENCH_REPEATS);
    TRY(dun_device_finish(device));
    while (samples.n < patience->least ||
           (samples.n < patience->most && samples.total < patience->enough_s)) {
        dun_bench_begin(&samples);
        TRY(work(self));
        TRY(dun_device_finish(device));
        dun_bench_end(&samples);
    }
    *out = dun_bench_summarise(&samples);
out:
    return rc;
}
