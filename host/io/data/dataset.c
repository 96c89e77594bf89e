/* Labelled texts out of records: which are kept, which are passed over, which end the reading. See dataset.h.
 */
#include "io/data/dataset.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/dataset_inside.h"
#include "io/data/spill.h"

#include <stdio.h>
#include <string.h>

bool dun_dataset_number(size_t *number, const char *text) {
    size_t digits = strspn(text, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits && i < 9; i++)
        *number = *number * 10 + (size_t)(text[i] - '0');
    return digits > 0 && digits <= 9 && text[digits] == '\0';
}

static bool is_blank(const dun_cell *cell) {
    return dun_utf8_trim(cell->bytes, cell->length).length == 0;
}

/* Has it as many columns as the others? Empty ones at its end are fine. */
static bool is_even(const dun_dataset_reader *r, const dun_record *record) {
    const size_t wanted = r->dialect.n_columns;
    size_t n = record->n;
    if (wanted == 0) /* JSON: keys may be missing */
        return true;
    while (n > wanted && is_blank(&record->cells[n - 1]))
        n--;
    return n == wanted;
}

static int refuse_uneven(const dun_dataset_reader *r, const dun_record *record) {
    char span[80] = "";
    if (record->last_line > record->line)
        snprintf(span, sizeof span, " (the row ends in line %zu: a quote opens in it)", record->last_line);
    return dun_error(DUN_BAD_INPUT,
                     "%s:%zu: %zu column%s%s, the others have %zu; every row needs the same number, or "
                     "data.bad_rows = skip",
                     r->name, record->line, record->n, record->n == 1 ? "" : "s", span, r->dialect.n_columns);
}

static int check_cell(const dun_dataset_reader *r, const dun_cell *cell, const char *what, size_t most,
                      size_t line) {
    const bool list = cell->kind == DUN_CELL_LIST;
    if (line > INT32_MAX)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: too many lines; at most %d are possible", r->name, line,
                         INT32_MAX);
    if (list || cell->kind == DUN_CELL_OBJECT)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: the %s is %s, %.*s; one %s is needed", r->name, line, what,
                         list ? "a list" : "an object", (int)(cell->length < 60 ? cell->length : 60),
                         cell->bytes, what);
    if (cell->length > most)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: the %s has %zu bytes; at most %zu are possible", r->name,
                         line, what, cell->length, most);
    return DUN_OK;
}

static dun_cell cell_at(const dun_record *record, size_t column) {
    return column < record->n ? record->cells[column] : (dun_cell){"", 0, DUN_CELL_ABSENT};
}

/* Adds one example, copied. */
static int add(dun_dataset_reader *r, const dun_cell *text, const dun_cell *label, double weight,
               const dun_record *record) {
    int rc;
    char word[DUN_LABEL_BYTES + 1];
    dun_dataset *dataset = r->dataset;
    memcpy(word, label->bytes, label->length);
    word[label->length] = '\0';
    TRY_GROW(dataset->examples, r->capacity, dataset->n);
    dun_example *example = &dataset->examples[dataset->n];
    TRY(dun_labels_find(&example->label, r, word, record->line));
    TRY(dun_str_add(&r->bytes, text->bytes, text->length));
    TRY(dun_str_add(&r->bytes, "", 1));
    example->length = text->length;
    example->line = (uint32_t)record->line;
    example->at = record->at;
    example->weight = weight;
    dataset->weighted |= weight < 1 || weight > 1;
    dataset->n++;
out:
    return rc;
}

static int refuse_unlabelled(const dun_dataset_reader *r, const dun_cell *label, size_t line) {
    const char *found = label->kind == DUN_CELL_NULL     ? "null"
                        : label->kind == DUN_CELL_ABSENT ? "missing"
                                                         : "empty";
    return dun_error(DUN_BAD_INPUT,
                     "%s:%zu: the label is %s; one for every text is needed, or data.bad_rows = skip",
                     r->name, line, found);
}

