/* Loading a model, weight by weight of weight.def. */
#include "nn/model.h"

#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "nn/weight.h"

#include <assert.h>
#include <string.h>

typedef struct {
    const dun_compute *compute;
    const dun_spec *spec;
    const dun_weight_source *source;
    dun_buffer staging;
    enum dun_weight_form form;
    unsigned directions;
    bool head; /* wanted */
} loader;

/* Rows of a slot, multiplied with the scale that the spec puts on it. */
static int read_slot(float *out, const loader *load, enum dun_slot slot, uint32_t layer, uint32_t first,
                     uint32_t n) {
    int rc;
    float scale = dun_spec_weight_scale(load->spec, slot);
    size_t floats = (size_t)n * dun_spec_size(load->spec, dun_slot_table[slot].columns);
    TRY(load->source->read(out, load->source->self, slot, layer, first, n));
    for (size_t i = 0; scale != 1.0f && i < floats; i++)
        out[i] *= scale;
out:
    return rc;
}

/* Rows first .. first + n - 1 of a weight, from the slots that it is made of. */
static int read_weight(float *out, const loader *load, enum dun_weight weight, uint32_t layer, uint32_t first,
                       uint32_t n) {
    int rc = DUN_OK;
    const dun_weight_info *info = &dun_weight_table[weight];
    uint32_t columns = dun_weight_columns(weight, load->spec), begin = 0, done = 0;
    for (int i = 0; i < info->n_slots && done < n; i++) {
        uint32_t rows = dun_weight_slot_rows(weight, i, load->spec), at = first + done - begin;
        if (first + done < begin + rows) {
            uint32_t count = rows - at < n - done ? rows - at : n - done;
            TRY(read_slot(out + (size_t)done * columns, load, info->slots[i], layer, at, count));
            done += count;
        }
        begin += rows;
    }
out:
    return rc;
}

/* The slots of a matrix that the model has, from row `first` of them all on. */
static int load_slots(dun_stored_rows slots[DUN_MATRIX_SLOTS], loader *load, enum dun_weight weight,
                      uint32_t layer, uint32_t first, uint32_t n) {
    int rc = DUN_OK;
    uint32_t begin = 0, done = 0, found = 0;
    for (int i = 0; i < dun_weight_table[weight].n_slots && done < n; i++) {
        const uint32_t rows = dun_weight_slot_rows(weight, i, load->spec), at = first + done - begin;
        if (rows > 0 && first + done < begin + rows) {
            const uint32_t count = rows - at < n - done ? rows - at : n - done;
            TRY(dun_stored_load(&slots[found++], load->compute->device, load->spec, load->source, load->form,
                                dun_weight_table[weight].slots[i], layer, at, count));
            done += count;
        }
        begin += rows;
    }
out:
    return rc;
}

static int load_stored_matrix(dun_matrix *out, loader *load, enum dun_weight weight, uint32_t layer) {
    int rc = DUN_OK;
    dun_stored_rows slots[DUN_MATRIX_SLOTS];
    uint32_t rows = dun_weight_rows(weight, load->spec), columns = dun_weight_columns(weight, load->spec);
    uint32_t most =
        dun_matrix_part_rows(load->compute->gemm, rows, columns); /* as floats: more than enough */
    memset(slots, 0, sizeof slots);
    for (uint32_t done = 0; done < rows; done += most) {
        const uint32_t n = rows - done < most ? rows - done : most;
        TRY(load_slots(slots, load, weight, layer, done, n));
        TRY(dun_matrix_append_stored(out, load->compute->gemm, slots, columns));
    }
out:
    for (size_t i = 0; i < DUN_MATRIX_SLOTS; i++)
        dun_stored_rows_free(&slots[i]);
    return rc;
}

