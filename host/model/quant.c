/* The table of stored formats, its decoders as host code, and the search for what is not finite. */
#include "model/quant.h"

#include "model/quant_host.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are read as they lie in memory");

/* Both tables, of the decoders and of the formats, say the same. */
#define STORED(name, id, values, bytes, decoder, scales, exponents)                                          \
    enum { id_of_##decoder = (id), values_of_##decoder = (values), bytes_of_##decoder = (bytes) };
#define NAMED(name, id, instead)
#include "model/quant.def"
#undef STORED
#define BLOCK_AGREES(name, values, bytes, form, id)                                                          \
    _Static_assert(id_of_##name == (id) && values_of_##name == (values) && bytes_of_##name == (bytes),       \
                   "EACH_BLOCK_FORMAT of kernels/quant.cl and model/quant.def differ in " #name);
EACH_BLOCK_FORMAT(BLOCK_AGREES)
#define VALUE_AGREES(name, bytes, id)                                                                        \
    _Static_assert(id_of_##name == (id) && values_of_##name == 1 && bytes_of_##name == (bytes),              \
                   "EACH_VALUE_FORMAT of kernels/quant.cl and model/quant.def differ in " #name);
EACH_VALUE_FORMAT(VALUE_AGREES)
#define ONE(...) +1
#define STORED(...) +1
enum {
    N_DECODED = 0 EACH_BLOCK_FORMAT(ONE) EACH_VALUE_FORMAT(ONE),
    N_STORED = 0
#include "model/quant.def"
};
_Static_assert(N_DECODED == N_STORED, "a format of model/quant.def is in no table of kernels/quant.cl");
#undef STORED
#undef NAMED

float dun_half_to_f32(uint16_t bits) {
    return float_of_half(bits);
}

uint16_t dun_half_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 255u << 23)
        return sign | 0x7e00u; /* NaN */
    if (magnitude >= (127u + 16u) << 23)
        return sign | 0x7c00u;
    uint32_t dropped = 13;
    if (magnitude < (127u - 14u) << 23) { /* subnormal: steps of 2^-24 */
        dropped = 126u - (magnitude >> 23);
        if (dropped > 24)
            return sign;
        magnitude = (magnitude & 0x7fffffu) | 0x800000u;
    } else {
        magnitude -= (127u - 15u) << 23;
    }
    uint32_t kept = magnitude >> dropped, rest = magnitude & ((1u << dropped) - 1),
             half = 1u << (dropped - 1);
    kept += rest > half || (rest == half && (kept & 1));
    return (uint16_t)(sign | kept); /* a carry goes into the exponent, as it should */
}

typedef struct {
    dun_quant_type type;
    void (*to_f32)(float *restrict out, const uint8_t *restrict at, size_t n_blocks);
    uint32_t scales;    /* byte of a block where the 32 bits of the exponents begin */
    uint64_t exponents; /* fields that are all ones in NaN and infinity */
} quant_row;

/* <name>_to_f32: block after block. */
#define STORED(name, id, values, bytes, decoder, scales, exponents)                                          \
    static void name##_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {            \
        for (size_t i = 0; i < n_blocks; i++)                                                                \
            decode_##decoder(out + i * (values), at + i * (bytes));                                          \
    }
#define NAMED(name, id, instead)
#include "model/quant.def"
#undef STORED
#undef NAMED

static const quant_row quant_table[] = {
#define STORED(name, id, values, bytes, decoder, scales, exponents)                                          \
    {{id, #name, values, bytes, NULL}, name##_to_f32, scales, exponents},
#define NAMED(name, id, instead) {{id, #name, 1, 0, instead}, NULL, 0, 0},
#include "model/quant.def"
#undef STORED
#undef NAMED
};
enum { N_ROWS = sizeof quant_table / sizeof quant_table[0] };

static const quant_row *find_row(uint32_t id) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (quant_table[i].type.id == id)
            return &quant_table[i];
    return NULL;
}

const dun_quant_type *dun_quant_named(const char *name) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(quant_table[i].type.name, name) == 0)
            return &quant_table[i].type;
    return NULL;
}

const dun_quant_type *dun_quant_find(uint32_t id) {
    const quant_row *row = find_row(id);
    return row ? &row->type : NULL;
}

void dun_quant_supported(char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < N_ROWS && used < size; i++)
        if (quant_table[i].to_f32)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", quant_table[i].type.name);
}

void dun_quant_to_f32(float *out, uint32_t type, const uint8_t *data, size_t n) {
    const quant_row *row = find_row(type);
    if (type == DUN_QUANT_F32)
        memcpy(out, data, n * sizeof *out); /* twice as fast as the loop */
    else
        row->to_f32(out, data, n / row->type.block_values);
}

/* With m the exponent fields of a word, (word & m) + (lowest bit of each field) carries into the bit above
 * a field only where all its bits are set, and never further: several values are tested by one sum. */
static uint64_t carries(uint64_t word, uint64_t m) {
    return (word & m) + (m & ~(m << 1));
}

bool dun_quant_finite(uint32_t type, const uint8_t *data, size_t n) {
    const quant_row *row = find_row(type);
    const uint64_t m = row->exponents;
    uint64_t seen = 0;
    if (row->type.block_values > 1) {
        const uint8_t *end = data + n / row->type.block_values * row->type.block_bytes;
        for (; data < end; data += row->type.block_bytes)
            seen |= carries(load_32(data + row->scales), m);
    } else {
        size_t bytes = n * row->type.block_bytes;
        uint64_t word;
        for (; bytes >= sizeof word; bytes -= sizeof word, data += sizeof word) {
            memcpy(&word, data, sizeof word);
            seen |= carries(word, m);
        }
        word = 0;
        memcpy(&word, data, bytes);
        seen |= carries(word, m);
    }
    return !(seen & (m << 1) & ~m);
}
