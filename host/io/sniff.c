/* Judges a sample of a file: a grid of cells, and columns by how many values they have and how long. */
#include "io/sniff.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { MOST_ROWS = 1000, MOST_COLUMNS = 64, CELL_BYTES = 4096, FEW_ROWS = 20 };

typedef struct {
    const char *name;
    char *cells[MOST_ROWS][MOST_COLUMNS]; /* NULL: absent */
    size_t n_rows, n_columns;
    char *keys[MOST_COLUMNS]; /* of JSON */
    bool is_json;
} grid;

/* Names that people give to such columns. */
static const char *const text_names[] = {"text",    "sentence", "review",  "content",  "message",
                                         "comment", "body",     "tweet",   "document", "utterance",
                                         "phrase",  "question", "abstract"};
static const char *const label_names[] = {"label",   "labels",   "class", "category",     "sentiment",
                                          "target",  "topic",    "stars", "rating",       "intent",
                                          "emotion", "polarity", "score", "category_name"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_one_of(const char *word, const char *const *names, size_t n) {
    for (size_t i = 0; word && i < n; i++)
        if (strcasecmp(word, names[i]) == 0)
            return true;
    return false;
}

/* format */

static bool ends_with(const char *name, size_t length, const char *ending) {
    size_t n = strlen(ending);
    return length > n && strncasecmp(name + length - n, ending, n) == 0;
}

static const char *format_by_ending(const char *name) {
    size_t length = strlen(name);
    if (ends_with(name, length, ".gz"))
        length -= 3;
    return ends_with(name, length, ".tsv")                                           ? "tsv"
           : ends_with(name, length, ".csv")                                         ? "csv"
           : ends_with(name, length, ".jsonl") || ends_with(name, length, ".ndjson") ? "jsonl"
                                                                                     : NULL;
}

/* Of the first lines, how many hold the character. */
static size_t lines_with(const char *bytes, const char *end, char c, size_t *n_lines) {
    size_t with = 0;
    *n_lines = 0;
    while (bytes < end && *n_lines < FEW_ROWS) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        ++*n_lines;
        with += memchr(bytes, c, (size_t)(stop - bytes)) != NULL;
        bytes = newline ? newline + 1 : end;
    }
    return with;
}

static int find_format(dun_sniffed *out, const char *bytes, const char *end, const char *name) {
    size_t n_lines, at = 0;
    out->format = format_by_ending(name);
    out->by_ending = out->format != NULL;
    if (out->format)
        return DUN_OK;
    while (bytes + at < end && isspace((unsigned char)bytes[at]))
        at++;
    if (bytes + at < end && bytes[at] == '{')
        out->format = "jsonl";
    else if (lines_with(bytes, end, '\t', &n_lines) == n_lines)
        out->format = "tsv";
    else if (lines_with(bytes, end, ',', &n_lines) > n_lines / 2)
        out->format = "csv";
    else
        return dun_error(
            DUN_BAD_INPUT,
            "%s: neither tabs nor commas separate columns in every line; a text and its label in "
            "each (TSV, CSV or JSONL) are needed",
            name);
    return DUN_OK;
}

/* cells */

static int set_cell(grid *g, size_t row, size_t column, const char *bytes, size_t length) {
    int rc = DUN_OK;
    if (length > CELL_BYTES) /* long enough to be judged */
        length = CELL_BYTES;
    TRY_PTR(g->cells[row][column], dun_strndup(bytes, length));
    if (column >= g->n_columns)
        g->n_columns = column + 1;
out:
    return rc;
}

/* One field of TSV or CSV; *last: the record ends with it. Faults are left for the reader that is strict. */
static int next_field(const char **at, const char *end, bool csv, dun_str *field, bool *last) {
    int rc = DUN_OK;
    const char separator = csv ? ',' : '\t';
    const char *c = *at;
    bool quoted = csv && c < end && *c == '"';
    dun_str_clear(field);
    for (c += quoted; c < end; c++) {
        if (quoted && *c == '"') {
            if (c + 1 < end && c[1] == '"')
                c++;
            else {
                quoted = false;
                continue;
            }
        } else if (!quoted && (*c == separator || *c == '\n')) {
            break;
        }
        if (field->length <= CELL_BYTES)
            TRY(dun_str_add(field, c, 1));
    }
    *last = c == end || *c == '\n';
    if (*last && field->length && field->bytes[field->length - 1] == '\r')
        field->length--;
    *at = c < end ? c + 1 : end;
out:
    return rc;
}

