/* The ops' launches, forward and backward mirrored. Formulas and shapes are in the kernels' files. */
#include "nn/ops.h"

#include "base/err.h"

#include <assert.h>

static const dun_value *value_of(const dun_run *run, int value) {
    return &run->graph->values[value];
}

static dun_buffer *buffer_of(dun_run *run, int value) {
    return &run->plan->buffers[value_of(run, value)->buffer];
}

static dun_buffer *gradient_of(dun_run *run, int value) {
    return &run->plan->buffers[value_of(run, value)->grad_buffer];
}

/* Whether a gradient adds to what an earlier step left; from now on the next one will. */
static bool accumulates(dun_run *run, int value) {
    bool *written = &run->written[value_of(run, value)->grad_owner], before = *written;
    *written = true;
    return before;
}

static uint32_t rows_of(const dun_run *run, int value) {
    const dun_device_batch *batch = &run->engine->batch;
    return value_of(run, value)->last_rows ? batch->n_sequences : batch->n_rows;
}

/* Own row of each query row of a value. */
static const dun_buffer *row_map_of(const dun_run *run, int value) {
    const dun_device_batch *batch = &run->engine->batch;
    return value_of(run, value)->last_rows ? &batch->last_row : &batch->identity;
}

static dun_kernel *kernel(const dun_run *run, enum dun_nn_kernel id) {
    return dun_compute_kernel(run->engine->compute, &dun_nn_kernels, id);
}

static dun_range row_range(const dun_run *run, size_t n) {
    return dun_rows(run->engine->compute, n);
}

/* Where a key/value tensor lies: its own buffer, or the cache of its layer from the batch's row on. */
static dun_buffer *kv_buffer(dun_run *run, int value, uint32_t layer, size_t *offset) {
    const dun_value *v = value_of(run, value);
    *offset = v->cached ? (size_t)run->cache_row * v->columns : 0;
    return v->cached ? &run->engine->cache[layer] : buffer_of(run, value);
}

/* The tensor a step writes or turns in place; only keys and values may lie in the cache. */
static dun_buffer *target_of(dun_run *run, const dun_step *step, size_t *offset) {
    int owner = step->out;
    while (value_of(run, owner)->same_as >= 0)
        owner = value_of(run, owner)->same_as;
    return kv_buffer(run, owner, step->layer, offset);
}

static int embed_forward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    dun_engine *e = run->engine;
    const dun_table_parts *table = &e->model.embedding;
    uint32_t C = value_of(run, step->out)->columns;
    for (size_t i = 0; i < table->n_parts; i++)
        TRY(DUN_LAUNCH(kernel(run, DUN_K_embed_fwd), row_range(run, e->batch.n_rows),
                       DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(e->batch.ids), DUN_BUF(table->parts[i]),
                       DUN_BUF(e->prompt), DUN_INT(i * table->part_rows), DUN_INT(table->part_rows),
                       DUN_INT(C)));
out:
    return rc;
}

static int embed_backward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    dun_engine *e = run->engine;
    uint32_t C = value_of(run, step->out)->columns, S = e->batch.n_sequences;
    TRY(DUN_LAUNCH(kernel(run, DUN_K_embed_bwd),
                   ((dun_range){{e->options.max_prompt, S}, e->compute->tiles.group}), DUN_BUF(e->d_texts),
                   DUN_BUF(*gradient_of(run, step->out)), DUN_BUF(e->batch.ids), DUN_BUF(e->batch.start),
                   DUN_INT(C)));
    TRY(dun_engine_sum_texts(e, S));
out:
    return rc;
}

/* Kernels by kind: forward, backward. */
static const enum dun_nn_kernel norm_kernels[][2] = {
    [DUN_NORM_RMS] = {DUN_K_rmsnorm_fwd, DUN_K_rmsnorm_bwd},
};
static const enum dun_nn_kernel gate_kernels[][2] = {
    [DUN_ACT_SILU] = {DUN_K_swiglu_fwd, DUN_K_swiglu_bwd},
};

static int norm_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    uint32_t C = value_of(run, step->out)->columns;
    return DUN_LAUNCH(kernel(run, norm_kernels[step->norm][0]), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_FLOAT(e->model.spec.norm_eps), DUN_INT(C));
}

static int norm_backward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    uint32_t C = value_of(run, step->out)->columns;
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    return DUN_LAUNCH(kernel(run, norm_kernels[step->norm][1]), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_FLOAT(e->model.spec.norm_eps), DUN_INT(beta), DUN_INT(C));
}

