/* Random weights, and a model of them as plain loops; see random_model.h. */
#include "check/random_model.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check/reference_ops.h"

#include <math.h>
#include <string.h>

static size_t slot_floats(const dun_spec *spec, enum dun_slot slot) {
    const dun_slot_info *info = &dun_slot_table[slot];
    return (size_t)dun_spec_size(spec, info->rows) * dun_spec_size(spec, info->columns);
}

int dun_random_model_create(dun_random_model *model, const dun_spec *spec, uint64_t seed) {
    int rc = DUN_OK;
    *model = (dun_random_model){.spec = *spec};
    for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++) {
        const dun_slot_info *info = &dun_slot_table[slot];
        size_t n = slot_floats(spec, slot) * (info->per_layer ? spec->n_layers : 1);
        bool vector = info->columns == DUN_SIZE_ONE;
        if (!dun_spec_has(spec, slot))
            continue;
        double spread = vector ? 0.2 : 1.0 / sqrt(dun_spec_size(spec, info->columns));
        if (slot == DUN_W_EMBED || slot == DUN_W_POSITION)
            spread = 1.0;
        TRY_NEW(model->slots[slot], n);
        for (size_t i = 0; i < n; i++) {
            double value = dun_random_normal(seed, DUN_STREAM_TEST, (uint64_t)slot << 32 | i);
            model->slots[slot][i] = (float)((vector ? 1.0 : 0.0) + spread * value);
        }
    }
out:
    if (rc < 0)
        dun_random_model_free(model);
    return rc;
}

int dun_random_model_copy(dun_random_model *model, const dun_spec *spec, const dun_weight_source *source) {
    int rc = DUN_OK;
    float *values = NULL;
    *model = (dun_random_model){.spec = *spec};
    for (enum dun_slot slot = 0; slot < DUN_N_SLOTS; slot++) {
        const dun_slot_info *info = &dun_slot_table[slot];
        size_t n = slot_floats(spec, slot);
        uint32_t layers = info->per_layer ? spec->n_layers : 1;
        if (!dun_spec_has(spec, slot))
            continue;
        TRY_NEW(model->slots[slot], n * layers);
        TRY_NEW(values, n);
        for (uint32_t layer = 0; layer < layers; layer++) {
            TRY(source->read(values, source->self, slot, layer, 0, dun_spec_size(spec, info->rows)));
            for (size_t i = 0; i < n; i++)
                model->slots[slot][layer * n + i] = (double)values[i];
        }
        dun_free(values);
        values = NULL;
    }
out:
    dun_free(values);
    if (rc < 0)
        dun_random_model_free(model);
    return rc;
}

void dun_random_model_free(dun_random_model *model) {
    for (size_t slot = 0; slot < DUN_N_SLOTS; slot++)
        dun_free(model->slots[slot]);
    *model = (dun_random_model){0};
}

static const double *slot_of(const dun_random_model *model, enum dun_slot slot, uint32_t layer) {
    return model->slots[slot] +
           (dun_slot_table[slot].per_layer ? layer : 0) * slot_floats(&model->spec, slot);
}

static int read_rows(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                     uint32_t n_rows) {
    const dun_random_model *model = self;
    size_t columns = dun_spec_size(&model->spec, dun_slot_table[slot].columns);
    const double *in = slot_of(model, slot, layer) + first_row * columns;
    for (size_t i = 0; i < n_rows * columns; i++)
        out[i] = (float)in[i];
    return DUN_OK;
}

dun_weight_source dun_random_model_source(const dun_random_model *model) {
    return (dun_weight_source){.self = model, .read = read_rows};
}

/* What one pass works in: a handful of (n, .) arrays. */
typedef struct {
    double *x, *a, *b, *q, *kv, *o, *unit, *m, *rest;
    int *positions, *zeros;
    int n;
} workspace;

static void free_workspace(workspace *w) {
    dun_free(w->x);
    dun_free(w->a);
    dun_free(w->b);
    dun_free(w->q);
    dun_free(w->kv);
    dun_free(w->o);
    dun_free(w->unit);
    dun_free(w->m);
    dun_free(w->rest);
    dun_free(w->positions);
    dun_free(w->zeros);
}

