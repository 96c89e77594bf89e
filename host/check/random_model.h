/* A small random model in memory: a weight source for the engine, and the whole model once more as plain
 * loops in double over the full sequence, without cache, batch or planned memory. */
#ifndef DUN_RANDOM_MODEL_H
#define DUN_RANDOM_MODEL_H

#include "nn/model.h"

typedef struct {
    dun_spec spec;
    double *slots[DUN_N_SLOTS]; /* (layers, rows, columns), each number exactly a float */
} dun_random_model;

/* Weights that keep the size of activations: normal / sqrt(columns); norms around 1. */
int dun_random_model_create(dun_random_model *model, const dun_spec *spec, uint64_t seed);
/* The same from a file's weights, so that what was read from it can be compared. */
int dun_random_model_copy(dun_random_model *model, const dun_spec *spec, const dun_weight_source *source);
void dun_random_model_free(dun_random_model *model);

/* Valid as long as the model. */
dun_weight_source dun_random_model_source(const dun_random_model *model);

/* The point (C or V) of a whole sequence of n rows: ids >= 0 are tokens, -1 - p row p of prompt (P, C).
 * Returns a negative status without memory. */
int dun_random_model_point(double *point, const dun_random_model *model, const dun_point_spec *spec,
                           const int *ids, int n, const double *prompt);

/* The same of the mean of rows `first` to n - 1. */
int dun_random_model_mean(double *point, const dun_random_model *model, const dun_point_spec *spec,
                          const int *ids, int n, int first, const double *prompt);

#endif
