/* The checksum from its polynomial, bit by bit: what is checked is a few dozen bytes a step. */
#include "base/crc32c.h"

enum { POLYNOMIAL = 0x82f63b78 }; /* 0x1edc6f41 with its bits reversed */

uint32_t dun_crc32c(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
    }
    return ~crc;
}
