/* Texts that are asked about, one answer each, in order: the records of a file whose ending says that it has
 * some, else lines as they come (io/data/lines.h). */
#ifndef DUN_ASKED_H
#define DUN_ASKED_H

#include "io/data/lines.h"

typedef struct {
    const char *input;  /* "lines", "tsv", "jsonl": what lines are; NULL: by the ending */
    const char *column; /* of the texts, a name, a number or a key; NULL or "": the usual one */
    const char *usual;  /* that of the texts of training (data.text_column), or "" */
    bool usual_header;  /* they had a header (data.header) */
} dun_asked_options;

typedef struct dun_asked dun_asked;

/* `path` "-" is stdin. Every record gets an answer whatever it holds: of one without a text, too short, or no
 * JSON, the text is empty. The column is `column`, else the usual one where the file has it, else the one
 * that looks like texts, and this is said. DUN_USAGE: the file has no such column, with those it has.
 * DUN_BAD_INPUT: what is no text at all. */
int dun_asked_open(dun_asked **out, const char *path, const dun_asked_options *options);

/* As of lines: 1 with the next text, zero-terminated UTF-8, valid until the next call; 0 at the end; or a
 * status. */
int dun_asked_next(const char **text, size_t *length, dun_asked *a);

int dun_asked_ready(dun_asked *a); /* 1: dun_asked_next does not wait; 0: it would, for */
int dun_asked_fd(const dun_asked *a);

/* Warns of what was put for what is no text, and of records without one. */
int dun_asked_tell(const dun_asked *a);
void dun_asked_close(dun_asked *a);

#endif
