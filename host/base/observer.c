/* Formats what is told and hands it on, if anybody listens. */
#include "base/observer.h"

#include <stdarg.h>
#include <stdio.h>

void dun_observe_begin(const dun_observer *observer, const char *stage, const char *unit, uint64_t total) {
    if (observer && observer->begin)
        observer->begin(observer->self, stage, unit, total);
}

void dun_observe_advance(const dun_observer *observer, uint64_t done, const char *note) {
    if (observer && observer->advance)
        observer->advance(observer->self, done, note);
}

void dun_observe_end(const dun_observer *observer) {
    if (observer && observer->end)
        observer->end(observer->self);
}

void dun_observe_step(const dun_observer *observer, uint64_t step, uint64_t steps, double loss) {
    if (observer && observer->step)
        observer->step(observer->self, step, steps, loss);
}

void dun_observe_say(const dun_observer *observer, const char *format, ...) {
    char line[1024];
    if (!observer || !observer->say)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    observer->say(observer->self, line);
}

void dun_observe_detail(const dun_observer *observer, const char *format, ...) {
    char line[1024];
    if (!observer || !observer->detail)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    observer->detail(observer->self, line);
}
