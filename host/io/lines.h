/* Texts one by one from a file or stdin, for commands that answer each as it comes: any length up to a cap,
 * any bytes. Lines, the first column of tab-separated ones, or JSON lines {"text": ...}, where a text may
 * hold newlines. */
#ifndef DUN_LINES_H
#define DUN_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { DUN_LINES_BYTES = 64 << 20 }; /* cap of a line */

enum dun_lines_mode { DUN_LINES_PLAIN, DUN_LINES_TSV, DUN_LINES_JSONL };

typedef struct dun_lines dun_lines;

/* `path` "-" is stdin; a FIFO or a terminal is fine. DUN_BAD_INPUT with the errno text. */
int dun_lines_open(dun_lines **out, const char *path, enum dun_lines_mode mode);

/* The next text, valid until the next call: 1 with a text, 0 at the end, or a negative status. The text is
 * UTF-8 without NUL and ends with one: what is not UTF-8, and NUL, became U+FFFD. It has no
 * newline (LF or CRLF) in plain mode and as TSV, where every line is a text, an empty one too; JSON lines may
 * not be blank, except at the end. A byte order mark at the start is skipped. DUN_BAD_INPUT with name:line: a
 * line over the cap, JSON without a string "text" (\u0000 in it is refused too), an unreadable file. */
int dun_lines_next(const char **text, size_t *length, dun_lines *lines);

/* 1: the next line, or the end, is there without waiting for whoever writes; 0: it is not yet. Lets a reader
 * answer what it has before it waits. */
int dun_lines_ready(dun_lines *lines);

int dun_lines_fd(const dun_lines *lines); /* to wait for what is not there yet */

size_t dun_lines_number(const dun_lines *lines);    /* line of the last text, from 1 */
size_t dun_lines_repaired(const dun_lines *lines);  /* texts so far in which U+FFFD was put */
const char *dun_lines_name(const dun_lines *lines); /* the path, or "stdin" */

void dun_lines_close(dun_lines *lines);

#endif
