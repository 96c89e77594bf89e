/* How a long job tells what it is doing, without knowing who listens. */
#ifndef DUN_OBSERVER_H
#define DUN_OBSERVER_H

#include <stdint.h>

/* Any function may be NULL, and so may the observer. */
typedef struct {
    void *self;
    void (*begin)(void *self, const char *stage, const char *unit, uint64_t total);
    void (*advance)(void *self, uint64_t done, const char *note); /* note: "loss 0.41", or NULL */
    void (*end)(void *self);
    void (*say)(void *self, const char *line);    /* a fact worth a line: device, GEMM choice, memory */
    void (*detail)(void *self, const char *line); /* one that only who asks for more wants to read */
    void (*step)(void *self, uint64_t step, uint64_t steps,
                 double loss); /* of a training, taken of so many */
} dun_observer;

void dun_observe_begin(const dun_observer *observer, const char *stage, const char *unit, uint64_t total);
void dun_observe_advance(const dun_observer *observer, uint64_t done, const char *note);
void dun_observe_end(const dun_observer *observer);
void dun_observe_step(const dun_observer *observer, uint64_t step, uint64_t steps, double loss);
void dun_observe_say(const dun_observer *observer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dun_observe_detail(const dun_observer *observer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