static int load_matrix(dun_matrix *out, loader *load, enum dun_weight weight, uint32_t layer) {
    int rc = DUN_OK;
    void *mapped = NULL;
    uint32_t rows = dun_weight_rows(weight, load->spec), columns = dun_weight_columns(weight, load->spec);
    uint32_t most = dun_matrix_part_rows(load->compute->gemm, rows, columns);
    for (uint32_t done = 0; done < rows; done += most) {
        uint32_t n = rows - done < most ? rows - done : most;
        TRY(dun_buffer_map(&mapped, &load->staging));
        TRY(read_weight(mapped, load, weight, layer, done, n));
        TRY(dun_buffer_unmap(&load->staging, mapped));
        mapped = NULL;
        TRY(dun_matrix_append(out, load->compute->gemm, &load->staging, n, columns, load->directions));
        TRY(dun_device_finish(load->compute->device));
    }
out:
    if (mapped)
        (void)dun_buffer_unmap(&load->staging, mapped);
    return rc;
}

/* Ends a filling; rc is how it went, what is returned how all did. */
static int unmap(dun_buffer *buffer, void *mapped, int rc) {
    int unmapped = mapped ? dun_buffer_unmap(buffer, mapped) : DUN_OK;
    return rc < 0 ? rc : unmapped;
}

static int load_vector(dun_buffer *out, loader *load, enum dun_weight weight, uint32_t layer) {
    int rc = DUN_OK;
    void *mapped = NULL;
    uint32_t rows = dun_weight_rows(weight, load->spec), columns = dun_weight_columns(weight, load->spec);
    TRY(dun_buffer_create(out, load->compute->device, (size_t)rows * columns * sizeof(float),
                          "a weight's vector"));
    TRY(dun_buffer_map(&mapped, out));
    TRY(read_weight(mapped, load, weight, layer, 0, rows));
out:
    return unmap(out, mapped, rc);
}

/* Rows first .. first + n - 1 of the embedding table. */
static int load_part(dun_stored_rows *out, loader *load, uint32_t first, uint32_t n) {
    int rc = DUN_OK;
    void *mapped = NULL;
    if (load->form != DUN_FORM_F32)
        return dun_stored_load(out, load->compute->device, load->spec, load->source, load->form, DUN_W_EMBED,
                               0, first, n);
    TRY(dun_buffer_create(&out->buffer, load->compute->device, (size_t)n * load->spec->width * sizeof(float),
                          "the embedding table"));
    TRY(dun_buffer_map(&mapped, &out->buffer));
    TRY(read_slot(mapped, load, DUN_W_EMBED, 0, first, n));
out:
    return unmap(&out->buffer, mapped, rc);
}

/* The embedding table, in as many buffers as it needs. */
static int load_table(dun_table_parts *out, loader *load) {
    int rc = DUN_OK;
    uint32_t rows = load->spec->vocab;
    uint64_t most =
        dun_device_describe(load->compute->device)->largest_buffer_bytes / sizeof(float) / load->spec->width;
    out->form = load->form;
    out->part_rows = most == 0 ? 1 : most < rows ? (uint32_t)most : rows;
    TRY_NEW(out->parts, (rows + out->part_rows - 1) / out->part_rows);
    for (uint32_t done = 0; done < rows; done += out->part_rows) {
        uint32_t n = rows - done < out->part_rows ? rows - done : out->part_rows;
        TRY(load_part(&out->parts[out->n_parts++], load, done, n));
    }
out:
    return rc;
}

/* Whether a weight is to be loaded among those of a layer, or of the whole model. */
static bool wanted(const loader *load, enum dun_weight weight, bool per_layer) {
    return dun_weight_per_layer(weight) == per_layer && dun_weight_in(weight, load->spec) &&
           ((weight != DUN_MAT_HEAD && weight != DUN_VEC_HEAD_BIAS) || load->head);
}

