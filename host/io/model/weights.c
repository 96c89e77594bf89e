/* Finding, checking and reading the tensors of a model by slot. */
#include "io/model/weights.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 160 };

struct dun_weights {
    dun_weights_from from;
    dun_raw_rows *rows; /* [DUN_N_SLOTS][n_layers]; a tied head is the embedding */
    bool *used;         /* [from.list.n] */
    float **gathered;   /* slots whose heads lie in tensors of their own, as floats */
    size_t n_gathered;
};

/* What a tensor that no slot takes would have done, by part of its name. */
static const struct {
    const char *part, *feature;
    bool instead; /* of a weight, which is then missing */
} extras[] = {
    {"_exp", "mixtures of experts are not supported", false},
    {"experts", "mixtures of experts are not supported", false},
    {"vision", "pictures are not supported", false},
    {"lora", "adapters are not supported; merge it into its model first", false},
    {"qweight", "weights quantised by GPTQ or AWQ are not supported", true},
    {"qzeros", "weights quantised by GPTQ or AWQ are not supported", true},
    {".scales", "weights quantised by MLX are not supported", true},
    {"absmax", "weights quantised by bitsandbytes are not supported", true},
    {"weight_scale", "weights in FP8 are not supported", true},
    {"attn_q_norm", "normalised queries are not supported", false},
    {"attn_k_norm", "normalised keys are not supported", false},
    {"bias", "biases are not supported there", false},
};
enum { N_EXTRAS = sizeof extras / sizeof extras[0] };

static dun_raw_rows *rows_of(const dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    size_t at = dun_slot_table[slot].per_layer ? layer : 0;
    return &weights->rows[slot * (size_t)weights->from.spec.n_layers + at];
}

static bool is_vector(enum dun_slot slot) {
    return dun_slot_table[slot].columns == DUN_SIZE_ONE;
}

/* A matrix is (columns, rows) in the order of the list, a vector (rows), of heads perhaps (D, heads). */
static int check_shape(const dun_weights *weights, const dun_place *place, const dun_stored *tensor,
                       enum dun_slot slot) {
    int rc = DUN_OK;
    const dun_spec *spec = &weights->from.spec;
    const dun_quant_type *type = dun_quant_find(tensor->type);
    const bool vector = is_vector(slot), each = place->part == DUN_PART_EACH;
    uint64_t rows = each ? spec->head_dim : dun_layout_rows(place->part, spec, slot).total;
    uint64_t columns = dun_spec_size(spec, dun_slot_table[slot].columns);
    uint64_t wanted[4] = {vector || place->turned ? rows : columns,
                          vector          ? 1
                          : place->turned ? columns
                                          : rows,
                          1, 1};
    bool right = memcmp(wanted, tensor->dims, sizeof wanted) == 0;
    if (vector && spec->traits.qk_norm == DUN_QK_EACH && tensor->n_dims == 2)
        right |= tensor->dims[0] == spec->head_dim && tensor->dims[0] * tensor->dims[1] == rows;
    if (!right) {
        char expected[96], found[96];
        dun_stored_shape(expected, sizeof expected, vector ? 1 : 2, wanted);
        dun_stored_shape(found, sizeof found, tensor->n_dims, tensor->dims);
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' does not fit the model's sizes; expected %s, found %s",
                      tensor->file, tensor->name, expected, found));
    }
    if (!type || !type->block_bytes || (type->block_values > 1 && (vector || place->turned)))
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has type %s; expected F32, F16 or BF16%s%s%s",
                      tensor->file, tensor->name, type ? type->name : "unknown",
                      vector ? " for a vector" : "", type && type->instead ? ": take the same model in " : "",
                      type && type->instead ? type->instead : ""));
out:
    return rc;
}

/* Refuses NaN and infinity, naming the first row (of a vector: the first value) that has one. */
static int check_finite(const dun_stored *tensor) {
    const dun_quant_type *type = dun_quant_find(tensor->type);
    size_t n = tensor->bytes / type->block_bytes * type->block_values;
    if (dun_interrupted())
        return dun_error(DUN_INTERRUPTED, "interrupted while %s was read", tensor->file);
    if (dun_quant_finite(tensor->type, tensor->data, n))
        return DUN_OK;
    size_t row_values = tensor->n_dims > 1 ? (size_t)tensor->dims[0] : 1;
    size_t row_bytes = row_values / type->block_values * type->block_bytes, row = 0;
    while (dun_quant_finite(tensor->type, tensor->data + row * row_bytes, row_values))
        row++;
    return dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has NaN or infinity in %s %zu; expected finite numbers",
                     tensor->file, tensor->name, tensor->n_dims > 1 ? "row" : "value", row);
}

/* Checks a tensor that a slot takes; tensors that several slots share are searched for NaN once. */
static int use(dun_weights *weights, const dun_place *place, const dun_stored *tensor, enum dun_slot slot) {
    int rc;
    bool *used = &weights->used[tensor - weights->from.list.tensors];
    TRY(check_shape(weights, place, tensor, slot));
    if (!*used && !weights->from.table_only)
        TRY(check_finite(tensor));
    *used = true;
out:
    return rc;
}

