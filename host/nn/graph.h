/* A model as a short program: a list of steps over values, built once from the spec (arch.c), walked up by
 * forward and down by backward (ops.c), and given memory by the planner (plan.c). */
#ifndef DUN_GRAPH_H
#define DUN_GRAPH_H

#include "model/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dun_op {
#define OP(name, ...) DUN_OP_##name,
#include "nn/op.def"
#undef OP
    DUN_N_OPS
};

/* What an op reads, by role. */
enum dun_input { DUN_IN_X, DUN_IN_SUM, DUN_IN_Q, DUN_IN_KV, DUN_IN_BEHIND, DUN_N_INPUTS };

/* What becomes of it; see op.def. */
enum dun_use {
    DUN_READ = 1,
    DUN_KEPT = 2 | DUN_READ,
    DUN_IN_PLACE = 4 | DUN_READ,
    DUN_ADDEND = 8 | DUN_READ,
    DUN_SOLE = 16,
    DUN_OPTIONAL = 32
};

typedef struct {
    const char *name;
    unsigned output; /* 0 or DUN_KEPT */
    const char *formula;
    unsigned in[DUN_N_INPUTS]; /* 0: no such input */
} dun_op_info;

extern const dun_op_info dun_op_table[DUN_N_OPS];

/* Whether a use has all of a flag: DUN_HAS(op->in[k], DUN_KEPT). */
#define DUN_HAS(use, flag) (((use) & (flag)) == (flag))

enum { DUN_NONE = -1 };

/* What a step may use of a model: matrices, then vectors; see weight.def. */
enum dun_weight {
#define MATRIX(name, bias, ...) DUN_MAT_##name,
#define VECTOR(name, ...)
#include "nn/weight.def"
#undef MATRIX
#undef VECTOR
    DUN_N_MATRICES,
    DUN_BEFORE_VECTORS = DUN_N_MATRICES - 1, /* the first of them is the next number */
#define MATRIX(name, bias, ...)
#define VECTOR(name, ...) DUN_VEC_##name,
#include "nn/weight.def"
#undef MATRIX
#undef VECTOR
    DUN_N_WEIGHTS,
    DUN_VEC_NONE = DUN_N_WEIGHTS /* a matrix without a bias has this */
};

/* A tensor between steps: (rows, columns) floats. */
typedef struct {
    uint32_t columns;
    bool last_rows; /* S rows, one a sequence, instead of N */
    bool cached;    /* lives in the key/value cache of its layer, not in planned memory */
    int same_as;    /* shares the memory of an earlier value (in-place ops), or DUN_NONE */
    /* Set by the planner: */
    int buffer;
    int grad_buffer;
    int grad_owner; /* the value whose gradient buffer it is */
} dun_value;

/* A step: an op, its inputs, and the parameters that differ from layer to layer. */
typedef struct {
    enum dun_op op;
    int in[DUN_N_INPUTS]; /* values by role; DUN_NONE where the op has none */
    int out;
    int stats; /* ATTENTION: (Nq, H), for backward */
    enum dun_weight weight;
    enum dun_weight bias; /* LINEAR: a vector, or DUN_VEC_NONE */
    uint32_t layer;
    uint32_t heads;     /* ROPE, HEAD_NORM: how many turn or are normed */
    uint32_t table;     /* ROPE: which of the graph's rotary tables */
    float scale;        /* ATTENTION: of the scores */
    float cap;          /* ATTENTION: of the scores, CAP: of x; 0: none */
    float alibi;        /* ATTENTION: largest exponent of the heads' slopes; 0: none */
    uint32_t window;    /* ATTENTION: rows that are seen; 0: all */
    enum dun_norm norm; /* NORM: its kind */
    enum dun_act act;   /* GATE: its function */
    enum dun_ffn ffn;   /* GATE: whether there is a gate */
} dun_step;

/* A rotary table: cosines and sines of position * base^(-2i / dim) for i < dim / 2; `scaled` as the spec
 * says. */
typedef struct {
    float base;
    uint32_t dim;
    uint32_t scaled; /* 0 or 1; no padding, so that tables compare by their bytes */
} dun_rotary;

enum { DUN_MAX_TABLES = 4 };

typedef struct {
    dun_step *steps;
    size_t n_steps, step_capacity;
    dun_value *values;
    size_t n_values, value_capacity;
    dun_rotary tables[DUN_MAX_TABLES];
    uint32_t n_tables;
    int output; /* the value a caller reads */
} dun_graph;

/* Appends a step, sets its output to a fresh value of `columns`, and *out to that. Rows are those of its
 * inputs, one a sequence after LAST and MEAN. DUN_FAILED: no memory. */
int dun_graph_push(int *out, dun_graph *graph, dun_step step, uint32_t columns);

/* The value whose memory one shares: itself, unless it was made in place. */
int dun_graph_home(const dun_graph *graph, int value);

/* Whether a graph needs more kernels than a plain Llama's. */
bool dun_graph_has_traits(const dun_graph *graph);

/* Appends a value that is no step's output, of as many rows as `like` has. */
int dun_graph_add_value(int *out, dun_graph *graph, uint32_t columns, int like);

/* What the plan and the walks rely on: inputs are there and were made before; nobody reads what was
 * overwritten in place; and nobody reads later what an op must be the last to read. DUN_FAILED names step and
 * value. */
int dun_graph_check(const dun_graph *graph);

enum dun_graph_kind {
    DUN_GRAPH_TEXT,  /* keys and values of frozen text into the cache; no output */
    DUN_GRAPH_POINTS /* rows after the cached text to points (S, D) */
};

/* Blocks whose hidden states a point may hold beside that of the last block that is run. */
enum { DUN_MAX_EARLIER = 7 };

typedef struct {
    uint32_t n_blocks; /* blocks run, 1..L */
    bool final_norm;
    bool logits; /* point = logits, else the hidden state */
    bool mean;   /* of all rows of a sequence but the cached ones, else its last row's */
    uint32_t n_earlier;
    uint32_t earlier[DUN_MAX_EARLIER]; /* ascending, 1..n_blocks: hidden states after these blocks, without
                                          the final norm, stand before the last one's in a point */
} dun_point_spec;

bool dun_point_spec_equal(const dun_point_spec *a, const dun_point_spec *b);

/* Builds the steps of a model. DUN_FAILED: no memory. */
int dun_graph_build(dun_graph *graph, const dun_spec *spec, const dun_point_spec *point,
                    enum dun_graph_kind kind);
void dun_graph_free(dun_graph *graph);

/* Width of a point: C for each of its blocks, or V. */
uint32_t dun_point_width(const dun_spec *spec, const dun_point_spec *point);

#endif
