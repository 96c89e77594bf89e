/* Gathers cells, measures columns in characters, and prints them aligned. */
#include "base/table.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CELL_BYTES = 512 };

void dun_table_init(dun_table *table, const char *columns) {
    *table = (dun_table){.columns = columns};
}

void dun_table_free(dun_table *table) {
    for (size_t i = 0; i < table->n_cells; i++)
        dun_free(table->cells[i]);
    dun_free(table->cells);
    *table = (dun_table){0};
}

int dun_table_add(dun_table *table, const char *format, ...) {
    int rc = DUN_OK;
    char cell[CELL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    for (char *c = cell; *c; c++) /* names come from files: none may command a terminal */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    TRY_GROW(table->cells, table->capacity, table->n_cells);
    TRY_PTR(table->cells[table->n_cells], dun_strdup(cell));
    table->n_cells++;
out:
    return rc;
}

int dun_table_add_all(dun_table *table, const char *const *texts, size_t n) {
    int rc = DUN_OK;
    for (size_t i = 0; i < n; i++)
        TRY(dun_table_add(table, "%s", texts[i]));
out:
    return rc;
}

int dun_table_add_bytes(dun_table *table, uint64_t bytes) {
    const double kib = (double)bytes / 1024, mib = kib / 1024, gib = mib / 1024;
    return gib >= 1   ? dun_table_add(table, "%.1f GiB", gib)
           : mib >= 1 ? dun_table_add(table, "%.0f MiB", mib)
                      : dun_table_add(table, "%.0f KiB", kib);
}

size_t dun_text_columns(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

int dun_table_print(dun_str *out, const dun_table *table) {
    int rc = DUN_OK;
    const size_t n_columns = strlen(table->columns);
    size_t *widths = NULL;
    TRY_NEW(widths, n_columns);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t width = dun_text_columns(table->cells[i]);
        if (width > widths[i % n_columns])
            widths[i % n_columns] = width;
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % n_columns;
        int padding = (int)(widths[column] - dun_text_columns(table->cells[i]));
        if (table->columns[column] == 'r')
            TRY(dun_str_addf(out, "%*s%s", padding, "", table->cells[i]));
        else
            TRY(dun_str_addf(out, "%s%*s", table->cells[i], padding, ""));
        if (column + 1 < n_columns) {
            TRY(dun_str_add(out, "  ", 2));
            continue;
        }
        while (out->length && out->bytes[out->length - 1] == ' ')
            out->bytes[--out->length] = '\0';
        TRY(dun_str_add(out, "\n", 1));
    }
out:
    dun_free(widths);
    return rc;
}
