/* Opens a text as records and hands them out; what the forms have in common. */
#include "io/data/records.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/records_inside.h"

#include <string.h>
#include <strings.h>

bool dun_cell_is_text(const dun_cell *cell) {
    return cell->kind == DUN_CELL_TEXT || cell->kind == DUN_CELL_NUMBER || cell->kind == DUN_CELL_BOOL;
}

bool dun_cell_holds_records(const dun_cell *cell) {
    return cell->kind == DUN_CELL_LIST && cell->length > 2 && memcmp(cell->bytes, "[{", 2) == 0;
}

bool dun_record_is_empty(const dun_record *record) {
    size_t i = 0;
    while (i < record->n && dun_utf8_trim(record->cells[i].bytes, record->cells[i].length).length == 0)
        i++;
    return i == record->n;
}

int dun_records_refuse_wrapped(const char *name, const char *key) {
    return dun_error(DUN_BAD_INPUT,
                     "%s: the records are in the list \"%.60s\"; that list alone, or one object a line, is "
                     "needed",
                     name, key);
}

static int begin_line(dun_records *r) {
    return dun_cutter_skip_blank(&r->cut, &r->n_blank);
}

static const struct {
    const char *name;
    const char *endings[3];
    int (*begin)(dun_records *r); /* goes to where a record begins: 1; 0: none is left */
    int (*next)(dun_records *r);
    bool delimited;
} forms[DUN_N_FORMATS] = {
    [DUN_TSV] = {"tsv", {".tsv", ".tab"}, begin_line, dun_delimited_next, true},
    [DUN_CSV] = {"csv", {".csv"}, begin_line, dun_delimited_next, true},
    [DUN_JSONL] = {"jsonl", {".jsonl", ".ndjson"}, begin_line, dun_json_line_next, false},
    [DUN_JSON] = {"json", {".json"}, dun_json_begin, dun_json_span_next, false},
    [DUN_FASTTEXT] = {"fasttext", {".ft", ".fasttext"}, begin_line, dun_fasttext_next, false},
    [DUN_PLAIN] = {"lines", {".txt"}, begin_line, dun_plain_next, false},
};

const char *dun_format_name(enum dun_format format) {
    return forms[format].name;
}

const char *dun_delimiter_name(char delimiter) {
    return delimiter == '\t'  ? "tabs"
           : delimiter == ',' ? "commas"
           : delimiter == ';' ? "semicolons"
           : delimiter == '|' ? "bars"
                              : " ";
}

bool dun_format_by_ending(enum dun_format *out, const char *name) {
    size_t length = strlen(name);
    if (length > 3 && strcasecmp(name + length - 3, ".gz") == 0)
        length -= 3;
    for (int i = 0; i < DUN_PLAIN; i++)
        for (size_t j = 0; j < 3 && forms[i].endings[j]; j++) {
            const char *ending = forms[i].endings[j];
            size_t n = strlen(ending);
            *out = (enum dun_format)i;
            if (length > n && strncasecmp(name + length - n, ending, n) == 0)
                return true;
        }
    return false;
}

int dun_records_open(dun_records **out, const dun_text_file *text, const dun_dialect *dialect) {
    int rc = DUN_OK;
    dun_records *records = NULL;
    *out = NULL;
    TRY_NEW(records, 1);
    records->text = text;
    records->dialect = *dialect;
    records->cut.delimiter = dialect->delimiter;
    records->cut.line_end = dialect->line_end;
    records->cut.quotes = dialect->quotes;
    records->cut.at = text->bytes + dialect->begin;
    records->cut.end = text->bytes + text->length;
    records->cut.line = 1 + (dialect->begin > 0);
    *out = records;
out:
    return rc;
}

void dun_records_close(dun_records *records) {
    if (!records)
        return;
    for (size_t i = 0; i < records->n_titles; i++)
        dun_free(records->titles[i]);
    dun_free(records->titles);
    dun_json_columns_free(records);
    dun_cutter_free(&records->cut);
    dun_free(records);
}

int dun_records_next(dun_record *record, dun_records *records) {
    int rc;
    dun_cutter *cut = &records->cut;
    *record = (dun_record){0};
    TRY(forms[records->dialect.format].begin(records));
    if (rc == 0)
        goto out;
    record->line = cut->line;
    record->at = (size_t)(cut->at - records->text->bytes);
    TRY(forms[records->dialect.format].next(records));
    record->end = (size_t)(cut->at - records->text->bytes);
    record->last_line = cut->line - (record->end > record->at && cut->at[-1] == cut->line_end);
    record->cells = cut->cells;
    record->n = cut->n;
out:
    return rc;
}

/* A header with one name less than rows have cells: R's and pandas' rows then begin with a number or name of
 * their own. Unless the last cell is empty in all of them, as rows that end with a delimiter have it. */
static int first_has_no_title(bool *out, const dun_records *records, const dun_record *header) {
    int rc = DUN_OK;
    const size_t n = records->dialect.n_columns;
    size_t n_blank = 0;
    dun_cutter cut = {.at = records->cut.at,
                      .end = records->cut.end,
                      .delimiter = records->cut.delimiter,
                      .line_end = records->cut.line_end,
                      .quotes = records->cut.quotes};
    *out = false;
    while (header->n + 1 == n && !*out && dun_cutter_skip_blank(&cut, &n_blank)) {
        if (dun_cutter_next_mild(&cut) == DUN_CUT_NO_MEMORY)
            TRY(DUN_FAILED);
        *out = cut.n == n && dun_utf8_trim(cut.cells[n - 1].bytes, cut.cells[n - 1].length).length > 0;
    }
out:
    dun_cutter_free(&cut);
    return rc;
}

int dun_records_read_header(dun_records *records) {
    int rc = DUN_OK;
    dun_record record;
    bool shifted;
    if (!forms[records->dialect.format].delimited)
        goto out;
    if (records->n_titles)
        goto out;
    while ((rc = dun_records_next(&record, records)) == 1 && dun_record_is_empty(&record))
        records->n_empty++;
    TRY(rc);
    if (rc == 0)
        goto out;
    TRY(first_has_no_title(&shifted, records, &record));
    TRY_NEW(records->titles, record.n + shifted);
    if (shifted) {
        TRY_PTR(records->titles[0], dun_strdup(""));
        records->n_titles++;
    }
    for (size_t i = 0; i < record.n; i++) {
        const dun_slice title = dun_utf8_trim(record.cells[i].bytes, record.cells[i].length);
        const size_t n = title.length < DUN_TITLE_BYTES ? title.length : DUN_TITLE_BYTES;
        TRY_PTR(records->titles[records->n_titles], dun_strndup(title.bytes, n));
        records->n_titles++;
    }
out:
    return rc < 0 ? rc : DUN_OK;
}

const char *dun_records_title(const dun_records *records, size_t column) {
    return column < records->n_titles    ? records->titles[column]
           : column < records->n_columns ? records->columns[column].key
                                         : NULL;
}

size_t dun_records_blank(const dun_records *records) {
    return records->n_blank;
}

size_t dun_records_empty(const dun_records *records) {
    return records->n_empty;
}

size_t dun_records_mended(const dun_records *records) {
    return records->cut.n_mended;
}

size_t dun_records_line(const dun_records *records) {
    return records->cut.line;
}
