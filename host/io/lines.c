/* Lines of a file or of standard input as texts, one at a time. */
#include "io/lines.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 16 };

struct dun_lines {
    int fd;
    enum dun_lines_mode mode;
    char chunk[CHUNK_BYTES]; /* what was read and not yet taken: [at, end) */
    size_t at, end;
    bool at_end; /* of the file */
    char *name;
    size_t number, n_repaired;
    char *raw; /* the line as it stands in the file */
    size_t length, capacity;
    bool started, whole; /* a line that is being read: it has begun, its newline was met */
    size_t n;            /* bytes of the line last read */
    dun_str repaired;    /* the same as UTF-8, when it was not */
    json_t *object;      /* owns the text of a JSON line */
};

int dun_lines_open(dun_lines **out, const char *path, enum dun_lines_mode mode) {
    int rc = DUN_OK;
    dun_lines *lines = NULL;
    bool is_stdin = strcmp(path, "-") == 0;
    *out = NULL;
    TRY_NEW(lines, 1);
    lines->mode = mode;
    lines->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", path, strerror(errno)));
    TRY_PTR(lines->name, dun_strdup(is_stdin ? "stdin" : path));
    *out = lines;
    lines = NULL;
out:
    dun_lines_close(lines);
    return rc;
}

void dun_lines_close(dun_lines *lines) {
    if (!lines)
        return;
    if (lines->fd > STDIN_FILENO)
        close(lines->fd);
    json_decref(lines->object);
    dun_str_free(&lines->repaired);
    dun_free(lines->raw);
    dun_free(lines->name);
    dun_free(lines);
}

/* Reads what there is, waiting for at least a byte. */
static int refill(dun_lines *lines) {
    ssize_t n;
    do
        n = read(lines->fd, lines->chunk, sizeof lines->chunk);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dun_error(DUN_BAD_INPUT, "%s: cannot be read: %s", lines->name, strerror(errno));
    lines->at = 0;
    lines->end = (size_t)n;
    lines->at_end = n == 0;
    return DUN_OK;
}

/* Moves bytes from the chunk to the line, up to and with its newline. 1: the line is whole; 0: more is
 * needed. */
static int take(dun_lines *lines) {
    int rc = DUN_OK;
    const char *from = lines->chunk + lines->at, *newline = memchr(from, '\n', lines->end - lines->at);
    size_t n = newline ? (size_t)(newline - from) : lines->end - lines->at;
    if (n > DUN_LINES_BYTES - lines->length)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: the line is longer than %d bytes; a shorter one is needed",
                      lines->name, lines->number + 1, DUN_LINES_BYTES));
    while (lines->capacity <= lines->length + n)
        TRY_GROW(lines->raw, lines->capacity, lines->capacity);
    memcpy(lines->raw + lines->length, from, n);
    lines->length += n;
    lines->at += n + (newline ? 1 : 0);
    lines->started = lines->started || n > 0 || newline;
    lines->whole = newline != NULL;
    rc = lines->whole;
out:
    return rc;
}

int dun_lines_ready(dun_lines *lines) {
    int rc = DUN_OK;
    struct pollfd waiting = {.fd = lines->fd, .events = POLLIN};
    while (!lines->whole && !lines->at_end) {
        if (lines->at == lines->end) {
            if (poll(&waiting, 1, 0) == 0)
                goto out;
            TRY(refill(lines));
        }
        TRY(take(lines));
    }
    rc = 1;
out:
    return rc;
}

/* 1, 0 at the end, or a status. */
static int read_line(dun_lines *lines) {
    int rc = DUN_OK;
    while (!lines->whole && !lines->at_end) {
        if (lines->at == lines->end)
            TRY(refill(lines));
        TRY(take(lines));
    }
    rc = lines->started;
    if (rc == 0)
        goto out;
    lines->number++;
    lines->n = lines->length;
    if (lines->whole && lines->n > 0 && lines->raw[lines->n - 1] == '\r')
        lines->n--;
    lines->raw[lines->n] = '\0';
    lines->length = 0;
    lines->started = lines->whole = false;
out:
    return rc;
}

/* Gives the bytes as UTF-8 without NUL; they stay where they are if they already are that. */
static int repair(const char **text, size_t *length, dun_lines *lines, char *bytes, size_t n) {
    int rc = DUN_OK;
    bytes[n] = '\0';
    *text = bytes;
    *length = n;
    if (!memchr(bytes, '\0', n) && dun_utf8_valid(bytes, n) == n)
        goto out;
    lines->n_repaired++;
    dun_str_clear(&lines->repaired);
    for (size_t at = 0; at < n; at++) {
        size_t part = strnlen(bytes + at, n - at);
        TRY(dun_utf8_repair(&lines->repaired, bytes + at, part));
        at += part;
        if (at < n)
            TRY(dun_str_add(&lines->repaired, "\xef\xbf\xbd", 3));
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
    char *bytes = lines->raw + skipped;
    size_t n = lines->n - skipped;
    const char *tab = lines->mode == DUN_LINES_TSV ? memchr(bytes, '\t', n) : NULL;
    TRY(repair(text, length, lines, bytes, tab ? (size_t)(tab - bytes) : n));
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

int dun_lines_fd(const dun_lines *lines) {
    return lines->fd;
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
