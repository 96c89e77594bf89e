/* The tables of slots and architectures, and what follows from a model's sizes and traits. */
#include "model/spec.h"

enum { ONCE = false, PER_LAYER = true, STAY = false, TURN = true };

const dun_slot_info dun_slot_table[DUN_N_SLOTS] = {
#define SLOT(name, often, rows, columns, turn, when, gguf)                                                   \
    {#name, often, turn, DUN_SIZE_##rows, DUN_SIZE_##columns, gguf},
#include "model/slots.def"
#undef SLOT
};

const dun_arch dun_arch_table[] = {
#define ARCH(name, pairs, ...) {name, DUN_PAIRS_##pairs, __VA_ARGS__},
#include "model/archs.def"
#undef ARCH
    {0},
};

uint32_t dun_spec_size(const dun_spec *spec, enum dun_size size) {
    switch (size) {
    case DUN_SIZE_C:
        return spec->width;
    case DUN_SIZE_V:
        return spec->vocab;
    case DUN_SIZE_HD:
        return spec->n_heads * spec->head_dim;
    case DUN_SIZE_GD:
        return spec->n_kv_heads * spec->head_dim;
    case DUN_SIZE_F:
        return spec->ffn_width;
    case DUN_SIZE_ONE:
        break;
    }
    return 1;
}

bool dun_spec_has(const dun_spec *spec, enum dun_slot slot) {
    const dun_traits *traits = &spec->traits;
    const bool has[DUN_N_SLOTS] = {
#define ALWAYS true
#define WHEN(trait, value) traits->trait == DUN_##value
#define SLOT(name, often, rows, columns, turn, when, gguf) [DUN_W_##name] = (when),
#include "model/slots.def"
#undef SLOT
    };
    return slot < DUN_N_SLOTS && has[slot];
}