static int read_delimited(grid *g, const char *at, const char *end, bool csv) {
    int rc = DUN_OK;
    dun_str field = {0};
    while (at < end && g->n_rows < MOST_ROWS) {
        bool last = false;
        if (*at == '\n' || *at == '\r') {
            at++;
            continue;
        }
        for (size_t column = 0; !last; column++) {
            TRY(next_field(&at, end, csv, &field, &last));
            if (column < MOST_COLUMNS)
                TRY(set_cell(g, g->n_rows, column, field.bytes ? field.bytes : "", field.length));
        }
        g->n_rows++;
    }
out:
    dun_str_free(&field);
    return rc;
}

static int key_index(size_t *index, grid *g, const char *key) {
    int rc = DUN_OK;
    for (*index = 0; *index < MOST_COLUMNS && g->keys[*index]; ++*index)
        if (strcmp(g->keys[*index], key) == 0)
            return DUN_OK;
    if (*index < MOST_COLUMNS)
        TRY_PTR(g->keys[*index], dun_strdup(key));
out:
    return rc;
}

static int read_json(grid *g, const char *at, const char *end) {
    int rc = DUN_OK;
    json_t *object = NULL, *value;
    const char *key;
    dun_str text = {0};
    for (size_t line = 1; at < end && g->n_rows < MOST_ROWS; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *first = at;
        while (first < stop && isspace((unsigned char)*first))
            first++;
        if (first == stop) {
            at = newline ? newline + 1 : end;
            continue;
        }
        TRY(dun_json_parse(&object, at, (size_t)(stop - at), g->name, line));
        json_object_foreach(object, key, value) {
            size_t column;
            TRY(key_index(&column, g, key));
            if (column >= MOST_COLUMNS || json_is_object(value) || json_is_array(value) ||
                json_is_null(value))
                continue;
            dun_str_clear(&text);
            if (json_is_string(value))
                TRY(dun_str_add(&text, json_string_value(value), json_string_length(value)));
            else if (json_is_boolean(value))
                TRY(dun_str_addf(&text, "%s", json_is_true(value) ? "true" : "false"));
            else
                TRY(dun_str_addf(&text, "%.17g", json_number_value(value)));
            TRY(set_cell(g, g->n_rows, column, text.bytes, text.length));
        }
        json_decref(object);
        object = NULL;
        g->n_rows++;
        at = newline ? newline + 1 : end;
    }
out:
    json_decref(object);
    dun_str_free(&text);
    return rc;
}

static void free_grid(grid *g) {
    for (size_t row = 0; g && row < MOST_ROWS; row++)
        for (size_t column = 0; column < MOST_COLUMNS; column++)
            dun_free(g->cells[row][column]);
    for (size_t column = 0; g && column < MOST_COLUMNS; column++)
        dun_free(g->keys[column]);
    dun_free(g);
}

/* columns */

typedef struct {
    size_t n, n_different, n_once; /* cells that are there, different values, values met once */
    double mean_bytes;
} column_stats;

static column_stats measure(const grid *g, size_t column, size_t first_row) {
    uint64_t values[MOST_ROWS];
    size_t times[MOST_ROWS];
    column_stats s = {0};
    double bytes = 0;
    for (size_t row = first_row; row < g->n_rows; row++) {
        const char *cell = g->cells[row][column];
        if (!cell)
            continue;
        size_t length = strlen(cell), i = 0;
        uint64_t hash = dun_hash(DUN_HASH_START, cell, length);
        while (i < s.n_different && values[i] != hash)
            i++;
        if (i == s.n_different) {
            values[s.n_different] = hash;
            times[s.n_different++] = 0;
        }
        times[i]++;
        s.n++;
        bytes += (double)length;
    }
    for (size_t i = 0; i < s.n_different; i++)
        s.n_once += times[i] == 1;
    s.mean_bytes = s.n ? bytes / (double)s.n : 0;
    return s;
}

