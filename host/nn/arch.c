/* From a spec to steps: the one transformer block, written once. The text graph stops at the last block's
 * keys and values (nothing reads more of frozen text), and the point graph drops to one row a sequence as
 * soon as the last block's keys and values are made (only that row becomes a point). */
#include "base/err.h"
#include "base/mem.h"
#include "nn/graph.h"

const dun_op_info dun_op_table[DUN_N_OPS] = {
#define OP(name, keeps_inputs, keeps_output, in_place, formula)                                              \
    {#name, keeps_inputs, keeps_output, in_place, formula},
#include "nn/op.def"
#undef OP
};

static int new_value(int *out, dun_graph *graph, uint32_t columns, bool last_rows) {
    int rc = DUN_OK;
    TRY_GROW(graph->values, graph->value_capacity, graph->n_values);
    *out = (int)graph->n_values;
    graph->values[graph->n_values++] = (dun_value){.columns = columns,
                                                   .last_rows = last_rows,
                                                   .same_as = DUN_NONE,
                                                   .residual_of = DUN_NONE,
                                                   .buffer = DUN_NONE,
                                                   .grad_buffer = DUN_NONE};
out:
    return rc;
}

/* Appends a step with a fresh output of `columns`; rows are its input's, one a sequence after LAST. */
static int push(int *out, dun_graph *graph, dun_step step, uint32_t columns) {
    int rc = DUN_OK;
    bool last_rows = step.op == DUN_OP_LAST || (step.in[0] >= 0 && graph->values[step.in[0]].last_rows);
    step.stats = DUN_NONE;
    TRY(new_value(&step.out, graph, columns, last_rows));
    if (dun_op_table[step.op].in_place)
        graph->values[step.out].same_as = step.in[0];
    TRY_GROW(graph->steps, graph->step_capacity, graph->n_steps);
    graph->steps[graph->n_steps++] = step;
    *out = step.out;
out:
    return rc;
}

typedef struct {
    dun_graph *graph;
    const dun_spec *spec;
    uint32_t layer;
} builder;

static int norm(int *out, const builder *b, int x, enum dun_weight weight) {
    dun_step step = {.op = DUN_OP_NORM, .in = {x, DUN_NONE}, .weight = weight, .layer = b->layer};
    return push(out, b->graph, step, b->spec->width);
}

static int linear(int *out, const builder *b, int x, int residual, enum dun_weight weight, uint32_t columns) {
    int rc;
    dun_step step = {.op = DUN_OP_LINEAR, .in = {x, residual}, .weight = weight, .layer = b->layer};
    TRY(push(out, b->graph, step, columns));
    b->graph->values[*out].residual_of = residual;
out:
    return rc;
}

static int rope(int *out, const builder *b, int x, uint32_t heads) {
    dun_step step = {.op = DUN_OP_ROPE, .in = {x, DUN_NONE}, .layer = b->layer, .heads = heads};
    uint32_t columns = b->graph->values[x].columns;
    return push(out, b->graph, step, columns);
}

static int last(int *out, const builder *b, int x) {
    dun_step step = {.op = DUN_OP_LAST, .in = {x, DUN_NONE}, .layer = b->layer};
    return push(out, b->graph, step, b->graph->values[x].columns);
}

static int attention(int *out, const builder *b, int q, int kv) {
    int rc;
    dun_step step = {.op = DUN_OP_ATTENTION, .in = {q, kv}, .layer = b->layer};
    TRY(push(out, b->graph, step, b->spec->n_heads * b->spec->head_dim));
    int stats;
    TRY(new_value(&stats, b->graph, b->spec->n_heads, b->graph->values[*out].last_rows));
    b->graph->steps[b->graph->n_steps - 1].stats = stats;
out:
    return rc;
}

/* One block on the residual stream *x. */
static int block(int *x, const builder *b, enum dun_graph_kind kind, bool is_last) {
    int rc, a, kv, q, o, m;
    const dun_spec *spec = b->spec;
    uint32_t HD = spec->n_heads * spec->head_dim, GD = spec->n_kv_heads * spec->head_dim;
    TRY(norm(&a, b, *x, DUN_VEC_ATTN_NORM));
    TRY(linear(&kv, b, a, DUN_NONE, DUN_MAT_KV, 2 * GD));
    b->graph->values[kv].cached = kind == DUN_GRAPH_TEXT;
    TRY(rope(&kv, b, kv, spec->n_kv_heads));
    if (is_last && kind == DUN_GRAPH_TEXT)
        goto out;
    if (is_last) {
        TRY(last(&a, b, a));
        TRY(last(x, b, *x));
    }
    TRY(linear(&q, b, a, DUN_NONE, DUN_MAT_Q, HD));
    TRY(rope(&q, b, q, spec->n_heads));
    TRY(attention(&o, b, q, kv));
    TRY(linear(x, b, o, *x, DUN_MAT_O, spec->width));
    TRY(norm(&m, b, *x, DUN_VEC_FFN_NORM));
    TRY(linear(&m, b, m, DUN_NONE, DUN_MAT_GATE_UP, 2 * spec->ffn_width));
    dun_step gate = {.op = DUN_OP_SWIGLU, .in = {m, DUN_NONE}, .layer = b->layer};
    TRY(push(&m, b->graph, gate, spec->ffn_width));
    TRY(linear(x, b, m, *x, DUN_MAT_DOWN, spec->width));
out:
    return rc;
}

int dun_graph_build(dun_graph *graph, const dun_spec *spec, const dun_point_spec *point,
                    enum dun_graph_kind kind) {
    int rc, x;
    builder b = {.graph = graph, .spec = spec};
    *graph = (dun_graph){.output = DUN_NONE};
    dun_step embed = {.op = DUN_OP_EMBED, .in = {DUN_NONE, DUN_NONE}};
    TRY(push(&x, graph, embed, spec->width));
    for (b.layer = 0; b.layer < point->n_blocks; b.layer++)
        TRY(block(&x, &b, kind, b.layer + 1 == point->n_blocks));
    if (kind == DUN_GRAPH_TEXT)
        goto out;
    b.layer = 0;
    if (point->final_norm)
        TRY(norm(&x, &b, x, DUN_VEC_FINAL_NORM));
    if (point->logits)
        TRY(linear(&x, &b, x, DUN_NONE, DUN_MAT_HEAD, spec->vocab));
    graph->output = x;
out:
    if (rc < 0)
        dun_graph_free(graph);
    return rc;
}

void dun_graph_free(dun_graph *graph) {
    dun_free(graph->steps);
    dun_free(graph->values);
    *graph = (dun_graph){.output = DUN_NONE};
}

uint32_t dun_point_width(const dun_spec *spec, const dun_point_spec *point) {
    return point->logits ? spec->vocab : spec->width;
}
