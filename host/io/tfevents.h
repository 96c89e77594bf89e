/* TensorBoard's event files: records of TFRecord framing, each an Event message of Protocol Buffers. A run
 * that goes on begins another file, and says with a session's start from which step on what older files say
 * is void. */
#ifndef DUN_TFEVENTS_H
#define DUN_TFEVENTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct dun_tfevents dun_tfevents;

typedef struct {
    const char *tag;
    double value;
} dun_tfevents_scalar;

/* Begins a new file events.out.tfevents.TIME.dunlin in a folder, TIME being later than that of all others
 * there. `step` is the last one that was done before. DUN_FAILED: it cannot be written. */
int dun_tfevents_open(dun_tfevents **out, const char *folder, uint64_t step);

/* Adds the scalars of a step; they reach the file at once. */
int dun_tfevents_add(dun_tfevents *events, uint64_t step, const dun_tfevents_scalar *scalars, size_t n);

/* What was added is on the disk. */
int dun_tfevents_sync(dun_tfevents *events);
void dun_tfevents_close(dun_tfevents *events);

#endif
