/* The table of weight.def: which slots a matrix or vector of a step is made of. */
#ifndef DUN_WEIGHT_H
#define DUN_WEIGHT_H

#include "nn/graph.h"

enum { DUN_WEIGHT_SLOTS = 2 };

typedef struct {
    enum dun_slot slots[DUN_WEIGHT_SLOTS]; /* stacked by rows */
    int n_slots;
    enum dun_weight bias; /* of a matrix, in models that have it; else DUN_VEC_NONE */
} dun_weight_info;

extern const dun_weight_info dun_weight_table[DUN_N_WEIGHTS];

/* Rows of all its slots that the model has, and of its i-th slot, 0 if the model has it not. */
uint32_t dun_weight_rows(enum dun_weight weight, const dun_spec *spec);
uint32_t dun_weight_slot_rows(enum dun_weight weight, int i, const dun_spec *spec);
uint32_t dun_weight_columns(enum dun_weight weight, const dun_spec *spec); /* 1: a vector */

/* Whether each layer has one of its own, and whether the model has it at all. */
bool dun_weight_per_layer(enum dun_weight weight);
bool dun_weight_in(enum dun_weight weight, const dun_spec *spec);

/* A matrix's bias if the model has it, else DUN_VEC_NONE. */
enum dun_weight dun_weight_bias(enum dun_weight matrix, const dun_spec *spec);

#endif
