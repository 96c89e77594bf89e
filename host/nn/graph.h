/* A model as a short program: a list of steps over values, built once from the spec (arch.c), walked up by
 * forward and down by backward (ops.c), and given memory by the planner (plan.c). */
#ifndef DUN_GRAPH_H
#define DUN_GRAPH_H

#include "model/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dun_op {
#define OP(name, keeps_inputs, keeps_output, in_place, formula) DUN_OP_##name,
#include "nn/op.def"
#undef OP
    DUN_N_OPS
};

typedef struct {
    const char *name;
    bool keeps_inputs, keeps_output, in_place;
    const char *formula;
} dun_op_info;

extern const dun_op_info dun_op_table[DUN_N_OPS];

/* Matrices and vectors a step may use; fused where one product serves two slots. */
enum dun_weight {
    DUN_MAT_Q,       /* (H*D, C) */
    DUN_MAT_KV,      /* (2*G*D, C): keys, then values */
    DUN_MAT_O,       /* (C, H*D) */
    DUN_MAT_GATE_UP, /* (2*F, C): gates, then ups */
    DUN_MAT_DOWN,    /* (C, F) */
    DUN_MAT_HEAD,    /* (V, C) */
    DUN_N_MATRICES,
    DUN_VEC_ATTN_NORM = DUN_N_MATRICES, /* (C) */
    DUN_VEC_FFN_NORM,                   /* (C) */
    DUN_VEC_FINAL_NORM                  /* (C) */
};

enum { DUN_NONE = -1 };

/* A tensor between steps: (rows, columns) floats. */
typedef struct {
    uint32_t columns;
    bool last_rows;  /* S rows, one a sequence, instead of N */
    bool cached;     /* lives in the key/value cache of its layer, not in planned memory */
    int same_as;     /* shares the memory of an earlier value (in-place ops), or DUN_NONE */
    int residual_of; /* its gradient is also that value's: they share one gradient buffer */
    /* Set by the planner: */
    int buffer;
    int grad_buffer;
    int grad_owner; /* the value whose gradient buffer it is */
} dun_value;

typedef struct {
    enum dun_op op;
    int in[2]; /* LINEAR: x, residual; ATTENTION: q, kv */
    int out;
    int stats; /* ATTENTION: (Nq, H), for backward */
    enum dun_weight weight;
    uint32_t layer;
    uint32_t heads; /* ROPE */
} dun_step;

typedef struct {
    dun_step *steps;
    size_t n_steps, step_capacity;
    dun_value *values;
    size_t n_values, value_capacity;
    int output; /* the value a caller reads */
} dun_graph;

enum dun_graph_kind {
    DUN_GRAPH_TEXT,  /* keys and values of frozen text into the cache; no output */
    DUN_GRAPH_POINTS /* rows after the cached text to points (S, D) */
};

typedef struct {
    uint32_t n_blocks; /* blocks run, 1..L */
    bool final_norm;
    bool logits; /* point = logits, else the hidden state */
} dun_point_spec;

/* Builds the steps of a model. DUN_FAILED: no memory. */
int dun_graph_build(dun_graph *graph, const dun_spec *spec, const dun_point_spec *point,
                    enum dun_graph_kind kind);
void dun_graph_free(dun_graph *graph);

/* Width of a point: C or V. */
uint32_t dun_point_width(const dun_spec *spec, const dun_point_spec *point);

#endif
