/* Scores columns by name and content. A label's column has few values, each many times; what speaks for and
 * against it is the table `features`. The text's column is what has a text's name, words with blanks between,
 * and the longest cells. */
#include "io/data/judge.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/column_names.h"
#include "io/data/judge_inside.h"

#include <string.h>

/* Two columns whose scores differ by less are for people to tell apart. */
static const double CLOSE_SCORES = 0.5;

/* labels */

/* At least two texts a value on average, and half of all rows have one. */
static bool could_be_label(const dun_judging *j, const dun_column *c) {
    return !c->many && c->n_values >= 2 && c->n_values * 2 <= c->n_filled + 1 && c->mean_bytes <= 64 &&
           c->n_filled * 2 >= j->columns.n_rows;
}

static bool has_label_name(const dun_judging *j, size_t i) {
    return dun_judging_matches(j, i, DUN_NAME_LABEL) == DUN_NAME_WHOLE;
}
static bool has_label_word(const dun_judging *j, size_t i) {
    return dun_judging_matches(j, i, DUN_NAME_LABEL) == DUN_NAME_WORD;
}
static bool stands_aside(const dun_judging *j, size_t i) {
    return dun_judging_matches(j, i, DUN_NAME_ASIDE) != DUN_NAME_NO && !has_label_name(j, i);
}
static bool is_words(const dun_judging *j, size_t i) {
    return j->columns.columns[i].n_numbers * 10 < j->columns.columns[i].n_filled;
}
static bool is_full(const dun_judging *j, size_t i) {
    return j->columns.columns[i].n_filled * 100 >= j->columns.n_rows * 95;
}
static bool has_few_values(const dun_judging *j, size_t i) {
    return j->columns.columns[i].n_values <= 20;
}
static bool is_measure(const dun_judging *j, size_t i) {
    return !is_words(j, i) && !has_few_values(j, i);
}
static bool has_values_once(const dun_judging *j, size_t i) {
    return j->columns.columns[i].n_once * 4 > j->columns.columns[i].n_values;
}

static const struct {
    bool (*holds)(const dun_judging *j, size_t column);
    double score;
} features[] = {
    {has_label_name, 5},   {has_label_word, 3},
    {stands_aside, -3},    /* ids, dates, counts, how sure somebody was */
    {is_words, 1},         /* beside numbers, words are likelier */
    {is_full, 1},          /* a label that is mostly missing is none */
    {has_few_values, 1},   /* at most 20 */
    {is_measure, -2},      /* many numbers */
    {has_values_once, -1}, /* a quarter of the values came once */
};

static double label_score(const dun_judging *j, size_t column) {
    double score = 0;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].holds(j, column))
            score += features[i].score;
    return score;
}

/* Of equals the last comes first: labels tend to follow texts. */
static size_t find_labels(size_t *found, double *scores, const dun_judging *j, size_t not ) {
    size_t n = 0;
    for (size_t column = 0; column < j->columns.n; column++) {
        if (column == not || !could_be_label(j, &j->columns.columns[column]))
            continue;
        const double score = label_score(j, column);
        size_t at = n < DUN_JUDGED_LABELS ? n : DUN_JUDGED_LABELS;
        for (; at > 0 && scores[at - 1] <= score; at--)
            if (at < DUN_JUDGED_LABELS) {
                scores[at] = scores[at - 1];
                found[at] = found[at - 1];
            }
        if (at == DUN_JUDGED_LABELS)
            continue;
        scores[at] = score;
        found[at] = column;
        n += n < DUN_JUDGED_LABELS;
    }
    return n;
}

/* header */

/* Known names in the first line, or numbers below a word, or a label there that no other line has while
 * theirs come again and again. */
static bool is_header(dun_judging *j, const char *text, const char *label) {
    size_t found[DUN_JUDGED_LABELS];
    double scores[DUN_JUDGED_LABELS];
    j->header = j->is_table; /* titles are looked at */
    if (!j->header)
        return false;
    for (size_t i = 0; i < j->columns.n; i++) {
        const dun_column *c = &j->columns.columns[i];
        const bool named = (text && strcmp(c->title, text) == 0) || (label && strcmp(c->title, label) == 0);
        const bool known = dun_judging_matches(j, i, DUN_NAME_TEXT) == DUN_NAME_WHOLE || has_label_name(j, i);
        const bool counted = c->n_numbers >= 2 && c->n_numbers == c->n_filled && *c->title &&
                             !dun_column_is_number(c->title, strlen(c->title));
        if (named || ((known || counted) && c->n_again == 0))
            return true;
    }
    if (find_labels(found, scores, j, j->columns.n) > 0) {
        const dun_column *c = &j->columns.columns[found[0]];
        if (*c->title && c->n_again == 0 && c->n_once == 0 && c->n_filled >= 4)
            return true;
    }
    return false;
}

