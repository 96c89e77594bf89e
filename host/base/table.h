/* A table of text in aligned columns. */
#ifndef DUN_TABLE_H
#define DUN_TABLE_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *columns; /* one letter a column: l or r, to which side it is aligned */
    char **cells;        /* row by row */
    size_t n_cells, capacity;
} dun_table;

/* `columns` stays borrowed: "llr". */
void dun_table_init(dun_table *table, const char *columns);
void dun_table_free(dun_table *table);

/* Adds the next cell, control characters as '?'; the row is full after as many cells as there are columns. */
int dun_table_add(dun_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Cells with these texts, as a head has them. */
int dun_table_add_all(dun_table *table, const char *const *texts, size_t n);

/* A cell with a size: "7.8 GiB", "94 MiB", "12 KiB". */
int dun_table_add_bytes(dun_table *table, uint64_t bytes);

/* Appends the rows, two spaces between columns, none at the ends of lines: a row of empty cells is an empty
 * line. */
int dun_table_print(dun_str *out, const dun_table *table);

/* Columns that UTF-8 takes on a screen, one for every code point. */
size_t dun_text_columns(const char *text);

#endif
