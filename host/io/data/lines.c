/* Lines out of a feed, and texts out of lines. See lines.h. */
#include "io/data/lines.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/data/encoding.h"
#include "io/data/feed.h"
#include "io/data/records_inside.h"

#include <string.h>

enum { DECIDE_BYTES = 1 << 15 }; /* so many without a line feed: a return ends lines */

struct dun_lines {
    dun_feed *feed;
    dun_lines_options options;
    dun_str front;    /* of the text, until what ends a line is known */
    size_t scanned;   /* of it, without a line feed */
    char line_end;    /* '\n', '\r', or 0: not known yet */
    const char *part; /* of the text, [n_part], not taken yet */
    size_t n_part;
    bool at_end; /* of the text */
    size_t number, n_repaired, n_textless;
    dun_str line;         /* what is there of it */
    bool started, whole;  /* a line that is being read: it has begun, its end was met */
    dun_str text;         /* a text that does not lie in the line as it is */
    dun_text_file view;   /* of JSON lines: the line as a text of its own, */
    dun_records *records; /* and its reader */
};

static int open_records(dun_lines *lines) {
    int rc;
    const dun_dialect dialect = {.format = DUN_JSONL, .line_end = '\n'};
    lines->view.bytes = "";
    TRY_PTR(lines->view.name, dun_strdup(dun_feed_name(lines->feed)));
    TRY(dun_records_open(&lines->records, &lines->view, &dialect));
out:
    return rc;
}

static int create(dun_lines **out, dun_feed *feed, const dun_lines_options *options) {
    int rc = DUN_OK;
    dun_lines *lines = NULL;
    TRY_NEW(lines, 1);
    lines->feed = feed;
    feed = NULL;
    lines->options = *options;
    lines->part = "";
    TRY(dun_str_add(&lines->line, "", 0));
    if (options->mode == DUN_LINES_JSONL)
        TRY(open_records(lines));
    *out = lines;
    lines = NULL;
out:
    dun_lines_close(lines);
    dun_feed_close(feed);
    return rc;
}

int dun_lines_open(dun_lines **out, const char *path, const dun_lines_options *options) {
    int rc;
    dun_feed *feed;
    *out = NULL;
    TRY(dun_feed_open(&feed, path));
    TRY(create(out, feed, options));
out:
    return rc;
}

int dun_lines_of(dun_lines **out, const void *bytes, size_t length, const char *name,
                 const dun_lines_options *options) {
    int rc;
    dun_feed *feed;
    *out = NULL;
    TRY(dun_feed_of(&feed, bytes, length, name));
    TRY(create(out, feed, options));
out:
    return rc;
}

void dun_lines_close(dun_lines *lines) {
    if (!lines)
        return;
    dun_records_close(lines->records);
    dun_text_file_close(&lines->view);
    dun_feed_close(lines->feed);
    dun_str_free(&lines->front);
    dun_str_free(&lines->line);
    dun_str_free(&lines->text);
    dun_free(lines);
}

/* The first line feed tells, wherever it comes; without one the text's end does, or much text with a return.
 */
static void decide(dun_lines *lines) {
    const char *front = lines->front.bytes ? lines->front.bytes : "", *end = front + lines->front.length;
    const char *found = memchr(front + lines->scanned, '\n', lines->front.length - lines->scanned);
    const bool much = lines->front.length >= DECIDE_BYTES;
    lines->scanned = lines->front.length;
    if (found || lines->front.length > DUN_LINES_BYTES)
        lines->line_end = '\n';
    else if (lines->at_end || (much && memchr(front, '\r', lines->front.length - 1)))
        lines->line_end = memchr(front, '\r', lines->front.length) ? '\r' : '\n';
    lines->part = lines->line_end ? front : end;
    lines->n_part = lines->line_end ? lines->front.length : 0;
}

/* The next part of the text, waiting for it where it has to. */
static int refill(dun_lines *lines) {
    int rc;
    TRY(dun_feed_next(&lines->part, &lines->n_part, lines->feed));
    lines->at_end = rc == 0;
    rc = DUN_OK;
    if (lines->line_end)
        goto out;
    TRY(dun_str_add(&lines->front, lines->part, lines->n_part));
    decide(lines);
out:
    return rc;
}

/* Moves bytes from the part to the line, up to and with its end. */
static int take(dun_lines *lines) {
    int rc = DUN_OK;
    const char *from = lines->part, *stop = memchr(from, lines->line_end, lines->n_part);
    const size_t n = stop ? (size_t)(stop - from) : lines->n_part;
    if (n > DUN_LINES_BYTES - lines->line.length)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: the line is longer than %d bytes; a shorter one is needed",
                      dun_feed_name(lines->feed), lines->number + 1, DUN_LINES_BYTES));
    TRY(dun_str_add(&lines->line, from, n));
    lines->part += n + (stop != NULL);
    lines->n_part -= n + (stop != NULL);
    lines->started = lines->started || n > 0 || stop;
    lines->whole = stop != NULL;
