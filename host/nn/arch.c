/* From a spec to steps: the one transformer block, written once. The text graph stops at the last block's
 * keys and values (nothing reads more of frozen text), and the point graph drops to one row a sequence as
 * soon as the last block's keys and values are made (only that row becomes a point). */
#include "base/err.h"
#include "nn/graph.h"
#include "nn/weight.h"

#include <assert.h>
#include <math.h>

typedef struct {
    dun_graph *graph;
    const dun_spec *spec;
    uint32_t layer;
} builder;

static int norm(int *out, const builder *b, int x, enum dun_weight weight) {
    dun_step step = {.op = DUN_OP_NORM,
                     .in = {[DUN_IN_X] = x},
                     .weight = weight,
                     .layer = b->layer,
                     .norm = b->spec->traits.norm};
    return dun_graph_push(out, b->graph, step, b->spec->width);
}

static int linear(int *out, const builder *b, int x, int sum, enum dun_weight weight) {
    dun_step step = {.op = DUN_OP_LINEAR,
                     .in = {[DUN_IN_X] = x, [DUN_IN_SUM] = sum},
                     .weight = weight,
                     .bias = dun_weight_bias(weight, b->spec),
                     .layer = b->layer};
    return dun_graph_push(out, b->graph, step, dun_weight_rows(weight, b->spec));
}

/* The graph's table of that base and dimension. */
static uint32_t table_of(dun_graph *graph, float base, uint32_t dim) {
    uint32_t i = 0;
    while (i < graph->n_tables && !(graph->tables[i].base == base && graph->tables[i].dim == dim))
        i++;
    assert(i < DUN_MAX_TABLES);
    if (i == graph->n_tables)
        graph->tables[graph->n_tables++] = (dun_rotary){base, dim};
    return i;
}

/* Turns x where the layer's heads turn. */
static int rope(int *out, const builder *b, int x, uint32_t heads) {
    *out = x;
    if (!dun_spec_turns(b->spec, b->layer))
        return DUN_OK;
    dun_step step = {.op = DUN_OP_ROPE,
                     .in = {[DUN_IN_X] = x},
                     .layer = b->layer,
                     .heads = heads,
                     .table = table_of(b->graph, b->spec->rope_base, b->spec->rope_dim)};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int last(int *out, const builder *b, int x) {
    dun_step step = {.op = DUN_OP_LAST, .in = {[DUN_IN_X] = x}, .layer = b->layer};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int gate(int *out, const builder *b, int x) {
    dun_step step = {
        .op = DUN_OP_GATE, .in = {[DUN_IN_X] = x}, .layer = b->layer, .act = b->spec->traits.act};
    return dun_graph_push(out, b->graph, step, b->spec->ffn_width);
}

static int attention(int *out, const builder *b, int q, int kv) {
    int rc, stats;
    dun_step step = {.op = DUN_OP_ATTENTION,
                     .in = {[DUN_IN_Q] = q, [DUN_IN_KV] = kv},
                     .layer = b->layer,
                     .scale = b->spec->attention_scale > 0 ? b->spec->attention_scale
                                                           : 1.0f / sqrtf((float)b->spec->head_dim)};
    TRY(dun_graph_push(out, b->graph, step, b->spec->n_heads * b->spec->head_dim));
    TRY(dun_graph_add_value(&stats, b->graph, b->spec->n_heads, *out));
    b->graph->steps[b->graph->n_steps - 1].stats = stats;
out:
    return rc;
}

/* One block on the residual stream *x. */
static int block(int *x, const builder *b, enum dun_graph_kind kind, bool is_last) {
    int rc, a, kv, q, o, m;
    const dun_spec *spec = b->spec;
    TRY(norm(&a, b, *x, DUN_VEC_ATTN_NORM));
    TRY(linear(&kv, b, a, DUN_NONE, DUN_MAT_KV));
    b->graph->values[kv].cached = kind == DUN_GRAPH_TEXT;
    TRY(rope(&kv, b, kv, spec->n_kv_heads));
    if (is_last && kind == DUN_GRAPH_TEXT)
        goto out;
    if (is_last) {
        TRY(last(&a, b, a));
        TRY(last(x, b, *x));
    }
    TRY(linear(&q, b, a, DUN_NONE, DUN_MAT_Q));
    TRY(rope(&q, b, q, spec->n_heads));
    TRY(attention(&o, b, q, kv));
    int before = *x;
    TRY(linear(x, b, o, *x, DUN_MAT_O));
    TRY(norm(&m, b, spec->traits.residual == DUN_RESIDUAL_PARALLEL ? before : *x, DUN_VEC_FFN_NORM));
    TRY(linear(&m, b, m, DUN_NONE, DUN_MAT_GATE_UP));
    TRY(gate(&m, b, m));
    TRY(linear(x, b, m, *x, DUN_MAT_DOWN));
out:
    return rc;
}

/* Traits that files may have and that are not computed yet. */
static int refuse(const dun_spec *spec) {
    const dun_traits *t = &spec->traits;
    const struct {
        bool wanted;
        const char *what;
    } missing[] = {
        {t->norm != DUN_NORM_RMS, "layer norms"},
        {t->placement != DUN_PLACE_PRE, "norms behind attention and ffn"},
        {t->residual == DUN_RESIDUAL_SHARED, "parallel residuals with one norm"},
        {t->qk_norm != DUN_QK_PLAIN, "norms of queries and keys"},
        {t->position != DUN_POSITION_ROPE, "positions that are not rotary"},
        {t->ffn != DUN_FFN_GATED, "ffns without a gate"},
        {t->act != DUN_ACT_SILU, "activations other than SiLU"},
        {t->embedding == DUN_EMBEDDING_NORM, "norms of the embedding"},
        {spec->rope_base_window > 0, "a second rotary base"},
        {spec->rope.magnitude > 0 || spec->rope.divisor[0] > 0, "scaled rotary positions"},
        {spec->window > 0, "sliding windows"},
        {spec->attention_cap > 0, "capped scores"},
        {spec->logit_cap > 0, "capped logits"},
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (missing[i].wanted)
            return dun_error(DUN_BAD_INPUT, "%s models with %s are not computed yet; expected a plain Llama",
                             spec->architecture, missing[i].what);
    return DUN_OK;
}

int dun_graph_build(dun_graph *graph, const dun_spec *spec, const dun_point_spec *point,
                    enum dun_graph_kind kind) {
    int rc, x;
    builder b = {.graph = graph, .spec = spec};
    *graph = (dun_graph){.output = DUN_NONE};
    TRY(refuse(spec));
    TRY(dun_graph_push(&x, graph, (dun_step){.op = DUN_OP_EMBED}, spec->width));
    for (b.layer = 0; b.layer < point->n_blocks; b.layer++)
        TRY(block(&x, &b, kind, b.layer + 1 == point->n_blocks));
    if (kind == DUN_GRAPH_TEXT)
        goto out;
    b.layer = 0;
    if (point->final_norm)
        TRY(norm(&x, &b, x, DUN_VEC_FINAL_NORM));
    if (point->logits)
        TRY(linear(&x, &b, x, DUN_NONE, DUN_MAT_HEAD));
    graph->output = x;
out:
    if (rc < 0)
        dun_graph_free(graph);
    return rc;
}

uint32_t dun_point_width(const dun_spec *spec, const dun_point_spec *point) {
    return point->logits ? spec->vocab : spec->width;
}
