/* Which columns hold the text and the label: names of the header, numbers, JSON keys, or the usual places. */
#include "base/err.h"
#include "base/utf8.h"
#include "io/data/dataset_inside.h"
#include "io/data/spill.h"

#include <string.h>

/* Appends the titles there are, as a message lists them. */
static int list_titles(dun_str *out, const dun_records *records, const char *quote) {
    int rc = DUN_OK;
    const char *title;
    for (size_t i = 0; (title = dun_records_title(records, i)) && out->length < 500; i++) {
        TRY(dun_str_addf(out, i ? ", %s" : "%s", quote));
        TRY(dun_utf8_show(out, title, strlen(title)));
        TRY(dun_str_addf(out, "%s", quote));
    }
    if (title)
        TRY(dun_str_addf(out, ", ..."));
out:
    return rc;
}

static int refuse_name(const dun_dataset_reader *r, const char *name) {
    int rc;
    dun_str list = {0};
    TRY(list_titles(&list, r->records, "'"));
    rc = dun_error(DUN_BAD_INPUT, "%s:1: no column is called '%s'; the columns are %s", r->name, name,
                   list.bytes);
out:
    dun_str_free(&list);
    return rc;
}

/* Looks a name up in the header. */
static int find_name(size_t *column, bool *found, const dun_dataset_reader *r, const char *name) {
    const char *title;
    *found = false;
    for (size_t i = 0; (title = dun_records_title(r->records, i)); i++) {
        if (strcmp(title, name) != 0)
            continue;
        if (*found)
            return dun_error(DUN_BAD_INPUT,
                             "%s:1: columns %zu and %zu are both called '%s'; its number is needed", r->name,
                             *column, i, name);
        *found = true;
        *column = i;
    }
    return DUN_OK;
}

/* What the setting data.`key` means: a name in the header, a number, or nothing, the default. */
static int find_column(size_t *column, const dun_dataset_reader *r, const char *key, const char *setting,
                       size_t initial) {
    int rc = DUN_OK;
    bool found = false;
    *column = initial;
    if (!setting || !setting[0])
        goto out;
    if (r->options->header)
        TRY(find_name(column, &found, r, setting));
    if (found || dun_dataset_number(column, setting))
        goto out;
    if (r->options->header)
        TRY(refuse_name(r, setting));
    TRY(dun_error(DUN_USAGE, "%s: data.%s = %s is a name; a number from 0, or data.header = yes is needed",
                  r->name, key, setting));
out:
    return rc;
}

/* The column of weights, if there is to be one, among those that there are. */
static int check_weights(const dun_dataset_reader *r) {
    const size_t n = r->dialect.n_columns;
    if (r->weight == SIZE_MAX)
        return DUN_OK;
    if (r->dialect.format == DUN_FASTTEXT || r->dialect.format == DUN_PLAIN)
        return dun_error(DUN_USAGE, "%s: data.weight_column = %s: files of the form %s have no weights",
                         r->name, r->options->weight_column, dun_format_name(r->dialect.format));
    if (r->weight == r->text || r->weight == r->label)
        return dun_error(DUN_USAGE,
                         "%s: weight and %s are both column %zu; data.weight_column must be another", r->name,
                         r->weight == r->text ? "text" : "label", r->weight);
    if (r->weight < n || n == 0)
        return DUN_OK;
    return dun_error(DUN_BAD_INPUT, "%s:1: %zu column%s; the weight is to be in column %zu, counted from 0",
                     r->name, n, n == 1 ? "" : "s", r->weight);
}

static int check_place(const dun_dataset_reader *r) {
    const size_t most = r->text > r->label ? r->text : r->label, n = r->dialect.n_columns;
    if (r->text == r->label)
        return dun_error(
            DUN_USAGE,
            "%s: text and label are both column %zu; data.text_column and data.label_column must "
            "differ",
            r->name, r->text);
    if (most < n || n == 0) /* no record at all is another fault */
        return DUN_OK;
    return dun_error(DUN_BAD_INPUT,
                     "%s:1: %zu column%s; the %s is to be in column %zu, counted from 0 and separated by %s",
                     r->name, n, n == 1 ? "" : "s", most == r->text ? "text" : "label", most,
                     r->dialect.delimiter           ? dun_delimiter_name(r->dialect.delimiter)
                     : r->dialect.format == DUN_TSV ? "tabs"
                     : r->dialect.format == DUN_CSV ? "commas"
                                                    : "tabs or commas");
}

