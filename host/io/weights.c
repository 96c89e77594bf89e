/* Finding, checking and reading the tensors of a GGUF file by slot. */
#include "io/weights.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "io/architecture.h"
#include "model/quant.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct dun_weights {
    const dun_gguf *file;
    const dun_arch *arch;
    dun_spec spec;
    const dun_gguf_tensor **tensors; /* [DUN_N_SLOTS][n_layers]; a tied head is the embedding */
};

/* What a tensor that no slot takes would have done, by part of its name. */
static const struct {
    const char *part, *feature;
} extras[] = {
    {".bias", "biases are not supported"},
    {"rope_freqs", "scaled rotary positions are not supported"},
    {"rope_factors", "scaled rotary positions are not supported"},
    {"_exp", "mixtures of experts are not supported"},
    {"attn_q_norm", "normalised queries are not supported"},
    {"attn_k_norm", "normalised keys are not supported"},
};

static const dun_gguf_tensor **tensor_of(const dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    size_t at = dun_slot_table[slot].per_layer ? layer : 0;
    return &weights->tensors[slot * (size_t)weights->spec.n_layers + at];
}

/* A matrix is (columns, rows) in the file's order, a vector (rows). */
static int check_shape(const dun_weights *weights, const dun_gguf_tensor *tensor, enum dun_slot slot) {
    int rc = DUN_OK;
    const dun_slot_info *info = &dun_slot_table[slot];
    uint64_t rows = dun_spec_size(&weights->spec, info->rows);
    bool vector = info->columns == DUN_SIZE_ONE;
    uint64_t wanted[4] = {vector ? rows : dun_spec_size(&weights->spec, info->columns), vector ? 1 : rows, 1,
                          1};
    if (memcmp(wanted, tensor->dims, sizeof wanted) != 0) {
        char expected[96], found[96];
        dun_gguf_shape(expected, sizeof expected, vector ? 1 : 2, wanted);
        dun_gguf_shape(found, sizeof found, tensor->n_dims, tensor->dims);
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' does not fit the model's sizes; expected %s, found %s",
                      dun_gguf_name(weights->file), tensor->name, expected, found));
    }
    if (vector && dun_quant_find(tensor->type)->block_values > 1)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has type %s; expected F32, F16 or BF16 for a vector",
                      dun_gguf_name(weights->file), tensor->name, dun_quant_find(tensor->type)->name));
out:
    return rc;
}

/* Refuses NaN and infinity, naming the first row (of a vector: the first value) that has one. */
static int check_finite(const dun_weights *weights, const dun_gguf_tensor *tensor) {
    const dun_quant_type *type = dun_quant_find(tensor->type);
    size_t n = tensor->bytes / type->block_bytes * type->block_values;
    if (dun_quant_finite(tensor->type, tensor->data, n))
        return DUN_OK;
    size_t row_values = tensor->n_dims > 1 ? (size_t)tensor->dims[0] : 1;
    size_t row_bytes = row_values / type->block_values * type->block_bytes, row = 0;
    while (dun_quant_finite(tensor->type, tensor->data + row * row_bytes, row_values))
        row++;
    return dun_error(DUN_BAD_INPUT, "%s: tensor '%s' has NaN or infinity in %s %zu; expected finite numbers",
                     dun_gguf_name(weights->file), tensor->name, tensor->n_dims > 1 ? "row" : "value", row);
}

/* Finds and checks the tensor of one slot and layer. */
static int fill_slot(dun_weights *weights, enum dun_slot slot, uint32_t layer) {
    int rc;
    char name[64];
    dun_architecture_tensor(name, sizeof name, slot, layer);
    const dun_gguf_tensor *tensor = dun_gguf_find_tensor(weights->file, name);
    if (!tensor)
        TRY(dun_error(DUN_BAD_INPUT, "%s: tensor '%s' is missing; expected it in a %s model of %u layers",
                      dun_gguf_name(weights->file), name, weights->arch->name, weights->spec.n_layers));
    TRY(check_shape(weights, tensor, slot));
    TRY(check_finite(weights, tensor));
    *tensor_of(weights, slot, layer) = tensor;
out:
    return rc;
}

/* Called when the file has more tensors than the slots took: refuses the first one left over, since the
 * model it belongs to computes something else. */
