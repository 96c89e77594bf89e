/* TSV and CSV: cuts a text into records of fields. Quotes as RFC 4180 has them, and as spreadsheets write:
 * blanks around a quoted field are not a part of it; a quote inside an unquoted one is itself. */
#include "base/err.h"
#include "base/mem.h"
#include "io/data/records_inside.h"

#include <string.h>

const char *dun_cutter_line(const dun_cutter *cut, const char **next) {
    const char *stop = memchr(cut->at, cut->line_end, (size_t)(cut->end - cut->at));
    *next = stop ? stop + 1 : cut->end;
    stop = stop ? stop : cut->end;
    return stop > cut->at && cut->line_end == '\n' && stop[-1] == '\r' ? stop - 1 : stop;
}

bool dun_cutter_skip_blank(dun_cutter *cut, size_t *n_blank) {
    while (cut->at < cut->end) {
        const char *next, *stop = dun_cutter_line(cut, &next), *c = cut->at;
        while (c < stop && (*c == ' ' || *c == '\r' || (*c == '\t' && cut->delimiter != '\t')))
            c++;
        if (c < stop)
            return true;
        cut->at = next;
        cut->line++;
        ++*n_blank;
    }
    return false;
}

static int add_cell(dun_cutter *cut, const char *bytes, size_t length, bool doubled) {
    int rc = DUN_OK;
    TRY_GROW(cut->cells, cut->capacity, cut->n);
    cut->cells[cut->n++] = (dun_cell){bytes, length, doubled ? DUN_CELL_NULL : DUN_CELL_TEXT};
out:
    return rc;
}

static const char *skip_spaces(const char *c, const char *end) {
    while (c < end && *c == ' ')
        c++;
    return c;
}

/* Is a field over here? */
static bool is_end(const dun_cutter *cut, const char *c) {
    if (c < cut->end && *c == '\r' && cut->line_end == '\n')
        return c + 1 == cut->end || c[1] == '\n';
    return c == cut->end || *c == cut->line_end || (cut->delimiter && *c == cut->delimiter);
}

typedef struct {
    const char *start, *stop; /* without quotes */
    const char *after;        /* the delimiter or line end, or what should be one */
    bool doubled;
} quoted_field;

/* The field whose opening quote is at `open`; false when the quote is never closed. */
static bool cut_quoted(quoted_field *field, const dun_cutter *cut, const char *open) {
    *field = (quoted_field){.start = open + 1};
    const char *c = open + 1;
    while ((c = c < cut->end ? memchr(c, '"', (size_t)(cut->end - c)) : NULL)) {
        if (c + 1 == cut->end || c[1] != '"')
            break;
        field->doubled = true;
        c += 2;
    }
    if (!c)
        return false;
    field->stop = c;
    field->after = skip_spaces(c + 1, cut->end);
    return true;
}

static void count_lines(dun_cutter *cut, const char *from, const char *to) {
    while ((from = memchr(from, cut->line_end, (size_t)(to - from)))) {
        cut->line++;
        from++;
    }
}

/* At a field that may be quoted. DUN_CUT_WHOLE: it was, and `at` is behind it; *plain: it is an unquoted one.
 */
static enum dun_cut try_quoted(dun_cutter *cut, bool *plain) {
    quoted_field field;
    const char *open = cut->delimiter == '\t' ? cut->at : skip_spaces(cut->at, cut->end);
    *plain = open == cut->end || *open != '"';
    if (*plain)
        return DUN_CUT_WHOLE;
    const bool closed = cut_quoted(&field, cut, open);
    if (closed && is_end(cut, field.after)) {
        if (add_cell(cut, field.start, (size_t)(field.stop - field.start), field.doubled) < 0)
            return DUN_CUT_NO_MEMORY;
        count_lines(cut, field.start, field.stop);
        cut->at = field.after;
        return DUN_CUT_WHOLE;
    }
    /* Behind a blank, or where nothing separates fields, the quote is a part of the text. */
    *plain = open > cut->at || !cut->delimiter;
    cut->fault = closed ? field.after : open;
    cut->fault_line = cut->line;
    return closed ? DUN_CUT_AFTER_QUOTE : DUN_CUT_OPEN_QUOTE;
}

static int cut_plain(dun_cutter *cut, const char **line_stop) {
    if (!*line_stop || *line_stop < cut->at) {
        const char *stop = memchr(cut->at, cut->line_end, (size_t)(cut->end - cut->at));
        *line_stop = stop ? stop : cut->end;
    }
    const size_t rest = (size_t)(*line_stop - cut->at);
    const char *start = cut->at, *stop = cut->delimiter ? memchr(start, cut->delimiter, rest) : NULL;
    cut->at = stop ? stop : *line_stop;
    size_t length = (size_t)(cut->at - start);
    if (!stop && length && cut->line_end == '\n' && start[length - 1] == '\r')
        length--;
    return add_cell(cut, start, length, false);
}