/* texts */

/* The best column but for the label's, columns.n without one. DUN_USAGE: another is as good. */
static int find_text(size_t *found, const dun_judging *j, size_t label) {
    int rc = DUN_OK;
    size_t best = j->columns.n;
    double longest = 1, most = -1e9, next = -1e9;
    for (size_t i = 0; i < j->columns.n; i++)
        if (i != label && j->columns.columns[i].mean_bytes > longest)
            longest = j->columns.columns[i].mean_bytes;
    for (size_t i = 0; i < j->columns.n; i++) {
        const dun_column *c = &j->columns.columns[i];
        static const double by_name[] = {[DUN_NAME_NO] = 0, [DUN_NAME_WORD] = 2, [DUN_NAME_WHOLE] = 4};
        if (i == label || c->n_filled == 0)
            continue;
        const double score = by_name[dun_judging_matches(j, i, DUN_NAME_TEXT)] + 3 * c->mean_bytes / longest +
                             2 * (c->n_spaced * 2 > c->n_filled) - 2 * stands_aside(j, i);
        next = score > most ? most : score > next ? score : next;
        if (score > most) {
            most = score;
            best = i;
        }
    }
    *found = best;
    if (best < j->columns.n && most - next < CLOSE_SCORES)
        TRY(dun_judging_refuse_name(j, NULL, "--text"));
out:
    return rc;
}

static bool find_named(size_t *column, const dun_judging *j, const char *name) {
    size_t number = 0;
    for (*column = 0; *column < j->columns.n; ++*column) {
        const char *title = dun_judging_title(j, *column);
        if (title && strcmp(title, name) == 0)
            return true;
    }
    if (!j->is_json && name[0] && !name[strspn(name, "0123456789")] && strlen(name) < 5) {
        for (const char *c = name; *c; c++)
            number = number * 10 + (size_t)(*c - '0');
        *column = number;
        return number < j->columns.n;
    }
    return false;
}

static int add_guess(dun_judged *out, const dun_judging *j, size_t column, double score) {
    int rc;
    dun_str samples = {0};
    const dun_column *c = &j->columns.columns[column];
    dun_label_guess *guess = &out->labels[out->n_labels++];
    for (int i = 0; i < DUN_COLUMN_SAMPLES && c->samples[i]; i++)
        TRY(dun_str_addf(&samples, "%s%s", i ? ", " : "", c->samples[i]));
    TRY(dun_str_addf(&samples, c->many || c->n_values > DUN_COLUMN_SAMPLES ? ", ..." : ""));
    TRY(dun_judging_name(&guess->column, j, column));
    guess->n_values = c->n_values;
    guess->score = score;
    guess->samples = samples.bytes;
    samples = (dun_str){0};
out:
    dun_str_free(&samples);
    return rc;
}

static int choose_label(dun_judged *out, const dun_judging *j, const char *label) {
    int rc = DUN_OK;
    size_t found[DUN_JUDGED_LABELS] = {0}, n;
    double scores[DUN_JUDGED_LABELS] = {0};
    if (label) {
        if (!find_named(&out->label, j, label))
            TRY(dun_judging_refuse_name(j, label, "--label"));
        TRY(add_guess(out, j, out->label, 0));
        goto out;
    }
    n = find_labels(found, scores, j, out->text);
    if (n == 0)
        TRY(dun_judging_refuse_labels(j));
    for (size_t i = 0; i < n; i++)
        TRY(add_guess(out, j, found[i], scores[i]));
    out->label = found[0];
    out->close = n > 1 && scores[0] - scores[1] < CLOSE_SCORES;
out:
    return rc;
}