static int create_workspace(workspace *w, const dun_spec *spec, size_t n) {
    int rc = DUN_OK;
    const size_t q = (size_t)spec->n_heads * spec->head_dim,
                 kv = (size_t)spec->n_kv_heads * spec->head_dim * 2;
    *w = (workspace){.n = (int)n};
    TRY_NEW(w->x, n * spec->width);
    TRY_NEW(w->a, n * spec->width);
    TRY_NEW(w->b, n * spec->width);
    TRY_NEW(w->q, n * q);
    TRY_NEW(w->kv, n * kv);
    TRY_NEW(w->o, n * q);
    TRY_NEW(w->unit, n * 2 * spec->ffn_width);
    TRY_NEW(w->m, n * spec->ffn_width);
    TRY_NEW(w->rest, n * (spec->width + q + kv + spec->ffn_width + spec->vocab));
    TRY_NEW(w->positions, n);
    TRY_NEW(w->zeros, n);
    for (size_t i = 0; i < n; i++)
        w->positions[i] = (int)i;
out:
    return rc;
}

static int size_of(const dun_random_model *model, enum dun_size size) {
    return (int)dun_spec_size(&model->spec, size);
}

/* y = W x [+ bias], in rows of `stride` from column `at` on. */
static void product(double *y, int stride, int at, const double *x, int n, workspace *w,
                    const dun_random_model *model, enum dun_slot slot, enum dun_slot bias, uint32_t layer) {
    int rows = size_of(model, dun_slot_table[slot].rows),
        columns = size_of(model, dun_slot_table[slot].columns);
    const double *b = dun_spec_has(&model->spec, bias) ? slot_of(model, bias, layer) : NULL;
    dun_ref_linear_fwd(w->rest, x, slot_of(model, slot, layer), n, rows, columns);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < rows; j++)
            y[i * stride + at + j] = w->rest[i * rows + j] + (b ? b[j] : 0.0);
}

/* A norm over the model's width. */
static void norm(double *y, const double *x, int n, const dun_random_model *model, enum dun_slot slot,
                 enum dun_slot bias, uint32_t layer) {
    const dun_spec *s = &model->spec;
    int C = (int)s->width;
    const dun_ref_norms_shape shape = {n, 1, C, 0, C, 1, 0, s->norm_eps};
    if (s->traits.norm == DUN_NORM_RMS) {
        dun_ref_rmsnorm_fwd(y, x, slot_of(model, slot, layer), s->norm_eps, n, C);
        return;
    }
    dun_ref_norms_fwd(y, x, slot_of(model, slot, layer), &shape);
    for (int i = 0; i < n * C; i++)
        y[i] += slot_of(model, bias, layer)[i % C];
}

/* The norm of queries or keys, and their turn. */
static void turn_heads(double *x, int heads, int row_floats, workspace *w, const dun_random_model *model,
                       enum dun_slot norms, uint32_t layer) {
    const dun_spec *s = &model->spec;
    const enum dun_qk_norm kind = s->traits.qk_norm;
    const int D = (int)s->head_dim, whole = kind == DUN_QK_ROW, each = kind == DUN_QK_EACH;
    if (kind != DUN_QK_PLAIN) {
        const dun_ref_norms_shape shape = {
            w->n, whole ? 1 : heads, whole ? heads * D : D, each ? D : 0, row_floats, each, 0, s->norm_eps};
        memcpy(w->rest, x, (size_t)(w->n * row_floats) * sizeof *x);
        dun_ref_norms_fwd(x, w->rest, slot_of(model, norms, layer), &shape);
    }
    if (s->traits.position != DUN_POSITION_ROPE || s->layers[layer] & DUN_LAYER_STILL)
        return;
    dun_ref_rope_shape turn = {
        .heads = heads, .D = D, .rope_dim = (int)s->rope_dim, .row_floats = row_floats};
    if (s->layers[layer] & DUN_LAYER_WINDOW && s->rope_base_window > 0) {
        turn.base = s->rope_base_window;
    } else {
        turn.base = s->rope_base;
        turn.magnitude = s->rope.magnitude;
        turn.divisor =
            s->rope.long_from && w->n > (int)s->rope.long_from ? s->rope.long_divisor : s->rope.divisor;
    }
    dun_ref_rope(x, w->positions, w->n, &turn, 1.0);
}

