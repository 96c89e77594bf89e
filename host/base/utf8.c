/* The table of valid sequences, and what is built on it: checking, repairing, showing bytes in messages. */
#include "base/utf8.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SHOWN_BYTES = 60 };

/* Sequences by first byte, and what the second may be; all further bytes are 80..BF. */
static const struct {
    unsigned char first, last, length, second_least, second_most;
} forms[] = {
    {0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* Bytes of the character at the front of n >= 1 bytes; if invalid, of its longest beginning that a valid
 * character could have, at least 1. */
static size_t read_character(bool *valid, const unsigned char *bytes, size_t n) {
    size_t form = 0, n_forms = sizeof forms / sizeof forms[0];
    while (form < n_forms && bytes[0] > forms[form].last)
        form++;
    *valid = false;
    if (form == n_forms || bytes[0] < forms[form].first)
        return 1;
    size_t i = 1;
    for (; i < forms[form].length; i++) {
        unsigned char least = i == 1 ? forms[form].second_least : 0x80;
        unsigned char most = i == 1 ? forms[form].second_most : 0xbf;
        if (i == n || bytes[i] < least || bytes[i] > most)
            return i;
    }
    *valid = true;
    return i;
}

size_t dun_utf8_valid(const char *bytes, size_t length) {
    const unsigned char *start = (const unsigned char *)bytes;
    const uint64_t high_bits = 0x8080808080808080u;
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        if (length - at >= sizeof eight) {
            memcpy(&eight, start + at, sizeof eight);
            if (!(eight & high_bits)) {
                at += sizeof eight;
                continue;
            }
        }
        bool valid;
        size_t taken = read_character(&valid, start + at, length - at);
        if (!valid)
            break;
        at += taken;
    }
    return at;
}

size_t dun_utf8_invalid(const char *bytes, size_t length) {
    bool valid;
    return read_character(&valid, (const unsigned char *)bytes, length);
}

int dun_utf8_repair(dun_str *out, const char *bytes, size_t length) {
    int rc = DUN_OK;
    for (size_t at = 0; at < length;) {
        size_t whole = dun_utf8_valid(bytes + at, length - at);
        TRY(dun_str_add(out, bytes + at, whole));
        at += whole;
        if (at == length)
            break;
        at += dun_utf8_invalid(bytes + at, length - at);
        TRY(dun_str_add(out, "\xef\xbf\xbd", 3));
    }
out:
    return rc;
}

int dun_utf8_show(dun_str *out, const char *bytes, size_t length) {
    int rc;
    size_t before = out->length, cut = length < SHOWN_BYTES ? length : SHOWN_BYTES;
    while (cut > 0 && cut < length && (bytes[cut] & 0xc0) == 0x80)
        cut--;
    TRY(dun_utf8_repair(out, bytes, cut));
    TRY(dun_str_add(out, "...", cut < length ? 3 : 0));
    for (size_t i = before; i < out->length; i++)
        if ((unsigned char)out->bytes[i] < 0x20 || out->bytes[i] == 0x7f)
            out->bytes[i] = '?';
out:
    return rc;
}

/* Three bytes that stand for a blank: all blanks beyond Latin-1 have three. */
static bool is_wide_blank(const unsigned char *c) {
    switch (c[0] << 8 | c[1]) {
    case 0xe19a: /* U+1680 */
        return c[2] == 0x80;
    case 0xe1a0: /* U+180E */
        return c[2] == 0x8e;
    case 0xe280: /* U+2000 to U+200F, U+2028, U+2029, U+202F */
        return c[2] <= 0x8f || c[2] == 0xa8 || c[2] == 0xa9 || c[2] == 0xaf;
    case 0xe281: /* U+205F, U+2060 */
        return c[2] == 0x9f || c[2] == 0xa0;
    case 0xe380: /* U+3000 */
        return c[2] == 0x80;
    case 0xefbb: /* U+FEFF */
        return c[2] == 0xbf;
    default:
        return false;
    }
}

size_t dun_utf8_blank(const char *bytes, size_t length) {
    const unsigned char *c = (const unsigned char *)bytes;
    if (length >= 1 && (c[0] == ' ' || (c[0] >= '\t' && c[0] <= '\r')))
        return 1;
    if (length >= 2 && c[0] == 0xc2 && (c[1] == 0x85 || c[1] == 0xa0))
        return 2;
    return length >= 3 && is_wide_blank(c) ? 3 : 0;
}

/* Bytes of the blank that ends here, or 0. */
static size_t blank_before(const char *bytes, size_t length) {
    for (size_t n = 1; n <= 3 && n <= length; n++)
        if (dun_utf8_blank(bytes + length - n, n) == n)
            return n;
    return 0;
}

dun_slice dun_utf8_trim(const char *bytes, size_t length) {
    size_t taken;
    while ((taken = dun_utf8_blank(bytes, length)) > 0) {
        bytes += taken;
        length -= taken;
    }
    while ((taken = blank_before(bytes, length)) > 0)
        length -= taken;
    return (dun_slice){bytes, length};
}
