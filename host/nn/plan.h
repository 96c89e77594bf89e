/* Memory for a graph's values, planned before the first step: a value owns a buffer from the step that writes
 * it to the last step that reads it, backward included, and buffers pass on to later values. Plans that are
 * never in use at the same time lie in the same memory. */
#ifndef DUN_PLAN_H
#define DUN_PLAN_H

#include "dev/buffer.h"
#include "nn/graph.h"

/* Where a buffer of a plan lies in its memory. */
typedef struct {
    size_t chunk, offset, bytes;
} dun_plan_place;

typedef struct {
    dun_plan_place *places;
    dun_buffer *buffers; /* there once it has memory */
    size_t n_buffers;
    uint64_t bytes; /* of all of them */
} dun_plan;

/* As few buffers as the device allows, which plans are laid out in. */
typedef struct {
    dun_buffer *chunks;
    size_t n_chunks;
    uint64_t bytes;
} dun_plan_memory;

/* Assigns value->buffer and value->grad_buffer for up to N rows and S sequences, and places.
 * `backward`: room for gradients too. DUN_BAD_DEVICE: not enough memory; else as dun_graph_check. */
int dun_plan_create(dun_plan *plan, dun_graph *graph, const dun_device *device, uint32_t N, uint32_t S,
                    bool backward);
void dun_plan_free(dun_plan *plan);

/* Creates the buffers of n plans, of which one at a time may be in use: what another left is overwritten.
 * The memory is freed after the plans. */
int dun_plan_memory_create(dun_plan_memory *memory, dun_device *device, dun_plan *const *plans, size_t n);
void dun_plan_memory_free(dun_plan_memory *memory);

#endif
