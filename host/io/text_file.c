/* From a file's bytes to text: gzip, what is no text, byte order marks, UTF-16, and where UTF-8 ends. */
#include "io/text_file.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/foreign.h"
#include "io/gzip.h"

#include <string.h>

/* Appends a code point, at most four bytes; returns how many. */
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

static int refuse_utf16(const dun_text_file *t, size_t at) {
    return dun_error(DUN_BAD_INPUT, "%s: half a character of UTF-16 at byte %zu; is the file cut short?",
                     t->name, t->skipped + at);
}

/* UTF-16 to UTF-8. */
static int decode_utf16(dun_text_file *t, bool big_endian) {
    int rc = DUN_OK;
    char *out = NULL;
    const uint8_t *in = (const uint8_t *)t->bytes;
    const size_t n = t->length / 2;
    size_t used = 0;
    TRY_NEW(out, t->length / 2 * 3 + 4);
#define UNIT(i) (uint32_t)(in[2 * (i) + !big_endian] << 8 | in[2 * (i) + big_endian])
    for (size_t i = 0; i < n; i++) {
        uint32_t c = UNIT(i);
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < n && (UNIT(i + 1) & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (UNIT(i + 1) & 0x3ff);
            i++;
        } else if (c >= 0xd800 && c < 0xe000) {
            TRY(refuse_utf16(t, 2 * i));
        }
        used += put_utf8(out + used, c);
    }
#undef UNIT
    if (t->length % 2)
        TRY(refuse_utf16(t, t->length - 1));
    t->decoded = out;
    t->bytes = out;
    t->length = used;
    out = NULL;
out:
    dun_free(out);
    return rc;
}

/* Takes the mark away, and with it the encoding it stands for. */
static int decode(dun_text_file *t) {
    static const struct {
        const char *bytes;
        size_t n;
        const char *encoding;
    } marks[] = {
        {"\xff\xfe\0\0", 4, "UTF-32LE"}, {"\0\0\xfe\xff", 4, "UTF-32BE"}, {"\xef\xbb\xbf", 3, "UTF-8"},
        {"\xff\xfe", 2, "UTF-16LE"},     {"\xfe\xff", 2, "UTF-16BE"},
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (t->length < marks[i].n || memcmp(t->bytes, marks[i].bytes, marks[i].n) != 0)
            continue;
        if (marks[i].n == 4)
            return dun_error(DUN_BAD_INPUT,
                             "%s: is %s, which is not read; UTF-8 is needed: iconv -f %s -t UTF-8 '%s' > NEW",
                             t->name, marks[i].encoding, marks[i].encoding, t->name);
        t->skipped = marks[i].n;
        t->bytes += marks[i].n;
        t->length -= marks[i].n;
        return marks[i].n == 2 ? decode_utf16(t, i == 4) : DUN_OK;
    }
    return DUN_OK;
}

/* Every second byte of much of it is NUL: UTF-16 that does not say so. "LE", "BE" or NULL. */
static const char *silent_utf16(const dun_text_file *t) {
    const size_t n = t->length < 4096 ? t->length / 2 : 2048;
    size_t nul[2] = {0};
    for (size_t i = 0; i < 2 * n; i++)
        nul[i % 2] += t->bytes[i] == '\0';
    return n == 0                                   ? NULL
           : nul[1] > n * 3 / 4 && nul[0] <= n / 16 ? "UTF-16LE"
           : nul[0] > n * 3 / 4 && nul[1] <= n / 16 ? "UTF-16BE"
                                                    : NULL;
}

/* Bytes of Windows' western code page: all but five have a meaning there, most of the rest of 80..9F are
 * quotes and dashes. */
static bool could_be_windows(const dun_text_file *t) {
    for (size_t i = 0; i < t->length; i++)
        if (t->bytes[i] && strchr("\x81\x8d\x8f\x90\x9d", t->bytes[i]))
            return false;
    return true;
}

/* Lines end with CR where no LF does. */
static size_t line_of(const dun_text_file *t, size_t at) {
    const char line_end = memchr(t->bytes, '\n', t->length) ? '\n' : '\r';
    size_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += t->bytes[i] == line_end;
    return line;
}

/* Where the first byte stands that no text may hold; the length when there is none. */
static size_t find_fault(const dun_text_file *t) {
    const char *null = t->length ? memchr(t->bytes, '\0', t->length) : NULL;
    return dun_utf8_valid(t->bytes, null ? (size_t)(null - t->bytes) : t->length);
}

static int refuse_bytes(const dun_text_file *t, size_t valid) {
    const char *fault = t->bytes + valid, *utf16 = silent_utf16(t);
    const size_t offset = t->skipped + valid, line = line_of(t, valid);
    if (utf16)
        return dun_error(DUN_BAD_INPUT,
                         "%s: looks like %s without a byte order mark; UTF-8 is needed: iconv -f %s -t UTF-8 "
                         "'%s' > NEW",
                         t->name, utf16, utf16, t->name);
    if (!*fault)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: NUL at byte %zu; text in UTF-8 is needed", t->name, line,
                         offset);
    const bool windows = could_be_windows(t);
    return dun_error(
        DUN_BAD_INPUT, "%s:%zu: 0x%02x at byte %zu is not UTF-8; text in UTF-8 is needed%s%s%s", t->name,
        line, (unsigned char)*fault, offset,
        windows ? "; if it is Windows-1252, as spreadsheets write: iconv -f WINDOWS-1252 -t UTF-8 '" : "",
        windows ? t->name : "", windows ? "' > NEW" : "");
}

static int prepare(dun_text_file *t) {
    int rc;
    TRY(dun_foreign_refuse(t->bytes, t->length, t->name));
    TRY(decode(t));
    const size_t fault = find_fault(t);
    if (fault < t->length)
        TRY(refuse_bytes(t, fault));
out:
    return rc;
}

int dun_text_file_of(dun_text_file *text, const void *bytes, size_t length, const char *name) {
    int rc;
    *text = (dun_text_file){.bytes = length ? bytes : "", .length = length};
    TRY_PTR(text->name, dun_strdup(name));
    TRY(prepare(text));
out:
    if (rc < 0)
        dun_text_file_close(text);
    return rc;
}

int dun_text_file_open(dun_text_file *text, const char *path) {
    int rc;
    uint8_t *unpacked = NULL;
    *text = (dun_text_file){0};
    TRY(dun_file_map(&text->file, path));
    text->bytes = text->file.length ? (const char *)text->file.bytes : "";
    text->length = text->file.length;
    TRY_PTR(text->name, dun_strdup(path));
    if (dun_gzip_is(text->file.bytes, text->file.length)) {
        TRY(dun_gzip_expand(&unpacked, &text->length, text->file.bytes, text->file.length, path));
        text->unpacked = unpacked;
        text->bytes = text->length ? text->unpacked : "";
    }
    TRY(prepare(text));
out:
    if (rc < 0)
        dun_text_file_close(text);
    return rc;
}

void dun_text_file_close(dun_text_file *text) {
    dun_free(text->decoded);
    dun_free(text->unpacked);
    dun_free(text->name);
    dun_file_unmap(&text->file);
    *text = (dun_text_file){0};
}