/* Few values, each of them many times; `n` is how many rows there are. */
static bool could_be_label(const column_stats *s, size_t n) {
    return s->n == n && s->n_different >= 2 && s->n_different * 2 <= n + 1 && s->mean_bytes <= 64;
}

static const char *title_of(const grid *g, size_t column, bool header) {
    return g->is_json ? g->keys[column] : header ? g->cells[0][column] : NULL;
}

/* The column that is most like labels, other than `not`; n_columns when none is. */
static size_t find_label(const grid *g, bool header, size_t not ) {
    size_t best = g->n_columns, fewest = SIZE_MAX;
    const size_t first = header && !g->is_json, n = g->n_rows - first;
    for (size_t column = 0; column < g->n_columns; column++) {
        column_stats s = measure(g, column, first);
        if (column == not || !could_be_label(&s, n))
            continue;
        if (is_one_of(title_of(g, column, header), label_names, COUNT(label_names)))
            return column;
        if (s.n_different <= fewest) { /* of equals the last: labels tend to follow texts */
            fewest = s.n_different;
            best = column;
        }
    }
    return best;
}

static size_t find_text(const grid *g, bool header, size_t label) {
    size_t best = g->n_columns;
    double longest = -1;
    for (size_t column = 0; column < g->n_columns; column++) {
        column_stats s = measure(g, column, header && !g->is_json);
        if (column == label || s.n == 0)
            continue;
        if (is_one_of(title_of(g, column, header), text_names, COUNT(text_names)))
            return column;
        if (s.mean_bytes > longest) {
            longest = s.mean_bytes;
            best = column;
        }
    }
    return best;
}

/* Known names in the first line, or a label there that no other line has while theirs come again and again.
 */
static bool has_header(const grid *g) {
    if (g->is_json || g->n_rows < 2)
        return false;
    for (size_t column = 0; column < g->n_columns; column++) {
        const char *cell = g->cells[0][column];
        if (is_one_of(cell, text_names, COUNT(text_names)) ||
            is_one_of(cell, label_names, COUNT(label_names))) {
            /* A label may be called so as well: then other lines have it too. */
            bool again = false;
            for (size_t row = 1; row < g->n_rows; row++)
                again |= g->cells[row][column] && strcmp(g->cells[row][column], cell) == 0;
            if (!again)
                return true;
        }
    }
    size_t label = find_label(g, true, g->n_columns);
    if (label == g->n_columns)
        return false;
    column_stats rest = measure(g, label, 1), all = measure(g, label, 0);
    return all.n_different > rest.n_different && rest.n_once == 0 && rest.n >= 4;
}

static int missing_label(const grid *g, bool header) {
    const size_t first = header && !g->is_json;
    if (g->n_rows <= first)
        return dun_error(DUN_BAD_INPUT, "%s: no texts; a text and its label are needed in every line",
                         g->name);
    if (g->n_columns < 2)
        return dun_error(DUN_BAD_INPUT,
                         "%s: one column only; a text and its label are needed in every line%s", g->name,
                         g->n_columns && g->cells[0][0] && strchr(g->cells[0][0], ';')
                             ? " (semicolons separate nothing here: commas or tabs do)"
                             : "");
    for (size_t column = 0; column < g->n_columns; column++) {
        column_stats s = measure(g, column, first);
        const char *title = title_of(g, column, header);
        if (s.n == g->n_rows - first && s.n_different == 1 &&
            (g->n_columns == 2 || is_one_of(title, label_names, COUNT(label_names))))
            return dun_error(DUN_BAD_INPUT,
                             "%s: column %zu has the same value in all %zu lines; labels of at least "
                             "two classes are needed",
                             g->name, column, s.n);
    }
    return dun_error(DUN_BAD_INPUT,
                     "%s: no column looks like labels, a few values that come again and again; name it with "
                     "--label COLUMN, a name or a number from 0",
                     g->name);
}