static void attend(workspace *w, const dun_random_model *model, uint32_t layer) {
    const dun_spec *s = &model->spec;
    int H = (int)s->n_heads, G = (int)s->n_kv_heads, D = (int)s->head_dim, ends[] = {0, w->n}, zero = 0;
    dun_ref_batch batch = {1, w->n, w->n, ends, w->zeros, &zero, &zero, &zero, w->positions};
    dun_ref_heads heads = {.H = H, .G = G, .D = D, .cap = s->attention_cap};
    heads.scale = s->attention_scale > 0 ? s->attention_scale : 1.0 / sqrt(D);
    heads.alibi = s->traits.position == DUN_POSITION_ALIBI ? s->alibi_bias : 0.0;
    heads.window = s->layers[layer] & DUN_LAYER_WINDOW ? (int)s->window : 0;
    product(w->q, H * D, 0, w->a, w->n, w, model, DUN_W_Q, DUN_W_Q_BIAS, layer);
    product(w->kv, 2 * G * D, 0, w->a, w->n, w, model, DUN_W_K, DUN_W_K_BIAS, layer);
    product(w->kv, 2 * G * D, G * D, w->a, w->n, w, model, DUN_W_V, DUN_W_V_BIAS, layer);
    turn_heads(w->q, H, H * D, w, model, DUN_W_Q_NORM, layer);
    turn_heads(w->kv, G, 2 * G * D, w, model, DUN_W_K_NORM, layer);
    dun_ref_attention_fwd(w->o, NULL, w->q, w->kv, w->kv, &batch, &heads);
}

static void feed_forward(workspace *w, const dun_random_model *model, uint32_t layer) {
    const dun_spec *s = &model->spec;
    const int F = (int)s->ffn_width, gated = s->traits.ffn == DUN_FFN_GATED, stride = gated ? 2 * F : F;
    static const dun_ref_act acts[] = {[DUN_ACT_SILU] = DUN_REF_SILU,
                                       [DUN_ACT_GELU] = DUN_REF_GELU,
                                       [DUN_ACT_GELU_TANH] = DUN_REF_GELU_TANH,
                                       [DUN_ACT_RELU] = DUN_REF_RELU};
    if (gated)
        product(w->unit, stride, 0, w->a, w->n, w, model, DUN_W_GATE, DUN_W_GATE_BIAS, layer);
    product(w->unit, stride, stride - F, w->a, w->n, w, model, DUN_W_UP, DUN_W_UP_BIAS, layer);
    dun_ref_act_fwd(w->m, w->unit, &(dun_ref_units){w->n, F, acts[s->traits.act], gated});
}

/* x += scale * [norm of] (W part) */
static void join(workspace *w, const double *part, const dun_random_model *model, enum dun_slot slot,
                 enum dun_slot bias, enum dun_slot norms, enum dun_slot norm_bias, uint32_t layer) {
    const dun_spec *s = &model->spec;
    const int C = (int)s->width;
    const double scale = s->residual_scale > 0 ? s->residual_scale : 1.0;
    double *y = w->b;
    product(y, C, 0, part, w->n, w, model, slot, bias, layer);
    if (s->traits.placement != DUN_PLACE_PRE) {
        norm(w->rest, y, w->n, model, norms, norm_bias, layer);
        y = w->rest;
    }
    for (int i = 0; i < w->n * C; i++)
        w->x[i] += scale * y[i];
}

