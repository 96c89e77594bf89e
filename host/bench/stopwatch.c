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

dun_bench_seconds dun_bench_summarise(double *samples, size_t n) {
    qsort(samples, n, sizeof *samples, by_size);
    return (dun_bench_seconds){samples[0], (samples[(n - 1) / 2] + samples[n / 2]) / 2};
}

int dun_bench_repeat(dun_bench_seconds *out, dun_device *device, const dun_bench_patience *patience,
                     int (*work)(void *self), void *self) {
    int rc = DUN_OK;
    double samples[DUN_BENCH_REPEATS], total = 0;
    size_t n = 0;
    assert(patience->least > 0 && patience->most <= DUN_BENCH_REPEATS);
    TRY(dun_device_finish(device));
    while (n < patience->least || (n < patience->most && total < patience->enough_s)) {
        double begun = dun_clock_seconds();
        TRY(work(self));
        TRY(dun_device_finish(device));
        samples[n] = dun_clock_seconds() - begun;
        total += samples[n++];
    }
    *out = dun_bench_summarise(samples, n);
out:
    return rc;
}
