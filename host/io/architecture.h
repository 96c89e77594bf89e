/* The table of model architectures: what their tensors are called in a GGUF file and how their
 * hyper-parameters become a spec. The one place of this layer that knows architectures by name. */
#ifndef DUN_ARCHITECTURE_H
#define DUN_ARCHITECTURE_H

#include "io/store/gguf.h"
#include "model/spec.h"

typedef struct {
    const char *name;                 /* the file's general.architecture */
    const char *tensors[DUN_N_SLOTS]; /* per-layer names follow "blk.<layer>." */
    bool adjacent_pairs;              /* rows of Q and K are stored so that components 2i and 2i + 1 rotate */
} dun_architecture;

/* The row of a file's architecture. DUN_BAD_INPUT lists the known ones. */
int dun_architecture_find(const dun_architecture **out, const dun_gguf *file);

/* Reads and checks the hyper-parameters and the vocabulary's size, and refuses settings that the engine
 * would silently leave out. DUN_BAD_INPUT names the key, the value and what would be right. */
int dun_architecture_spec(dun_spec *spec, const dun_architecture *architecture, const dun_gguf *file);

/* The name in the file of a slot's tensor; `layer` counts for per-layer slots only. */
void dun_architecture_tensor(char *out, size_t size, const dun_architecture *architecture, enum dun_slot slot,
                             uint32_t layer);

#endif
