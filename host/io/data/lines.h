/* Texts one by one from a file, stdin or memory, for commands that answer each as it comes: any length up to
 * a cap, any bytes. Lines, the first column of tab-separated ones, or JSON lines, where a text may hold
 * newlines.
 *
 * Encodings, gzip and byte order marks are those of io/data/text_file.h, JSON lines and cells those of
 * io/data/records.h. Lines end with LF or CRLF, or with CR alone where the first 32 KiB hold no LF. */
#ifndef DUN_LINES_H
#define DUN_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { DUN_LINES_BYTES = 64 << 20 }; /* cap of a line */

enum dun_lines_mode { DUN_LINES_PLAIN, DUN_LINES_TSV, DUN_LINES_JSONL };

typedef struct {
    enum dun_lines_mode mode;
    const char *key; /* of JSON lines, borrowed; NULL: "text" */
    bool mild;       /* from the first object with a text on, one without is an empty text */
} dun_lines_options;

typedef struct dun_lines dun_lines;

/* `path` "-" is stdin; a FIFO or a terminal is fine. DUN_BAD_INPUT with the errno text. */
int dun_lines_open(dun_lines **out, const char *path, const dun_lines_options *options);
/* From bytes that stay where they are, not packed. */
int dun_lines_of(dun_lines **out, const void *bytes, size_t length, const char *name,
                 const dun_lines_options *options);

/* The next text, valid until the next call: 1 with a text, 0 at the end, or a negative status. The text is
 * UTF-8 without NUL and ends with one: what is not UTF-8, and NUL, became U+FFFD. It has no line end in plain
 * mode and as TSV, where every line is a text, an empty one too; blank lines among JSON lines are passed
 * over. A byte order mark at the start is skipped. DUN_BAD_INPUT with name:line: a line over the cap, JSON
 * without a text (\u0000 in it is refused too); what cannot be read; what is no text by its first bytes. */
int dun_lines_next(const char **text, size_t *length, dun_lines *lines);

/* 1: the next line, or the end, is there without waiting for whoever writes; 0: it is not yet. Lets a reader
 * answer what it has before it waits. */
int dun_lines_ready(dun_lines *lines);

int dun_lines_fd(const dun_lines *lines); /* to wait for what is not there yet */

size_t dun_lines_number(const dun_lines *lines);    /* line of the last text, from 1 */
size_t dun_lines_repaired(const dun_lines *lines);  /* texts so far in which U+FFFD was put */
size_t dun_lines_textless(const dun_lines *lines);  /* those that were empty for want of one (mild) */
const char *dun_lines_name(const dun_lines *lines); /* the path, or "stdin" */

void dun_lines_close(dun_lines *lines);

#endif
