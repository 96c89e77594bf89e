/* Rows of a slot as kernels of stored weights read them: borrowed, put in order, turned, or converted. */
#include "nn/stored.h"

#include "base/err.h"
#include "base/mem.h"

#include <string.h>

typedef struct {
    const dun_spec *spec;
    const dun_weight_source *source;
    enum dun_weight_form form;
    enum dun_slot slot;
    uint32_t layer, first, n, columns;
} wish;

/* The slot as it is stored; *is false where it is to be, or can only be, converted. */
static int find_raw(bool *is, dun_raw_rows *raw, const wish *w) {
    int rc = DUN_OK;
    *is = false;
    if (w->form != DUN_FORM_STORED || !w->source->raw)
        goto out;
    TRY(w->source->raw(raw, w->source->self, w->slot, w->layer));
    *is = raw->added == 0;
out:
    return rc;
}

/* Stored columns as rows, a value a block. */
static void turn(uint8_t *out, const dun_raw_rows *raw, uint32_t first, uint32_t n) {
    const size_t bytes = raw->type->block_bytes;
    for (uint32_t row = 0; row < n; row++)
        for (uint32_t column = 0; column < raw->columns; column++)
            memcpy(out + ((size_t)row * raw->columns + column) * bytes,
                   raw->bytes + column * raw->row_bytes + (first + row) * bytes, bytes);
}

/* Rows of one format in canonical order. */
static void put_in_order(uint8_t *out, const dun_raw_rows *raw, uint32_t first, uint32_t n) {
    if (raw->turned) {
        turn(out, raw, first, n);
        return;
    }
    for (uint32_t row = 0; row < n; row++)
        memcpy(out + row * raw->row_bytes, raw->bytes + dun_raw_row(raw, first + row) * raw->row_bytes,
               raw->row_bytes);
}

static uint32_t bytes_of_row(const dun_quant_type *type, uint32_t columns) {
    return columns / type->block_values * type->block_bytes;
}

/* As floats with the slot's scale, or rounded from these. */
static int convert(uint8_t *out, const wish *w, float scale) {
    int rc = DUN_OK;
    float *values = NULL;
    const size_t row_bytes = w->columns * (w->form == DUN_FORM_F16 ? sizeof(uint16_t) : sizeof *values);
    TRY_NEW(values, w->columns);
    for (uint32_t row = 0; row < w->n; row++, out += row_bytes) {
        TRY(w->source->read(values, w->source->self, w->slot, w->layer, w->first + row, 1));
        for (uint32_t i = 0; i < w->columns; i++) {
            const float value = values[i] * scale;
            const uint16_t half = w->form == DUN_FORM_F16 ? dun_half_from_f32(value) : 0;
            if (w->form == DUN_FORM_F16)
                memcpy(out + i * sizeof half, &half, sizeof half);
            else
                memcpy(out + i * sizeof value, &value, sizeof value);
        }
    }
out:
    dun_free(values);
    return rc;
}

/* A buffer of the device's own that the host fills. */
static int copy_rows(dun_stored_rows *out, dun_device *device, const wish *w, const dun_raw_rows *raw,
                     float scale) {
    int rc = DUN_OK;
    void *mapped = NULL;
    TRY(dun_buffer_create(&out->buffer, device, (size_t)w->n * out->row_bytes, "stored weights"));
    TRY(dun_buffer_map(&mapped, &out->buffer));
    if (raw)
        put_in_order(mapped, raw, w->first, w->n);
    else
        TRY(convert(mapped, w, scale));
out:
    if (mapped) {
        int unmapped = dun_buffer_unmap(&out->buffer, mapped);
        rc = rc < 0 ? rc : unmapped;
    }
    return rc;
}

int dun_stored_load(dun_stored_rows *out, dun_device *device, const dun_spec *spec,
                    const dun_weight_source *source, enum dun_weight_form form, enum dun_slot slot,
                    uint32_t layer, uint32_t first, uint32_t n) {
    int rc = DUN_OK;
    const wish w = {spec,  source, form, slot,
                    layer, first,  n,    dun_spec_size(spec, dun_slot_table[slot].columns)};
    const float scale = dun_spec_weight_scale(spec, slot);
    dun_raw_rows raw;
    bool as_stored;
    *out = (dun_stored_rows){.rows = n, .scale = 1.0f};
    TRY(find_raw(&as_stored, &raw, &w));
    if (as_stored) {
        out->format = raw.type->id;
        out->row_bytes = bytes_of_row(raw.type, w.columns);
        out->scale = scale;
        const uintptr_t at = (uintptr_t)(raw.bytes + first * raw.row_bytes);
        const bool aligned = raw.type->block_values > 1 || at % raw.type->block_bytes == 0;
        if (raw.turned || raw.pair_head || raw.group || !aligned)
            TRY(copy_rows(out, device, &w, &raw, scale));
        else
            TRY(dun_buffer_create_over(&out->buffer, device, raw.bytes + first * raw.row_bytes,
                                       (size_t)n * raw.row_bytes, "stored weights"));
        goto out;
    }
    out->format = form == DUN_FORM_F16 ? DUN_QUANT_F16 : DUN_QUANT_F32;
    out->row_bytes = bytes_of_row(dun_quant_find(out->format), w.columns);
    TRY(copy_rows(out, device, &w, NULL, scale));
out:
    if (rc < 0)
        dun_stored_rows_free(out);
    return rc;
}

uint64_t dun_stored_bytes(const dun_spec *spec, const dun_weight_source *source, enum dun_weight_form form,
                          enum dun_slot slot, uint32_t layer) {
    const dun_slot_info *info = &dun_slot_table[slot];
    const wish w = {.source = source, .form = form, .slot = slot, .layer = layer};
    const uint32_t columns = dun_spec_size(spec, info->columns);
    const dun_quant_type *type = dun_quant_find(form == DUN_FORM_F16 ? DUN_QUANT_F16 : DUN_QUANT_F32);
    dun_raw_rows raw;
    bool as_stored;
    if (find_raw(&as_stored, &raw, &w) == DUN_OK && as_stored)
        type = raw.type;
    return (uint64_t)dun_spec_size(spec, info->rows) * bytes_of_row(type, columns);
}
