/* The factor of the learning rates at a step: warm-up, then constant, linear or cosine. */
#include "learn/schedule.h"

#include <math.h>

double dun_schedule_factor(const dun_config *config, uint64_t step, uint64_t n_steps) {
    static const double pi = 3.14159265358979323846;
    uint64_t warmup = (uint64_t)config->train.warmup;
    if (step <= warmup)
        return (double)step / (double)(warmup + 1);
    double p = n_steps > warmup ? (double)(step - 1 - warmup) / (double)(n_steps - warmup) : 0.0;
    switch (config->train.schedule) {
    case DUN_SCHEDULE_CONSTANT:
        break;
    case DUN_SCHEDULE_LINEAR:
        return fmax(0.0, 1.0 - p);
    case DUN_SCHEDULE_COSINE:
        return 0.5 * (1.0 + cos(pi * fmin(p, 1.0)));
    }
    return 1.0;
}