/* w->a holds what attention read, and then what the ffn reads. */
static int run_block(workspace *w, const dun_random_model *model, uint32_t layer) {
    int rc = DUN_OK;
    const dun_traits *t = &model->spec.traits;
    const size_t bytes = (size_t)w->n * model->spec.width * sizeof *w->x;
    double *before = NULL;
    TRY_NEW(before, (size_t)w->n * model->spec.width);
    memcpy(before, w->x, bytes);
    memcpy(w->a, w->x, bytes);
    if (t->placement != DUN_PLACE_POST)
        norm(w->a, w->x, w->n, model, DUN_W_ATTN_NORM, DUN_W_ATTN_NORM_BIAS, layer);
    attend(w, model, layer);
    join(w, w->o, model, DUN_W_O, DUN_W_O_BIAS, DUN_W_POST_ATTN_NORM, DUN_W_POST_ATTN_NORM_BIAS, layer);
    const double *read = t->residual == DUN_RESIDUAL_SEQUENTIAL ? w->x : before;
    if (t->residual == DUN_RESIDUAL_SHARED)
        goto feed;
    if (t->placement == DUN_PLACE_POST)
        memcpy(w->a, read, bytes);
    else
        norm(w->a, read, w->n, model, DUN_W_FFN_NORM, DUN_W_FFN_NORM_BIAS, layer);
feed:
    feed_forward(w, model, layer);
    join(w, w->m, model, DUN_W_DOWN, DUN_W_DOWN_BIAS, DUN_W_POST_FFN_NORM, DUN_W_POST_FFN_NORM_BIAS, layer);
out:
    dun_free(before);
    return rc;
}

/* Rows of the table, scaled, and of the prompt; positions; a norm. */
static void embed(workspace *w, const dun_random_model *model, const int *ids, const double *prompt) {
    const dun_spec *s = &model->spec;
    const int C = (int)s->width;
    double scale = s->embedding_scale > 0 ? s->embedding_scale : 1.0;
    if (s->traits.embedding == DUN_EMBEDDING_ROOT)
        scale = sqrt(C);
    dun_ref_embed_fwd(w->x, ids, model->slots[DUN_W_EMBED], prompt, w->n, C);
    for (int i = 0; i < w->n; i++)
        for (int j = 0; j < C; j++) {
            w->x[i * C + j] *= ids[i] >= 0 ? scale : 1.0;
            if (s->traits.position == DUN_POSITION_LEARNED)
                w->x[i * C + j] += model->slots[DUN_W_POSITION][(i + (int)s->position_offset) * C + j];
        }
    if (s->traits.embedding == DUN_EMBEDDING_NORM) {
        norm(w->a, w->x, w->n, model, DUN_W_EMBED_NORM, DUN_W_EMBED_NORM_BIAS, 0);
        memcpy(w->x, w->a, (size_t)(w->n * C) * sizeof *w->x);
    }
}

int dun_random_model_mean(double *point, const dun_random_model *model, const dun_point_spec *spec,
                          const int *ids, int n, int first, const double *prompt) {
    int rc = DUN_OK;
    workspace w = {0};
    const dun_spec *s = &model->spec;
    int C = (int)s->width, V = (int)s->vocab;
    TRY(create_workspace(&w, s, (size_t)n));
    embed(&w, model, ids, prompt);
    const int n_rows = n - first, start[] = {0, n_rows};
    double *row = w.x + first * C;
    for (uint32_t layer = 0; layer < spec->n_blocks; layer++) {
        TRY(run_block(&w, model, layer));
        for (uint32_t i = 0; i < spec->n_earlier; i++)
            if (spec->earlier[i] == layer + 1)
                dun_ref_mean_fwd(point + (int)i * C, row, start, 1, C);
    }
    point += (int)spec->n_earlier * C;
    if (spec->final_norm) {
        norm(w.a, row, n_rows, model, DUN_W_FINAL_NORM, DUN_W_FINAL_NORM_BIAS, 0);
        row = w.a;
    }
    dun_ref_mean_fwd(w.b, row, start, 1, C);
    row = w.b;
    memcpy(point, row, (size_t)(spec->logits ? 0 : C) * sizeof *point);
    if (!spec->logits)
        goto out;
    product(point, V, 0, row, 1, &w, model, DUN_W_HEAD, DUN_W_HEAD_BIAS, 0);
    for (int i = 0; i < V; i++)
        point[i] /= s->logit_scale > 0 ? s->logit_scale : 1.0;
    if (s->logit_cap > 0)
        dun_ref_cap_fwd(point, point, s->logit_cap, V);
out:
    free_workspace(&w);
    return rc;
}

int dun_random_model_point(double *point, const dun_random_model *model, const dun_point_spec *spec,
                           const int *ids, int n, const double *prompt) {
    return dun_random_model_mean(point, model, spec, ids, n, n - 1, prompt);
}
