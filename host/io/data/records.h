/* Records of a text file, whatever its form: the one reader of labelled texts, for judging, training and
 * measuring.
 *
 * A dialect says how a file is cut: found from the name's ending and all of the content, or by the word that
 * a config gives. Records come one by one with their line and their place in the text; what a cell means
 * (which is the text, which the label) is the affair of who asks. */
#ifndef DUN_RECORDS_H
#define DUN_RECORDS_H

#include "io/data/text_file.h"

#include <stdbool.h>
#include <stddef.h>

/* Caps: columns of a record, keys of all objects of a file; bytes of a column's title. */
enum { DUN_RECORD_COLUMNS = 4096, DUN_TITLE_BYTES = 4096 };

enum dun_format {
    DUN_TSV,      /* tabs; quoted where the file shows it */
    DUN_CSV,      /* commas, semicolons or bars, quoted (RFC 4180) */
    DUN_JSONL,    /* an object a line */
    DUN_JSON,     /* an array of objects, or objects over several lines */
    DUN_FASTTEXT, /* __label__NAME, then the text: column 0 is the text, 1 the label */
    DUN_PLAIN,    /* a line is a text: one column */
    DUN_N_FORMATS
};

typedef struct {
    enum dun_format format;
    char delimiter;   /* of TSV and CSV; 0: a record has one column */
    bool quotes;      /* a quote opens a field */
    char line_end;    /* '\n', with or without '\r' before it, or '\r' alone */
    size_t begin;     /* bytes before the first record: a line "sep=;" */
    size_t n_columns; /* that most records have; 0 for JSON, whose keys are met while reading */
} dun_dialect;

enum dun_cell_kind {
    DUN_CELL_ABSENT, /* the record is too short, the object has no such key */
    DUN_CELL_NULL,   /* JSON's null */
    DUN_CELL_TEXT,
    DUN_CELL_NUMBER, /* of JSON; as text, whole ones without ".0" */
    DUN_CELL_BOOL,   /* of JSON; "true" or "false" */
    DUN_CELL_LIST,   /* a JSON array of other than one plain value, as JSON text; [x] is x */
    DUN_CELL_OBJECT  /* as JSON text */
};

typedef struct {
    const char *bytes; /* [length], unquoted; not zero-terminated */
    size_t length;
    enum dun_cell_kind kind;
} dun_cell;

bool dun_cell_is_text(const dun_cell *cell);       /* a text, a number, true or false: one value as text */
bool dun_cell_holds_records(const dun_cell *cell); /* of JSON: a list of objects */

/* Valid until the next one is read. */
typedef struct {
    size_t line, last_line; /* where it begins and ends, from 1 */
    size_t at, end;         /* bytes [at, end) of the text, line end included */
    const dun_cell *cells;  /* [n]: the columns in order; JSON: by dun_records_title */
    size_t n;
} dun_record;

bool dun_record_is_empty(const dun_record *record); /* nothing but blanks in any cell */

typedef struct dun_records dun_records;

/* The dialect of a text. `format` is a word of data.format, or NULL or "auto": by the name's ending (".gz"
 * looked through) and the content. Delimiters are judged by all records: one is taken when the first record
 * has it and 95 of 100 records have as many columns. DUN_BAD_INPUT: nothing fits; DUN_USAGE: no such word. */
int dun_dialect_find(dun_dialect *out, const dun_text_file *text, const char *format);

/* The word for a format, as in data.format. */
const char *dun_format_name(enum dun_format format);
/* ' ' for what has no delimiter; else the delimiter in words: "tabs", "semicolons". */
const char *dun_delimiter_name(char delimiter);
/* Does the name's ending (".gz" looked through) stand for a form with records? */
bool dun_format_by_ending(enum dun_format *out, const char *name);

/* Reads `text`, which stays where it is. */
int dun_records_open(dun_records **out, const dun_text_file *text, const dun_dialect *dialect);

/* 1 with a record, 0 at the end, or a status. Blank lines are passed over and counted. DUN_BAD_INPUT
 * `name:line: what; what would be right`: a quote that is never closed, text behind a closing quote, what is
 * no JSON, over a cap. A record that is too short or too long is none: compare n with the dialect's
 * n_columns. Of a mild text (io/data/text_file.h) a record is handed out all the same: a line with wrong
 * quotes is cut as if they were none, what is no JSON has no values; only an array that is not closed, or
 * that something follows, is refused. */
int dun_records_next(dun_record *record, dun_records *records);

/* Takes the first record as the columns' titles, without blanks around them (TSV and CSV; else nothing is
 * done), behind empty records, which are counted. One title less than columns: the first has none, unless all
 * rows end with a delimiter. Before the first dun_records_next. */
int dun_records_read_header(dun_records *records);

/* The title of a column: a name from the header, a JSON key; NULL without one. */
const char *dun_records_title(const dun_records *records, size_t column);

/* The error for a JSON object, alone in its file, that has the records in a list. */
int dun_records_refuse_wrapped(const char *name, const char *key);

size_t dun_records_blank(const dun_records *records);  /* blank lines so far, and */
size_t dun_records_empty(const dun_records *records);  /* empty records before the header */
size_t dun_records_mended(const dun_records *records); /* of a mild text: records with wrong quotes so far */
size_t dun_records_line(const dun_records *records);   /* the line that is read next */
void dun_records_close(dun_records *records);

#endif
