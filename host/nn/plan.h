/* Memory for a graph's values, planned before the first step: a value owns a buffer from the step that writes
 * it to the last step that reads it, backward included, and buffers pass on to later values. */
#ifndef DUN_PLAN_H
#define DUN_PLAN_H

#include "dev/buffer.h"
#include "nn/graph.h"

typedef struct {
    dun_buffer *buffers;
    size_t n_buffers;
    uint64_t bytes;
} dun_plan;

/* Assigns value->buffer and value->grad_buffer for up to N rows and S sequences and creates the buffers.
 * `backward`: room for gradients too. DUN_BAD_DEVICE: not enough memory; else as dun_graph_check. */
int dun_plan_create(dun_plan *plan, dun_graph *graph, dun_device *device, uint32_t N, uint32_t S,
                    bool backward);
void dun_plan_free(dun_plan *plan);

#endif
