/* See lines.h. */
#include "lines.h"

#include "err.h"
#include "json.h"
#include "mem.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct dun_lines {
    FILE *file;
    bool owned; /* the file is closed with the reader */
    enum dun_lines_mode mode;
    char *name;
    size_t number, n_repaired;
    char *raw; /* the line as it stands in the file */
    size_t length, capacity;
    dun_text repaired; /* the same as UTF-8, when it was not */
    json_t *object;    /* owns the text of a JSON line */
};

int dun_lines_open(dun_lines **out, const char *path, enum dun_lines_mode mode) {
    int rc = DUN_OK;
    dun_lines *lines = NULL;
    bool is_stdin = strcmp(path, "-") == 0;
    *out = NULL;
    TRY_NEW(lines, 1);
    lines->mode = mode;
    TRY_PTR(lines->name, dun_strdup(is_stdin ? "stdin" : path));
    lines->file = is_stdin ? stdin : fopen(path, "rb");
    lines->owned = !is_stdin;
    if (!lines->file)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", path, strerror(errno)));
    *out = lines;
    lines = NULL;
out:
    dun_lines_close(lines);
    return rc;
}

void dun_lines_close(dun_lines *lines) {
    if (!lines)
        return;
    if (lines->owned && lines->file)
        fclose(lines->file);
    json_decref(lines->object);
    dun_text_free(&lines->repaired);
    dun_free(lines->raw);
    dun_free(lines->name);
    dun_free(lines);
}

/* Byte for byte, so that a line is answered before the next one is written. 1, 0 at the end, or a status. */
static int read_line(dun_lines *lines) {
    int rc = DUN_OK, c;
    lines->length = 0;
    errno = 0;
    while ((c = getc_unlocked(lines->file)) != EOF && c != '\n') {
        if (lines->length == DUN_LINES_BYTES)
            TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: the line is longer than %d bytes; a shorter one is needed",
                          lines->name, lines->number + 1, DUN_LINES_BYTES));
        TRY_GROW(lines->raw, lines->capacity, lines->length);
        lines->raw[lines->length++] = (char)c;
    }
    if (c == EOF && ferror(lines->file))
        TRY(dun_error(DUN_BAD_INPUT, "%s: cannot be read: %s", lines->name, strerror(errno)));
    if (c == EOF && lines->length == 0)
        goto out;
    lines->number++;
    if (c == '\n' && lines->length > 0 && lines->raw[lines->length - 1] == '\r')
        lines->length--;
    TRY_GROW(lines->raw, lines->capacity, lines->length);
    lines->raw[lines->length] = '\0';
    rc = 1;
out:
    return rc;
}

/* Gives the bytes as UTF-8 without NUL; they stay where they are if they already are that. */
static int repair(const char **text, size_t *length, dun_lines *lines, const char *bytes, size_t n) {
    int rc = DUN_OK;
    *text = bytes;
    *length = n;
    if (!memchr(bytes, '\0', n) && dun_utf8_valid(bytes, n) == n)
        goto out;
    lines->n_repaired++;
    dun_text_clear(&lines->repaired);
    for (size_t at = 0; at < n; at++) {
        size_t part = strnlen(bytes + at, n - at);
        TRY(dun_utf8_repair(&lines->repaired, bytes + at, part));
        at += part;
        if (at < n)
            TRY(dun_text_add(&lines->repaired, "\xef\xbf\xbd", 3));
    }
    *text = lines->repaired.bytes;
    *length = lines->repaired.length;
out:
    return rc;
}

static int next_plain(const char **text, size_t *length, dun_lines *lines) {
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8's byte order mark */
    int rc;
    TRY(read_line(lines));
    if (rc == 0)
        goto out;
    size_t skipped = lines->number == 1 && strncmp(lines->raw, mark, 3) == 0 ? 3 : 0;
    TRY(repair(text, length, lines, lines->raw + skipped, lines->length - skipped));
    rc = 1;
out:
    return rc;
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \t\r")] == '\0';
}

static int next_json(const char **text, size_t *length, dun_lines *lines) {
    int rc;
    size_t blank = 0;
    json_decref(lines->object);
    lines->object = NULL;
    TRY(next_plain(text, length, lines));
    while (rc == 1 && is_blank(*text)) {
        blank = blank ? blank : lines->number;
        TRY(next_plain(text, length, lines));
    }
    if (rc == 0)
        goto out;
    if (blank)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: the line is blank; {\"text\": ...} is needed", lines->name,
                      blank));
    TRY(dun_json_parse(&lines->object, *text, *length, lines->name, lines->number));
    const json_t *value = json_object_get(lines->object, "text");
    if (!json_is_string(value))
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: %s; {\"text\": \"...\"} is needed", lines->name, lines->number,
                      value ? "\"text\" is not a string" : "no key \"text\""));
    *text = json_string_value(value);
    *length = json_string_length(value);
    rc = 1;
out:
    return rc;
}

int dun_lines_next(const char **text, size_t *length, dun_lines *lines) {
    *text = "";
    *length = 0;
    return lines->mode == DUN_LINES_JSONL ? next_json(text, length, lines) : next_plain(text, length, lines);
}

size_t dun_lines_number(const dun_lines *lines) {
    return lines->number;
}

size_t dun_lines_repaired(const dun_lines *lines) {
    return lines->n_repaired;
}

const char *dun_lines_name(const dun_lines *lines) {
    return lines->name;
}
