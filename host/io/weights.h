/* The tensors of a GGUF file as the engine wants them: sizes, and weights by slot in canonical layout
 * (spec.h), so that compute code never asks where a weight came from. */
#ifndef DUN_WEIGHTS_H
#define DUN_WEIGHTS_H

#include "io/store/gguf.h"
#include "model/weight_source.h"

typedef struct dun_weights dun_weights;

/* Checks the hyper-parameters of a file, which must outlive the result, and that every tensor is present with
 * its shape and finite scales, and that there is none whose effect would be left out. DUN_BAD_INPUT with
 * tensor, expected and found. */
int dun_weights_create(dun_weights **out, const dun_gguf *file);
void dun_weights_free(dun_weights *weights);

const dun_spec *dun_weights_spec(const dun_weights *weights);

/* Identity of the file, for run directories: hash of the header, metadata and tensor directory plus
 * samples of the tensor data (whole hashing would cost seconds for large models). */
uint64_t dun_weights_hash(const dun_weights *weights);

/* What a weight source answers (weight_source.h). HEAD of a tied model gives the embedding. DUN_FAILED for a
 * slot, layer or row the model does not have. */
int dun_weights_raw(dun_raw_rows *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer);
int dun_weights_read(float *out, const dun_weights *weights, enum dun_slot slot, uint32_t layer,
                     uint32_t first_row, uint32_t n_rows);

#endif
