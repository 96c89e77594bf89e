/* The column of the texts, and the records' cells in it; see asked.h. */
#include "io/data/asked.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/judge.h"
#include "io/data/records.h"
#include "io/data/spill.h"

#include <string.h>

enum { MISSED_SHOWN = 3 };

struct dun_asked {
    bool is_stdin;
    dun_lines *lines; /* NULL: a file of records */
    dun_text_file file;
    dun_dialect dialect;
    dun_records *records;
    dun_judged_text judged; /* its column; of JSON by its key */
    size_t column, spill_end;
    size_t n_textless, textless[MISSED_SHOWN]; /* records without a text, lines of the first */
    size_t n_wide;                             /* records with more columns than there are */
    size_t n;                                  /* texts so far */
    dun_str text, joined;
};

/* Looks for the column that the options name, else for the usual one, which of texts without a header is a
 * number that means little where there is one. */
static int find_column(dun_asked *a, const dun_asked_options *o) {
    int rc;
    const bool json = a->dialect.format == DUN_JSON || a->dialect.format == DUN_JSONL;
    const bool told = o->column && *o->column;
    const bool fasttext = a->dialect.format == DUN_FASTTEXT; /* whose text is column 0 */
    const char *usual = *o->usual && !fasttext ? o->usual : json ? "text" : "0";
    TRY(dun_judge_text(&a->judged, &a->file, &a->dialect, told ? o->column : usual, told));
    const bool number = usual[strspn(usual, "0123456789")] == '\0' && !json;
    if (!told && number && a->judged.header && !o->usual_header) {
        dun_free(a->judged.name);
        TRY(dun_judge_text(&a->judged, &a->file, &a->dialect, NULL, false));
    }
    a->column = a->judged.column;
    if (!a->judged.named && a->judged.name)
        dun_warn("%s: the texts are taken to be column %s%s; --text COLUMN names another", a->file.name,
                 a->judged.name, a->judged.header ? ", which the first line names" : "");
out:
    return rc;
}

/* Does the text, or what it goes on in, reach the last column, so that what is behind is its rest too? */
static bool is_text_last(const dun_asked *a) {
    return a->dialect.delimiter && (a->column + 1 == a->dialect.n_columns || a->spill_end > 0);
}

static int open_records(dun_asked *a, const char *path, const dun_asked_options *options) {
    int rc;
    TRY(dun_text_file_open_any(&a->file, path));
    TRY(dun_dialect_find(&a->dialect, &a->file, NULL));
    TRY(find_column(a, options));
    TRY(dun_records_open(&a->records, &a->file, &a->dialect));
    const size_t n = a->dialect.n_columns;
    if (a->judged.header) {
        TRY(dun_records_read_header(a->records));
        a->spill_end = dun_spill_find(a->records, n, a->column, n);
    }
    if (is_text_last(a))
        a->spill_end = SIZE_MAX;
out:
    return rc;
}

static enum dun_lines_mode mode_of(const char *input) {
    return input && strcmp(input, "jsonl") == 0 ? DUN_LINES_JSONL
           : input && strcmp(input, "tsv") == 0 ? DUN_LINES_TSV
                                                : DUN_LINES_PLAIN;
}

int dun_asked_open(dun_asked **out, const char *path, const dun_asked_options *options) {
    int rc = DUN_OK;
    enum dun_format format;
    dun_asked *a = NULL;
    *out = NULL;
    const bool told = options->column && *options->column;
    const dun_lines_options lines = {
        .mode = mode_of(options->input), .key = told ? options->column : NULL, .mild = true};
    TRY_NEW(a, 1);
    a->is_stdin = strcmp(path, "-") == 0;
    if (!options->input && !a->is_stdin && dun_format_by_ending(&format, path))
        TRY(open_records(a, path, options));
    else if (told && lines.mode != DUN_LINES_JSONL)
        TRY(dun_error(
            DUN_USAGE,
            "%s: --text %s: lines have no columns; a file that ends in .csv, .tsv, .jsonl or .json, or "
            "--input jsonl is needed",
            path, options->column));
    else
        TRY(dun_lines_open(&a->lines, path, &lines));
    *out = a;
    a = NULL;
out:
    dun_asked_close(a);
    return rc;
}

void dun_asked_close(dun_asked *a) {
    if (!a)
        return;
    dun_lines_close(a->lines);
    dun_records_close(a->records);
    dun_text_file_close(&a->file);
    dun_free(a->judged.name);
    dun_str_free(&a->text);
    dun_str_free(&a->joined);
    dun_free(a);
}

