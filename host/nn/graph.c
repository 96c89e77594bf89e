/* The steps and values of a graph: the table of ops, appending to a graph, and what must hold of any. */
#include "nn/graph.h"

#include "base/err.h"
#include "base/mem.h"

const dun_op_info dun_op_table[DUN_N_OPS] = {
#define OP(name, output, formula, ...) {#name, output, formula, {__VA_ARGS__}},
#include "nn/op.def"
#undef OP
};

static const char *const input_names[DUN_N_INPUTS] = {
    [DUN_IN_X] = "x", [DUN_IN_SUM] = "sum", [DUN_IN_Q] = "q", [DUN_IN_KV] = "kv", [DUN_IN_BEHIND] = "behind"};

static int new_value(int *out, dun_graph *graph, uint32_t columns, bool last_rows) {
    int rc = DUN_OK;
    TRY_GROW(graph->values, graph->value_capacity, graph->n_values);
    *out = (int)graph->n_values;
    graph->values[graph->n_values++] = (dun_value){.columns = columns,
                                                   .last_rows = last_rows,
                                                   .same_as = DUN_NONE,
                                                   .buffer = DUN_NONE,
                                                   .grad_buffer = DUN_NONE};
out:
    return rc;
}

int dun_graph_add_value(int *out, dun_graph *graph, uint32_t columns, int like) {
    return new_value(out, graph, columns, graph->values[like].last_rows);
}

int dun_graph_push(int *out, dun_graph *graph, dun_step step, uint32_t columns) {
    int rc = DUN_OK, home = DUN_NONE;
    const dun_op_info *op = &dun_op_table[step.op];
    bool last_rows = step.op == DUN_OP_LAST || step.op == DUN_OP_MEAN;
    for (int k = 0; k < DUN_N_INPUTS; k++) {
        if (!op->in[k])
            step.in[k] = DUN_NONE;
        if (step.in[k] >= 0 && k != DUN_IN_KV) /* every row has keys and values, whoever asks */
            last_rows |= graph->values[step.in[k]].last_rows;
        if (DUN_HAS(op->in[k], DUN_IN_PLACE))
            home = step.in[k];
    }
    step.stats = DUN_NONE;
    TRY(new_value(&step.out, graph, columns, last_rows));
    graph->values[step.out].same_as = home;
    TRY_GROW(graph->steps, graph->step_capacity, graph->n_steps);
    graph->steps[graph->n_steps++] = step;
    *out = step.out;
out:
    return rc;
}

int dun_graph_home(const dun_graph *graph, int value) {
    while (graph->values[value].same_as >= 0)
        value = graph->values[value].same_as;
    return value;
}

bool dun_graph_has_traits(const dun_graph *graph) {
    static const bool foreign[DUN_N_OPS] = {
        [DUN_OP_POSITION] = true, [DUN_OP_HEAD_NORM] = true, [DUN_OP_CAP] = true};
    for (size_t i = 0; i < graph->n_steps; i++) {
        const dun_step *step = &graph->steps[i];
        if (foreign[step->op] || step->norm != DUN_NORM_RMS || step->act != DUN_ACT_SILU ||
            step->ffn != DUN_FFN_GATED || step->window > 0 || step->cap > 0 || step->alibi > 0)
            return true;
    }
    return false;
}

void dun_graph_free(dun_graph *graph) {
    dun_free(graph->steps);
    dun_free(graph->values);
    *graph = (dun_graph){.output = DUN_NONE};
}

/* Step i's input k, for messages. */
typedef struct {
    const dun_graph *graph;
    size_t i;
    int k;
} edge;

static const dun_step *step_of(const edge *e) {
    return &e->graph->steps[e->i];
}

static unsigned use_of(const edge *e) {
    return dun_op_table[step_of(e)->op].in[e->k];
}

static int broken(const edge *e, const char *what) {
    return dun_error(DUN_FAILED, "step %zu of the graph (%s of layer %u): its input %s, value %d, %s", e->i,
                     dun_op_table[step_of(e)->op].name, step_of(e)->layer, input_names[e->k],
                     step_of(e)->in[e->k], what);
}

/* The step a value comes from, or n_steps. */
static size_t maker_of(const dun_graph *graph, int value) {
    for (size_t i = 0; i < graph->n_steps; i++)
        if (graph->steps[i].out == value)
            return i;
    return graph->n_steps;
}

static int check_made(const edge *e) {
    int value = step_of(e)->in[e->k];
    unsigned use = use_of(e);
    if (value < 0)
        return use && !DUN_HAS(use, DUN_OPTIONAL) ? broken(e, "is missing") : DUN_OK;
    if (!use)
        return broken(e, "is none that the op has");
    size_t maker = maker_of(e->graph, value);
    if (maker >= e->i)
        return broken(e, "was not made before");
    if (DUN_HAS(use, DUN_IN_PLACE) && DUN_HAS(dun_op_table[e->graph->steps[maker].op].output, DUN_KEPT))
        return broken(e, "is overwritten, though the backward of the step that made it reads it");
    const dun_value *in = &e->graph->values[value], *out = &e->graph->values[step_of(e)->out];
    if (DUN_HAS(use, DUN_ADDEND) && (in->columns != out->columns || in->last_rows != out->last_rows))
        return broken(e, "has another shape than the sum");
    return DUN_OK;
}

/* Another reader of the same value beside one that overwrites it or must be the last to read it. */
static int check_pair(const edge *e, const edge *other) {
    unsigned use = use_of(e);
    if (DUN_HAS(use, DUN_IN_PLACE) && other->i >= e->i)
        return broken(other, "was overwritten in place by an earlier step");
    if (DUN_HAS(use, DUN_IN_PLACE) && DUN_HAS(use_of(other), DUN_KEPT))
        return broken(e, "is overwritten, though the backward of an earlier step reads it");
    if (DUN_HAS(use, DUN_SOLE) && other->i >= e->i)
        return broken(other, "is read after a step whose backward cannot add to its gradient");
    return DUN_OK;
}

static int check_edge(const edge *e) {
    int rc, value = step_of(e)->in[e->k];
    TRY(check_made(e));
    if (value < 0 || !(use_of(e) & (unsigned)(DUN_SOLE | (DUN_IN_PLACE & ~DUN_READ))))
        goto out;
    if (value == e->graph->output)
        TRY(broken(e, "is the graph's output too"));
    for (size_t j = 0; j < e->graph->n_steps; j++)
        for (int k = 0; k < DUN_N_INPUTS; k++)
            if (e->graph->steps[j].in[k] == value && (j != e->i || k != e->k))
                TRY(check_pair(e, &(edge){e->graph, j, k}));
out:
    return rc;
}

int dun_graph_check(const dun_graph *graph) {
    int rc = DUN_OK;
    for (size_t i = 0; i < graph->n_steps; i++)
        for (int k = 0; k < DUN_N_INPUTS; k++)
            TRY(check_edge(&(edge){graph, i, k}));
out:
    return rc;
}
