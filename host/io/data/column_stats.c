/* One pass over the records, a small table of values for each column that could still be a label. */
#include "io/data/column_stats.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* A column with so many different values, and more than half of its cells different, is given up. */
enum { SURE_VALUES = 200 };

bool dun_column_is_number(const char *bytes, size_t length) {
    char text[48], *end;
    if (length == 0 || length >= sizeof text)
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    if (strspn(text, "+-.0123456789eE") != length)
        return false;
    (void)strtod(text, &end);
    return *end == '\0';
}

static bool is_worth_counting(const dun_column *c) {
    return c->n_values <= DUN_COLUMN_VALUES && (c->n_values <= SURE_VALUES || c->n_values * 2 <= c->n_filled);
}

static int grow_table(dun_column *c) {
    int rc = DUN_OK;
    const size_t n = c->n_table ? c->n_table * 2 : 16;
    dun_column_value *table = NULL;
    TRY_NEW(table, n);
    for (size_t i = 0; i < c->n_table; i++) {
        size_t at = c->table[i].hash & (n - 1);
        while (c->table[i].n && table[at].n)
            at = (at + 1) & (n - 1);
        if (c->table[i].n)
            table[at] = c->table[i];
    }
    dun_free(c->table);
    c->table = table;
    c->n_table = n;
out:
    return rc;
}

static int keep_sample(dun_column *c, const dun_slice *value) {
    int rc = DUN_OK;
    dun_str text = {0};
    if (c->n_values > DUN_COLUMN_SAMPLES)
        goto out;
    TRY(dun_utf8_show(&text, value->bytes, value->length));
    TRY_PTR(c->samples[c->n_values - 1], dun_strdup(text.bytes ? text.bytes : ""));
out:
    dun_str_free(&text);
    return rc;
}

static int count_value(dun_column *c, const dun_slice *value) {
    int rc = DUN_OK;
    if (2 * (c->n_values + 1) > c->n_table)
        TRY(grow_table(c));
    const uint64_t hash = dun_hash(DUN_HASH_START, value->bytes, value->length);
    size_t at = hash & (c->n_table - 1);
    while (c->table[at].n && c->table[at].hash != hash)
        at = (at + 1) & (c->n_table - 1);
    const bool is_new = c->table[at].n == 0;
    c->table[at].hash = hash;
    c->table[at].n++;
    c->n_values += is_new;
    if (is_new)
        TRY(keep_sample(c, value));
    if (!is_worth_counting(c)) {
        c->many = true;
        dun_free(c->table);
        c->table = NULL;
        c->n_table = 0;
    }
out:
    return rc;
}

static int count_cell(dun_column *c, const dun_cell *cell) {
    int rc = DUN_OK;
    const dun_slice value = dun_utf8_trim(cell->bytes, cell->length);
    c->n_lists += cell->kind == DUN_CELL_LIST;
    c->n_objects += cell->kind == DUN_CELL_OBJECT;
    c->holds_records |= dun_cell_holds_records(cell);
    c->n_texts += dun_cell_is_text(cell);
    if (value.length == 0 || !dun_cell_is_text(cell))
        goto out;
    c->n_filled++;
    c->mean_bytes += (double)value.length; /* a sum until the end */
    c->n_numbers += dun_column_is_number(value.bytes, value.length);
    c->n_spaced += memchr(value.bytes, ' ', value.length) != NULL;
    c->n_again +=
        c->title && strlen(c->title) == value.length && memcmp(c->title, value.bytes, value.length) == 0;
    if (!c->many)
        TRY(count_value(c, &value));
out:
    return rc;
}

static int add_columns(dun_columns *out, size_t n) {
    int rc = DUN_OK;
    while (out->n < n) {
        TRY_GROW(out->columns, out->capacity, out->n);
        out->columns[out->n++] = (dun_column){0};
    }
out:
    return rc;
}

static int take_first(dun_columns *out, dun_records *records, size_t n_columns) {
    int rc;
    TRY(dun_records_read_header(records));
    if (!dun_records_title(records, 0))
        goto out; /* there is no line */
    TRY(add_columns(out, n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        const char *title = dun_records_title(records, i);
        TRY_PTR(out->columns[i].title, dun_strdup(title ? title : ""));
    }
out:
    return rc;
}

static int count_record(dun_columns *out, const dun_record *record) {
    int rc;
    TRY(add_columns(out, record->n));
    out->n_rows++;
    for (size_t i = 0; i < record->n; i++)
        TRY(count_cell(&out->columns[i], &record->cells[i]));
out:
    return rc;
}

static void finish(dun_columns *out) {
    for (size_t i = 0; i < out->n; i++) {
        dun_column *c = &out->columns[i];
        c->mean_bytes = c->n_filled ? c->mean_bytes / (double)c->n_filled : 0;
        for (size_t j = 0; j < c->n_table; j++)
            c->n_once += c->table[j].n == 1;
    }
}

static bool has_title(const dun_column *c) {
    return dun_utf8_trim(c->title, strlen(c->title)).length > 0;
}

int dun_columns_count_first(dun_columns *columns) {
    int rc = DUN_OK;
    size_t n_filled = 0;
    for (size_t i = 0; i < columns->n; i++)
        n_filled += has_title(&columns->columns[i]);
    columns->n_rows += n_filled > 0;
    columns->n_empty += n_filled == 0;
    for (size_t i = 0; i < columns->n; i++) {
        dun_column *c = &columns->columns[i];
        const dun_cell cell = {c->title, strlen(c->title), DUN_CELL_TEXT};
        c->mean_bytes *= (double)c->n_filled;
        c->n_once = 0;
        TRY(count_cell(c, &cell));
    }
    finish(columns);
out:
    return rc;
}

int dun_columns_measure(dun_columns *out, const dun_text_file *text, const dun_dialect *dialect) {
    int rc;
    dun_records *records = NULL;
    dun_record record;
    const bool is_table = dialect->format == DUN_TSV || dialect->format == DUN_CSV;
    *out = (dun_columns){0};
    TRY(dun_records_open(&records, text, dialect));
    if (is_table)
        TRY(take_first(out, records, dialect->n_columns));
    for (;;) {
        TRY(dun_records_next(&record, records));
        if (rc == 0)
            break;
        if (is_table && dun_record_is_empty(&record))
            out->n_empty++;
        else if (is_table && record.n != dialect->n_columns)
            out->n_uneven++;
        else
            TRY(count_record(out, &record));
    }
    out->n_blank = dun_records_blank(records);
    out->n_before = dun_records_empty(records);
    out->n_lines = dun_records_line(records);
    for (size_t i = 0; i < out->n && !is_table; i++)
        if (dun_records_title(records, i))
            TRY_PTR(out->columns[i].title, dun_strdup(dun_records_title(records, i)));
    finish(out);
    rc = DUN_OK;
out:
    dun_records_close(records);
    if (rc < 0)
        dun_columns_free(out);
    return rc;
}

void dun_columns_free(dun_columns *columns) {
    for (size_t i = 0; i < columns->n; i++) {
        dun_column *c = &columns->columns[i];
        dun_free(c->title);
        dun_free(c->table);
        for (int j = 0; j < DUN_COLUMN_SAMPLES; j++)
            dun_free(c->samples[j]);
    }
    dun_free(columns->columns);
    *columns = (dun_columns){0};
}
