/* What the columns of a file hold, counted over all of its records. */
#ifndef DUN_COLUMN_STATS_H
#define DUN_COLUMN_STATS_H

#include "io/data/records.h"

enum { DUN_COLUMN_VALUES = 4096, DUN_COLUMN_SAMPLES = 3 };

/* A value's hash and how often it came. */
typedef struct {
    uint64_t hash;
    uint32_t n;
} dun_column_value;

typedef struct {
    char *title;     /* the first record's cell, "" where it has none; the JSON key; NULL in other forms */
    size_t n_filled; /* cells that hold something, without the first record's (JSON: with it) */
    size_t n_again;  /* of them, equal to the first record's */
    size_t n_numbers, n_spaced; /* of them: numbers; with a blank inside */
    size_t n_texts;             /* cells that are a text, number, true or false, empty ones too */
    size_t n_lists, n_objects;  /* of JSON */
    bool holds_records;         /* a list of objects is among them */
    double mean_bytes;
    bool many; /* more different values than a label could have; those below are then not counted */
    size_t n_values, n_once;           /* different ones; those met once */
    char *samples[DUN_COLUMN_SAMPLES]; /* the first different ones, cut to about 60 bytes */
    dun_column_value *table;           /* [n_table], open addressing */
    size_t n_table;
} dun_column;

typedef struct {
    dun_column *columns; /* [n] */
    size_t n, capacity;
    size_t n_rows;   /* without the first one, but in JSON */
    size_t n_uneven; /* records that were left out, of another number of columns than the rest */
    size_t n_empty,
        n_before; /* TSV and CSV: rows of empty fields, which are none of these; those before the first */
    size_t n_blank, n_lines; /* blank lines; the line behind the last */
} dun_columns;

/* Reads all of the text; records of another number of columns than the rest are left out. */
int dun_columns_measure(dun_columns *out, const dun_text_file *text, const dun_dialect *dialect);
/* TSV and CSV: counts the first record as well, which is no header. */
int dun_columns_count_first(dun_columns *columns);
void dun_columns_free(dun_columns *columns);

/* A number as a cell may hold it. */
bool dun_column_is_number(const char *bytes, size_t length);

#endif
