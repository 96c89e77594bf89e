/* What a frozen model is, as plain data: sizes, the architecture's traits and the slots its weights fill.
 * The loaders (io) write it, the engine (nn) reads it; neither knows the other. */
#ifndef DUN_SPEC_H
#define DUN_SPEC_H

#include "model/rope.h"

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

/* In which layers differ. */
enum dun_layer_trait {
    DUN_LAYER_WINDOW = 1, /* sees the last `window` rows only, its own included: q - window < k <= q */
    DUN_LAYER_STILL = 2   /* turns nothing, though others do */
};
enum { DUN_MAX_LAYERS = 512 };

/* A scale or cap of 0 is none. */
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
    float rope_base_window;   /* of layers with a window, whose turns are not scaled then; 0: as all layers */
    dun_rope_scaling rope;    /* of turns by rope_base */
    uint32_t position_offset; /* learned positions: the row of the table that position 0 has */
    float alibi_bias;         /* ALiBi: largest slope's exponent, 8 where a file says nothing */
    uint32_t window;
    float norm_eps;
    float attention_scale; /* of the scores; 0: 1 / sqrt(D) */
    float attention_cap;   /* cap tanh(score / cap), before what is hidden is masked */
    float embedding_scale; /* of rows of the table, not of those of a prompt; EMBEDDING_ROOT has its own */
    float residual_scale;  /* of what attention and the ffn add */
    float logit_scale;     /* logits are divided by it, */
    float logit_cap;       /* then capped */
    bool tied_head;        /* the head is the embedding table */
    uint8_t layers[DUN_MAX_LAYERS]; /* enum dun_layer_trait */
} dun_spec;

enum dun_size {
    DUN_SIZE_ONE,
    DUN_SIZE_C,
    DUN_SIZE_V,
    DUN_SIZE_HD,
    DUN_SIZE_GD,
    DUN_SIZE_F,
    DUN_SIZE_POSITIONS, /* rows of the table of positions: the context, and what stands before position 0 */
    DUN_SIZE_Q_NORM,    /* D, or where heads differ H*D, */
    DUN_SIZE_K_NORM     /* G*D */
};

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

/* What a stored weight is multiplied with before it is used: the scales of a spec, which matrices take on. */
float dun_spec_weight_scale(const dun_spec *spec, enum dun_slot slot);

/* Whether a layer has a trait, and whether its heads turn at all. */
bool dun_spec_layer_is(const dun_spec *spec, uint32_t layer, enum dun_layer_trait trait);
bool dun_spec_turns(const dun_spec *spec, uint32_t layer);

/* How the rotary components of a head lie in a file: component i turns with i + rope_dim/2, or with its
 * neighbour. */
enum dun_pairs { DUN_PAIRS_HALF, DUN_PAIRS_ADJACENT };

typedef struct {
    const char *name; /* general.architecture */
    const char *hf;   /* model_type */
    enum dun_pairs gguf_pairs;
    dun_traits traits;
} dun_arch;

/* The table of archs.def; ends with a row without a name. */
extern const dun_arch dun_arch_table[];

/* The traits of an architecture's model whose first layer has the slots that `has` says. */
dun_traits dun_arch_traits(const dun_arch *arch, bool (*has)(const void *self, enum dun_slot slot),
                           const void *self);

#endif