/* The rows of a tensor that are a slot's. */
static void place_rows(dun_raw_rows *out, const dun_weights *weights, const dun_place *place,
                       enum dun_slot slot) {
    const dun_weights_from *from = &weights->from;
    const dun_spec *spec = &from->spec;
    const dun_slot_info *info = &dun_slot_table[slot];
    const dun_part_rows part = dun_layout_rows(place->part, spec, slot);
    const dun_quant_type *type = dun_quant_find(place->tensor->type);
    const bool paired = info->rotary && dun_layout_pairs(from->form, from->arch) == DUN_PAIRS_ADJACENT;
    *out = (dun_raw_rows){.type = type,
                          .rows = dun_spec_size(spec, info->rows),
                          .columns = dun_spec_size(spec, info->columns),
                          .pair_head = paired ? spec->head_dim : 0,
                          .pair_rope = paired ? spec->rope_dim : 0,
                          .group = part.stride ? part.group : 0,
                          .stride = part.stride,
                          .turned = place->turned,
                          .added = dun_layout_added(from->form, from->arch, slot)};
    const size_t values = place->turned ? part.total : out->columns;
    out->row_bytes = values / type->block_values * type->block_bytes;
    out->bytes = place->tensor->data + part.first * (place->turned ? type->block_bytes : out->row_bytes);
}

/* A slot whose heads are tensors of their own, one after another as floats. */
static int gather(dun_raw_rows *out, dun_weights *weights, const dun_place *place, enum dun_slot slot,
                  uint32_t layer) {
    int rc = DUN_OK;
    const dun_spec *spec = &weights->from.spec;
    const uint32_t rows = dun_spec_size(spec, dun_slot_table[slot].rows), D = spec->head_dim;
    const bool short_name = strlen(place->tensor->name) < strlen(place->name); /* its first part is missing */
    float *values = NULL;
    TRY_NEW(values, rows);
    weights->gathered[weights->n_gathered++] = values;
    for (uint32_t head = 0; head < rows / D; head++) {
        char name[NAME_BYTES];
        dun_layout_expand(name, sizeof name, short_name ? strchr(place->name, '.') + 1 : place->name, layer,
                          head);
        const dun_stored *tensor = dun_stored_find(&weights->from.list, name);
        if (!tensor)
            TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is missing; expected one for each of %u heads",
                          weights->from.file, name, rows / D));
        TRY(use(weights, place, tensor, slot));
        if (!weights->from.table_only)
            dun_quant_to_f32(values + (size_t)head * D, tensor->type, tensor->data, D);
    }
    *out = (dun_raw_rows){.type = dun_quant_find(DUN_QUANT_F32),
                          .bytes = (const uint8_t *)values,
                          .row_bytes = sizeof *values,
                          .rows = rows,
                          .columns = 1,
                          .added = dun_layout_added(weights->from.form, weights->from.arch, slot)};
out:
    return rc;
}

/* A tensor that is not there: perhaps others stand for it, of a form that is not read. */
static int refuse_missing(const dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    const dun_weights_from *from = &weights->from;
    char name[NAME_BYTES];
    dun_layout_name(name, sizeof name, from->form, from->arch, &from->spec, slot, layer, &from->list);
    for (size_t i = 0; i < from->list.n; i++)
        for (size_t k = 0; k < N_EXTRAS; k++)
            if (extras[k].instead && strstr(from->list.tensors[i].name, extras[k].part))
                return dun_error(DUN_BAD_INPUT,
                                 "%s: has tensor '%s' (%s) and lacks '%s'; expected F32, F16 or BF16",
                                 from->file, from->list.tensors[i].name, extras[k].feature, name);
    return dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is missing; expected it in a %s model of %u layers",
                     from->file, name, from->arch->name, from->spec.n_layers);
}

/* Finds and checks the tensor of one slot and layer. */
static int fill_slot(dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    int rc = DUN_OK;
    const dun_weights_from *from = &weights->from;
    dun_place place;
    dun_layout_find(&place, from->form, from->arch, &from->spec, slot, layer, &from->list);
    if (!place.tensor && slot == DUN_W_EMBED && from->spec.tied_head) /* one table, under the other's name */
        dun_layout_find(&place, from->form, from->arch, &from->spec, DUN_W_HEAD, 0, &from->list);
    if (!place.tensor) {
        rc = refuse_missing(weights, slot, layer);
        goto out;
    }
    if (place.part == DUN_PART_EACH) {
        TRY(gather(rows_of(weights, slot, layer), weights, &place, slot, layer));
        goto out;
    }
    TRY(use(weights, &place, place.tensor, slot));
    place_rows(rows_of(weights, slot, layer), weights, &place, slot);
out:
    return rc;
}