/* The column that the user names. */
static int find_named(size_t *column, const grid *g, bool header, const char *name) {
    size_t number = 0;
    for (*column = 0; *column < g->n_columns; ++*column) {
        const char *title = title_of(g, *column, header);
        if (title && strcmp(title, name) == 0)
            return DUN_OK;
    }
    if (!g->is_json && name[0] && !name[strspn(name, "0123456789")] && strlen(name) < 4) {
        for (const char *c = name; *c; c++)
            number = number * 10 + (size_t)(*c - '0');
        *column = number;
        if (number < g->n_columns)
            return DUN_OK;
    }
    return dun_error(DUN_USAGE, "%s: has no column \"%.60s\"; there are %zu", g->name, name, g->n_columns);
}

/* A name that is unique and no number, else the number. */
static int name_column(char **out, const grid *g, bool header, size_t column) {
    int rc = DUN_OK;
    dun_str text = {0};
    const char *title = title_of(g, column, header);
    bool usable = title && *title && strlen(title) < 200 && title[strspn(title, "0123456789")];
    for (size_t i = 0; usable && i < g->n_columns; i++)
        usable = i == column || !title_of(g, i, header) || strcmp(title_of(g, i, header), title) != 0;
    for (const char *c = title; usable && *c; c++)
        usable = (unsigned char)*c >= ' ' && *c != 127;
    TRY(usable || g->is_json ? dun_str_addf(&text, "%s", title) : dun_str_addf(&text, "%zu", column));
    *out = text.bytes;
    text = (dun_str){0};
out:
    dun_str_free(&text);
    return rc;
}

static int choose(dun_sniffed *out, const grid *g, const char *text, const char *label) {
    int rc = DUN_OK;
    out->header = has_header(g);
    if (!out->header && !g->is_json && g->n_rows > 1)
        for (size_t column = 0; column < g->n_columns; column++)
            out->header |= g->cells[0][column] && ((text && strcmp(g->cells[0][column], text) == 0) ||
                                                   (label && strcmp(g->cells[0][column], label) == 0));
    out->text = g->n_columns;
    if (text)
        TRY(find_named(&out->text, g, out->header, text));
    if (label)
        TRY(find_named(&out->label, g, out->header, label));
    else
        out->label = find_label(g, out->header, out->text);
    if (out->label == g->n_columns)
        TRY(missing_label(g, out->header));
    if (!text)
        out->text = find_text(g, out->header, out->label);
    if (out->text == g->n_columns || out->text == out->label)
        TRY(dun_error(DUN_BAD_INPUT, "%s: no column of texts besides the labels", g->name));
    TRY(name_column(&out->text_column, g, out->header, out->text));
    TRY(name_column(&out->label_column, g, out->header, out->label));
out:
    return rc;
}

int dun_sniff(dun_sniffed *out, const char *bytes, size_t length, const char *name, const char *text,
              const char *label) {
    int rc = DUN_OK;
    grid *g = NULL;
    *out = (dun_sniffed){0};
    size_t skipped = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    const char *at = length ? bytes + skipped : "", *end = at + (length - skipped);
    if (dun_utf8_valid(at, (size_t)(end - at)) < (size_t)(end - at) || memchr(at, '\0', (size_t)(end - at)))
        TRY(dun_error(DUN_BAD_INPUT, "%s: not text in UTF-8, which is needed", name));
    TRY_NEW(g, 1);
    g->name = name;
    TRY(find_format(out, at, end, name));
    g->is_json = strcmp(out->format, "jsonl") == 0;
    TRY(g->is_json ? read_json(g, at, end) : read_delimited(g, at, end, strcmp(out->format, "csv") == 0));
    TRY(choose(out, g, text, label));
out:
    free_grid(g);
    if (rc < 0)
        dun_sniffed_free(out);
    return rc;
}

void dun_sniffed_free(dun_sniffed *sniffed) {
    dun_free(sniffed->text_column);
    dun_free(sniffed->label_column);
    *sniffed = (dun_sniffed){0};
}
