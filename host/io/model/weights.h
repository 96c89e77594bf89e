/* The tensors of a model as the engine wants them: weights by slot in canonical layout (spec.h), so that
 * compute code never asks where a weight came from. */
#ifndef DUN_WEIGHTS_H
#define DUN_WEIGHTS_H

#include "io/model/layout.h"
#include "model/weight_source.h"

typedef struct dun_weights dun_weights;

/* What weights are made of. */
typedef struct {
    const char *file; /* for messages */
    enum dun_form form;
    const dun_arch *arch;
    dun_spec spec;
    dun_stored_list list; /* sorted; what it points to outlives the weights */
    bool table_only;      /* what the tensors hold is not looked at, and cannot be read then */
    uint64_t hash;        /* of what describes the tensors, with which dun_weights_hash begins */
} dun_weights_from;

/* Checks that every tensor is present with its shape and finite, and that there is none whose effect would be
 * left out. Takes over the list, also on failure. DUN_BAD_INPUT with tensor, expected and found;
 * DUN_INTERRUPTED. */
int dun_weights_create(dun_weights **out, dun_weights_from *from);
void dun_weights_free(dun_weights *weights);

const dun_spec *dun_weights_spec(const dun_weights *weights);

/* Identity of the model, for run directories: a hash of what describes the tensors and of samples of their
 * data (whole hashing would cost seconds for large models). */
uint64_t dun_weights_hash(const dun_weights *weights);

/* What a weight source answers (weight_source.h). HEAD of a tied model gives the embedding. DUN_FAILED for a
 * slot, layer or row the model does not have. */
int dun_weights_raw(dun_raw_rows *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer);
int dun_weights_read(float *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer,
                     uint32_t first_row, uint32_t n_rows);

#endif
