/* Blocks of 256 and of IQ4_NL value by value in double, each from the definition of element e alone: what the
 * decoders, which go sub-block by sub-block, are held against. */
#ifndef DUN_QUANT_VALUES_H
#define DUN_QUANT_VALUES_H

#include <math.h>
#include <stdint.h>

/* (-1)^s 2^(e-15) (1 + f/1024), 2^-14 f/1024 for e = 0. */
static inline double half_value(unsigned bits) {
    unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
    if (exponent == 31)
        size = fraction ? (double)NAN : (double)INFINITY;
    return bits & 0x8000 ? -size : size;
}

static inline unsigned half_bits(const uint8_t *at) {
    return at[0] | (unsigned)at[1] << 8;
}

static inline double half_in(const uint8_t *at) {
    return half_value(half_bits(at));
}

static inline int nibble(const uint8_t *at, unsigned i) {
    return i % 2 ? at[i / 2] >> 4 : at[i / 2] & 15;
}

/* Two bits of element e where four elements 32 apart share a byte. */
static inline int two_bits(const uint8_t *at, unsigned e) {
    return at[32 * (e / 128) + e % 32] >> 2 * (e % 128 / 32) & 3;
}

static inline double value_q2_k(const uint8_t *block, unsigned e) {
    const int s = block[e / 16];
    return half_in(block + 80) * (s & 15) * two_bits(block + 16, e) - half_in(block + 82) * (s >> 4);
}

static inline double value_q3_k(const uint8_t *block, unsigned e) {
    const uint8_t *s = block + 96;
    const unsigned k = e / 16;
    const int low = k < 8 ? s[k] & 15 : s[k - 8] >> 4, upper = s[8 + k % 4] >> 2 * (k / 4) & 3;
    const int high = block[e % 32] >> e / 32 & 1;
    return half_in(block + 108) * (low + 16 * upper - 32) * (two_bits(block + 32, e) - (high ? 0 : 4));
}

static inline double value_k(const uint8_t *block, unsigned e, int high, const uint8_t *nibbles) {
    const uint8_t *s = block + 4;
    const unsigned b = e / 32;
    const int byte = nibbles[32 * (b / 2) + e % 32], q = (b % 2 ? byte >> 4 : byte & 15) + 16 * high;
    int scale = s[b % 4] & 63, least = s[b % 4 + 4] & 63;
    if (b >= 4) {
        scale = (s[b + 4] & 15) + 16 * (s[b - 4] >> 6);
        least = (s[b + 4] >> 4) + 16 * (s[b] >> 6);
    }
    return half_in(block) * scale * q - half_in(block + 2) * least;
}

static inline double value_q4_k(const uint8_t *block, unsigned e) {
    return value_k(block, e, 0, block + 16);
}

static inline double value_q5_k(const uint8_t *block, unsigned e) {
    return value_k(block, e, block[16 + e % 32] >> e / 32 & 1, block + 48);
}

static inline double value_q6_k(const uint8_t *block, unsigned e) {
    const unsigned t = e / 128, g = e % 128 / 32, l = e % 32;
    const int byte = block[64 * t + 32 * (g & 1) + l], low = g < 2 ? byte & 15 : byte >> 4;
    const int q = low + 16 * (block[128 + 32 * t + l] >> 2 * g & 3) - 32;
    return half_in(block + 208) * (int8_t)block[192 + e / 16] * q;
}

static inline int iq4_value(int code) {
    static const int values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    return values[code];
}

static inline double value_iq4_nl(const uint8_t *block, unsigned e) {
    return half_in(block) * iq4_value(e < 16 ? block[2 + e] & 15 : block[2 + e - 16] >> 4);
}

static inline double value_iq4_xs(const uint8_t *block, unsigned e) {
    const unsigned b = e / 32, j = e % 32;
    const int scale = nibble(block + 4, b) + 16 * (int)(half_bits(block + 2) >> 2 * b & 3) - 32;
    const int byte = block[8 + 16 * b + j % 16];
    return half_in(block) * scale * iq4_value(j < 16 ? byte & 15 : byte >> 4);
}

#endif
