/* From a spec to steps: the one transformer block, written once. The text graph stops at the last block's
 * keys and values (nothing reads more of frozen text), and the point graph drops to one row a sequence as
 * soon as the last block's keys and values are made (only that row becomes a point), or runs all rows to the
 * end where their mean is the point. */
#include "base/err.h"
#include "nn/graph.h"
#include "nn/weight.h"

#include <assert.h>
#include <math.h>

typedef struct {
    dun_graph *graph;
    const dun_spec *spec;
    const dun_point_spec *point;
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

/* The graph's table for the heads of a layer. */
static uint32_t table_of(const builder *b) {
    bool own = dun_spec_layer_is(b->spec, b->layer, DUN_LAYER_WINDOW) && b->spec->rope_base_window > 0;
    const dun_rotary wanted = {own ? b->spec->rope_base_window : b->spec->rope_base, b->spec->rope_dim, !own};
    dun_graph *graph = b->graph;
    uint32_t i = 0;
    while (i < graph->n_tables &&
           !(graph->tables[i].base == wanted.base && graph->tables[i].scaled == wanted.scaled))
        i++;
    assert(i < DUN_MAX_TABLES);
    if (i == graph->n_tables)
        graph->tables[graph->n_tables++] = wanted;
    return i;
}

static int head_norm(int *out, const builder *b, int x, uint32_t heads, enum dun_weight weight) {
    dun_step step = {
        .op = DUN_OP_HEAD_NORM, .in = {[DUN_IN_X] = x}, .weight = weight, .layer = b->layer, .heads = heads};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

/* Turns x where the layer's heads turn. */
static int rope(int *out, const builder *b, int x, uint32_t heads) {
    *out = x;
    if (!dun_spec_turns(b->spec, b->layer))
        return DUN_OK;
    dun_step step = {
        .op = DUN_OP_ROPE, .in = {[DUN_IN_X] = x}, .layer = b->layer, .heads = heads, .table = table_of(b)};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int add(int *out, const builder *b, int x, int sum) {
    dun_step step = {.op = DUN_OP_ADD, .in = {[DUN_IN_X] = x, [DUN_IN_SUM] = sum}, .layer = b->layer};
    return dun_graph_push(out, b->graph, step, b->spec->width);
}

static int cap(int *out, const builder *b, int x) {
    dun_step step = {.op = DUN_OP_CAP, .in = {[DUN_IN_X] = x}, .cap = b->spec->logit_cap};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int last(int *out, const builder *b, int x) {
    dun_step step = {.op = DUN_OP_LAST, .in = {[DUN_IN_X] = x}, .layer = b->layer};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int mean(int *out, const builder *b, int x) {
    dun_step step = {.op = DUN_OP_MEAN, .in = {[DUN_IN_X] = x}};
    return dun_graph_push(out, b->graph, step, b->graph->values[x].columns);
}

static int beside(int *out, const builder *b, int x, int behind) {
    dun_step step = {.op = DUN_OP_BESIDE, .in = {[DUN_IN_X] = x, [DUN_IN_BEHIND] = behind}};
    const dun_value *values = b->graph->values;
    return dun_graph_push(out, b->graph, step, values[x].columns + values[behind].columns);
}

static int gate(int *out, const builder *b, int x) {
    const dun_traits *traits = &b->spec->traits;
    dun_step step = {
        .op = DUN_OP_GATE, .in = {[DUN_IN_X] = x}, .layer = b->layer, .act = traits->act, .ffn = traits->ffn};
    return dun_graph_push(out, b->graph, step, b->spec->ffn_width);
}

static int attention(int *out, const builder *b, int q, int kv) {
    int rc, stats;
    const dun_spec *spec = b->spec;
    dun_step step = {.op = DUN_OP_ATTENTION,
                     .in = {[DUN_IN_Q] = q, [DUN_IN_KV] = kv},
                     .layer = b->layer,
                     .scale = spec->attention_scale > 0 ? spec->attention_scale
                                                        : 1.0f / sqrtf((float)spec->head_dim),
                     .cap = spec->attention_cap,
                     .alibi = spec->traits.position == DUN_POSITION_ALIBI ? spec->alibi_bias : 0,
                     .window = dun_spec_layer_is(spec, b->layer, DUN_LAYER_WINDOW) ? spec->window : 0};
    TRY(dun_graph_push(out, b->graph, step, spec->n_heads * spec->head_dim));
    TRY(dun_graph_add_value(&stats, b->graph, spec->n_heads, *out));
    b->graph->steps[b->graph->n_steps - 1].stats = stats;
out:
    return rc;
}

/* Queries, or keys and values, of normed rows: product, norm of the heads, turn. */
static int heads(int *out, const builder *b, int x, uint32_t n, enum dun_weight matrix,
                 enum dun_weight norms) {
    int rc;
    TRY(linear(out, b, x, DUN_NONE, matrix));
    if (b->spec->traits.qk_norm != DUN_QK_PLAIN)
        TRY(head_norm(out, b, *out, n, norms));
    TRY(rope(out, b, *out, n));
out:
    return rc;
}

/* What a part of a block, brought back to C columns, adds to the residual stream. */
static int join(int *x, const builder *b, int part, enum dun_weight matrix, enum dun_weight norms) {
    int rc, y;
    if (b->spec->traits.placement == DUN_PLACE_PRE)
        return linear(x, b, part, *x, matrix);
    TRY(linear(&y, b, part, DUN_NONE, matrix));
    TRY(norm(&y, b, y, norms));
    TRY(add(x, b, *x, y));
out:
    return rc;
}

/* One block on the residual stream *x. */
static int block(int *x, const builder *b, enum dun_graph_kind kind, bool is_last) {
    int rc = DUN_OK, a = *x, kv, q, o, m;
    const dun_spec *spec = b->spec;
    const dun_traits *traits = &spec->traits;
    if (traits->placement != DUN_PLACE_POST)
        TRY(norm(&a, b, *x, DUN_VEC_ATTN_NORM));
    TRY(heads(&kv, b, a, spec->n_kv_heads, DUN_MAT_KV, DUN_VEC_K_NORM));
    b->graph->values[dun_graph_home(b->graph, kv)].cached = kind == DUN_GRAPH_TEXT;
    if (is_last && kind == DUN_GRAPH_TEXT)
        goto out;
    if (is_last && !b->point->mean) {
        bool same = a == *x;
        TRY(last(&a, b, a));
        *x = same ? a : *x;
        if (!same)
            TRY(last(x, b, *x));
    }
    TRY(heads(&q, b, a, spec->n_heads, DUN_MAT_Q, DUN_VEC_Q_NORM));
    TRY(attention(&o, b, q, kv));
    int before = *x;
    TRY(join(x, b, o, DUN_MAT_O, DUN_VEC_POST_ATTN_NORM));
    m = traits->residual == DUN_RESIDUAL_SHARED ? a : traits->residual == DUN_RESIDUAL_PARALLEL ? before : *x;
    if (traits->residual != DUN_RESIDUAL_SHARED && traits->placement != DUN_PLACE_POST)
        TRY(norm(&m, b, m, DUN_VEC_FFN_NORM));
    TRY(linear(&m, b, m, DUN_NONE, DUN_MAT_GATE_UP));
    TRY(gate(&m, b, m));
    TRY(join(x, b, m, DUN_MAT_DOWN, DUN_VEC_POST_FFN_NORM));
out:
    return rc;
}

/* Rows of the table and the prompt, as the first block reads them. */
static int embed(int *x, const builder *b) {
    int rc;
    const dun_traits *traits = &b->spec->traits;
    TRY(dun_graph_push(x, b->graph, (dun_step){.op = DUN_OP_EMBED}, b->spec->width));
    if (traits->position == DUN_POSITION_LEARNED)
        TRY(dun_graph_push(
            x, b->graph,
            (dun_step){.op = DUN_OP_POSITION, .in = {[DUN_IN_X] = *x}, .weight = DUN_VEC_POSITION},
            b->spec->width));
    if (traits->embedding == DUN_EMBEDDING_NORM)
        TRY(norm(x, b, *x, DUN_VEC_EMBED_NORM));
out:
    return rc;
}

/* What the rows x of a sequence give to its point: the last, which may be all there are, or their mean. */
static int to_point(int *out, const builder *b, int x) {
    *out = x;
    if (b->point->mean)
        return mean(out, b, x);
    return b->graph->values[x].last_rows ? DUN_OK : last(out, b, x);
}

/* All blocks; `parts` are what the earlier ones give to the point. */
static int blocks(int *x, int parts[DUN_MAX_EARLIER], builder *b, enum dun_graph_kind kind) {
    int rc = DUN_OK;
    const dun_point_spec *point = b->point;
    uint32_t n = 0;
    for (b->layer = 0; b->layer < point->n_blocks; b->layer++) {
        TRY(block(x, b, kind, b->layer + 1 == point->n_blocks));
        if (kind == DUN_GRAPH_POINTS && n < point->n_earlier && point->earlier[n] == b->layer + 1)
            TRY(to_point(&parts[n++], b, *x));
    }
    b->layer = 0;
out:
    return rc;
}

int dun_graph_build(dun_graph *graph, const dun_spec *spec, const dun_point_spec *point,
                    enum dun_graph_kind kind) {
    int rc, x, whole, parts[DUN_MAX_EARLIER] = {0};
    builder b = {.graph = graph, .spec = spec, .point = point};
    *graph = (dun_graph){.output = DUN_NONE};
    TRY(embed(&x, &b));
    TRY(blocks(&x, parts, &b, kind));
    if (kind == DUN_GRAPH_TEXT)
        goto out;
    if (point->final_norm)
        TRY(norm(&x, &b, x, DUN_VEC_FINAL_NORM));
    TRY(to_point(&x, &b, x));
    if (point->logits)
        TRY(linear(&x, &b, x, DUN_NONE, DUN_MAT_HEAD));
    if (point->logits && spec->logit_cap > 0)
        TRY(cap(&x, &b, x));
    for (uint32_t i = point->n_earlier; i-- > 0; x = whole)
        TRY(beside(&whole, &b, parts[i], x));
    graph->output = x;
out:
    if (rc < 0)
        dun_graph_free(graph);
    return rc;
}

uint32_t dun_point_width(const dun_spec *spec, const dun_point_spec *point) {
    return point->logits ? spec->vocab : spec->width * (point->n_earlier + 1);
}

bool dun_point_spec_equal(const dun_point_spec *a, const dun_point_spec *b) {
    bool equal = a->n_blocks == b->n_blocks && a->final_norm == b->final_norm && a->logits == b->logits &&
                 a->mean == b->mean && a->n_earlier == b->n_earlier;
    for (uint32_t i = 0; equal && i < a->n_earlier; i++)
        equal = a->earlier[i] == b->earlier[i];
    return equal;
}
