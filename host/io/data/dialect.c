/* How a text is cut into records, found from all of it: line ends, form, delimiter, quotes.
 *
 * A delimiter is taken when the first record has it and 95 of 100 records have as many columns; of several,
 * the one that the ending means, else tabs before commas before semicolons before bars. Quotes mean something
 * in TSV only where the file shows it: every field that begins with one is a quoted field, and one of them
 * holds what would need it, or all are quoted. */
#include "base/err.h"
#include "base/mem.h"
#include "io/data/records_inside.h"

#include <string.h>
#include <strings.h>

enum { AGREE_PERCENT = 95 };

/* line ends */

/* CR alone ends lines where no LF does; within quotes neither counts. */
static char find_line_end(const char *bytes, size_t length) {
    size_t alone = 0, inside = 0, outside = 0;
    bool quoted = false;
    const char *end = bytes + length, *cr = length ? memchr(bytes, '\r', length) : NULL;
    while (cr && cr + 1 < end && cr[1] == '\n')
        cr = memchr(cr + 1, '\r', (size_t)(end - cr - 1));
    if (!cr)
        return '\n';
    for (const char *c = bytes; c < end; c++) {
        quoted ^= *c == '"';
        if (*c == '\n')
            *(quoted ? &inside : &outside) += 1;
        else if (*c == '\r' && !quoted)
            alone += c + 1 == end || c[1] != '\n';
    }
    return outside == 0 && (alone > 0 || inside == 0) ? '\r' : '\n';
}

/* delimiters */

/* What cutting all of a text at a delimiter gives. */
typedef struct {
    size_t n_records, n_first, n_agree; /* columns of the first; records with as many */
    size_t usual, n_usual;              /* the number of columns that most records have */
    size_t n_cells, n_quoted, n_needed; /* cells; quoted ones; those whose quotes keep something together */
    bool broken;                        /* a quote that is not where it may be */
} cutting;

static void count_quoted(cutting *c, const dun_cutter *cut, const char *text) {
    for (size_t i = 0; i < cut->n; i++) {
        const dun_cell *cell = &cut->cells[i];
        if (cell->bytes == text || cell->bytes[-1] != '"')
            continue;
        c->n_quoted++;
        c->n_needed += cell->kind == DUN_CELL_NULL || memchr(cell->bytes, cut->delimiter, cell->length) ||
                       memchr(cell->bytes, cut->line_end, cell->length);
    }
}

/* `mend`: wrong quotes are taken as the records' reader takes them in a mild text, instead of ending it. */
static int measure(cutting *out, const dun_text_file *text, const dun_dialect *dialect, bool mend) {
    int rc = DUN_OK;
    size_t *times = NULL, n_blank = 0;
    dun_cutter cut = {.at = text->bytes + dialect->begin,
                      .end = text->bytes + text->length,
                      .delimiter = dialect->delimiter,
                      .line_end = dialect->line_end,
                      .quotes = dialect->quotes};
    *out = (cutting){0};
    TRY_NEW(times, DUN_RECORD_COLUMNS + 2);
    while (dun_cutter_skip_blank(&cut, &n_blank)) {
        enum dun_cut fault = mend ? dun_cutter_next_mild(&cut) : dun_cutter_next(&cut);
        if (fault == DUN_CUT_NO_MEMORY)
            TRY(DUN_FAILED);
        out->broken |= fault != DUN_CUT_WHOLE;
        if (out->broken)
            break;
        if (out->n_records++ == 0)
            out->n_first = cut.n;
        times[cut.n]++;
        out->n_cells += cut.n;
        if (dialect->quotes && dialect->delimiter == '\t')
            count_quoted(out, &cut, text->bytes);
    }
    for (size_t n = 1; n <= DUN_RECORD_COLUMNS; n++)
        if (times[n] > out->n_usual) {
            out->n_usual = times[n];
            out->usual = n;
        }
    out->n_agree = times[out->n_first];
    if (out->n_agree == out->n_usual)
        out->usual = out->n_first;
out:
    dun_cutter_free(&cut);
    dun_free(times);
    return rc;
}

