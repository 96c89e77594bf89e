/* A frozen model's weights on a device, in the GEMM provider's layout. */
#ifndef DUN_MODEL_H
#define DUN_MODEL_H

#include "base/observer.h"
#include "model/weight_source.h"
#include "nn/graph.h"
#include "nn/kernels.h"
#include "nn/stored.h"

/* What every layer has, or what the model has once: empty where it has no such weight. */
typedef struct {
    dun_matrix matrix[DUN_N_MATRICES];
    dun_buffer vector[DUN_N_WEIGHTS - DUN_N_MATRICES];
} dun_layer;

/* The rows of a table in buffers of part_rows rows each (the last may have fewer): one, unless the table is
 * larger than the device's largest buffer. Floats, unless `form` says otherwise. */
typedef struct {
    dun_stored_rows *parts;
    enum dun_weight_form form;
    size_t n_parts;
    uint32_t part_rows;
} dun_table_parts;

typedef struct {
    dun_spec spec;
    dun_layer *layers;
    uint32_t n_layers;         /* loaded: as many as the point needs */
    dun_table_parts embedding; /* (V, C) */
    dun_layer once;            /* the head only when points are logits */
    enum dun_weight_form form; /* of matrices and table */
} dun_model;

/* From so many bytes on a device on, loading is a stage that observers are told of. */
#define DUN_LOAD_SHOWN_BYTES ((uint64_t)1 << 30)

/* Loads what `point` needs. `backward`: gradients will flow through it. Weights that are not floats may be
 * the source's own memory. DUN_INTERRUPTED between two weights. */
int dun_model_create(dun_model *model, const dun_compute *compute, const dun_spec *spec,
                     const dun_weight_source *source, const dun_point_spec *point, enum dun_weight_form form,
                     bool backward, const dun_observer *observer);
void dun_model_free(dun_model *model);

/* Makes another opening of its device the one that all weights belong to: the first may be closed. Nothing
 * must be under way. */
void dun_model_move(dun_model *model, dun_device *device);

/* Bytes of weights that points of the whole model take on a device, where each value of a matrix takes
 * matrix_bytes (dun_gemm_value_bytes); for training in float32. */
uint64_t dun_model_bytes_as_floats(const dun_spec *spec, size_t matrix_bytes);
uint64_t dun_model_bytes_to_train(const dun_spec *spec);

/* The same in another form than float32, which the source decides on. */
uint64_t dun_model_bytes_in_form(const dun_spec *spec, const dun_weight_source *source,
                                 enum dun_weight_form form);

/* Bytes of weights on the device. */
uint64_t dun_model_bytes(const dun_model *model);

const dun_matrix *dun_model_matrix(const dun_model *model, enum dun_weight weight, uint32_t layer);
const dun_buffer *dun_model_vector(const dun_model *model, enum dun_weight weight, uint32_t layer);

#endif