out:
    return rc;
}

/* Goes on until a line is whole or the text ends, but does not wait for more unless it is to. 1, or 0: more
 * is needed. */
static int fill_line(dun_lines *lines, bool wait) {
    int rc = DUN_OK;
    while (!lines->whole && !(lines->at_end && lines->n_part == 0)) {
        if (lines->n_part == 0) {
            if (!wait && dun_feed_waits(lines->feed))
                goto out;
            TRY(refill(lines));
        }
        if (lines->n_part > 0)
            TRY(take(lines));
    }
    rc = 1;
out:
    return rc;
}

int dun_lines_ready(dun_lines *lines) {
    return fill_line(lines, false);
}

/* The line, without its end, in a buffer that the next one overwrites: 1, 0 at the end, or a status. */
static int next_line(char **bytes, size_t *n, dun_lines *lines) {
    int rc;
    TRY(fill_line(lines, true));
    rc = lines->started;
    if (rc == 0)
        goto out;
    lines->number++;
    *bytes = lines->line.bytes;
    *n = lines->line.length;
    if (lines->whole && lines->line_end == '\n' && *n > 0 && (*bytes)[*n - 1] == '\r')
        --*n;
    (*bytes)[*n] = '\0';
    lines->line.length = 0; /* its bytes stay */
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
    if (dun_text_valid(bytes, n) == n)
        goto out;
    lines->n_repaired++;
    dun_str_clear(&lines->text);
    TRY(dun_text_repair(&lines->text, bytes, n));
    *text = lines->text.bytes;
    *length = lines->text.length;
out:
    return rc;
}

static int next_plain(const char **text, size_t *length, dun_lines *lines) {
    int rc;
    char *bytes;
    size_t n;
    TRY(next_line(&bytes, &n, lines));
    if (rc == 0)
        goto out;
    const char *tab = lines->options.mode == DUN_LINES_TSV ? memchr(bytes, '\t', n) : NULL;
    TRY(repair(text, length, lines, bytes, tab ? (size_t)(tab - bytes) : n));
    rc = 1;
out:
    return rc;
}

/* The object of a line; 0: the line is blank. */
static int read_object(dun_record *record, dun_lines *lines, const char *bytes, size_t n) {
    dun_cutter *cut = &lines->records->cut;
    lines->view.bytes = cut->at = bytes;
    lines->view.length = n;
    cut->end = bytes + n;
    cut->line = lines->number;
    return dun_records_next(record, lines->records);
}

static const dun_cell *find_text(const dun_lines *lines, const dun_record *record, const char *key) {
    for (size_t i = 0; i < record->n; i++) {
        const dun_cell *cell = &record->cells[i];
        if (strcmp(dun_records_title(lines->records, i), key) == 0)
            return dun_cell_is_text(cell) ? cell : NULL;
    }
    return NULL;
}

static int next_json(const char **text, size_t *length, dun_lines *lines) {
    int rc;
    dun_record record;
    char *bytes;
    size_t n;
    const char *key = lines->options.key ? lines->options.key : "text", *line;
    do {
        TRY(next_line(&bytes, &n, lines));
        if (rc == 0)
            goto out;
        TRY(repair(&line, &n, lines, bytes, n));
        TRY(read_object(&record, lines, line, n));
    } while (rc == 0);
    const dun_cell *cell = find_text(lines, &record, key);
    if (!cell && !lines->view.mild)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: no text at the key \"%s\"; {\"%s\": \"...\"} is needed",
                      dun_feed_name(lines->feed), lines->number, key, key));
    lines->view.mild = lines->options.mild;
    lines->n_textless += !cell;
    dun_str_clear(&lines->text);
    TRY(dun_str_add(&lines->text, cell ? cell->bytes : "", cell ? cell->length : 0));
    *text = lines->text.bytes;
    *length = lines->text.length;
    rc = 1;
out:
    return rc;
}

int dun_lines_next(const char **text, size_t *length, dun_lines *lines) {
    *text = "";
    *length = 0;
    return lines->options.mode == DUN_LINES_JSONL ? next_json(text, length, lines)
                                                  : next_plain(text, length, lines);
}

int dun_lines_fd(const dun_lines *lines) {
    return dun_feed_fd(lines->feed);
}

size_t dun_lines_number(const dun_lines *lines) {
    return lines->number;
}

size_t dun_lines_repaired(const dun_lines *lines) {
    return lines->n_repaired;
}

size_t dun_lines_textless(const dun_lines *lines) {
    return lines->n_textless;
}

const char *dun_lines_name(const dun_lines *lines) {
    return dun_feed_name(lines->feed);
}
