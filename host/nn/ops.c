/* The ops' launches, forward and backward mirrored. Formulas and shapes are in the kernels' files. */
#include "nn/ops_parts.h"

#include "base/err.h"

#include <assert.h>

static int embed_forward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    dun_engine *e = run->engine;
    const dun_table_parts *table = &e->model.embedding;
    const dun_range range = row_range(run, e->batch.n_rows);
    dun_buffer *out = buffer_of(run, step->out);
    uint32_t C = value_of(run, step->out)->columns;
    for (size_t i = 0; i < table->n_parts; i++) {
        const dun_stored_rows *part = &table->parts[i];
        const uint32_t first = (uint32_t)i * table->part_rows;
        if (table->form == DUN_FORM_F32)
            TRY(DUN_LAUNCH(kernel(run, DUN_K_embed_fwd), range, DUN_BUF(*out), DUN_BUF(e->batch.ids),
                           DUN_BUF(part->buffer), DUN_BUF(e->prompt), DUN_INT(first),
                           DUN_INT(table->part_rows), DUN_INT(C)));
        else
            TRY(DUN_LAUNCH(kernel(run, DUN_K_embed_stored), range, DUN_BUF(*out), DUN_BUF(e->batch.ids),
                           DUN_BUF(part->buffer), DUN_OFFSET(part->offset), DUN_INT(part->row_bytes),
                           DUN_INT(part->format), DUN_FLOAT(part->scale), DUN_BUF(e->prompt), DUN_INT(first),
                           DUN_INT(table->part_rows), DUN_INT(C)));
    }
out:
    return rc;
}

static int embed_backward(dun_run *run, const dun_step *step) {
    int rc = DUN_OK;
    dun_engine *e = run->engine;
    const uint32_t C = value_of(run, step->out)->columns, S = e->batch.n_sequences, k = e->options.prompts;
    TRY(DUN_LAUNCH(kernel(run, DUN_K_embed_bwd),
                   ((dun_range){{e->options.max_prompt, S}, e->compute->tiles.group}), DUN_BUF(e->d_texts),
                   DUN_BUF(*gradient_of(run, step->out)), DUN_BUF(e->batch.ids), DUN_BUF(e->batch.start),
                   DUN_INT(k), DUN_INT(C)));
    TRY(dun_engine_sum_texts(e, S / k));
out:
    return rc;
}