static bool agrees(const cutting *c) {
    return !c->broken && c->n_first >= 2 && c->n_agree * 100 >= c->n_records * AGREE_PERCENT;
}

/* Tabs, with quotes when the file shows that they are meant. */
static int measure_tabs(cutting *out, dun_dialect *dialect, const dun_text_file *text) {
    int rc;
    cutting quoted;
    dialect->quotes = false;
    TRY(measure(out, text, dialect, false));
    if (!memchr(text->bytes, '"', text->length))
        goto out;
    dialect->quotes = true;
    TRY(measure(&quoted, text, dialect, false)); /* wrong ones are none */
    dialect->quotes = agrees(&quoted) && (quoted.n_needed > 0 || quoted.n_quoted == quoted.n_cells);
    if (dialect->quotes)
        *out = quoted;
out:
    return rc;
}

/* Tries the delimiters in order. *broken: the one that is taken meets wrong quotes. */
static int find_delimiter(bool *broken, dun_dialect *out, const dun_text_file *text, const char *candidates,
                          bool mend) {
    int rc = DUN_OK;
    dun_dialect best = *out;
    size_t best_share = 0;
    best.delimiter = '\0';
    best.quotes = true;
    *broken = false;
    for (const char *c = candidates; *c; c++) {
        cutting found;
        out->delimiter = *c;
        out->quotes = true;
        TRY(*c == '\t' ? measure_tabs(&found, out, text) : measure(&found, text, out, mend));
        out->n_columns = found.n_first;
        if (agrees(&found)) {
            best = *out;
            *broken = false;
            break;
        }
        if (c == candidates && found.broken && found.n_records == 0) {
            best = *out; /* its first record says what is wrong */
            *broken = true;
        } else if (!best.delimiter) {
            best.n_columns = found.n_records > 0;
        }
        /* Else the one by which most records have as many columns; a fault will then say itself. */
        const size_t share = found.n_records ? found.n_usual * 100 / found.n_records : 0;
        if (found.usual < 2 || share < (found.n_first < 2 ? 90 : 50) || share <= best_share)
            continue;
        best = *out;
        best.n_columns = found.usual;
        best_share = share;
        *broken = found.broken;
    }
    *out = best;
out:
    return rc;
}

/* forms */

/* The first line that is not blank: [*start, stop). */
static const char *first_line(const char **start, const dun_text_file *text, const dun_dialect *dialect) {
    const char *next;
    size_t n_blank = 0;
    dun_cutter cut = {
        .at = text->bytes + dialect->begin, .end = text->bytes + text->length, .line_end = dialect->line_end};
    (void)dun_cutter_skip_blank(&cut, &n_blank);
    *start = cut.at;
    return dun_cutter_line(&cut, &next);
}

static const char *skip_blanks(const char *c, const char *end) {
    while (c < end && strchr(" \t\r\n", *c))
        c++;
    return c;
}

/* Does it begin as JSON with records does? *lines: an object is in one line. */
static bool is_json(bool *lines, const dun_text_file *text, const dun_dialect *dialect) {
    const char *start, *stop = first_line(&start, text, dialect), *end = text->bytes + text->length;
    start = skip_blanks(start, end);
    *lines = false;
    if (start == end || (*start != '{' && *start != '['))
        return false;
    const char *second = skip_blanks(start + 1, end);
    if (*start == '[')
        return second < end && (*second == '{' || *second == ']');
    *lines = skip_blanks(dun_json_span(start, end), end) >= stop && dun_json_span(start, end) <= stop;
    return second < end && (*second == '"' || *second == '}');
}

