/* See spec.h. */
#include "model/spec.h"

const dun_slot_info dun_slot_table[DUN_N_SLOTS] = {
#define X(slot, per_layer, rows, columns) {#slot, per_layer, DUN_SIZE_##rows, DUN_SIZE_##columns},
    DUN_SLOTS(X)
#undef X
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
