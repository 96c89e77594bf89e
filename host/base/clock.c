/* The clocks of the system: one that only goes on, that of the processors, and the time of day. */
#include "base/clock.h"

double dun_clock_of(struct timespec at) {
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static double read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return dun_clock_of(now);
}

double dun_clock_seconds(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double dun_clock_processor(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double dun_clock_now(void) {
    return read_clock(CLOCK_REALTIME);
}
