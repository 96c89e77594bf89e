/* The decoders of kernels/quant.cl as host code: what they need of OpenCL C, and their text. */
#ifndef DUN_QUANT_HOST_H
#define DUN_QUANT_HOST_H

#include <stdint.h>
#include <string.h>

typedef uint8_t uchar;
typedef uint32_t uint;
#define STORED const uint8_t
#define DECODED
#define DECODER static inline
#define TABLE static const

DECODER uint load_16(STORED *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

DECODER uint load_32(STORED *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

DECODER float as_float(uint bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

DECODER uint as_uint(float value) {
    uint bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Here weights of any alignment are decoded. */
#define value_16 load_16
#define value_32 load_32

#include "kernels/quant.cl"

#undef STORED
#undef DECODED
#undef DECODER
#undef TABLE

#endif
