/* What the launches of the ops have in common: a step's values, their buffers and gradients; and those that
 * have files of their own. The inside of ops.c. */
#ifndef DUN_OPS_PARTS_H
#define DUN_OPS_PARTS_H

#include "nn/ops.h"

static inline const dun_value *value_of(const dun_run *run, int value) {
    return &run->graph->values[value];
}

static inline dun_buffer *buffer_of(dun_run *run, int value) {
    return &run->plan->buffers[value_of(run, value)->buffer];
}

static inline dun_buffer *gradient_of(dun_run *run, int value) {
    return &run->plan->buffers[value_of(run, value)->grad_buffer];
}

/* Whether a gradient adds to what an earlier step left; from now on the next one will. */
static inline bool accumulates(dun_run *run, int value) {
    bool *written = &run->written[value_of(run, value)->grad_owner], before = *written;
    *written = true;
    return before;
}

static inline uint32_t rows_of(const dun_run *run, int value) {
    const dun_device_batch *batch = &run->engine->batch;
    return value_of(run, value)->last_rows ? batch->n_sequences : batch->n_rows;
}

/* Own row of each query row of a value. */
static inline const dun_buffer *row_map_of(const dun_run *run, int value) {
    const dun_device_batch *batch = &run->engine->batch;
    return value_of(run, value)->last_rows ? &batch->last_row : &batch->identity;
}

static inline dun_kernel *kernel(const dun_run *run, enum dun_nn_kernel id) {
    return dun_compute_kernel(run->engine->compute, &dun_nn_kernels, id);
}

static inline dun_range row_range(const dun_run *run, size_t n) {
    return dun_rows(run->engine->compute, n);
}

/* Where a key/value tensor lies: its own buffer, or the cache of its layer from the batch's row on. */
static inline dun_buffer *kv_buffer(dun_run *run, int value, uint32_t layer, size_t *offset) {
    const dun_value *v = value_of(run, value);
    *offset = v->cached ? (size_t)run->cache_row * v->columns : 0;
    return v->cached ? &run->engine->cache[layer] : buffer_of(run, value);
}

/* The tensor a step writes or turns in place; only keys and values may lie in the cache. */
static inline dun_buffer *target_of(dun_run *run, const dun_step *step, size_t *offset) {
    return kv_buffer(run, dun_graph_home(run->graph, step->out), step->layer, offset);
}

/* ops_attention.c */
int dun_op_rope_forward(dun_run *run, const dun_step *step);
int dun_op_rope_backward(dun_run *run, const dun_step *step);
int dun_op_attention_forward(dun_run *run, const dun_step *step);
int dun_op_attention_backward(dun_run *run, const dun_step *step);

#endif