static int read_record(dun_dataset_reader *r, const dun_record *record) {
    int rc = DUN_OK;
    const bool skip = r->options->skip_bad_rows;
    const size_t line = record->line;
    dun_tally *tally = &r->dataset->tally;
    if (!r->text_key && dun_record_is_empty(record)) {
        tally->n_blank++;
        goto out;
    }
    tally->n_read++;
    TRY(dun_dataset_find_keys(r, record));
    if (!is_even(r, record)) {
        TRY(skip ? DUN_OK : refuse_uneven(r, record));
        dun_tally_add(tally, DUN_PASSED_UNEVEN, line);
        goto out;
    }
    dun_cell text = cell_at(record, r->text), label = cell_at(record, r->label);
    TRY(dun_spill_join(&text, &r->joined, record, r->text, r->spill_end, r->dialect.delimiter));
    r->dataset->n_joined += rc == 1;
    TRY(check_cell(r, &text, "text", DUN_TEXT_BYTES, line));
    if (is_blank(&text)) {
        dun_tally_add(tally, DUN_PASSED_EMPTY, line);
        goto out;
    }
    if (is_blank(&label) || (label.kind == DUN_CELL_LIST && label.length == 2)) {
        TRY(skip ? DUN_OK : refuse_unlabelled(r, &label, line));
        dun_tally_add(tally, DUN_PASSED_UNLABELLED, line);
        goto out;
    }
    TRY(check_cell(r, &label, "label", DUN_LABEL_BYTES, line));
    double weight = 1;
    if (dun_dataset_has_weights(r)) {
        const dun_cell cell = cell_at(record, r->weight);
        TRY(dun_dataset_weight(&weight, r, &cell, line));
    }
    if (weight > 0)
        TRY(add(r, &text, &label, weight, record));
    else
        r->dataset->n_weightless++;
out:
    return rc < 0 ? rc : DUN_OK;
}

static int read_all(dun_dataset_reader *r) {
    int rc;
    dun_record record;
    const size_t limit = r->options->limit;
    dun_dataset *dataset = r->dataset;
    while (!limit || dataset->n < limit) {
        TRY(dun_records_next(&record, r->records));
        if (rc == 0)
            break;
        TRY(read_record(r, &record));
    }
    dataset->tally.n_blank += dun_records_blank(r->records) + dun_records_empty(r->records);
    dataset->bytes = r->bytes.bytes;
    r->bytes = (dun_str){0};
    const char *at = dataset->bytes;
    for (size_t i = 0; i < dataset->n; i++) {
        dataset->examples[i].text = at;
        at += dataset->examples[i].length + 1;
    }
    rc = DUN_OK;
out:
    return rc;
}

static int check_classes(const dun_dataset_reader *r) {
    const dun_dataset *dataset = r->dataset;
    if (dataset->n == 0 && dataset->n_weightless)
        return dun_error(DUN_BAD_INPUT, "%s: the weights of all %zu texts are 0; one above it is needed",
                         r->name, dataset->n_weightless);
    if (dataset->n == 0)
        return dun_tally_refuse_none(r->name, dun_records_line(r->records), 0);
    for (size_t i = 1; i < dataset->n; i++)
        if (dataset->examples[i].label != dataset->examples[0].label)
            return DUN_OK;
    if (!r->gather && !r->options->training)
        return DUN_OK;
    return dun_error(DUN_BAD_INPUT,
                     "%s:%u: up to here every text has the label of line %u; at least two classes "
                     "are needed",
                     r->name, dataset->examples[dataset->n - 1].line, dataset->examples[0].line);
}

