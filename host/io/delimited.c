/* TSV (no quoting) and CSV (RFC 4180): records of columns, of which two are wanted. */
#include "base/err.h"
#include "base/utf8.h"
#include "io/dataset_inside.h"

#include <string.h>

typedef struct {
    dun_dataset_reader *reader;
    char delimiter;
    bool quotes;
    size_t text, label; /* their columns, from 0 */
    size_t n_columns;   /* of line 1 */
} table;

/* After a field: moves behind its delimiter or line end, else leaves everything as it is. */
static bool end_field(bool *last, const table *t) {
    dun_dataset_reader *r = t->reader;
    const char *at = r->at;
    *last = true;
    if (at < r->end && *at == t->delimiter)
        *last = false;
    else if (at + 1 < r->end && at[0] == '\r' && at[1] == '\n')
        at++;
    else if (at < r->end && *at != '\n')
        return false;
    r->line += at < r->end && *at == '\n';
    r->at = at < r->end ? at + 1 : at;
    return true;
}

/* The field whose opening quote r->at is at. */
static int next_quoted(dun_field *field, bool *last, const table *t) {
    dun_dataset_reader *r = t->reader;
    const size_t opened = r->line;
    const char *start = ++r->at;
    for (; r->at < r->end; r->at++) {
        r->line += *r->at == '\n';
        if (*r->at != '"')
            continue;
        if (r->at + 1 == r->end || r->at[1] != '"')
            break;
        r->at++;
    }
    if (r->at == r->end)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: the quote that opens in this line is never closed", r->name,
                         opened);
    *field = (dun_field){start, (size_t)(r->at - start), true};
    r->at++;
    if (!end_field(last, t))
        return dun_error(DUN_BAD_INPUT,
                         "%s:%zu: text after a closing quote; a comma, or a quote doubled inside is needed",
                         r->name, r->line);
    return DUN_OK;
}

/* The next field of the record that r->at is in, and whether the record ends with it. */
static int next_field(dun_field *field, bool *last, const table *t) {
    dun_dataset_reader *r = t->reader;
    if (t->quotes && r->at < r->end && *r->at == '"')
        return next_quoted(field, last, t);
    const char *start = r->at;
    *field = (dun_field){start, 0, false};
    while (field->length = (size_t)(r->at - start), !end_field(last, t)) {
        if (t->quotes && *r->at == '"')
            return dun_error(
                DUN_BAD_INPUT,
                "%s:%zu: a quote inside a field; quotes around the field and this one doubled are "
                "needed",
                r->name, r->line);
        r->at++;
    }
    return DUN_OK;
}

static bool field_is(const dun_field *field, const char *name) {
    size_t i = 0;
    for (; i < field->length && *name && field->bytes[i] == *name; i++, name++)
        if (field->quoted && *name == '"')
            i++;
    return i == field->length && !*name;
}

/* Refuses a name that the header, which r->at is in front of, has not; the message lists those it has. */
static int refuse_name(const table *t, const char *name) {
    int rc = DUN_OK;
    dun_str list = {0};
    dun_dataset_reader *r = t->reader;
    dun_field field;
    for (bool last = false; !last && list.length < 500;) {
        TRY(next_field(&field, &last, t));
        TRY(dun_str_addf(&list, list.length ? ", '" : "'"));
        TRY(dun_utf8_show(&list, field.bytes, field.length));
        TRY(dun_str_addf(&list, last || list.length < 500 ? "'" : "', ..."));
    }
    rc = dun_error(DUN_BAD_INPUT, "%s:1: no column is called '%s'; the columns are %s", r->name, name,
                   list.bytes);
out:
    dun_str_free(&list);
    return rc;
}

/* Looks a name up in the header, which r->at is in front of. */
static int find_name(size_t *column, bool *found, table t, const char *name) {
    int rc = DUN_OK;
    dun_dataset_reader header = *t.reader; /* reads ahead */
    dun_field field;
    t.reader = &header;
    *found = false;
    size_t index = 0;
    for (bool last = false; !last; index++) {
        TRY(next_field(&field, &last, &t));
        if (!field_is(&field, name))
            continue;
        if (*found)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s:1: columns %zu and %zu are both called '%s'; its number is needed", header.name,
                          *column, index, name));
        *found = true;
        *column = index;
    }
out:
    return rc;
}

/* What the setting data.`key` means: a name in the header, a number, or nothing, the default. */
static int find_column(size_t *column, const table *t, const char *key, const char *setting, size_t initial) {
    int rc = DUN_OK;
    bool found = false;
    const dun_dataset_reader *r = t->reader;
    *column = initial;
    if (!setting || !setting[0])
        goto out;
    if (r->options->header)
        TRY(find_name(column, &found, *t, setting));
    if (found || dun_dataset_number(column, setting))
        goto out;
    if (r->options->header)
        TRY(refuse_name(t, setting));
    TRY(dun_error(DUN_USAGE, "%s: data.%s = %s is a name; a number from 0, or data.header = yes is needed",
                  r->name, key, setting));
out:
    return rc;
}

static const char *plural(size_t n) {
    return n == 1 ? "" : "s";
}

/* Reads a record, of which the fields wanted are kept, and checks its number of columns. */
static int read_record(dun_field *text, dun_field *label, table *t) {
    int rc = DUN_OK;
    const dun_dataset_reader *r = t->reader;
    const size_t line = r->line, most = t->text > t->label ? t->text : t->label;
    dun_field field;
    size_t n = 0;
    for (bool last = false; !last; n++) {
        TRY(next_field(&field, &last, t));
        if (n == t->text)
            *text = field;
        if (n == t->label)
            *label = field;
    }
    if (t->n_columns == 0 && most >= n)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s:%zu: %zu column%s; the %s is to be in column %zu, counted from 0 and "
                      "separated by %s",
                      r->name, line, n, plural(n), most == t->text ? "text" : "label", most,
                      t->delimiter == '\t' ? "tabs" : "commas"));
    if (t->n_columns != 0 && n != t->n_columns)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: %zu column%s, line 1 has %zu; every line needs the same number",
                      r->name, line, n, plural(n), t->n_columns));
    t->n_columns = n;
out:
    return rc;
}

int dun_delimited_read(dun_dataset_reader *r, char delimiter, bool quotes) {
    int rc;
    const dun_dataset_options *options = r->options;
    table t = {.reader = r, .delimiter = delimiter, .quotes = quotes};
    dun_field text, label;
    TRY(dun_dataset_skip_blank(r));
    if (r->at == r->end)
        goto out;
    TRY(find_column(&t.text, &t, "text_column", options->text_column, 0));
    TRY(find_column(&t.label, &t, "label_column", options->label_column, 1));
    if (t.text == t.label)
        TRY(dun_error(DUN_USAGE,
                      "%s: text and label are both column %zu; data.text_column and "
                      "data.label_column must differ",
                      r->name, t.text));
    if (options->header)
        TRY(read_record(&text, &label, &t));
    TRY(dun_dataset_skip_blank(r));
    while (r->at < r->end && !dun_dataset_full(r)) {
        size_t line = r->line;
        TRY(read_record(&text, &label, &t));
        TRY(dun_dataset_add(r, &text, &label, line));
        TRY(dun_dataset_skip_blank(r));
    }
out:
    return rc;
}