/* Hands a sum's gradient on to an addend, unless the two share one (dun_value.grad_owner). */
static int pass_on(dun_run *run, const dun_step *step, int addend) {
    if (addend < 0 || value_of(run, addend)->grad_owner == value_of(run, step->out)->grad_owner)
        return DUN_OK;
    bool beta = accumulates(run, addend);
    return DUN_LAUNCH(kernel(run, DUN_K_add_bwd), row_range(run, rows_of(run, addend)),
                      DUN_BUF(*gradient_of(run, addend)), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_INT(beta), DUN_INT(value_of(run, addend)->columns));
}

static int linear_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    size_t offset;
    int sum = step->in[DUN_IN_SUM];
    dun_buffer *y = target_of(run, step, &offset);
    const dun_buffer *bias =
        step->bias == DUN_VEC_NONE ? NULL : dun_model_vector(&e->model, step->bias, step->layer);
    return dun_gemm_forward(e->compute->gemm, y, offset, buffer_of(run, step->in[DUN_IN_X]),
                            dun_model_matrix(&e->model, step->weight, step->layer), bias,
                            sum >= 0 ? buffer_of(run, sum) : NULL, rows_of(run, step->out));
}

static int linear_backward(dun_run *run, const dun_step *step) {
    int rc;
    const dun_engine *e = run->engine;
    TRY(pass_on(run, step, step->in[DUN_IN_SUM]));
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    TRY(dun_gemm_backward(e->compute->gemm, gradient_of(run, step->in[DUN_IN_X]), gradient_of(run, step->out),
                          dun_model_matrix(&e->model, step->weight, step->layer), beta,
                          rows_of(run, step->out)));
out:
    return rc;
}

static int add_forward(dun_run *run, const dun_step *step) {
    return DUN_LAUNCH(kernel(run, DUN_K_add_fwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*buffer_of(run, step->in[DUN_IN_SUM])),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int add_backward(dun_run *run, const dun_step *step) {
    int rc;
    TRY(pass_on(run, step, step->in[DUN_IN_X]));
    TRY(pass_on(run, step, step->in[DUN_IN_SUM]));
out:
    return rc;
}

static int rope_turn(dun_run *run, const dun_step *step, enum dun_nn_kernel id, dun_buffer *x,
                     size_t offset) {
    const dun_engine *e = run->engine;
    return DUN_LAUNCH(kernel(run, id), row_range(run, rows_of(run, step->out)), DUN_BUF(*x),
                      DUN_OFFSET(offset), DUN_BUF(e->rope_tables[step->table]), DUN_BUF(e->batch.position),
                      DUN_BUF(*row_map_of(run, step->out)), DUN_INT(step->heads),
                      DUN_INT(run->graph->tables[step->table].dim),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int rope_forward(dun_run *run, const dun_step *step) {
    size_t offset;
    dun_buffer *x = target_of(run, step, &offset);
    return rope_turn(run, step, DUN_K_rope_fwd, x, offset);
}

static int rope_backward(dun_run *run, const dun_step *step) {
    return rope_turn(run, step, DUN_K_rope_bwd, gradient_of(run, step->out), 0);
}

static int attention_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const dun_device_batch *b = &e->batch;
    const dun_spec *spec = &e->model.spec;
    size_t offset;
    int kv = step->in[DUN_IN_KV];
    while (value_of(run, kv)->same_as >= 0)
        kv = value_of(run, kv)->same_as;
    const dun_buffer *own = kv_buffer(run, kv, step->layer, &offset);
    uint32_t Nq = rows_of(run, step->out);
    return DUN_LAUNCH(
        kernel(run, DUN_K_attention_fwd), dun_attention_items(e->compute, (size_t)Nq * spec->n_heads),
        DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->stats)),
        DUN_BUF(*buffer_of(run, step->in[DUN_IN_Q])), DUN_BUF(e->cache[step->layer]), DUN_BUF(*own),
        DUN_OFFSET(offset), DUN_BUF(b->shared_len), DUN_BUF(b->prefix_start), DUN_BUF(b->prefix_len),
        DUN_BUF(b->start), DUN_BUF(b->sequence), DUN_BUF(*row_map_of(run, step->out)), DUN_INT(Nq),
        DUN_INT(spec->n_heads), DUN_INT(spec->n_kv_heads), DUN_FLOAT(step->scale));
}

static int attention_backward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    dun_engine *e = run->engine;
    const dun_device_batch *b = &e->batch;
    const dun_spec *spec = &e->model.spec;
    int q = step->in[DUN_IN_Q], kv = step->in[DUN_IN_KV];
    uint32_t Nq = rows_of(run, step->out);
    const dun_buffer *query_start = value_of(run, step->out)->last_rows ? &b->identity : &b->start;
    /* Nothing else reads q and kv, so their gradients are written, never added to. */
    bool q_before = accumulates(run, q), kv_before = accumulates(run, kv);
    assert(!q_before && !kv_before);
    (void)q_before, (void)kv_before;
    TRY(DUN_LAUNCH(kernel(run, DUN_K_attention_bwd_q),
                   dun_attention_items(e->compute, (size_t)Nq * spec->n_heads), DUN_BUF(*gradient_of(run, q)),
                   DUN_BUF(e->delta), DUN_BUF(*gradient_of(run, step->out)),
                   DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->stats)),
                   DUN_BUF(*buffer_of(run, q)), DUN_BUF(e->cache[step->layer]), DUN_BUF(*buffer_of(run, kv)),
                   DUN_BUF(b->shared_len), DUN_BUF(b->prefix_start), DUN_BUF(b->prefix_len),
                   DUN_BUF(b->start), DUN_BUF(b->sequence), DUN_BUF(*row_map_of(run, step->out)), DUN_INT(Nq),
                   DUN_INT(spec->n_heads), DUN_INT(spec->n_kv_heads), DUN_FLOAT(step->scale)));
    TRY(DUN_LAUNCH(kernel(run, DUN_K_attention_bwd_kv),
                   dun_attention_items(e->compute, (size_t)b->n_rows * spec->n_kv_heads),
                   DUN_BUF(*gradient_of(run, kv)), DUN_BUF(e->delta), DUN_BUF(*gradient_of(run, step->out)),
                   DUN_BUF(*buffer_of(run, step->stats)), DUN_BUF(*buffer_of(run, q)),
                   DUN_BUF(*buffer_of(run, kv)), DUN_BUF(*query_start), DUN_BUF(b->sequence),
                   DUN_BUF(*row_map_of(run, step->out)), DUN_INT(b->n_rows), DUN_INT(spec->n_heads),
                   DUN_INT(spec->n_kv_heads), DUN_FLOAT(step->scale)));
