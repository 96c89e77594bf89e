/* What the forms of records share: records.c, delimited.c, records_json.c, records_lines.c, dialect.c; and
 * lines.c. */
#ifndef DUN_RECORDS_INSIDE_H
#define DUN_RECORDS_INSIDE_H

#include "base/str.h"
#include "io/data/records.h"

#include <jansson.h>

/* Why a record of delimited fields could not be cut. */
enum dun_cut { DUN_CUT_WHOLE, DUN_CUT_OPEN_QUOTE, DUN_CUT_AFTER_QUOTE, DUN_CUT_TOO_MANY, DUN_CUT_NO_MEMORY };

/* Cuts delimited records; the cells point into the text, quotes inside still doubled. */
typedef struct {
    const char *at, *end;
    size_t line; /* the one that `at` is in */
    char delimiter, line_end;
    bool quotes;
    dun_cell *cells; /* [n]; kind is DUN_CELL_NULL where quotes are doubled, until dun_cutter_unquote */
    size_t n, capacity;
    dun_str unquoted;
    size_t n_mended;   /* records so far that only dun_cutter_next_mild could cut */
    const char *fault; /* where the quote opened, or what follows the closing one */
    size_t fault_line;
} dun_cutter;

/* A column of JSON: its key, and its value in the object at hand. */
typedef struct {
    char *key;
    const json_t *value;
} dun_json_column;

struct dun_records {
    const dun_text_file *text;
    dun_dialect dialect;
    dun_cutter cut; /* of all forms: at, end, line, cells; the rest of delimited ones */
    size_t n_blank, n_empty;
    char **titles; /* [n_titles] of a header, zero-terminated */
    size_t n_titles;
    dun_json_column *columns; /* [n_columns] */
    size_t n_columns, capacity;
    json_t *object;  /* owns the strings of the cells */
    dun_str written; /* numbers and lists of the cells as text */
    bool in_array;   /* of JSON: its bracket was read */
};

/* Passes over blank lines, which are counted. False at the end of the text. */
bool dun_cutter_skip_blank(dun_cutter *cut, size_t *n_blank);
/* The end of the line that `at` is in, without its line end; *next is behind it. */
const char *dun_cutter_line(const dun_cutter *cut, const char **next);
enum dun_cut dun_cutter_next(dun_cutter *cut);
/* The same without a fault, but for memory: a line in which quotes are wrong is cut as if they were none, and
 * of too many columns the first are taken. */
enum dun_cut dun_cutter_next_mild(dun_cutter *cut);
/* Puts the cells with doubled quotes elsewhere, single ones in them. */
int dun_cutter_unquote(dun_cutter *cut);
void dun_cutter_free(dun_cutter *cut);

/* JSON that is not in lines: passes over what separates objects, the brackets of the array too. 1: an object
 * begins, 0: none is left, or a status. */
int dun_json_begin(dun_records *r);

/* The record of a form that begins at r->cut: fills r->cut.cells and moves r->cut on. 1 or a status. */
int dun_delimited_next(dun_records *r);
int dun_json_line_next(dun_records *r);
int dun_json_span_next(dun_records *r);
int dun_fasttext_next(dun_records *r);
int dun_plain_next(dun_records *r);

void dun_json_columns_free(dun_records *r);

/* Behind the JSON value (object, array, or anything else up to a comma or bracket) at `at`; `end` when it is
 * never closed. */
const char *dun_json_span(const char *at, const char *end);

#endif