/* Of JSON the place of the key, once it was met. */
static size_t place_of(const dun_asked *a) {
    const char *title, *key = a->judged.name;
    if (a->dialect.format != DUN_JSON && a->dialect.format != DUN_JSONL)
        return a->column;
    for (size_t i = 0; key && (title = dun_records_title(a->records, i)); i++)
        if (strcmp(title, key) == 0)
            return i;
    return SIZE_MAX;
}

/* Has it more columns than there are, and something in them? */
static bool is_wide(const dun_asked *a, const dun_record *record) {
    size_t n = record->n;
    while (n > a->dialect.n_columns &&
           dun_utf8_trim(record->cells[n - 1].bytes, record->cells[n - 1].length).length == 0)
        n--;
    return a->dialect.delimiter && n > a->dialect.n_columns;
}

static int next_record(const char **text, size_t *length, dun_asked *a) {
    int rc;
    dun_record record;
    TRY(dun_records_next(&record, a->records));
    if (rc == 0)
        goto out;
    const size_t place = place_of(a);
    dun_cell cell = place < record.n ? record.cells[place] : (dun_cell){"", 0, DUN_CELL_ABSENT};
    TRY(dun_spill_join(&cell, &a->joined, &record, place, a->spill_end, a->dialect.delimiter));
    a->n_wide += is_wide(a, &record);
    if (!dun_cell_is_text(&cell)) {
        if (a->n_textless < MISSED_SHOWN)
            a->textless[a->n_textless] = record.line;
        a->n_textless++;
        cell.length = 0;
    }
    dun_str_clear(&a->text);
    TRY(dun_str_add(&a->text, cell.length ? cell.bytes : "", cell.length));
    *text = a->text.bytes;
    *length = a->text.length;
    rc = 1;
out:
    return rc;
}

int dun_asked_next(const char **text, size_t *length, dun_asked *a) {
    const int rc = a->lines ? dun_lines_next(text, length, a->lines) : next_record(text, length, a);
    a->n += rc == 1;
    return rc;
}

int dun_asked_ready(dun_asked *a) {
    return a->lines ? dun_lines_ready(a->lines) : 1;
}

int dun_asked_fd(const dun_asked *a) {
    return a->lines ? dun_lines_fd(a->lines) : -1;
}

/* Of standard input nothing is said, where a filter may have left nothing. */
static void tell_none(const dun_asked *a, const char *name) {
    const size_t n_blank = a->records ? dun_records_blank(a->records) : 0;
    if (a->lines && a->is_stdin)
        return;
    if (n_blank)
        dun_warn("%s: holds no texts, only %zu blank line%s; there are no answers", name, n_blank,
                 n_blank == 1 ? "" : "s");
    else
        dun_warn("%s: holds no texts%s; there are no answers", name,
                 a->judged.header ? ", only a line that names columns" : "");
}

int dun_asked_tell(const dun_asked *a) {
    int rc = DUN_OK;
    dun_str where = {0};
    const char *name = a->lines ? dun_lines_name(a->lines) : a->file.name;
    const size_t repaired = a->lines ? dun_lines_repaired(a->lines) : a->file.n_repaired;
    const size_t textless = a->lines ? dun_lines_textless(a->lines) : a->n_textless;
    if (a->n == 0)
        tell_none(a, name);
    if (repaired)
        dun_warn("%s: %s that are not all UTF-8: %zu; U+FFFD stands for what is not", name,
                 a->lines ? "texts" : "lines", repaired);
    if (a->records && dun_records_mended(a->records))
        dun_warn("%s: records with wrong quotes: %zu; they are read as they stand", name,
                 dun_records_mended(a->records));
    if (a->n_wide)
        dun_warn("%s: records with more than %zu columns: %zu; their texts are %s", name,
                 a->dialect.n_columns, a->n_wide,
                 is_text_last(a) ? "read to the end of the record" : "perhaps cut short");
    if (textless == 0)
        goto out;
    for (size_t i = 0; i < a->n_textless && i < MISSED_SHOWN; i++)
        TRY(dun_str_addf(&where, "%s%zu", i ? ", " : " (line ", a->textless[i]));
    if (!a->lines)
        TRY(dun_str_addf(&where, a->n_textless > MISSED_SHOWN ? ", ...)" : ")"));
    dun_warn("%s: records without a text: %zu%s; they are answered as empty ones", name, textless,
             where.bytes ? where.bytes : "");
out:
    dun_str_free(&where);
    return rc;
}