static int refuse_extra(const dun_weights *weights) {
    size_t n = dun_gguf_n_tensors(weights->file), n_filled = (size_t)DUN_N_SLOTS * weights->spec.n_layers;
    const dun_gguf_tensor *extra = NULL;
    for (size_t i = 0; i < n && !extra; i++) {
        extra = dun_gguf_tensor_at(weights->file, i);
        for (size_t j = 0; j < n_filled && extra; j++)
            if (weights->tensors[j] == extra)
                extra = NULL;
    }
    assert(extra);
    const char *feature = "it is unknown";
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++)
        if (strstr(extra->name, extras[i].part)) {
            feature = extras[i].feature;
            break;
        }
    return dun_error(
        DUN_BAD_INPUT, "%s: tensor '%s' would not be used (%s); expected a plain %s model of %u layers",
        dun_gguf_name(weights->file), extra->name, feature, weights->arch->name, weights->spec.n_layers);
}

static int fill_slots(dun_weights *weights) {
    int rc = DUN_OK;
    const dun_spec *spec = &weights->spec;
    size_t n_used = 0;
    TRY_NEW(weights->tensors, (size_t)DUN_N_SLOTS * spec->n_layers);
    for (int slot = 0; slot < DUN_N_SLOTS; slot++) {
        if (!dun_spec_has(spec, (enum dun_slot)slot) || (slot == DUN_W_HEAD && spec->tied_head))
            continue;
        uint32_t n = dun_slot_table[slot].per_layer ? spec->n_layers : 1;
        for (uint32_t layer = 0; layer < n; layer++)
            TRY(fill_slot(weights, (enum dun_slot)slot, layer));
        n_used += n;
    }
    if (n_used < dun_gguf_n_tensors(weights->file))
        TRY(refuse_extra(weights));
    if (spec->tied_head)
        *tensor_of(weights, DUN_W_HEAD, 0) = *tensor_of(weights, DUN_W_EMBED, 0);
out:
    return rc;
}

int dun_weights_create(dun_weights **out, const dun_gguf *file) {
    int rc = DUN_OK;
    dun_weights *weights = NULL;
    TRY_NEW(weights, 1);
    weights->file = file;
    TRY(dun_architecture_find(&weights->arch, file));
    TRY(dun_architecture_spec(&weights->spec, weights->arch, file));
    TRY(fill_slots(weights));
    *out = weights;
    weights = NULL;
out:
    dun_weights_free(weights);
    return rc;
}

void dun_weights_free(dun_weights *weights) {
    if (!weights)
        return;
    dun_free(weights->tensors);
    dun_free(weights);
}

const dun_spec *dun_weights_spec(const dun_weights *weights) {
    return &weights->spec;
}

uint64_t dun_weights_hash(const dun_weights *weights) {
    enum { SAMPLES = 8, SAMPLE_BYTES = 512 };
    uint64_t hash = DUN_HASH_START;
    for (size_t part = 0; part < dun_gguf_n_parts(weights->file); part++) {
        size_t length;
        const uint8_t *head = dun_gguf_head(weights->file, part, &length);
        hash = dun_hash(hash, head, length);
    }
    for (size_t i = 0; i < dun_gguf_n_tensors(weights->file); i++) {
        const dun_gguf_tensor *tensor = dun_gguf_tensor_at(weights->file, i);
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
    const dun_spec *spec = &weights->spec;
    if (slot >= DUN_N_SLOTS || !dun_spec_has(spec, slot) ||
        (dun_slot_table[slot].per_layer && layer >= spec->n_layers))
        return dun_error(DUN_FAILED, "%s: slot %d, layer %u, was asked for, of %u layers",
                         dun_gguf_name(weights->file), (int)slot, layer, spec->n_layers);
    const dun_gguf_tensor *tensor = *tensor_of(weights, slot, layer);
    const dun_slot_info *info = &dun_slot_table[slot];
    const dun_quant_type *type = dun_quant_find(tensor->type);
    bool paired = info->rotary && weights->arch->gguf_pairs == DUN_PAIRS_ADJACENT;
    *out = (dun_raw_rows){.type = type,
                          .bytes = tensor->data,
                          .rows = dun_spec_size(spec, info->rows),
                          .columns = dun_spec_size(spec, info->columns),
                          .pair_head = paired ? spec->head_dim : 0,
                          .pair_rope = paired ? spec->rope_dim : 0};
    out->row_bytes = (size_t)out->columns / type->block_values * type->block_bytes;
    return DUN_OK;
}

int dun_weights_read(float *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer,
                     uint32_t first_row, uint32_t n_rows) {
    int rc;
    dun_raw_rows raw;
    TRY(dun_weights_raw(&raw, weights, slot, layer));
    if (first_row > raw.rows || n_rows > raw.rows - first_row)
        TRY(dun_error(DUN_FAILED, "%s: rows %u + %u of slot %d, layer %u, were asked for, which has %u rows",
                      dun_gguf_name(weights->file), first_row, n_rows, (int)slot, layer, raw.rows));
    dun_raw_decode(out, &raw, first_row, n_rows);
out:
    return rc;
}