int dun_dataset_find_columns(dun_dataset_reader *r) {
    int rc = DUN_OK;
    const dun_dataset_options *options = r->options;
    const char *text = options->text_column, *label = options->label_column, *weight = options->weight_column;
    r->weight = SIZE_MAX;
    if (r->dialect.format == DUN_JSONL || r->dialect.format == DUN_JSON) {
        r->text_key = text && text[0] ? text : "text";
        r->label_key = label && label[0] ? label : "label";
        r->text = r->label = SIZE_MAX;
        r->weight_key = weight && weight[0] ? weight : NULL;
        if (r->weight_key &&
            (strcmp(r->weight_key, r->text_key) == 0 || strcmp(r->weight_key, r->label_key) == 0))
            TRY(dun_error(
                DUN_USAGE,
                "%s: weight and text or label are both key \"%s\"; data.weight_column must be another",
                r->name, r->weight_key));
        if (strcmp(r->text_key, r->label_key) == 0)
            TRY(dun_error(
                DUN_USAGE,
                "%s: text and label are both key \"%s\"; data.text_column and data.label_column must "
                "differ",
                r->name, r->text_key));
        goto out;
    }
    if (options->header)
        TRY(dun_records_read_header(r->records));
    TRY(find_column(&r->text, r, "text_column", text, 0));
    TRY(find_column(&r->label, r, "label_column", label, 1));
    TRY(find_column(&r->weight, r, "weight_column", weight, SIZE_MAX));
    TRY(check_place(r));
    TRY(check_weights(r));
    if (options->header)
        r->spill_end = dun_spill_find(r->records, r->dialect.n_columns, r->text, r->label);
out:
    return rc;
}

/* Of an object that is to be refused: are the records in a list of it, as it is the only one? */
static int check_wrapped(const dun_dataset_reader *r, const dun_record *record) {
    int rc = DUN_OK;
    size_t list = 0;
    dun_record next;
    while (list < record->n && !dun_cell_holds_records(&record->cells[list]))
        list++;
    if (list == record->n)
        goto out;
    TRY(dun_records_next(&next, r->records));
    if (rc == 0)
        TRY(dun_records_refuse_wrapped(r->name, dun_records_title(r->records, list)));
out:
    return rc;
}

static int find_key(size_t *column, const dun_dataset_reader *r, const char *key, const dun_record *record) {
    int rc = DUN_OK;
    dun_str list = {0};
    const char *title;
    for (size_t i = 0; (title = dun_records_title(r->records, i)); i++)
        if (strcmp(title, key) == 0) {
            *column = i;
            return DUN_OK;
        }
    if (r->dataset->tally.n_read > 1)
        return DUN_OK; /* others had it not, as this one has not */
    TRY(list_titles(&list, r->records, "\""));
    TRY(check_wrapped(r, record));
    rc = dun_error(DUN_BAD_INPUT, "%s:%zu: no key \"%s\"; %s%s", r->name, record->line, key,
                   list.bytes ? "the keys are " : "the object is empty", list.bytes ? list.bytes : "");
out:
    dun_str_free(&list);
    return rc;
}

int dun_dataset_find_keys(dun_dataset_reader *r, const dun_record *record) {
    int rc = DUN_OK;
    if (r->text_key && r->text == SIZE_MAX)
        TRY(find_key(&r->text, r, r->text_key, record));
    if (r->label_key && r->label == SIZE_MAX)
        TRY(find_key(&r->label, r, r->label_key, record));
    if (r->weight_key && r->weight == SIZE_MAX)
        TRY(find_key(&r->weight, r, r->weight_key, record));
out:
    return rc;
}