enum dun_cut dun_cutter_next(dun_cutter *cut) {
    const char *line_stop = NULL;
    cut->n = 0;
    for (;;) {
        bool plain = true;
        if (cut->quotes) {
            enum dun_cut fault = try_quoted(cut, &plain);
            if (!plain && fault != DUN_CUT_WHOLE)
                return fault;
        }
        if (plain && cut_plain(cut, &line_stop) < 0)
            return DUN_CUT_NO_MEMORY;
        if (cut->n > DUN_RECORD_COLUMNS)
            return DUN_CUT_TOO_MANY;
        if (cut->at < cut->end && *cut->at == '\r' && cut->line_end == '\n')
            cut->at++; /* behind a quoted field */
        if (cut->at == cut->end)
            return DUN_CUT_WHOLE;
        const bool last = *cut->at++ == cut->line_end;
        cut->line += last;
        if (last)
            return DUN_CUT_WHOLE;
    }
}

int dun_cutter_unquote(dun_cutter *cut) {
    int rc = DUN_OK;
    size_t used = 0;
    dun_str_clear(&cut->unquoted);
    for (size_t i = 0; i < cut->n; i++)
        if (cut->cells[i].kind == DUN_CELL_NULL)
            TRY(dun_str_add(&cut->unquoted, cut->cells[i].bytes, cut->cells[i].length));
    for (size_t i = 0; i < cut->n; i++) {
        dun_cell *cell = &cut->cells[i];
        if (cell->kind != DUN_CELL_NULL)
            continue;
        char *out = cut->unquoted.bytes + used;
        size_t n = 0;
        used += cell->length;
        for (size_t j = 0; j < cell->length; j++) {
            out[n++] = cell->bytes[j];
            j += cell->bytes[j] == '"';
        }
        *cell = (dun_cell){out, n, DUN_CELL_TEXT};
    }
out:
    return rc;
}

enum dun_cut dun_cutter_next_mild(dun_cutter *cut) {
    const char *start = cut->at, *next;
    const size_t line = cut->line;
    enum dun_cut fault = dun_cutter_next(cut);
    if (fault == DUN_CUT_OPEN_QUOTE || fault == DUN_CUT_AFTER_QUOTE) {
        cut->at = start;
        cut->line = line;
        cut->quotes = false;
        cut->n_mended++;
        fault = dun_cutter_next(cut);
        cut->quotes = true;
    }
    if (fault != DUN_CUT_TOO_MANY)
        return fault;
    (void)dun_cutter_line(cut, &next);
    cut->line += next > cut->at && next[-1] == cut->line_end;
    cut->at = next;
    cut->n = DUN_RECORD_COLUMNS;
    return DUN_CUT_WHOLE;
}

void dun_cutter_free(dun_cutter *cut) {
    dun_str_free(&cut->unquoted);
    dun_free(cut->cells);
    *cut = (dun_cutter){0};
}

/* The message for a record that could not be cut: its cause, as far as the bytes show it. */
static int refuse_cut(const dun_records *r, enum dun_cut fault) {
    const dun_cutter *cut = &r->cut;
    const char *name = r->text->name;
    if (fault == DUN_CUT_NO_MEMORY)
        return DUN_FAILED; /* its message is recorded */
    if (fault == DUN_CUT_TOO_MANY)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: more than %d columns; fewer are needed", name, cut->line,
                         DUN_RECORD_COLUMNS);
    if (fault == DUN_CUT_OPEN_QUOTE)
        return dun_error(
            DUN_BAD_INPUT,
            "%s:%zu: the quote that opens in this line is never closed; a quote at the front of a "
            "field needs one at its end, and those between doubled",
            name, cut->fault_line);
    const char *quote = cut->fault - 1;
    while (*quote != '"')
        quote--;
    size_t line = cut->fault_line;
    for (const char *c = cut->at; c < quote; c++)
        line += *c == cut->line_end;
    if (quote[-1] == '\\')
        return dun_error(DUN_BAD_INPUT,
                         "%s:%zu: \\\" inside quotes; CSV knows no backslashes: the quote doubled (\"\") is "
                         "needed (pandas: to_csv without escapechar), or JSON lines",
                         name, line);
    return dun_error(DUN_BAD_INPUT,
                     "%s:%zu: text after a closing quote; %s, or a quote doubled inside is needed", name,
                     line,
                     cut->delimiter == '\t'  ? "a tab"
                     : cut->delimiter == ',' ? "a comma"
                                             : "a delimiter");
}

int dun_delimited_next(dun_records *r) {
    int rc;
    enum dun_cut cut = r->text->mild ? dun_cutter_next_mild(&r->cut) : dun_cutter_next(&r->cut);
    if (cut != DUN_CUT_WHOLE)
        TRY(refuse_cut(r, cut));
    TRY(dun_cutter_unquote(&r->cut));
    rc = 1;
out:
    return rc;
}
