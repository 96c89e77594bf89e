/* See quant.h. Blocks are little-endian bytes without alignment; a block of 32 values stores value j in
 * the low nibble of byte j and value j + 16 in the high nibble. The arithmetic is ggml's, rounding
 * included: one multiplication, then one addition where the format has a minimum. */
#include "model/quant.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 32, HALF_BLOCK = 16 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are read as they lie in memory");

static uint16_t load_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t load_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float dun_half_to_f32(uint16_t bits) {
    const uint32_t exponent_mask = 0x7c00u << 13;
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t magnitude = (uint32_t)(bits & 0x7fffu) << 13;
    uint32_t exponent = magnitude & exponent_mask;
    magnitude += (127u - 15u) << 23;
    if (exponent == exponent_mask) {
        magnitude += (128u - 16u) << 23; /* infinity or NaN */
    } else if (exponent == 0) {
        /* A subnormal m * 2^-24 read as 2^-14 * (1 + m / 1024), less 2^-14; no subnormal float occurs, so
         * flush-to-zero modes do no harm. */
        float value = float_of_bits(magnitude + (1u << 23)) - 0x1p-14f;
        memcpy(&magnitude, &value, sizeof magnitude);
    }
    return float_of_bits(sign | magnitude);
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

static float half_at(const uint8_t *at) {
    return dun_half_to_f32(load_u16(at));
}

/* f32 value. */
static void f32_to_f32(float *restrict out, const uint8_t *restrict data, size_t n) {
    memcpy(out, data, n * sizeof *out);
}

/* f16 value. */
static void f16_to_f32(float *restrict out, const uint8_t *restrict data, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = half_at(data + 2 * i);
}

/* The upper half of an f32. */
static void bf16_to_f32(float *restrict out, const uint8_t *restrict data, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = float_of_bits((uint32_t)load_u16(data + 2 * i) << 16);
}

/* f16 d; u4 q[32]. y = (q - 8) d */
static void q4_0_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, at += 18, out += BLOCK) {
        const float d = half_at(at);
        for (int j = 0; j < HALF_BLOCK; j++)
            out[j] = (float)((at[2 + j] & 15) - 8) * d;
        for (int j = 0; j < HALF_BLOCK; j++)
            out[HALF_BLOCK + j] = (float)((at[2 + j] >> 4) - 8) * d;
    }
}

/* f16 d, m; u4 q[32]. y = q d + m */
static void q4_1_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, at += 20, out += BLOCK) {
        const float d = half_at(at), m = half_at(at + 2);
        for (int j = 0; j < HALF_BLOCK; j++)
            out[j] = (float)(at[4 + j] & 15) * d + m;
        for (int j = 0; j < HALF_BLOCK; j++)
            out[HALF_BLOCK + j] = (float)(at[4 + j] >> 4) * d + m;
    }
}

/* q[32] of 5 bits: low nibbles from `nibbles`, bit 4 of value j is bit j of `high`. */
static void unpack_5_bits(int *restrict q, uint32_t high, const uint8_t *restrict nibbles) {
    for (int j = 0; j < HALF_BLOCK; j++)
        q[j] = (nibbles[j] & 15) | (int)(high >> j & 1u) << 4;
    for (int j = 0; j < HALF_BLOCK; j++)
        q[HALF_BLOCK + j] = (nibbles[j] >> 4) | (int)(high >> (HALF_BLOCK + j) & 1u) << 4;
}

/* f16 d; u32 high bits; u4 q[32]. y = (q - 16) d */
static void q5_0_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {
    int q[BLOCK];
    for (; n_blocks > 0; n_blocks--, at += 22, out += BLOCK) {
        const float d = half_at(at);
        unpack_5_bits(q, load_u32(at + 2), at + 6);
        for (int j = 0; j < BLOCK; j++)
            out[j] = (float)(q[j] - 16) * d;
    }
}

/* f16 d, m; u32 high bits; u4 q[32]. y = q d + m */
static void q5_1_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {
    int q[BLOCK];
    for (; n_blocks > 0; n_blocks--, at += 24, out += BLOCK) {
        const float d = half_at(at), m = half_at(at + 2);
        unpack_5_bits(q, load_u32(at + 4), at + 8);
        for (int j = 0; j < BLOCK; j++)
            out[j] = (float)q[j] * d + m;
    }
}