static int choose(dun_judged *out, dun_judging *j, const char *text, const char *label) {
    int rc = DUN_OK;
    out->header = j->header = is_header(j, text, label);
    if (j->is_table && !j->header && j->columns.n)
        TRY(dun_columns_count_first(&j->columns));
    out->text = j->columns.n;
    if (text && !find_named(&out->text, j, text))
        TRY(dun_judging_refuse_name(j, text, "--text"));
    TRY(dun_judging_check_wrapped(j));
    TRY(choose_label(out, j, label));
    if (!text)
        TRY(find_text(&out->text, j, out->label));
    if (out->text == j->columns.n || out->text == out->label)
        TRY(dun_error(DUN_BAD_INPUT, "%s: no column of texts besides the labels", j->name));
    TRY(dun_judging_name(&out->text_column, j, out->text));
    TRY(dun_judging_name(&out->label_column, j, out->label));
out:
    return rc;
}

/* What would be the label is not the text, unless its name says so. */
static int choose_text(dun_judged_text *out, dun_judging *j, const char *wanted, bool must) {
    int rc = DUN_OK;
    double scores[DUN_JUDGED_LABELS];
    size_t labels[DUN_JUDGED_LABELS];
    out->header = is_header(j, wanted, NULL);
    j->header = out->header;
    if (j->is_table && !j->header && j->columns.n)
        TRY(dun_columns_count_first(&j->columns));
    out->named = wanted && find_named(&out->column, j, wanted);
    if (!out->named)
        TRY(dun_judging_check_wrapped(j));
    if (out->named || j->columns.n == 0)
        goto check;
    if (wanted && must)
        TRY(dun_judging_refuse_name(j, wanted, "--text"));
    const size_t n = j->columns.n > 1 ? find_labels(labels, scores, j, j->columns.n) : 0;
    const bool label = n > 0 && dun_judging_matches(j, labels[0], DUN_NAME_TEXT) != DUN_NAME_WHOLE;
    TRY(find_text(&out->column, j, label ? labels[0] : j->columns.n));
    if (out->column == j->columns.n)
        out->column = 0; /* nothing in any of them */
check:
    TRY(dun_judging_check_texts(j, out->column, wanted));
out:
    return rc;
}

static int begin(dun_judging *j, const dun_text_file *file, const dun_dialect *dialect) {
    *j = (dun_judging){.name = file->name,
                       .is_json = dialect->format == DUN_JSON || dialect->format == DUN_JSONL,
                       .is_table = dialect->format == DUN_TSV || dialect->format == DUN_CSV};
    return dun_columns_measure(&j->columns, file, dialect);
}

int dun_judge_text(dun_judged_text *out, const dun_text_file *file, const dun_dialect *dialect,
                   const char *wanted, bool must) {
    int rc;
    dun_judging j;
    *out = (dun_judged_text){0};
    TRY(begin(&j, file, dialect));
    TRY(choose_text(out, &j, wanted && *wanted ? wanted : NULL, must));
    if (out->column < j.columns.n)
        TRY(dun_judging_name(&out->name, &j, out->column));
out:
    dun_columns_free(&j.columns);
    return rc;
}

int dun_judge(dun_judged *out, const dun_text_file *file, const char *text, const char *label) {
    int rc;
    enum dun_format ending;
    dun_judging j = {0};
    *out = (dun_judged){0};
    TRY(dun_dialect_find(&out->dialect, file, "auto"));
    out->format = dun_format_name(out->dialect.format);
    out->by_ending = dun_format_by_ending(&ending, file->name) && ending == out->dialect.format;
    TRY(begin(&j, file, &out->dialect));
    if (out->dialect.format == DUN_PLAIN && j.columns.n_rows)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: one column only: neither tabs nor commas, semicolons or bars separate columns; a text "
            "and its label in each line (TSV, CSV or JSON lines) are needed",
            file->name));
    TRY(choose(out, &j, text, label));
out:
    dun_columns_free(&j.columns);
    if (rc < 0)
        dun_judged_free(out);
    return rc;
}

int dun_judged_list(dun_str *out, const dun_judged *judged) {
    int rc = DUN_OK;
    for (size_t i = 0; i < judged->n_labels; i++)
        TRY(dun_str_addf(out, "%zu  %s (%zu values: %s)\n", i + 1, judged->labels[i].column,
                         judged->labels[i].n_values, judged->labels[i].samples));
out:
    return rc;
}

void dun_judged_free(dun_judged *judged) {
    dun_free(judged->text_column);
    dun_free(judged->label_column);
    for (size_t i = 0; i < judged->n_labels; i++) {
        dun_free(judged->labels[i].column);
        dun_free(judged->labels[i].samples);
    }
    *judged = (dun_judged){0};
}