/* Says what was passed over, once; too much of it is an error. */
static int tell_passed(const dun_dataset_reader *r) {
    int rc = DUN_OK;
    dun_str line = {0};
    const dun_dataset *dataset = r->dataset;
    if (dataset->tally.n_read == 0)
        TRY(dun_tally_refuse_none(r->name, dun_records_line(r->records), dataset->tally.n_blank));
    if (dun_tally_passed(&dataset->tally) + dataset->tally.n_blank == 0)
        goto tell_joined;
    TRY(dun_tally_tell(&line, &dataset->tally));
    if (dun_tally_too_many(&dataset->tally))
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: %s: more than %d of 100 rows; are the columns right? (data.text_column, "
                      "data.label_column)",
                      r->name, line.bytes, DUN_TALLY_PERCENT));
    dun_warn("%s: %s", r->name, line.bytes);
tell_joined:
    if (dataset->n_weightless)
        dun_warn("%s: %zu texts of weight 0 are left out", r->name, dataset->n_weightless);
    if (dataset->n_joined)
        dun_warn("%s: %zu texts go on in columns without a name; they are read with it", r->name,
                 dataset->n_joined);
out:
    dun_str_free(&line);
    return rc;
}

int dun_dataset_of_text(dun_dataset **out, dun_labels *labels, const dun_text_file *text,
                        const dun_dataset_options *options) {
    int rc;
    dun_dataset_reader r = {.name = text->name, .options = options, .labels = labels};
    r.gather = labels->n_classes == 0;
    *out = NULL;
    TRY(dun_dialect_find(&r.dialect, text, options->format));
    TRY(dun_records_open(&r.records, text, &r.dialect));
    TRY_NEW(r.dataset, 1);
    if (text->length)
        TRY(dun_dataset_find_columns(&r));
    dun_labels_begin(labels);
    TRY(read_all(&r));
    TRY(tell_passed(&r));
    TRY(check_classes(&r));
    if (r.gather)
        TRY(dun_labels_settle(labels, r.dataset));
    TRY(dun_labels_tell(&r));
    if (r.dialect.format == DUN_TSV || r.dialect.format == DUN_CSV)
        TRY(dun_labels_tell_header(&r));
    *out = r.dataset;
    r.dataset = NULL;
out:
    dun_str_free(&r.joined);
    dun_str_free(&r.bytes);
    dun_records_close(r.records);
    dun_dataset_free(r.dataset);
    if (rc < 0 && r.gather)
        dun_labels_free(labels);
    return rc;
}

int dun_dataset_parse(dun_dataset **out, dun_labels *labels, const uint8_t *bytes, size_t length,
                      const char *name, const dun_dataset_options *options) {
    int rc;
    dun_text_file text;
    *out = NULL;
    TRY(dun_text_file_of(&text, bytes, length, name));
    TRY(dun_dataset_of_text(out, labels, &text, options));
out:
    dun_text_file_close(&text);
    return rc;
}

int dun_dataset_read(dun_dataset **out, dun_labels *labels, const char *path,
                     const dun_dataset_options *options) {
    int rc;
    dun_text_file text;
    *out = NULL;
    TRY(dun_text_file_open(&text, path));
    TRY(dun_dataset_of_text(out, labels, &text, options));
out:
    dun_text_file_close(&text);
    return rc;
}

void dun_dataset_free(dun_dataset *dataset) {
    if (!dataset)
        return;
    dun_free(dataset->bytes);
    dun_free(dataset->examples);
    dun_free(dataset);
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length) {
    const uint64_t n = length;
    return dun_hash(dun_hash(hash, &n, sizeof n), bytes, length);
}

uint64_t dun_dataset_hash(const dun_dataset *dataset, const dun_labels *labels) {
    uint64_t hash = DUN_HASH_START;
    for (size_t i = 0; i < dataset->n; i++) {
        const dun_example *example = &dataset->examples[i];
        const char *name = labels->names[example->label];
        hash = hash_bytes(hash, example->text, example->length);
        hash = hash_bytes(hash, name, strlen(name));
        if (dataset->weighted)
            hash = dun_hash(hash, &example->weight, sizeof example->weight);
    }
    return hash;
}
