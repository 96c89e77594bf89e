/* The launches of attention and of the rotation of its queries and keys. */
#include "nn/ops_parts.h"

#include "base/err.h"

#include <assert.h>

static int rope_turn(dun_run *run, const dun_step *step, enum dun_nn_kernel id, dun_buffer *x,
                     size_t offset) {
    const dun_engine *e = run->engine;
    return DUN_LAUNCH(kernel(run, id), row_range(run, rows_of(run, step->out)), DUN_BUF(*x),
                      DUN_OFFSET(offset), DUN_BUF(e->rope_tables[step->table]), DUN_BUF(e->batch.position),
                      DUN_BUF(*row_map_of(run, step->out)), DUN_INT(step->heads),
                      DUN_INT(run->graph->tables[step->table].dim),
                      DUN_INT(value_of(run, step->out)->columns));
}

int dun_op_rope_forward(dun_run *run, const dun_step *step) {
    size_t offset;
    dun_buffer *x = target_of(run, step, &offset);
    return rope_turn(run, step, DUN_K_rope_fwd, x, offset);
}

int dun_op_rope_backward(dun_run *run, const dun_step *step) {
    return rope_turn(run, step, DUN_K_rope_bwd, gradient_of(run, step->out), 0);
}

/* Launches one of attention's kernels: the plain one, or where the step bends its scores, or hides rows that
 * are this far away, the other, which takes the last three arguments too. */
static int attend(dun_run *run, const dun_step *step, enum dun_nn_kernel plain, enum dun_nn_kernel bent,
                  dun_range range, const dun_arg *args, size_t n_args) {
    const bool bends = step->cap > 0 || step->alibi > 0 ||
                       (step->window > 0 && step->window < run->engine->options.max_position);
    return dun_launch(kernel(run, bends ? bent : plain), range, args, bends ? n_args : n_args - 3);
}
#define BENDS(step) DUN_INT((step)->window), DUN_FLOAT((step)->cap), DUN_FLOAT((step)->alibi)
#define ATTEND(run, step, name, range, args)                                                                 \
    attend(run, step, DUN_K_attention_##name, DUN_K_bent_attention_##name, range, args,                      \
           sizeof(args) / sizeof *(args))

int dun_op_attention_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const dun_device_batch *b = &e->batch;
    const dun_spec *spec = &e->model.spec;
    size_t offset;
    const dun_buffer *own =
        kv_buffer(run, dun_graph_home(run->graph, step->in[DUN_IN_KV]), step->layer, &offset);
    uint32_t Nq = rows_of(run, step->out);
    const dun_arg args[] = {DUN_BUF(*buffer_of(run, step->out)),
                            DUN_BUF(*buffer_of(run, step->stats)),
                            DUN_BUF(*buffer_of(run, step->in[DUN_IN_Q])),
                            DUN_BUF(e->cache[step->layer]),
                            DUN_BUF(*own),
                            DUN_OFFSET(offset),
                            DUN_BUF(b->shared_len),
                            DUN_BUF(b->prefix_start),
                            DUN_BUF(b->prefix_len),
                            DUN_BUF(b->start),
                            DUN_BUF(b->sequence),
                            DUN_BUF(*row_map_of(run, step->out)),
                            DUN_INT(Nq),
                            DUN_INT(spec->n_heads),
                            DUN_INT(spec->n_kv_heads),
                            DUN_FLOAT(step->scale),
                            BENDS(step)};
    return ATTEND(run, step, fwd, dun_attention_queries(e->compute, Nq, spec->n_heads), args);
}

/* The gradient of q, and attention's scratch for that of k and v. */
static int attention_backward_q(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const dun_device_batch *b = &e->batch;
    const dun_spec *spec = &e->model.spec;
    int q = step->in[DUN_IN_Q], kv = step->in[DUN_IN_KV];
    uint32_t Nq = rows_of(run, step->out);
    const dun_arg args[] = {DUN_BUF(*gradient_of(run, q)),
                            DUN_BUF(e->delta),
                            DUN_BUF(*gradient_of(run, step->out)),
                            DUN_BUF(*buffer_of(run, step->out)),
                            DUN_BUF(*buffer_of(run, step->stats)),
                            DUN_BUF(*buffer_of(run, q)),
                            DUN_BUF(e->cache[step->layer]),
                            DUN_BUF(*buffer_of(run, kv)),
                            DUN_BUF(b->shared_len),
                            DUN_BUF(b->prefix_start),
                            DUN_BUF(b->prefix_len),
                            DUN_BUF(b->start),
                            DUN_BUF(b->sequence),
                            DUN_BUF(*row_map_of(run, step->out)),
                            DUN_INT(Nq),
                            DUN_INT(spec->n_heads),
                            DUN_INT(spec->n_kv_heads),
                            DUN_FLOAT(step->scale),
                            BENDS(step)};
    return ATTEND(run, step, bwd_q, dun_attention_queries(e->compute, Nq, spec->n_heads), args);
}

static int attention_backward_kv(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const dun_device_batch *b = &e->batch;
    const dun_spec *spec = &e->model.spec;
    int q = step->in[DUN_IN_Q], kv = step->in[DUN_IN_KV];
    const dun_buffer *query_start = value_of(run, step->out)->last_rows ? &b->identity : &b->start;
    const dun_arg args[] = {DUN_BUF(*gradient_of(run, kv)),
                            DUN_BUF(e->delta),
                            DUN_BUF(*gradient_of(run, step->out)),
                            DUN_BUF(*buffer_of(run, step->stats)),
                            DUN_BUF(*buffer_of(run, q)),
                            DUN_BUF(*buffer_of(run, kv)),
                            DUN_BUF(*query_start),
                            DUN_BUF(b->sequence),
                            DUN_BUF(*row_map_of(run, step->out)),
                            DUN_INT(b->n_rows),
                            DUN_INT(spec->n_heads),
                            DUN_INT(spec->n_kv_heads),
                            DUN_FLOAT(step->scale),
                            BENDS(step)};
    return ATTEND(run, step, bwd_kv, dun_attention_items(e->compute, (size_t)b->n_rows * spec->n_kv_heads),
                  args);
}

int dun_op_attention_backward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    /* Nothing else reads q and kv, so their gradients are written, never added to. */
    bool q_before = accumulates(run, step->in[DUN_IN_Q]), kv_before = accumulates(run, step->in[DUN_IN_KV]);
    assert(!q_before && !kv_before);
    (void)q_before, (void)kv_before;
    TRY(attention_backward_q(run, step));
    TRY(attention_backward_kv(run, step));
out:
    return rc;
}
