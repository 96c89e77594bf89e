/* What a run notices about itself on its way, and says when it ends: plain data, so that a checkpoint can
 * carry it. */
#ifndef DUN_WATCH_H
#define DUN_WATCH_H

#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    double probe_before;            /* accuracy of the linear probe; NAN: none */
    double first_loss;              /* of the first step; NAN before it */
    double least_valid, most_valid; /* accuracies measured so far */
    uint64_t n_valid;               /* how many */
} dun_watch;

/* A watch as a checkpoint carries it: its size there, written and read. */
size_t dun_watch_bytes(void);
uint8_t *dun_watch_put(uint8_t *at, const dun_watch *watch);
const uint8_t *dun_watch_take(dun_watch *watch, const uint8_t *at);

void dun_watch_init(dun_watch *watch);
void dun_watch_loss(dun_watch *watch, double loss);
void dun_watch_valid(dun_watch *watch, double accuracy);

/* Accuracy that never moved though it was measured more than once and is not perfect; a loss that grew
 * (`last_loss`: mean of the last epoch, or NAN) to more than twice what it began with. */
enum { DUN_WATCH_FLAT = 1, DUN_WATCH_EXPLODED = 2 };
unsigned dun_watch_verdict(const dun_watch *watch, double last_loss);

/* The verdict as warnings on stderr. */
void dun_watch_warn(const dun_watch *watch, double last_loss, const dun_config *config);

/* The keys whose values may be too high where a loss grows, as in "prompt.lr or centroid.lr". */
const char *dun_watch_keys_to_lower(const dun_config *config);

#endif