static int load_layer(dun_layer *out, loader *load, uint32_t layer, bool per_layer) {
    int rc = DUN_OK;
    for (enum dun_weight weight = 0; weight < DUN_N_WEIGHTS; weight++) {
        if (!wanted(load, weight, per_layer))
            continue;
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted while the model was loaded"));
        if (weight < DUN_N_MATRICES && load->form != DUN_FORM_F32)
            TRY(load_stored_matrix(&out->matrix[weight], load, weight, layer));
        else if (weight < DUN_N_MATRICES)
            TRY(load_matrix(&out->matrix[weight], load, weight, layer));
        else
            TRY(load_vector(&out->vector[weight - DUN_N_MATRICES], load, weight, layer));
    }
out:
    return rc;
}

static void free_layer(dun_layer *layer) {
    for (size_t i = 0; i < DUN_N_MATRICES; i++)
        dun_matrix_free(&layer->matrix[i]);
    for (size_t i = 0; i < DUN_N_WEIGHTS - DUN_N_MATRICES; i++)
        dun_buffer_free(&layer->vector[i]);
}

static uint64_t layer_bytes(const dun_layer *layer) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < DUN_N_MATRICES; i++)
        bytes += dun_matrix_bytes(&layer->matrix[i]);
    for (size_t i = 0; i < DUN_N_WEIGHTS - DUN_N_MATRICES; i++)
        bytes += layer->vector[i].bytes;
    return bytes;
}

/* What was loaded so far is on the device; what can be is in common with other processes from now on. */
static int make_common(dun_model *model, dun_layer *layer, const loader *load) {
    int rc = DUN_OK;
    if (!dun_buffer_can_be_common(load->compute->device))
        goto out;
    TRY(dun_device_finish(load->compute->device));
    for (size_t i = 0; i < DUN_N_MATRICES; i++)
        dun_matrix_make_common(&layer->matrix[i]);
    for (size_t i = 0; i < model->embedding.n_parts && layer == &model->once; i++)
        dun_buffer_make_common(&model->embedding.parts[i].buffer);
out:
    return rc;
}

/* Room for the largest part of any matrix that is loaded. */
static int create_staging(loader *load) {
    size_t floats = 0;
    if (load->form != DUN_FORM_F32)
        return DUN_OK;
    for (enum dun_weight weight = 0; weight < DUN_N_MATRICES; weight++) {
        uint32_t rows = dun_weight_rows(weight, load->spec), columns = dun_weight_columns(weight, load->spec);
        size_t n = (size_t)dun_matrix_part_rows(load->compute->gemm, rows, columns) * columns;
        if (floats < n && wanted(load, weight, dun_weight_per_layer(weight)))
            floats = n;
    }
    return dun_buffer_create(&load->staging, load->compute->device, floats * sizeof(float), "weight staging");
}

int dun_model_create(dun_model *model, const dun_compute *compute, const dun_spec *spec,
                     const dun_weight_source *source, const dun_point_spec *point, enum dun_weight_form form,
                     bool backward, const dun_observer *observer) {
    int rc = DUN_OK;
    const dun_observer *told = dun_model_bytes_to_train(spec) >= DUN_LOAD_SHOWN_BYTES ? observer : NULL;
    loader load = {.compute = compute,
                   .spec = spec,
                   .source = source,
                   .form = form,
                   .directions = backward ? DUN_FORWARD | DUN_BACKWARD : DUN_FORWARD,
                   .head = point->logits};
    *model = (dun_model){.spec = *spec, .form = form};
    dun_observe_begin(told, "loading the model", "layers", point->n_blocks);
    TRY(create_staging(&load));
    TRY_NEW(model->layers, point->n_blocks);
    model->n_layers = point->n_blocks;
    for (uint32_t i = 0; i < model->n_layers; i++) {
        TRY(load_layer(&model->layers[i], &load, i, true));
        TRY(make_common(model, &model->layers[i], &load));
        dun_observe_advance(told, i + 1, NULL);
    }
    TRY(load_table(&model->embedding, &load));
    TRY(load_layer(&model->once, &load, 0, false));
    TRY(make_common(model, &model->once, &load));
out:
    dun_observe_end(told);
    dun_buffer_free(&load.staging);
    if (rc < 0)
        dun_model_free(model);
    return rc;
}

