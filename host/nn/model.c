/* See model.h. */
#include "nn/model.h"

#include "base/err.h"
#include "base/mem.h"

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

/* Rows first .. first + n - 1 of a matrix, from the slots that it is made of. */
static int read_matrix(float *out, const loader *load, enum dun_weight kind, uint32_t layer, uint32_t first,
                       uint32_t n) {
    int rc = DUN_OK;
    uint32_t columns = matrix_columns(load->spec, kind), begin = 0, done = 0;
    for (int i = 0; i < matrix_slots[kind].n_slots && done < n; i++) {
        enum dun_slot slot = matrix_slots[kind].slots[i];
        uint32_t rows = dun_spec_size(load->spec, dun_slot_table[slot].rows), at = first + done - begin;
        if (first + done < begin + rows) {
            uint32_t count = rows - at < n - done ? rows - at : n - done;
            TRY(load->source->read(out + (size_t)done * columns, load->source->self, slot, layer, at, count));
            done += count;
        }
        begin += rows;
    }
out:
    return rc;
}

static int load_matrix(dun_matrix *out, loader *load, enum dun_weight kind, uint32_t layer,
                       unsigned directions) {
    int rc = DUN_OK;
    void *mapped = NULL;
    uint32_t rows = matrix_rows(load->spec, kind), columns = matrix_columns(load->spec, kind);
    uint32_t most = dun_matrix_part_rows(load->compute->gemm, rows, columns);
    for (uint32_t done = 0; done < rows; done += most) {
        uint32_t n = rows - done < most ? rows - done : most;
        TRY(dun_buffer_map(&mapped, &load->staging));
        TRY(read_matrix(mapped, load, kind, layer, done, n));
        TRY(dun_buffer_unmap(&load->staging, mapped));
        mapped = NULL;
        TRY(dun_matrix_append(out, load->compute->gemm, &load->staging, n, columns, directions));
        TRY(dun_device_finish(load->compute->device));
    }
out:
    if (mapped)
        (void)dun_buffer_unmap(&load->staging, mapped);
    return rc;
}

/* Rows of a table or vector as they are: (n, columns) floats. */
static int load_rows(dun_buffer *out, loader *load, enum dun_slot slot, uint32_t layer, uint32_t first,
                     uint32_t n) {
    int rc = DUN_OK;
    void *mapped = NULL;
    size_t columns = dun_spec_size(load->spec, dun_slot_table[slot].columns);
    TRY(dun_buffer_create(out, load->compute->device, n * columns * sizeof(float),
                          dun_slot_table[slot].name));
    TRY(dun_buffer_map(&mapped, out));
    TRY(load->source->read(mapped, load->source->self, slot, layer, first, n));
out:
    if (mapped) {
        int unmapped = dun_buffer_unmap(out, mapped);
        rc = rc < 0 ? rc : unmapped;
    }
    return rc;
}

static int load_plain(dun_buffer *out, loader *load, enum dun_slot slot, uint32_t layer) {
    return load_rows(out, load, slot, layer, 0, dun_spec_size(load->spec, dun_slot_table[slot].rows));
}

/* The embedding table, in as many buffers as it needs. */
static int load_table(dun_table_parts *out, loader *load) {
    int rc = DUN_OK;
    uint32_t rows = load->spec->vocab;
    uint64_t most =
        dun_device_describe(load->compute->device)->largest_buffer_bytes / sizeof(float) / load->spec->width;
    out->part_rows = most == 0 ? 1 : most < rows ? (uint32_t)most : rows;
    TRY_NEW(out->parts, (rows + out->part_rows - 1) / out->part_rows);
    for (uint32_t done = 0; done < rows; done += out->part_rows) {
        uint32_t n = rows - done < out->part_rows ? rows - done : out->part_rows;
        TRY(load_rows(&out->parts[out->n_parts++], load, DUN_W_EMBED, 0, done, n));
    }
out:
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
        uint32_t rows = matrix_rows(spec, kind), columns = matrix_columns(spec, kind);
        size_t floats = (size_t)dun_matrix_part_rows(compute->gemm, rows, columns) * columns;
        if (staging_floats < floats && (kind != DUN_MAT_HEAD || point->logits))
            staging_floats = floats;
    }
    TRY(dun_buffer_create(&load.staging, compute->device, staging_floats * sizeof(float), "weight staging"));
    TRY_NEW(model->layers, point->n_blocks);
    model->n_layers = point->n_blocks;
    for (uint32_t i = 0; i < model->n_layers; i++)
        TRY(load_layer(&model->layers[i], &load, i, directions));
    TRY(load_table(&model->embedding, &load));
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
    for (size_t i = 0; i < model->embedding.n_parts; i++)
        dun_buffer_free(&model->embedding.parts[i]);
    dun_free(model->embedding.parts);
    dun_buffer_free(&model->final_norm);
    dun_matrix_free(&model->head);
    *model = (dun_model){0};
}

uint64_t dun_model_bytes(const dun_model *model) {
    uint64_t bytes = model->final_norm.bytes + dun_matrix_bytes(&model->head);
    for (size_t i = 0; i < model->embedding.n_parts; i++)
        bytes += model->embedding.parts[i].bytes;
    for (uint32_t i = 0; i < model->n_layers; i++) {
        const dun_layer *layer = &model->layers[i];
        bytes += layer->attn_norm.bytes + layer->ffn_norm.bytes;
        for (enum dun_weight kind = 0; kind < DUN_MAT_HEAD; kind++)
            bytes += dun_matrix_bytes(&layer->matrix[kind]);
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
