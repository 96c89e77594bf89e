/* Weights on a device in the form of their file, or rounded to halves: one layout for both directions. */
#ifndef DUN_NN_STORED_H
#define DUN_NN_STORED_H

#include "dev/gemm.h"
#include "model/weight_source.h"

/* How a model's matrices and its embedding table lie on a device. */
enum dun_weight_form {
    DUN_FORM_F32,    /* as the GEMM provider lays floats out, once for each direction */
    DUN_FORM_F16,    /* as halves */
    DUN_FORM_STORED, /* as in the file; what it has in no format of quant.def, as floats */
};

/* Rows first .. first + n - 1 of a slot. On CPU devices rows that lie in canonical order are the file's own
 * memory, so that the source must stay open; else they are copied. */
int dun_stored_load(dun_stored_rows *out, dun_device *device, const dun_spec *spec,
                    const dun_weight_source *source, enum dun_weight_form form, enum dun_slot slot,
                    uint32_t layer, uint32_t first, uint32_t n);

/* Bytes of a slot's rows (of one layer) in that form; F32: once. */
uint64_t dun_stored_bytes(const dun_spec *spec, const dun_weight_source *source, enum dun_weight_form form,
                          enum dun_slot slot, uint32_t layer);

#endif
