/* Records of JSON: an object a line, or objects one after another, in an array or not. Keys are columns. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/records_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The column of a key; `likely` is tried first, as objects tend to have their keys in one order. */
static int find_column(size_t *column, dun_records *r, const char *key, size_t likely) {
    int rc = DUN_OK;
    char *copy = NULL;
    if (likely < r->n_columns && strcmp(r->columns[likely].key, key) == 0) {
        *column = likely;
        goto out;
    }
    for (*column = 0; *column < r->n_columns; ++*column)
        if (strcmp(r->columns[*column].key, key) == 0)
            goto out;
    if (r->n_columns == DUN_RECORD_COLUMNS)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: more than %d different keys; fewer are needed", r->text->name,
                      r->cut.line, DUN_RECORD_COLUMNS));
    TRY_GROW(r->columns, r->capacity, r->n_columns);
    TRY_PTR(copy, dun_strdup(key));
    r->columns[r->n_columns++] = (dun_json_column){copy, NULL};
out:
    return rc;
}

void dun_json_columns_free(dun_records *r) {
    for (size_t i = 0; i < r->n_columns; i++)
        dun_free(r->columns[i].key);
    dun_free(r->columns);
    json_decref(r->object);
    dun_str_free(&r->written);
}

/* A number as people write it: 1.0 is 1, 0.1 is 0.1. */
static int write_real(dun_str *out, double value) {
    char text[40];
    if (value == floor(value) && fabs(value) < 1e15)
        return dun_str_addf(out, "%.0f", value + 0.0);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return dun_str_addf(out, "%s", text);
}

/* What stands for the value: of a list of one plain value, that. */
static const json_t *plain_value(const json_t *value) {
    const json_t *only = json_array_size(value) == 1 ? json_array_get(value, 0) : NULL;
    return only && !json_is_array(only) && !json_is_object(only) ? only : value;
}

/* Fills a cell but for the place of what is written out. */
static int fill_cell(dun_cell *cell, dun_records *r, const json_t *value) {
    int rc = DUN_OK;
    const size_t before = r->written.length;
    *cell = (dun_cell){"", 0, DUN_CELL_ABSENT};
    value = plain_value(value);
    if (!value)
        goto out;
    if (json_is_string(value)) {
        *cell = (dun_cell){json_string_value(value), json_string_length(value), DUN_CELL_TEXT};
        goto out;
    }
    if (json_is_integer(value)) {
        cell->kind = DUN_CELL_NUMBER;
        TRY(dun_str_addf(&r->written, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
    } else if (json_is_real(value)) {
        cell->kind = DUN_CELL_NUMBER;
        TRY(write_real(&r->written, json_real_value(value)));
    } else if (json_is_boolean(value)) {
        cell->kind = DUN_CELL_BOOL;
        TRY(dun_str_addf(&r->written, "%s", json_is_true(value) ? "true" : "false"));
    } else if (json_is_null(value)) {
        cell->kind = DUN_CELL_NULL;
    } else {
        cell->kind = json_is_array(value) ? DUN_CELL_LIST : DUN_CELL_OBJECT;
        TRY(dun_json_dump(&r->written, value));
    }
    cell->length = r->written.length - before;
out:
    return rc;
}

static int fill_cells(dun_records *r) {
    int rc = DUN_OK;
    size_t used = 0;
    r->cut.n = 0;
    dun_str_clear(&r->written);
    for (size_t i = 0; i < r->n_columns; i++) {
        TRY_GROW(r->cut.cells, r->cut.capacity, r->cut.n);
        TRY(fill_cell(&r->cut.cells[r->cut.n++], r, r->columns[i].value));
        r->columns[i].value = NULL;
    }
    for (size_t i = 0; i < r->n_columns; i++) {
        dun_cell *cell = &r->cut.cells[i];
        if (cell->kind == DUN_CELL_TEXT || cell->length == 0)
            continue;
        cell->bytes = r->written.bytes + used;
        used += cell->length;
    }
out:
    return rc;
}

/* One object; `line` is where it begins. In a mild text, what is none has no values. */
static int read_object(dun_records *r, const char *bytes, size_t length, size_t line) {
    int rc;
    const char *key;
    json_t *value;
    size_t likely = 0, column;
    json_decref(r->object);
    r->object = NULL;
    rc = dun_json_parse_foreign(&r->object, bytes, length, r->text->name, line);
    TRY(rc == DUN_BAD_INPUT && r->text->mild ? DUN_OK : rc);
    if (!json_is_object(r->object) && !r->text->mild)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: an array; an object with a text and its label is needed",
                      r->text->name, line));
    json_object_foreach(r->object, key, value) {
        rc = find_column(&column, r, key, likely);
        if (rc == DUN_BAD_INPUT && r->text->mild)
            continue;
        TRY(rc);
        r->columns[column].value = value;
        likely = column + 1;
    }
    TRY(fill_cells(r));
    rc = 1;
out:
    return rc;
}

int dun_json_line_next(dun_records *r) {
    int rc;
    const char *next, *stop = dun_cutter_line(&r->cut, &next);
    TRY(read_object(r, r->cut.at, (size_t)(stop - r->cut.at), r->cut.line));
    r->cut.line += next[-1] == r->cut.line_end;
    r->cut.at = next;
out:
    return rc;
}

const char *dun_json_span(const char *at, const char *end) {
    size_t depth = 0;
    for (bool string = false; at < end; at++) {
        if (string) {
            if (*at == '\\')
                at++; /* what is escaped ends no string */
            else
                string = *at != '"';
            continue;
        }
        string = *at == '"';
        depth += *at == '{' || *at == '[';
        const bool closes = *at == '}' || *at == ']';
        if (depth == 0 && (closes || *at == ','))
            return at;
        depth -= closes;
        if (closes && depth == 0)
            return at + 1;
    }
    return end;
}

/* Passes over blanks, and what separates values. */
static void skip_between(dun_cutter *cut) {
    for (; cut->at < cut->end && strchr(" \t\r\n,", *cut->at); cut->at++)
        cut->line += *cut->at == cut->line_end;
}

int dun_json_begin(dun_records *r) {
    int rc = DUN_OK;
    dun_cutter *cut = &r->cut;
    skip_between(cut);
    if (cut->at < cut->end && *cut->at == '[' && !r->in_array) {
        r->in_array = true;
        cut->at++;
        skip_between(cut);
    }
    if (cut->at < cut->end && *cut->at == ']' && r->in_array) {
        r->in_array = false;
        cut->at++;
        skip_between(cut);
        if (cut->at < cut->end)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s:%zu: something follows the array; one array of objects is needed",
                          r->text->name, cut->line));
    }
    if (cut->at == cut->end && r->in_array)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: the array is never closed; is the file cut short?",
                      r->text->name, cut->line));
    rc = cut->at < cut->end;
out:
    return rc;
}

int dun_json_span_next(dun_records *r) {
    int rc;
    dun_cutter *cut = &r->cut;
    const char *start = cut->at, *stop = dun_json_span(start, cut->end);
    stop += stop == start; /* a bracket that closes nothing */
    TRY(read_object(r, start, (size_t)(stop - start), cut->line));
    for (const char *c = start; c < stop; c++)
        cut->line += *c == cut->line_end;
    cut->at = stop;
out:
    return rc;
}