out:
    return rc;
}

static int gate_forward(dun_run *run, const dun_step *step) {
    uint32_t F = value_of(run, step->out)->columns;
    return DUN_LAUNCH(kernel(run, gate_kernels[step->act][0]), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_INT(F));
}

static int gate_backward(dun_run *run, const dun_step *step) {
    uint32_t F = value_of(run, step->out)->columns;
    bool before = accumulates(run, step->in[DUN_IN_X]);
    assert(!before);
    (void)before;
    return DUN_LAUNCH(kernel(run, gate_kernels[step->act][1]), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])), DUN_INT(F));
}

static int last_forward(dun_run *run, const dun_step *step) {
    const dun_device_batch *b = &run->engine->batch;
    return DUN_LAUNCH(kernel(run, DUN_K_last_fwd), row_range(run, b->n_sequences),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(b->start), DUN_INT(value_of(run, step->out)->columns));
}

static int last_backward(dun_run *run, const dun_step *step) {
    const dun_device_batch *b = &run->engine->batch;
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    return DUN_LAUNCH(kernel(run, DUN_K_last_bwd), row_range(run, b->n_rows),
                      DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(b->start), DUN_BUF(b->sequence), DUN_INT(beta),
                      DUN_INT(value_of(run, step->out)->columns));
}

const dun_op_code dun_op_code_table[DUN_N_OPS] = {
    [DUN_OP_EMBED] = {embed_forward, embed_backward},
    [DUN_OP_NORM] = {norm_forward, norm_backward},
    [DUN_OP_LINEAR] = {linear_forward, linear_backward},
    [DUN_OP_ADD] = {add_forward, add_backward},
    [DUN_OP_ROPE] = {rope_forward, rope_backward},
    [DUN_OP_ATTENTION] = {attention_forward, attention_backward},
    [DUN_OP_GATE] = {gate_forward, gate_backward},
    [DUN_OP_LAST] = {last_forward, last_backward},
};
