/* Names the columns of a file that is judged, and tells what is wrong with it, with what was found. */
#include "io/data/judge_inside.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/data/tally.h"

#include <string.h>

enum { LIST_BYTES = 500 }; /* a list of columns ends behind it */

const char *dun_judging_title(const dun_judging *j, size_t column) {
    return j->header || j->is_json ? j->columns.columns[column].title : NULL;
}

enum dun_name_match dun_judging_matches(const dun_judging *j, size_t column, enum dun_name_meaning meaning) {
    const char *title = dun_judging_title(j, column);
    return title ? dun_name_matches(title, strlen(title), meaning) : DUN_NAME_NO;
}

int dun_judging_name(char **out, const dun_judging *j, size_t column) {
    int rc = DUN_OK;
    dun_str text = {0};
    const char *title = dun_judging_title(j, column);
    bool usable = title && *title && strlen(title) < 200 && title[strspn(title, "0123456789")];
    for (size_t i = 0; usable && i < j->columns.n; i++)
        usable = i == column || !dun_judging_title(j, i) || strcmp(dun_judging_title(j, i), title) != 0;
    for (const char *c = title; usable && *c; c++)
        usable = (unsigned char)*c >= ' ' && *c != 127;
    TRY(usable || j->is_json ? dun_str_addf(&text, "%s", title) : dun_str_addf(&text, "%zu", column));
    *out = text.bytes;
    text = (dun_str){0};
out:
    dun_str_free(&text);
    return rc;
}

static bool is_any(const dun_column *c) {
    return c != NULL;
}
static bool is_filled(const dun_column *c) {
    return c->n_filled > 0;
}

/* Appends the names of the columns of which `holds`. */
static int list_columns(dun_str *out, const dun_judging *j, bool (*holds)(const dun_column *c)) {
    int rc = DUN_OK;
    for (size_t i = 0; i < j->columns.n && out->length < LIST_BYTES; i++) {
        char *name = NULL;
        if (!holds(&j->columns.columns[i]))
            continue;
        TRY(dun_judging_name(&name, j, i));
        rc = dun_str_addf(out, "%s%s", out->length ? ", " : "", name);
        dun_free(name);
        TRY(rc);
    }
out:
    return rc;
}

int dun_judging_refuse_name(const dun_judging *j, const char *wanted, const char *option) {
    int rc;
    dun_str columns = {0}, why = {0};
    TRY(list_columns(&columns, j, is_any));
    TRY(wanted ? dun_str_addf(&why, "has no column \"%.60s\"", wanted)
               : dun_str_addf(&why, "several columns could be the texts"));
    rc = dun_error(DUN_USAGE, "%s: %s; name one with %s COLUMN: %s", j->name, why.bytes, option,
                   columns.bytes ? columns.bytes : "there is none");
out:
    dun_str_free(&why);
    dun_str_free(&columns);
    return rc;
}

int dun_judging_check_wrapped(const dun_judging *j) {
    for (size_t i = 0; j->is_json && j->columns.n_rows == 1 && i < j->columns.n; i++)
        if (j->columns.columns[i].holds_records)
            return dun_records_refuse_wrapped(j->name, dun_judging_title(j, i));
    return DUN_OK;
}

/* What a column of JSON holds that is neither text nor label; NULL: nothing of the kind. */
static const char *nested_in(const dun_column *c) {
    return c->n_lists && c->n_objects ? "lists and objects"
           : c->n_lists               ? "lists"
           : c->n_objects             ? "objects"
                                      : NULL;
}

/* Records that would be answered: all but those before a header. */
static size_t count_records(const dun_judging *j) {
    const dun_columns *c = &j->columns;
    return c->n_rows + c->n_uneven + c->n_empty + (j->header ? 0 : c->n_before);
}

/* Appends what there is where no record has a text in the column, which may be none at all. */
static int tell_instead(dun_str *out, const dun_judging *j, size_t column) {
    int rc = DUN_OK;
    dun_str others = {0};
    const size_t n = count_records(j);
    const char *nested = column < j->columns.n ? nested_in(&j->columns.columns[column]) : NULL;
    TRY(list_columns(&others, j, is_filled));
    if (nested)
        TRY(dun_str_addf(out, "it holds %s", nested));
    else if (others.length)
        TRY(dun_str_addf(out, "what is not empty: %s", others.bytes));
    else if (j->is_json && j->columns.n == 0)
        TRY(dun_str_addf(out,
                         n == 1 ? "the record is no object with keys"
                                : "none of the %zu records is an object with keys",
                         n));
    else
        TRY(dun_str_addf(out, n == 1 ? "all of the record is empty" : "all %zu records are empty", n));
out:
    dun_str_free(&others);
    return rc;
}

int dun_judging_check_texts(const dun_judging *j, size_t column, const char *wanted) {
    int rc = DUN_OK;
    char *name = NULL;
    dun_str found = {0};
    const char *key = wanted ? wanted : "text";
    if (count_records(j) == 0 || (column < j->columns.n && j->columns.columns[column].n_filled > 0) ||
        j->columns.n_uneven > 0)
        goto out;
    TRY(tell_instead(&found, j, column));
    if (j->is_json)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: no record has a text at the key \"%s\"; %s; {\"%s\": \"...\"} is needed", j->name,
                      key, found.bytes, key));
    TRY(dun_judging_name(&name, j, column));
    TRY(dun_error(DUN_BAD_INPUT, "%s: no record has a text in column %s; %s", j->name, name, found.bytes));
out:
    dun_free(name);
    dun_str_free(&found);
    return rc;
}

/* Of a column that would be the label if it held labels. */
static int check_label(const dun_judging *j, size_t column) {
    int rc = DUN_OK;
    char *name = NULL;
    const size_t n = j->columns.n_rows;
    const dun_column *c = &j->columns.columns[column];
    const char *nested = nested_in(c);
    const bool named = dun_judging_matches(j, column, DUN_NAME_LABEL) == DUN_NAME_WHOLE;
    TRY(dun_judging_name(&name, j, column));
    if (named && nested)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: \"%s\" holds %s in %zu of %zu rows; one label for each text is needed", j->name,
                      name, nested, c->n_lists + c->n_objects, n));
    if (named && c->n_filled == 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: column %s is empty in all %zu rows; a label for each text is needed", j->name,
                      name, n));
    if ((named || j->columns.n == 2) && c->n_values == 1 && c->n_filled == n)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: column %s has the same value in all %zu rows; labels of at least two classes are "
                      "needed",
                      j->name, name, n));
out:
    dun_free(name);
    return rc;
}

int dun_judging_refuse_labels(const dun_judging *j) {
    int rc = DUN_OK;
    if (j->columns.n_rows + j->columns.n_uneven == 0)
        TRY(dun_tally_refuse_none(j->name, j->columns.n_lines,
                                  j->columns.n_blank + j->columns.n_empty + j->columns.n_before));
    if (j->columns.n < 2)
        TRY(dun_error(DUN_BAD_INPUT, "%s: one column only; a text and its label are needed in every line",
                      j->name));
    for (size_t i = 0; i < j->columns.n; i++) {
        if (dun_judging_matches(j, i, DUN_NAME_TEXT) == DUN_NAME_WHOLE)
            TRY(dun_judging_check_texts(j, i, NULL));
        TRY(check_label(j, i));
    }
    rc = dun_error(DUN_BAD_INPUT,
                   "%s: no column looks like labels, a few values that come again and again; name it with "
                   "--label COLUMN, a name or a number from 0",
                   j->name);
out:
    return rc;
}
