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
        if (slot == DUN_W_EMBED)
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
    double *x, *a, *b, *q, *kv, *o, *gate_up, *m;
    int *positions, *zeros;
} workspace;

static void free_workspace(workspace *w) {
    dun_free(w->x);
    dun_free(w->a);
    dun_free(w->b);
    dun_free(w->q);
    dun_free(w->kv);
    dun_free(w->o);
    dun_free(w->gate_up);
    dun_free(w->m);
    dun_free(w->positions);
    dun_free(w->zeros);
}

static int create_workspace(workspace *w, const dun_spec *spec, size_t n) {
    int rc = DUN_OK;
    *w = (workspace){0};
    TRY_NEW(w->x, n * spec->width);
    TRY_NEW(w->a, n * spec->width);
    TRY_NEW(w->b, n * spec->width);
    TRY_NEW(w->q, n * spec->n_heads * spec->head_dim);
    TRY_NEW(w->kv, n * 2 * spec->n_kv_heads * spec->head_dim);
    TRY_NEW(w->o, n * spec->n_heads * spec->head_dim);
    TRY_NEW(w->gate_up, n * 2 * spec->ffn_width);
    TRY_NEW(w->m, n * spec->ffn_width);
    TRY_NEW(w->positions, n);
    TRY_NEW(w->zeros, n);
    for (size_t i = 0; i < n; i++)
        w->positions[i] = (int)i;
out:
    return rc;
}

/* Products with two weights side by side: a row of y holds y1, then y2. */
static int linear_pair(double *y, const double *x, const double *w1, const double *w2, int n, int rows,
                       int columns) {
    int rc = DUN_OK;
    double *one = NULL;
    TRY_NEW(one, (size_t)(n * rows));
    for (int half = 0; half < 2; half++) {
        dun_ref_linear_fwd(one, x, half ? w2 : w1, n, rows, columns);
        for (int i = 0; i < n; i++)
            memcpy(y + (2 * i + half) * rows, one + i * rows, (size_t)rows * sizeof *y);
    }
out:
    dun_free(one);
    return rc;
}

/* Adds a bias, where the model has it, from column `at` on to rows of `stride`. */
static void add_bias(double *y, const dun_random_model *model, enum dun_slot slot, uint32_t layer, int n,
                     int stride, int at) {
    int columns = (int)slot_floats(&model->spec, slot);
    if (!dun_spec_has(&model->spec, slot))
        return;
    const double *bias = slot_of(model, slot, layer);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < columns; j++)
            y[i * stride + at + j] += bias[j];
}

/* x += W in */
static int add_linear(double *x, const double *in, const double *w, int n, int rows, int columns) {
    int rc = DUN_OK;
    double *y = NULL;
    TRY_NEW(y, (size_t)(n * rows));
    dun_ref_linear_fwd(y, in, w, n, rows, columns);
    for (int i = 0; i < n * rows; i++)
        x[i] += y[i];
out:
    dun_free(y);
    return rc;
}

static int run_block(workspace *w, const dun_random_model *model, uint32_t layer, int n) {
    int rc = DUN_OK;
    const dun_spec *s = &model->spec;
    int C = (int)s->width, H = (int)s->n_heads, G = (int)s->n_kv_heads, D = (int)s->head_dim;
    int F = (int)s->ffn_width, ends[] = {0, n}, zero = 0;
    dun_ref_rope_shape q_turn = {H, D, (int)s->rope_dim, H * D, s->rope_base};
    dun_ref_rope_shape k_turn = {G, D, (int)s->rope_dim, 2 * G * D, s->rope_base};
    dun_ref_batch batch = {1, n, n, ends, w->zeros, &zero, &zero, &zero, w->positions};
    dun_ref_heads heads = {H, G, D, 1.0 / sqrt(D)};
    dun_ref_rmsnorm_fwd(w->a, w->x, slot_of(model, DUN_W_ATTN_NORM, layer), s->norm_eps, n, C);
    dun_ref_linear_fwd(w->q, w->a, slot_of(model, DUN_W_Q, layer), n, H * D, C);
    TRY(linear_pair(w->kv, w->a, slot_of(model, DUN_W_K, layer), slot_of(model, DUN_W_V, layer), n, G * D,
                    C));
    add_bias(w->q, model, DUN_W_Q_BIAS, layer, n, H * D, 0);
    add_bias(w->kv, model, DUN_W_K_BIAS, layer, n, 2 * G * D, 0);
    add_bias(w->kv, model, DUN_W_V_BIAS, layer, n, 2 * G * D, G * D);
    dun_ref_rope(w->q, w->positions, n, &q_turn, 1.0);
    dun_ref_rope(w->kv, w->positions, n, &k_turn, 1.0);
    dun_ref_attention_fwd(w->o, NULL, w->q, w->kv, w->kv, &batch, &heads);
    memcpy(w->b, w->x, (size_t)(n * C) * sizeof *w->b);
    TRY(add_linear(w->x, w->o, slot_of(model, DUN_W_O, layer), n, C, H * D));
    const double *read = s->traits.residual == DUN_RESIDUAL_PARALLEL ? w->b : w->x;
    dun_ref_rmsnorm_fwd(w->a, read, slot_of(model, DUN_W_FFN_NORM, layer), s->norm_eps, n, C);
    TRY(linear_pair(w->gate_up, w->a, slot_of(model, DUN_W_GATE, layer), slot_of(model, DUN_W_UP, layer), n,
                    F, C));
    dun_ref_swiglu_fwd(w->m, w->gate_up, n, F);
    TRY(add_linear(w->x, w->m, slot_of(model, DUN_W_DOWN, layer), n, C, F));
out:
    return rc;
}

int dun_random_model_point(double *point, const dun_random_model *model, const dun_point_spec *spec,
                           const int *ids, int n, const double *prompt) {
    int rc = DUN_OK;
    workspace w = {0};
    int C = (int)model->spec.width;
    TRY(create_workspace(&w, &model->spec, (size_t)n));
    dun_ref_embed_fwd(w.x, ids, model->slots[DUN_W_EMBED], prompt, n, C);
    for (uint32_t layer = 0; layer < spec->n_blocks; layer++)
        TRY(run_block(&w, model, layer, n));
    double *row = w.x + (n - 1) * C;
    if (spec->final_norm) {
        dun_ref_rmsnorm_fwd(w.a, row, model->slots[DUN_W_FINAL_NORM], model->spec.norm_eps, 1, C);
        row = w.a;
    }
    if (spec->logits)
        dun_ref_linear_fwd(point, row, model->slots[DUN_W_HEAD], 1, (int)model->spec.vocab, C);
    else
        memcpy(point, row, (size_t)C * sizeof *point);
out:
    free_workspace(&w);
    return rc;
}
