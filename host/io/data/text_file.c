/* From a file's bytes to text: gzip, what is no text, encodings, and the bytes that are none. */
#include "io/data/text_file.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/data/encoding.h"
#include "io/data/foreign.h"
#include "io/data/gzip.h"

#include <string.h>

/* Takes the mark away, and with it the encoding it stands for. */
static int decode(dun_text_file *t, bool mild) {
    int rc;
    enum dun_encoding encoding;
    bool open;
    size_t taken, fault;
    dun_str text = {0};
    TRY(dun_mark_read(&encoding, &t->skipped, &open, t->bytes, t->length, t->name));
    t->bytes += t->skipped;
    t->length -= t->skipped;
    if (encoding == DUN_UTF8)
        goto out;
    TRY(dun_utf16_decode(&text, &taken, &fault, t->bytes, t->length, encoding, true));
    if (fault < t->length && !mild)
        TRY(dun_error(
            DUN_BAD_INPUT, "%s: half a character of UTF-16 at byte %zu%s", t->name, t->skipped + fault,
            t->length - fault < 4 ? "; is the file cut short?" : "; whole UTF-16, or UTF-8 is needed"));
    t->decoded = text.bytes;
    t->bytes = text.bytes ? text.bytes : "";
    t->length = text.length;
    text = (dun_str){0};
out:
    dun_str_free(&text);
    return rc;
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

static int refuse_bytes(const dun_text_file *t, size_t valid) {
    const char *fault = t->bytes + valid;
    const size_t offset = t->skipped + valid, line = line_of(t, valid);
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

/* Line by line, so that those with such bytes can be counted; the line ends stay. */
static int repair(dun_text_file *t) {
    int rc = DUN_OK;
    dun_str text = {0};
    const char *at = t->bytes, *end = t->bytes + t->length;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t n = (size_t)((stop ? stop + 1 : end) - at);
        t->n_repaired += dun_text_valid(at, n) < n;
        TRY(dun_text_repair(&text, at, n));
        at += n;
    }
    dun_free(t->decoded);
    t->decoded = text.bytes;
    t->bytes = text.bytes;
    t->length = text.length;
    text = (dun_str){0};
out:
    dun_str_free(&text);
    return rc;
}

static int prepare(dun_text_file *t, bool mild) {
    int rc;
    t->mild = mild;
    TRY(dun_foreign_refuse_file(t->bytes, t->length, t->name));
    TRY(decode(t, mild));
    const size_t valid = dun_text_valid(t->bytes, t->length);
    if (valid == t->length)
        goto out;
    TRY(dun_silent_utf16_refuse(t->bytes, t->length, t->name));
    TRY(mild ? repair(t) : refuse_bytes(t, valid));
out:
    return rc;
}

static int text_of(dun_text_file *text, const void *bytes, size_t length, const char *name, bool mild) {
    int rc;
    *text = (dun_text_file){.bytes = length ? bytes : "", .length = length};
    TRY_PTR(text->name, dun_strdup(name));
    TRY(prepare(text, mild));
out:
    if (rc < 0)
        dun_text_file_close(text);
    return rc;
}

int dun_text_file_of(dun_text_file *text, const void *bytes, size_t length, const char *name) {
    return text_of(text, bytes, length, name, false);
}

int dun_text_file_of_any(dun_text_file *text, const void *bytes, size_t length, const char *name) {
    return text_of(text, bytes, length, name, true);
}

static int text_open(dun_text_file *text, const char *path, bool mild) {
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
    TRY(prepare(text, mild));
out:
    if (rc < 0)
        dun_text_file_close(text);
    return rc;
}

int dun_text_file_open(dun_text_file *text, const char *path) {
    return text_open(text, path, false);
}

int dun_text_file_open_any(dun_text_file *text, const char *path) {
    return text_open(text, path, true);
}

void dun_text_file_close(dun_text_file *text) {
    dun_free(text->decoded);
    dun_free(text->unpacked);
    dun_free(text->name);
    dun_file_unmap(&text->file);
    *text = (dun_text_file){0};
}
