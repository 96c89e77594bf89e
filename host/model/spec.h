/* What a frozen model is, as plain data: sizes, the architecture's traits and the slots its weights fill.
 * The loaders (io) write it, the engine (nn) reads it; neither knows the other. */
#ifndef DUN_SPEC_H
#define DUN_SPEC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char architecture[32]; /* "llama" */
    char name[96];         /* the model's own name, for people */
    uint32_t n_layers;     /* L */
    uint32_t width;        /* C, embedding width */
    uint32_t n_heads;      /* H, query heads */
    uint32_t n_kv_heads;   /* G, key/value heads; H % G == 0 */
    uint32_t head_dim;     /* D */
    uint32_t ffn_width;    /* F */
    uint32_t vocab;        /* V */
    uint32_t context;      /* most tokens the model was trained for */
    uint32_t rope_dim;     /* how many of a head's D components rotate, even */
    float rope_base;
    float norm_eps;
    bool tied_head; /* the head is the embedding table */
} dun_spec;

/* Weight slots. Matrices are (rows = outputs, columns = inputs), row-major, y = W x. Rotary heads are in
 * half-split order: component i pairs with i + rope_dim/2, whatever order the file used.
 * X(slot, per_layer, rows, columns): rows and columns name a size below; columns ONE is a vector. */
#define DUN_SLOTS(X)                                                                                         \
    X(EMBED, 0, V, C)                                                                                        \
    X(FINAL_NORM, 0, C, ONE)                                                                                 \
    X(HEAD, 0, V, C)                                                                                         \
    X(ATTN_NORM, 1, C, ONE)                                                                                  \
    X(Q, 1, HD, C)                                                                                           \
    X(K, 1, GD, C)                                                                                           \
    X(V, 1, GD, C)                                                                                           \
    X(O, 1, C, HD)                                                                                           \
    X(FFN_NORM, 1, C, ONE)                                                                                   \
    X(GATE, 1, F, C)                                                                                         \
    X(UP, 1, F, C)                                                                                           \
    X(DOWN, 1, C, F)

enum dun_size { DUN_SIZE_ONE, DUN_SIZE_C, DUN_SIZE_V, DUN_SIZE_HD, DUN_SIZE_GD, DUN_SIZE_F };

enum dun_slot {
#define X(slot, per_layer, rows, columns) DUN_W_##slot,
    DUN_SLOTS(X)
#undef X
        DUN_N_SLOTS
};

typedef struct {
    const char *name;
    bool per_layer;
    enum dun_size rows, columns;
} dun_slot_info;

extern const dun_slot_info dun_slot_table[DUN_N_SLOTS];

/* The number a size stands for in a model. */
uint32_t dun_spec_size(const dun_spec *spec, enum dun_size size);

#endif