/* f16 d; i8 q[32]. y = q d */
static void q8_0_to_f32(float *restrict out, const uint8_t *restrict at, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, at += 34, out += BLOCK) {
        const float d = half_at(at);
        for (int j = 0; j < BLOCK; j++)
            out[j] = (float)(int8_t)at[2 + j] * d;
    }
}

/* Exponent fields of two f32 or four f16 or bf16 values in 64 bits, and of the one or two f16 scales in
 * the first 32 bits of a block. */
#define F32_EXPONENTS 0x7f8000007f800000u
#define BF16_EXPONENTS 0x7f807f807f807f80u
#define F16_EXPONENTS 0x7c007c007c007c00u
#define ONE_SCALE 0x7c00u
#define TWO_SCALES 0x7c007c00u

typedef struct {
    dun_quant_type type;
    void (*to_f32)(float *restrict out, const uint8_t *restrict data, size_t n_blocks);
    uint64_t exponents; /* fields that are all ones in NaN and infinity */
} quant_row;

#define NAME_ONLY(id, name)                                                                                  \
    { {id, name, 1, 0}, NULL, 0 }
static const quant_row quant_table[] = {
    {{DUN_QUANT_F32, "F32", 1, 4}, f32_to_f32, F32_EXPONENTS},
    {{DUN_QUANT_F16, "F16", 1, 2}, f16_to_f32, F16_EXPONENTS},
    {{DUN_QUANT_BF16, "BF16", 1, 2}, bf16_to_f32, BF16_EXPONENTS},
    {{DUN_QUANT_Q4_0, "Q4_0", BLOCK, 18}, q4_0_to_f32, ONE_SCALE},
    {{DUN_QUANT_Q4_1, "Q4_1", BLOCK, 20}, q4_1_to_f32, TWO_SCALES},
    {{DUN_QUANT_Q5_0, "Q5_0", BLOCK, 22}, q5_0_to_f32, ONE_SCALE},
    {{DUN_QUANT_Q5_1, "Q5_1", BLOCK, 24}, q5_1_to_f32, TWO_SCALES},
    {{DUN_QUANT_Q8_0, "Q8_0", BLOCK, 34}, q8_0_to_f32, ONE_SCALE},
    NAME_ONLY(4, "Q4_2"),
    NAME_ONLY(5, "Q4_3"),
    NAME_ONLY(9, "Q8_1"),
    NAME_ONLY(10, "Q2_K"),
    NAME_ONLY(11, "Q3_K"),
    NAME_ONLY(12, "Q4_K"),
    NAME_ONLY(13, "Q5_K"),
    NAME_ONLY(14, "Q6_K"),
    NAME_ONLY(15, "Q8_K"),
    NAME_ONLY(16, "IQ2_XXS"),
    NAME_ONLY(17, "IQ2_XS"),
    NAME_ONLY(18, "IQ3_XXS"),
    NAME_ONLY(19, "IQ1_S"),
    NAME_ONLY(20, "IQ4_NL"),
    NAME_ONLY(21, "IQ3_S"),
    NAME_ONLY(22, "IQ2_S"),
    NAME_ONLY(23, "IQ4_XS"),
    NAME_ONLY(24, "I8"),
    NAME_ONLY(25, "I16"),
    NAME_ONLY(26, "I32"),
    NAME_ONLY(27, "I64"),
    NAME_ONLY(28, "F64"),
    NAME_ONLY(29, "IQ1_M"),
    NAME_ONLY(31, "Q4_0_4_4"),
    NAME_ONLY(32, "Q4_0_4_8"),
    NAME_ONLY(33, "Q4_0_8_8"),
    NAME_ONLY(34, "TQ1_0"),
    NAME_ONLY(35, "TQ2_0"),
    NAME_ONLY(36, "IQ4_NL_4_4"),
    NAME_ONLY(37, "IQ4_NL_4_8"),
    NAME_ONLY(38, "IQ4_NL_8_8"),
    NAME_ONLY(39, "MXFP4"),
    NAME_ONLY(40, "NVFP4"),
    NAME_ONLY(41, "Q1_0"),
    NAME_ONLY(42, "Q2_0"),
};
enum { N_ROWS = sizeof quant_table / sizeof quant_table[0] };

static const quant_row *find_row(uint32_t id) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (quant_table[i].type.id == id)
            return &quant_table[i];
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
            seen |= carries(load_u32(data), m);
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
