/* The alphabet of byte-level vocabularies, which writes each byte as one printable character (Radford et al.
 * 2019, encoder.py): the printable characters of Latin-1 stand for themselves, the other 68 bytes, in order,
 * for U+0100, U+0101 ... */
#ifndef DUN_ALPHABET_H
#define DUN_ALPHABET_H

#include "base/str.h"

#include <stdint.h>

enum { DUN_ALPHABET = 256 + 68 }; /* code points below which the alphabet lies */

typedef struct {
    uint16_t points[256];        /* the character of each byte */
    int16_t bytes[DUN_ALPHABET]; /* the byte of each character, or -1 */
} dun_alphabet;

void dun_alphabet_make(dun_alphabet *alphabet);

/* Writes the character of a byte in UTF-8; returns its bytes, 1 or 2. */
size_t dun_alphabet_write(char out[2], const dun_alphabet *alphabet, unsigned char byte);

/* Writes the bytes that a valid text stands for, at most as many as it has; returns their number, or 0 when
 * it is not in the alphabet. */
size_t dun_alphabet_read(char *out, dun_slice text, const dun_alphabet *alphabet);

#endif
