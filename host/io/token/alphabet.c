/* The table of the byte-level alphabet. See alphabet.h. */
#include "io/token/alphabet.h"

#include <stdbool.h>

void dun_alphabet_make(dun_alphabet *alphabet) {
    uint16_t next = 256;
    for (int i = 0; i < DUN_ALPHABET; i++)
        alphabet->bytes[i] = -1;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        alphabet->points[byte] = printable ? (uint16_t)byte : next++;
        alphabet->bytes[alphabet->points[byte]] = (int16_t)byte;
    }
}

size_t dun_alphabet_write(char out[2], const dun_alphabet *alphabet, unsigned char byte) {
    unsigned point = alphabet->points[byte];
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    out[0] = (char)(0xc0 | point >> 6);
    out[1] = (char)(0x80 | (point & 0x3f));
    return 2;
}

size_t dun_alphabet_read(char *out, dun_slice text, const dun_alphabet *alphabet) {
    size_t n = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned point = (unsigned char)text.bytes[i];
        if (point >= 0xe0) /* a character of three or four bytes */
            return 0;
        if (point >= 0x80) /* the text is valid, so this begins one of two */
            point = (point & 0x1fu) << 6 | ((unsigned char)text.bytes[++i] & 0x3fu);
        if (point >= DUN_ALPHABET || alphabet->bytes[point] < 0)
            return 0;
        out[n++] = (char)alphabet->bytes[point];
    }
    return n;
}
