/* Marks by table, UTF-16 by units of two bytes; see encoding.h. */
#include "io/data/encoding.h"

#include "base/err.h"
#include "base/utf8.h"

#include <string.h>

static const struct {
    const char *bytes;
    size_t n;
    const char *name; /* of an encoding that is not read; NULL */
    enum dun_encoding encoding;
} marks[] = {
    {"\xff\xfe\0\0", 4, "UTF-32LE", DUN_UTF8}, {"\0\0\xfe\xff", 4, "UTF-32BE", DUN_UTF8},
    {"\xef\xbb\xbf", 3, NULL, DUN_UTF8},       {"\xff\xfe", 2, NULL, DUN_UTF16LE},
    {"\xfe\xff", 2, NULL, DUN_UTF16BE},
};

static int refuse_encoding(const char *name, const char *encoding, const char *fact) {
    return dun_error(DUN_BAD_INPUT, "%s: %s; UTF-8 is needed: iconv -f %s -t UTF-8 '%s' > NEW", name, fact,
                     encoding, name);
}

int dun_mark_read(enum dun_encoding *encoding, size_t *skipped, bool *open, const char *bytes, size_t length,
                  const char *name) {
    *encoding = DUN_UTF8;
    *skipped = 0;
    *open = false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const size_t n = length < marks[i].n ? length : marks[i].n;
        if (memcmp(bytes, marks[i].bytes, n) != 0)
            continue;
        if (n == marks[i].n && marks[i].name)
            return refuse_encoding(name, marks[i].name, "is UTF-32, which is not read");
        if (n == marks[i].n && *skipped == 0) {
            *encoding = marks[i].encoding;
            *skipped = n;
        }
        *open |= n < marks[i].n;
    }
    return DUN_OK;
}

int dun_silent_utf16_refuse(const char *bytes, size_t length, const char *name) {
    const size_t n = length < 4096 ? length / 2 : 2048;
    size_t nul[2] = {0};
    for (size_t i = 0; i < 2 * n; i++)
        nul[i % 2] += bytes[i] == '\0';
    if (n > 0 && nul[1] > n * 3 / 4 && nul[0] <= n / 16)
        return refuse_encoding(name, "UTF-16LE", "looks like UTF-16LE without a byte order mark");
    if (n > 0 && nul[0] > n * 3 / 4 && nul[1] <= n / 16)
        return refuse_encoding(name, "UTF-16BE", "looks like UTF-16BE without a byte order mark");
    return DUN_OK;
}

/* A code point in at most four bytes; returns how many. */
static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(heads[n] | c);
    return n;
}

static uint32_t unit_at(const char *bytes, size_t at, enum dun_encoding encoding) {
    const unsigned char first = (unsigned char)bytes[at], second = (unsigned char)bytes[at + 1];
    return encoding == DUN_UTF16BE ? (uint32_t)(first << 8 | second) : (uint32_t)(second << 8 | first);
}

int dun_utf16_decode(dun_str *out, size_t *taken, size_t *fault, const char *bytes, size_t length,
                     enum dun_encoding encoding, bool end) {
    int rc = DUN_OK;
    char some[4096 + 4];
    size_t used = 0, at = 0;
    *fault = length;
    while (at < length) {
        const size_t left = length - at;
        uint32_t c = left >= 2 ? unit_at(bytes, at, encoding) : 0xd800;
        const bool leads = c >= 0xd800 && c < 0xdc00;
        if (leads && left < 4 && !end)
            break;
        const uint32_t second = left >= 4 ? unit_at(bytes, at + 2, encoding) : 0;
        const bool pair = leads && (second & 0xfc00) == 0xdc00;
        if (pair)
            c = 0x10000 + ((c & 0x3ff) << 10) + (second & 0x3ff);
        if (c >= 0xd800 && c < 0xe000) {
            *fault = *fault < at ? *fault : at;
            some[used++] = '\xff';
        } else {
            used += put_utf8(some + used, c);
        }
        at += pair ? 4 : left < 2 ? 1 : 2;
        if (used >= sizeof some - 4) {
            TRY(dun_str_add(out, some, used));
            used = 0;
        }
    }
    TRY(dun_str_add(out, some, used));
    *taken = at;
out:
    return rc;
}

size_t dun_text_valid(const char *bytes, size_t length) {
    const char *null = length ? memchr(bytes, '\0', length) : NULL;
    return dun_utf8_valid(bytes, null ? (size_t)(null - bytes) : length);
}

int dun_text_repair(dun_str *out, const char *bytes, size_t length) {
    int rc = DUN_OK;
    for (size_t at = 0; at < length; at++) {
        const size_t part = strnlen(bytes + at, length - at);
        TRY(dun_utf8_repair(out, bytes + at, part));
        at += part;
        if (at < length)
            TRY(dun_str_add(out, "\xef\xbf\xbd", 3));
    }
out:
    return rc;
}