static bool is_fasttext(const dun_text_file *text, const dun_dialect *dialect) {
    static const char mark[] = "__label__";
    size_t with = 0, n = 0, n_blank = 0;
    const char *next;
    dun_cutter cut = {.at = text->bytes, .end = text->bytes + text->length, .line_end = dialect->line_end};
    while (dun_cutter_skip_blank(&cut, &n_blank)) {
        const char *stop = dun_cutter_line(&cut, &next);
        with += (size_t)(stop - cut.at) >= sizeof mark - 1 && memcmp(cut.at, mark, sizeof mark - 1) == 0;
        if (with == 0)
            return false;
        n++;
        cut.at = next;
    }
    return n > 0 && with * 100 >= n * AGREE_PERCENT;
}

/* A first line "sep=;", as Excel reads and writes it, names the delimiter. */
static char named_delimiter(dun_dialect *dialect, const dun_text_file *text) {
    const char *next, *c = text->bytes;
    dun_cutter cut = {.at = c, .end = c + text->length, .line_end = dialect->line_end};
    const char *stop = dun_cutter_line(&cut, &next);
    if (stop > c && *c == '"' && stop[-1] == '"') {
        c++;
        stop--;
    }
    if (stop - c != 5 || strncasecmp(c, "sep=", 4) != 0 || !strchr(",;|\t:", c[4]))
        return '\0';
    dialect->begin = (size_t)(next - text->bytes);
    return c[4];
}

static void set(dun_dialect *out, enum dun_format format, size_t n_columns) {
    out->format = format;
    out->delimiter = '\0';
    out->quotes = false;
    out->n_columns = n_columns;
}

/* A form by its name, or by the ending and the content. */
static int find_form(dun_dialect *out, const dun_text_file *text, enum dun_format form, bool known) {
    int rc = DUN_OK;
    bool broken, lines, json = is_json(&lines, text, out);
    const bool json_wanted = known && (form == DUN_JSON || form == DUN_JSONL);
    const bool table_wanted = known && (form == DUN_TSV || form == DUN_CSV);
    char only[2] = {named_delimiter(out, text), '\0'};
    const char *candidates = only[0] ? only : known && form == DUN_CSV ? ",;\t|" : "\t,;|";
    if (json_wanted)
        set(out, json && !lines ? DUN_JSON : DUN_JSONL, 0);
    else if (json && (lines || !table_wanted))
        set(out, lines ? DUN_JSONL : DUN_JSON, 0);
    else if ((known && form == DUN_FASTTEXT) || is_fasttext(text, out))
        set(out, DUN_FASTTEXT, 2);
    else if (known && form == DUN_PLAIN)
        set(out, DUN_PLAIN, 1);
    else {
        TRY(find_delimiter(&broken, out, text, candidates, false));
        if (broken && text->mild) /* else what can be read strictly is read in the same way */
            TRY(find_delimiter(&broken, out, text, candidates, true));
        out->format = out->delimiter == '\t' ? DUN_TSV : out->delimiter ? DUN_CSV : known ? form : DUN_PLAIN;
    }
out:
    return rc;
}

int dun_dialect_find(dun_dialect *out, const dun_text_file *text, const char *format) {
    int rc = DUN_OK;
    enum dun_format form = DUN_PLAIN;
    bool known = false;
    *out = (dun_dialect){.line_end = find_line_end(text->bytes, text->length)};
    if (!format || !*format || strcmp(format, "auto") == 0) {
        known = dun_format_by_ending(&form, text->name);
    } else {
        for (int i = 0; i < DUN_N_FORMATS && !known; i++) {
            form = (enum dun_format)i;
            known = strcmp(dun_format_name(form), format) == 0;
        }
        if (!known)
            TRY(dun_error(DUN_USAGE,
                          "%s: data.format = %s is not known; auto, tsv, csv, jsonl, json or fasttext is "
                          "needed",
                          text->name, format));
    }
    TRY(find_form(out, text, form, known));
out:
    return rc;
}