/* The table of positions added; the gradient is that of what it is added to. */
static int position_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    return DUN_LAUNCH(kernel(run, DUN_K_position_fwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_BUF(e->batch.position), DUN_INT(e->model.spec.position_offset),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int position_backward(dun_run *run, const dun_step *step) {
    (void)run, (void)step;
    return DUN_OK;
}

/* How a row is normed by host/kernels/norms.cl. */
typedef struct {
    uint32_t groups, width, step;
    bool centred, biased;
} norm_shape;

static norm_shape norm_of(const dun_run *run, const dun_step *step) {
    const dun_spec *spec = &run->engine->model.spec;
    const enum dun_qk_norm kind = spec->traits.qk_norm;
    if (step->op == DUN_OP_NORM)
        return (norm_shape){1, value_of(run, step->out)->columns, 0, true, true};
    if (kind == DUN_QK_ROW)
        return (norm_shape){1, step->heads * spec->head_dim, 0, false, false};
    return (norm_shape){step->heads, spec->head_dim, kind == DUN_QK_EACH ? spec->head_dim : 0,
                        kind == DUN_QK_EACH, false};
}

static int norms_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const norm_shape shape = norm_of(run, step);
    size_t offset;
    dun_buffer *y = target_of(run, step, &offset);
    return DUN_LAUNCH(kernel(run, DUN_K_norms_fwd), row_range(run, rows_of(run, step->out)), DUN_BUF(*y),
                      DUN_OFFSET(offset), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_FLOAT(e->model.spec.norm_eps), DUN_INT(shape.groups), DUN_INT(shape.width),
                      DUN_INT(shape.step), DUN_INT(shape.centred), DUN_INT(shape.biased),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int norms_backward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    const norm_shape shape = norm_of(run, step);
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    return DUN_LAUNCH(kernel(run, DUN_K_norms_bwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_FLOAT(e->model.spec.norm_eps), DUN_INT(shape.groups), DUN_INT(shape.width),
                      DUN_INT(shape.step), DUN_INT(shape.centred), DUN_INT(beta),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int norm_forward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    uint32_t C = value_of(run, step->out)->columns;
    if (step->norm != DUN_NORM_RMS)
        return norms_forward(run, step);
    return DUN_LAUNCH(kernel(run, DUN_K_rmsnorm_fwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(*dun_model_vector(&e->model, step->weight, step->layer)),
                      DUN_FLOAT(e->model.spec.norm_eps), DUN_INT(C));
}

static int norm_backward(dun_run *run, const dun_step *step) {
    const dun_engine *e = run->engine;
    uint32_t C = value_of(run, step->out)->columns;
    if (step->norm != DUN_NORM_RMS)
        return norms_backward(run, step);
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    return DUN_LAUNCH(kernel(run, DUN_K_rmsnorm_bwd), row_range(run, rows_of(run, step->out)),
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

/* SiLU behind a gate is a plain Llama's and has kernels of its own; the others take what they are as
 * arguments. */
static int gate_forward(dun_run *run, const dun_step *step) {
    const bool plain = step->act == DUN_ACT_SILU && step->ffn == DUN_FFN_GATED;
    const dun_arg F = DUN_INT(value_of(run, step->out)->columns);
    const dun_range range = row_range(run, rows_of(run, step->out));
    const dun_arg out = DUN_BUF(*buffer_of(run, step->out)), x = DUN_BUF(*buffer_of(run, step->in[DUN_IN_X]));
    if (plain)
        return DUN_LAUNCH(kernel(run, DUN_K_swiglu_fwd), range, out, x, F);
    return DUN_LAUNCH(kernel(run, DUN_K_act_fwd), range, out, x, DUN_INT(step->act),
                      DUN_INT(step->ffn == DUN_FFN_GATED), F);
}

static int gate_backward(dun_run *run, const dun_step *step) {
    const bool plain = step->act == DUN_ACT_SILU && step->ffn == DUN_FFN_GATED;
    const dun_arg F = DUN_INT(value_of(run, step->out)->columns);
    const dun_range range = row_range(run, rows_of(run, step->out));
    const dun_arg dx = DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])),
                  dy = DUN_BUF(*gradient_of(run, step->out)),
                  x = DUN_BUF(*buffer_of(run, step->in[DUN_IN_X]));
    bool before = accumulates(run, step->in[DUN_IN_X]);
    assert(!before);
    (void)before;
    if (plain)
        return DUN_LAUNCH(kernel(run, DUN_K_swiglu_bwd), range, dx, dy, x, F);
    return DUN_LAUNCH(kernel(run, DUN_K_act_bwd), range, dx, dy, x, DUN_INT(step->act),
                      DUN_INT(step->ffn == DUN_FFN_GATED), F);
}

static int cap_forward(dun_run *run, const dun_step *step) {
    return DUN_LAUNCH(kernel(run, DUN_K_cap_fwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_FLOAT(step->cap), DUN_INT(value_of(run, step->out)->columns));
}

static int cap_backward(dun_run *run, const dun_step *step) {
    const int x = step->in[DUN_IN_X];
    bool before = accumulates(run, x);
    assert(!before);
    (void)before;
    return DUN_LAUNCH(kernel(run, DUN_K_cap_bwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*gradient_of(run, x)), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, x)), DUN_FLOAT(step->cap),
                      DUN_INT(value_of(run, step->out)->columns));
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

static int mean_forward(dun_run *run, const dun_step *step) {
    const dun_device_batch *b = &run->engine->batch;
    return DUN_LAUNCH(kernel(run, DUN_K_mean_fwd), row_range(run, b->n_sequences),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, step->in[DUN_IN_X])),
                      DUN_BUF(b->start), DUN_INT(value_of(run, step->out)->columns));
}

static int mean_backward(dun_run *run, const dun_step *step) {
    const dun_device_batch *b = &run->engine->batch;
    bool beta = accumulates(run, step->in[DUN_IN_X]);
    return DUN_LAUNCH(kernel(run, DUN_K_mean_bwd), row_range(run, b->n_rows),
                      DUN_BUF(*gradient_of(run, step->in[DUN_IN_X])), DUN_BUF(*gradient_of(run, step->out)),
                      DUN_BUF(b->start), DUN_BUF(b->sequence), DUN_INT(beta),
                      DUN_INT(value_of(run, step->out)->columns));
}

/* Either part of a row of a sequence: columns `first` and on of it. */
static int part_backward(dun_run *run, const dun_step *step, int part, uint32_t first) {
    bool beta = accumulates(run, part);
    return DUN_LAUNCH(kernel(run, DUN_K_beside_bwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*gradient_of(run, part)), DUN_BUF(*gradient_of(run, step->out)), DUN_INT(beta),
                      DUN_INT(first), DUN_INT(value_of(run, part)->columns),
                      DUN_INT(value_of(run, step->out)->columns));
}

static int beside_forward(dun_run *run, const dun_step *step) {
    const int x = step->in[DUN_IN_X], behind = step->in[DUN_IN_BEHIND];
    return DUN_LAUNCH(kernel(run, DUN_K_beside_fwd), row_range(run, rows_of(run, step->out)),
                      DUN_BUF(*buffer_of(run, step->out)), DUN_BUF(*buffer_of(run, x)),
                      DUN_BUF(*buffer_of(run, behind)), DUN_INT(value_of(run, x)->columns),
                      DUN_INT(value_of(run, behind)->columns));
}

static int beside_backward(dun_run *run, const dun_step *step) {
    int rc;
    const int x = step->in[DUN_IN_X];
    TRY(part_backward(run, step, x, 0));
    TRY(part_backward(run, step, step->in[DUN_IN_BEHIND], value_of(run, x)->columns));
out:
    return rc;
}

const dun_op_code dun_op_code_table[DUN_N_OPS] = {
    [DUN_OP_EMBED] = {embed_forward, embed_backward},
    [DUN_OP_POSITION] = {position_forward, position_backward},
    [DUN_OP_HEAD_NORM] = {norms_forward, norms_backward},
    [DUN_OP_NORM] = {norm_forward, norm_backward},
    [DUN_OP_LINEAR] = {linear_forward, linear_backward},
    [DUN_OP_ADD] = {add_forward, add_backward},
    [DUN_OP_ROPE] = {dun_op_rope_forward, dun_op_rope_backward},
    [DUN_OP_ATTENTION] = {dun_op_attention_forward, dun_op_attention_backward},
    [DUN_OP_GATE] = {gate_forward, gate_backward},
    [DUN_OP_CAP] = {cap_forward, cap_backward},
    [DUN_OP_LAST] = {last_forward, last_backward},
    [DUN_OP_MEAN] = {mean_forward, mean_backward},
    [DUN_OP_BESIDE] = {beside_forward, beside_backward},
};