/* Refuses the first tensor that no slot takes and that is no leftover, since the model it belongs to computes
 * something else. */
static int refuse_extra(const dun_weights *weights) {
    const dun_weights_from *from = &weights->from;
    size_t i = 0;
    while (i < from->list.n &&
           (weights->used[i] || dun_layout_is_leftover(from->form, from->list.tensors[i].name)))
        i++;
    if (i == from->list.n)
        return DUN_OK;
    const dun_stored *extra = &from->list.tensors[i];
    const char *feature = "it is unknown";
    for (size_t k = 0; k < N_EXTRAS; k++)
        if (strstr(extra->name, extras[k].part)) {
            feature = extras[k].feature;
            break;
        }
    return dun_error(DUN_BAD_INPUT,
                     "%s: tensor '%s' would not be used (%s); expected a plain %s model of %u layers",
                     extra->file, extra->name, feature, from->arch->name, from->spec.n_layers);
}

static int fill_slots(dun_weights *weights) {
    int rc = DUN_OK;
    const dun_spec *spec = &weights->from.spec;
    TRY_NEW(weights->rows, (size_t)DUN_N_SLOTS * spec->n_layers);
    TRY_NEW(weights->used, weights->from.list.n);
    TRY_NEW(weights->gathered, (size_t)2 * spec->n_layers);
    for (int slot = 0; slot < DUN_N_SLOTS; slot++) {
        if (!dun_spec_has(spec, (enum dun_slot)slot) || (slot == DUN_W_HEAD && spec->tied_head))
            continue;
        uint32_t n = dun_slot_table[slot].per_layer ? spec->n_layers : 1;
        for (uint32_t layer = 0; layer < n; layer++)
            TRY(fill_slot(weights, (enum dun_slot)slot, layer));
    }
    TRY(refuse_extra(weights));
    if (spec->tied_head)
        *rows_of(weights, DUN_W_HEAD, 0) = *rows_of(weights, DUN_W_EMBED, 0);
out:
    return rc;
}

int dun_weights_create(dun_weights **out, dun_weights_from *from) {
    int rc = DUN_OK;
    dun_weights *weights = NULL;
    TRY_NEW(weights, 1);
    weights->from = *from;
    from->list = (dun_stored_list){0};
    TRY(fill_slots(weights));
    *out = weights;
    weights = NULL;
out:
    dun_stored_free(&from->list);
    dun_weights_free(weights);
    return rc;
}

void dun_weights_free(dun_weights *weights) {
    if (!weights)
        return;
    for (size_t i = 0; i < weights->n_gathered; i++)
        dun_free(weights->gathered[i]);
    dun_free(weights->gathered);
    dun_free(weights->rows);
    dun_free(weights->used);
    dun_stored_free(&weights->from.list);
    dun_free(weights);
}

const dun_spec *dun_weights_spec(const dun_weights *weights) {
    return &weights->from.spec;
}

uint64_t dun_weights_hash(const dun_weights *weights) {
    enum { SAMPLES = 8, SAMPLE_BYTES = 512 };
    uint64_t hash = weights->from.hash;
    for (size_t i = 0; i < weights->from.list.n; i++) {
        const dun_stored *tensor = &weights->from.list.tensors[i];
        if (tensor->bytes <= SAMPLES * SAMPLE_BYTES) {
            hash = dun_hash(hash, tensor->data, tensor->bytes);
            continue;
        }
        /* evenly spaced, the first and the last bytes included */
        for (size_t s = 0; s < SAMPLES; s++) {
            size_t at = (tensor->bytes - SAMPLE_BYTES) / (SAMPLES - 1) * s;
            if (s == SAMPLES - 1)
                at = tensor->bytes - SAMPLE_BYTES;
            hash = dun_hash(hash, tensor->data + at, SAMPLE_BYTES);
        }
    }
    return hash;
}

int dun_weights_raw(dun_raw_rows *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    const dun_spec *spec = &weights->from.spec;
    if (slot >= DUN_N_SLOTS || !dun_spec_has(spec, slot) ||
        (dun_slot_table[slot].per_layer && layer >= spec->n_layers))
        return dun_error(DUN_FAILED, "%s: slot %d, layer %u, was asked for, of %u layers", weights->from.file,
                         (int)slot, layer, spec->n_layers);
    *out = *rows_of(weights, slot, layer);
    return DUN_OK;
}

int dun_weights_read(float *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer,
                     uint32_t first_row, uint32_t n_rows) {
    int rc;
    dun_raw_rows raw;
    TRY(dun_weights_raw(&raw, weights, slot, layer));
    if (first_row > raw.rows || n_rows > raw.rows - first_row)
        TRY(dun_error(DUN_FAILED, "%s: rows %u + %u of slot %d, layer %u, were asked for, which has %u rows",
                      weights->from.file, first_row, n_rows, (int)slot, layer, raw.rows));
    dun_raw_decode(out, &raw, first_row, n_rows);
out:
    return rc;
}
