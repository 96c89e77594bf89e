/* What steps use of a model, from the slots of its files. */
#include "nn/weight.h"

#define ROW(bias, ...)                                                                                       \
    { {__VA_ARGS__}, sizeof((enum dun_slot[]){__VA_ARGS__}) / sizeof(enum dun_slot), DUN_VEC_##bias }
const dun_weight_info dun_weight_table[DUN_N_WEIGHTS] = {
#define MATRIX(name, bias, ...) [DUN_MAT_##name] = ROW(bias, __VA_ARGS__),
#define VECTOR(name, ...) [DUN_VEC_##name] = ROW(NONE, __VA_ARGS__),
#include "nn/weight.def"
#undef MATRIX
#undef VECTOR
};

static const dun_slot_info *first_slot(enum dun_weight weight) {
    return &dun_slot_table[dun_weight_table[weight].slots[0]];
}

uint32_t dun_weight_slot_rows(enum dun_weight weight, int i, const dun_spec *spec) {
    enum dun_slot slot = dun_weight_table[weight].slots[i];
    return dun_spec_has(spec, slot) ? dun_spec_size(spec, dun_slot_table[slot].rows) : 0;
}

uint32_t dun_weight_rows(enum dun_weight weight, const dun_spec *spec) {
    uint32_t rows = 0;
    for (int i = 0; i < dun_weight_table[weight].n_slots; i++)
        rows += dun_weight_slot_rows(weight, i, spec);
    return rows;
}

uint32_t dun_weight_columns(enum dun_weight weight, const dun_spec *spec) {
    return dun_spec_size(spec, first_slot(weight)->columns);
}

bool dun_weight_per_layer(enum dun_weight weight) {
    return first_slot(weight)->per_layer;
}

bool dun_weight_in(enum dun_weight weight, const dun_spec *spec) {
    return dun_weight_rows(weight, spec) > 0;
}

enum dun_weight dun_weight_bias(enum dun_weight matrix, const dun_spec *spec) {
    enum dun_weight bias = dun_weight_table[matrix].bias;
    return bias != DUN_VEC_NONE && dun_weight_in(bias, spec) ? bias : DUN_VEC_NONE;
}
