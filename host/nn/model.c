/* See model.h. */
#include "model.h"

#include "err.h"
#include "mem.h"

#include <assert.h>

/* Slots that make a matrix, stacked by rows. */
static const struct {
    enum dun_slot slots[2];
    int n_slots;
} matrix_slots[DUN_N_MATRICES] = {
    [DUN_MAT_Q] = {{DUN_W_Q}, 1},       [DUN_MAT_KV] = {{DUN_W_K, DUN_W_V}, 2},
    [DUN_MAT_O] = {{DUN_W_O}, 1},       [DUN_MAT_GATE_UP] = {{DUN_W_GATE, DUN_W_UP}, 2},
    [DUN_MAT_DOWN] = {{DUN_W_DOWN}, 1}, [DUN_MAT_HEAD] = {{DUN_W_HEAD}, 1},
};

typedef struct {
    const dun_compute *compute;
    const dun_spec *spec;
    const dun_weight_source *source;
    dun_buffer staging;
} loader;

static uint32_t matrix_rows(const dun_spec *spec, enum dun_weight kind) {
    uint32_t rows = 0;
    for (int i = 0; i < matrix_slots[kind].n_slots; i++)
        rows += dun_spec_size(spec, dun_slot_table[matrix_slots[kind].slots[i]].rows);
    return rows;
}

static uint32_t matrix_columns(const dun_spec *spec, enum dun_weight kind) {
    return dun_spec_size(spec, dun_slot_table[matrix_slots[kind].slots[0]].columns);
}

static int load_matrix(dun_matrix *out, loader *load, enum dun_weight kind, uint32_t layer,
                       unsigned directions) {
    int rc = DUN_OK;
    void *mapped = NULL;
    uint32_t columns = matrix_columns(load->spec, kind), row = 0;
    TRY(dun_buffer_map(&mapped, &load->staging));
    for (int i = 0; i < matrix_slots[kind].n_slots; i++) {
        enum dun_slot slot = matrix_slots[kind].slots[i];
        uint32_t rows = dun_spec_size(load->spec, dun_slot_table[slot].rows);
        TRY(load->source->read((float *)mapped + (size_t)row * columns, load->source->self, slot, layer, 0,
                               rows));
        row += rows;
    }
    TRY(dun_buffer_unmap(&load->staging, mapped));
    mapped = NULL;
    TRY(dun_matrix_load(out, load->compute->gemm, &load->staging, row, columns, directions));
    TRY(dun_device_finish(load->compute->device));
out:
    if (mapped)
        (void)dun_buffer_unmap(&load->staging, mapped);
    return rc;
}

/* A table or vector as it is: (rows, columns) floats. */
static int load_plain(dun_buffer *out, loader *load, enum dun_slot slot, uint32_t layer) {
    int rc = DUN_OK;
    void *mapped = NULL;
    uint32_t rows = dun_spec_size(load->spec, dun_slot_table[slot].rows);
    size_t columns = dun_spec_size(load->spec, dun_slot_table[slot].columns);
    TRY(dun_buffer_create(out, load->compute->device, rows * columns * sizeof(float),
                          dun_slot_table[slot].name));
    TRY(dun_buffer_map(&mapped, out));
    TRY(load->source->read(mapped, load->source->self, slot, layer, 0, rows));
out:
    if (mapped) {
        int unmapped = dun_buffer_unmap(out, mapped);
        rc = rc < 0 ? rc : unmapped;
    }
    return rc;
}

static int load_layer(dun_layer *layer, loader *load, uint32_t index, unsigned directions) {
    int rc = DUN_OK;
    for (enum dun_weight kind = 0; kind < DUN_MAT_HEAD; kind++)
        TRY(load_matrix(&layer->matrix[kind], load, kind, index, directions));
    TRY(load_plain(&layer->attn_norm, load, DUN_W_ATTN_NORM, index));
    TRY(load_plain(&layer->ffn_norm, load, DUN_W_FFN_NORM, index));
out:
    return rc;
}

int dun_model_create(dun_model *model, const dun_compute *compute, const dun_spec *spec,
                     const dun_weight_source *source, const dun_point_spec *point, bool backward) {
    int rc = DUN_OK;
    loader load = {.compute = compute, .spec = spec, .source = source};
    unsigned directions = backward ? DUN_FORWARD | DUN_BACKWARD : DUN_FORWARD;
    size_t staging_floats = 0;
    *model = (dun_model){.spec = *spec};
    for (enum dun_weight kind = 0; kind < DUN_N_MATRICES; kind++) {
        size_t floats = (size_t)matrix_rows(spec, kind) * matrix_columns(spec, kind);
        if (staging_floats < floats && (kind != DUN_MAT_HEAD || point->logits))
            staging_floats = floats;
    }
    TRY(dun_buffer_create(&load.staging, compute->device, staging_floats * sizeof(float), "weight staging"));
    TRY_NEW(model->layers, point->n_blocks);
    model->n_layers = point->n_blocks;
    for (uint32_t i = 0; i < model->n_layers; i++)
        TRY(load_layer(&model->layers[i], &load, i, directions));
    TRY(load_plain(&model->embedding, &load, DUN_W_EMBED, 0));
    TRY(load_plain(&model->final_norm, &load, DUN_W_FINAL_NORM, 0));
    if (point->logits)
        TRY(load_matrix(&model->head, &load, DUN_MAT_HEAD, 0, directions));
out:
    dun_buffer_free(&load.staging);
    if (rc < 0)
        dun_model_free(model);
    return rc;
}

void dun_model_free(dun_model *model) {
    for (uint32_t i = 0; model->layers && i < model->n_layers; i++) {
        for (enum dun_weight kind = 0; kind < DUN_MAT_HEAD; kind++)
            dun_matrix_free(&model->layers[i].matrix[kind]);
        dun_buffer_free(&model->layers[i].attn_norm);
        dun_buffer_free(&model->layers[i].ffn_norm);
    }
    dun_free(model->layers);
    dun_buffer_free(&model->embedding);
    dun_buffer_free(&model->final_norm);
    dun_matrix_free(&model->head);
    *model = (dun_model){0};
}

static uint64_t matrix_bytes(const dun_matrix *matrix) {
    return matrix->forward.bytes + matrix->backward.bytes;
}

uint64_t dun_model_bytes(const dun_model *model) {
    uint64_t bytes = model->embedding.bytes + model->final_norm.bytes + matrix_bytes(&model->head);
    for (uint32_t i = 0; i < model->n_layers; i++) {
        const dun_layer *layer = &model->layers[i];
        bytes += layer->attn_norm.bytes + layer->ffn_norm.bytes;
        for (enum dun_weight kind = 0; kind < DUN_MAT_HEAD; kind++)
            bytes += matrix_bytes(&layer->matrix[kind]);
    }
    return bytes;
}

const dun_matrix *dun_model_matrix(const dun_model *model, enum dun_weight weight, uint32_t layer) {
    assert(weight < DUN_N_MATRICES);
    return weight == DUN_MAT_HEAD ? &model->head : &model->layers[layer].matrix[weight];
}

const dun_buffer *dun_model_vector(const dun_model *model, enum dun_weight weight, uint32_t layer) {
    switch (weight) {
    case DUN_VEC_ATTN_NORM:
        return &model->layers[layer].attn_norm;
    case DUN_VEC_FFN_NORM:
        return &model->layers[layer].ffn_norm;
    default:
        return &model->final_norm;
    }
}
