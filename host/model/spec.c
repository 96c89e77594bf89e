/* The tables of slots and architectures, and what follows from a model's sizes and traits. */
#include "model/spec.h"

#include <math.h>
#include <string.h>

enum { ONCE = false, PER_LAYER = true, STAY = false, TURN = true };

const dun_slot_info dun_slot_table[DUN_N_SLOTS] = {
#define SLOT(name, often, rows, columns, turn, when, gguf)                                                   \
    {#name, often, turn, DUN_SIZE_##rows, DUN_SIZE_##columns, gguf},
#include "model/slots.def"
#undef SLOT
};

#define ARCH(name, hf, pairs, ...) {name, hf, DUN_PAIRS_##pairs, __VA_ARGS__},
#define OPTION(arch, slot, trait, value)
const dun_arch dun_arch_table[] = {
#include "model/archs.def"
    {0},
};
#undef ARCH
#undef OPTION

dun_traits dun_arch_traits(const dun_arch *arch, bool (*has)(const void *self, enum dun_slot slot),
                           const void *self) {
    dun_traits traits = arch->traits;
#define ARCH(name, hf, pairs, ...)
#define OPTION(of, slot, trait, value)                                                                       \
    if (strcmp(arch->name, of) == 0 && has(self, DUN_W_##slot))                                              \
        traits.trait = DUN_##value;
#include "model/archs.def"
#undef ARCH
#undef OPTION
    return traits;
}

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
    case DUN_SIZE_POSITIONS:
        return spec->context + spec->position_offset;
    case DUN_SIZE_Q_NORM:
        return spec->head_dim * (spec->traits.qk_norm == DUN_QK_HEAD ? 1 : spec->n_heads);
    case DUN_SIZE_K_NORM:
        return spec->head_dim * (spec->traits.qk_norm == DUN_QK_HEAD ? 1 : spec->n_kv_heads);
    case DUN_SIZE_ONE:
        break;
    }
    return 1;
}

bool dun_spec_has(const dun_spec *spec, enum dun_slot slot) {
    const dun_traits *traits = &spec->traits;
    const bool has[DUN_N_SLOTS] = {
#define ALWAYS true
#define WHEN(trait, value) (traits->trait == DUN_##value)
#define UNLESS(trait, value) (traits->trait != DUN_##value)
#define SLOT(name, often, rows, columns, turn, when, gguf) [DUN_W_##name] = (when),
#include "model/slots.def"
#undef SLOT
    };
    return slot < DUN_N_SLOTS && has[slot];
}

/* What attention and the ffn add is scaled where it leaves its last matrix or, behind that, its norm. */
static bool leaves_a_part(const dun_spec *spec, enum dun_slot slot) {
    if (spec->traits.placement == DUN_PLACE_PRE)
        return slot == DUN_W_O || slot == DUN_W_O_BIAS || slot == DUN_W_DOWN || slot == DUN_W_DOWN_BIAS;
    return slot == DUN_W_POST_ATTN_NORM || slot == DUN_W_POST_ATTN_NORM_BIAS || slot == DUN_W_POST_FFN_NORM ||
           slot == DUN_W_POST_FFN_NORM_BIAS;
}

float dun_spec_weight_scale(const dun_spec *spec, enum dun_slot slot) {
    float scale = 0;
    if (slot == DUN_W_EMBED)
        scale =
            spec->traits.embedding == DUN_EMBEDDING_ROOT ? sqrtf((float)spec->width) : spec->embedding_scale;
    else if (leaves_a_part(spec, slot))
        scale = spec->residual_scale;
    else if ((slot == DUN_W_HEAD || slot == DUN_W_HEAD_BIAS) && spec->logit_scale > 0)
        scale = 1 / spec->logit_scale;
    return scale > 0 ? scale : 1;
}

bool dun_spec_layer_is(const dun_spec *spec, uint32_t layer, enum dun_layer_trait trait) {
    return layer < DUN_MAX_LAYERS && spec->layers[layer] & trait;
}

bool dun_spec_turns(const dun_spec *spec, uint32_t layer) {
    return spec->traits.position == DUN_POSITION_ROPE && !dun_spec_layer_is(spec, layer, DUN_LAYER_STILL);
}
