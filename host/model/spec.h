/* What a frozen model is, as plain data: sizes, the architecture's traits and the slots its weights fill.
 * The loaders (io) write it, the engine (nn) reads it; neither knows the other. */
#ifndef DUN_SPEC_H
#define DUN_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enum dun_<trait> with a constant a value, and one of each in dun_traits. */
#define VALUE(name) DUN_##name,
#define TRAIT(name, values) enum dun_##name{values};
#include "model/traits.def"
#undef TRAIT
#undef VALUE

typedef struct {
#define TRAIT(name, values) enum dun_##name name;
#include "model/traits.def"
#undef TRAIT
} dun_traits;

typedef struct {
    char architecture[32]; /* "llama" */
    char name[96];         /* the model's own name, for people */
    dun_traits traits;
    uint32_t n_layers;   /* L */
    uint32_t width;      /* C, embedding width */
    uint32_t n_heads;    /* H, query heads */
    uint32_t n_kv_heads; /* G, key/value heads; H % G == 0 */
    uint32_t head_dim;   /* D */
    uint32_t ffn_width;  /* F */
    uint32_t vocab;      /* V */
    uint32_t context;    /* most tokens the model was trained for */
    uint32_t rope_dim;   /* how many of a head's D components rotate, even */
    float rope_base;
    float norm_eps;
    bool tied_head; /* the head is the embedding table */
} dun_spec;

enum dun_size { DUN_SIZE_ONE, DUN_SIZE_C, DUN_SIZE_V, DUN_SIZE_HD, DUN_SIZE_GD, DUN_SIZE_F };

enum dun_slot {
#define SLOT(name, often, rows, columns, turn, when, gguf) DUN_W_##name,
#include "model/slots.def"
#undef SLOT
    DUN_N_SLOTS
};

typedef struct {
    const char *name;
    bool per_layer;
    bool rotary; /* its rows are heads that turn, so files may hold their components in another order */
    enum dun_size rows, columns;
    const char *gguf; /* its tensor's name in a GGUF file */
} dun_slot_info;

extern const dun_slot_info dun_slot_table[DUN_N_SLOTS];

/* The number a size stands for in a model. */
uint32_t dun_spec_size(const dun_spec *spec, enum dun_size size);

/* Whether a model of these traits has the slot. */
bool dun_spec_has(const dun_spec *spec, enum dun_slot slot);

/* How the rotary components of a head lie in a file: component i turns with i + rope_dim/2, or with its
 * neighbour. */
enum dun_pairs { DUN_PAIRS_HALF, DUN_PAIRS_ADJACENT };

typedef struct {
    const char *name; /* as in files */
    enum dun_pairs gguf_pairs;
    dun_traits traits;
} dun_arch;

/* The table of archs.def; ends with a row without a name. */
extern const dun_arch dun_arch_table[];

#endif