void dun_model_free(dun_model *model) {
    for (uint32_t i = 0; model->layers && i < model->n_layers; i++)
        free_layer(&model->layers[i]);
    free_layer(&model->once);
    dun_free(model->layers);
    for (size_t i = 0; i < model->embedding.n_parts; i++)
        dun_stored_rows_free(&model->embedding.parts[i]);
    dun_free(model->embedding.parts);
    *model = (dun_model){0};
}

static void move_layer(dun_layer *layer, dun_device *device) {
    for (size_t i = 0; i < DUN_N_MATRICES; i++)
        dun_matrix_move(&layer->matrix[i], device);
    for (size_t i = 0; i < DUN_N_WEIGHTS - DUN_N_MATRICES; i++)
        layer->vector[i].device = device;
}

void dun_model_move(dun_model *model, dun_device *device) {
    for (uint32_t i = 0; i < model->n_layers; i++)
        move_layer(&model->layers[i], device);
    move_layer(&model->once, device);
    for (size_t i = 0; i < model->embedding.n_parts; i++)
        model->embedding.parts[i].buffer.device = device;
}

uint64_t dun_model_bytes_as_floats(const dun_spec *spec, size_t matrix_bytes) {
    uint64_t bytes = (uint64_t)spec->vocab * spec->width * sizeof(float); /* the embedding table */
    for (enum dun_weight weight = 0; weight < DUN_N_WEIGHTS; weight++) {
        const uint64_t size = (uint64_t)dun_weight_rows(weight, spec) * dun_weight_columns(weight, spec);
        const uint64_t each = weight < DUN_N_MATRICES ? matrix_bytes : sizeof(float);
        if (dun_weight_in(weight, spec) && weight != DUN_MAT_HEAD)
            bytes += size * each * (dun_weight_per_layer(weight) ? spec->n_layers : 1);
    }
    return bytes;
}

uint64_t dun_model_bytes_to_train(const dun_spec *spec) {
    return dun_model_bytes_as_floats(spec, 2 * sizeof(float)); /* a layout for each direction */
}

uint64_t dun_model_bytes_in_form(const dun_spec *spec, const dun_weight_source *source,
                                 enum dun_weight_form form) {
    uint64_t bytes = dun_stored_bytes(spec, source, form, DUN_W_EMBED, 0);
    for (enum dun_weight weight = 0; weight < DUN_N_MATRICES; weight++)
        for (int i = 0; i < dun_weight_table[weight].n_slots && weight != DUN_MAT_HEAD; i++) {
            const enum dun_slot slot = dun_weight_table[weight].slots[i];
            for (uint32_t layer = 0; dun_spec_has(spec, slot) && layer < spec->n_layers; layer++)
                bytes += dun_stored_bytes(spec, source, form, slot, layer);
        }
    return bytes;
}

uint64_t dun_model_bytes(const dun_model *model) {
    uint64_t bytes = layer_bytes(&model->once);
    for (size_t i = 0; i < model->embedding.n_parts; i++)
        bytes += model->embedding.parts[i].buffer.bytes;
    for (uint32_t i = 0; i < model->n_layers; i++)
        bytes += layer_bytes(&model->layers[i]);
    return bytes;
}

static const dun_layer *layer_of(const dun_model *model, enum dun_weight weight, uint32_t layer) {
    return dun_weight_per_layer(weight) ? &model->layers[layer] : &model->once;
}

const dun_matrix *dun_model_matrix(const dun_model *model, enum dun_weight weight, uint32_t layer) {
    assert(weight < DUN_N_MATRICES);
    return &layer_of(model, weight, layer)->matrix[weight];
}

const dun_buffer *dun_model_vector(const dun_model *model, enum dun_weight weight, uint32_t layer) {
    assert(weight >= DUN_N_MATRICES && weight < DUN_N_WEIGHTS);
    return &layer_of(model, weight, layer)->vector[weight - DUN_N_MATRICES];
}
