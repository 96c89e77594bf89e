/* What is said of a file's labels: spellings that were read as one, different labels that look alike, labels
 * that are not known. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/column_names.h"
#include "io/data/dataset_inside.h"
#include "io/data/label_word.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_SHOWN = 5, WORDS_SHOWN = 8, MESSAGE_BYTES = 1000 };

/* A spelling, and what it has in common with others. */
typedef struct {
    char *common;
    const char *word;
    uint32_t id, n;
} entry;

typedef struct {
    entry *entries;
    size_t n, capacity;
} list;

static int compare_entries(const void *left, const void *right) {
    const entry *a = left, *b = right;
    int order = strcmp(a->common, b->common);
    return order ? order : strcmp(a->word, b->word);
}

static void free_list(list *l) {
    for (size_t i = 0; i < l->n; i++)
        dun_free(l->entries[i].common);
    dun_free(l->entries);
}

static int add_entry(list *l, const char *common, const char *word, uint32_t id, uint32_t n) {
    int rc;
    TRY_GROW(l->entries, l->capacity, l->n);
    l->entries[l->n] = (entry){.word = word, .id = id, .n = n};
    TRY_PTR(l->entries[l->n].common, dun_strdup(common));
    l->n++;
out:
    return rc;
}

/* Entries from `from` on that have the same in common. */
static size_t group(const list *l, size_t from) {
    size_t n = 1;
    while (from + n < l->n && strcmp(l->entries[from].common, l->entries[from + n].common) == 0)
        n++;
    return n;
}

/* Appends "'Good' (3), 'good' (12)". */
static int add_group(dun_str *out, const entry *entries, size_t n) {
    int rc = DUN_OK;
    for (size_t i = 0; i < n && i < WORDS_SHOWN; i++) {
        TRY(dun_str_addf(out, i ? ", '" : "'"));
        TRY(dun_utf8_show(out, entries[i].word, strlen(entries[i].word)));
        TRY(dun_str_addf(out, "' (%u)", entries[i].n));
    }
    if (n > WORDS_SHOWN)
        TRY(dun_str_addf(out, " and %zu more", n - WORDS_SHOWN));
out:
    return rc;
}

/* One warning of all groups that have several entries. */
static int tell_groups(const list *l, const char *name, const char *what, const char *advice) {
    int rc = DUN_OK;
    dun_str text = {0};
    size_t n_groups = 0, n_shown = 0;
    for (size_t i = 0, n; i < l->n; i += n) {
        n = group(l, i);
        if (n == 1)
            continue;
        n_groups++;
        if (n_shown == GROUPS_SHOWN || text.length > MESSAGE_BYTES)
            continue;
        TRY(dun_str_addf(&text, n_shown++ ? "; " : ""));
        TRY(add_group(&text, l->entries + i, n));
    }
    if (n_groups > n_shown)
        TRY(dun_str_addf(&text, "; and %zu more of them", n_groups - n_shown));
    if (n_groups > 0)
        dun_warn("%s: %s: %s%s", name, what, text.bytes, advice);
out:
    dun_str_free(&text);
    return rc;
}

/* Every spelling of the file, and the names of its classes, under what equal ones have in common. */
static int list_spellings(list *l, const dun_labels *labels) {
    int rc = DUN_OK;
    char key[DUN_LABEL_BYTES + 2];
    for (size_t i = 0; i < labels->n_words; i++) {
        const dun_label *word = &labels->words[i];
        if (word->n == 0 && labels->names[word->id] != word->word)
            continue;
        dun_label_key(key, word->word);
        TRY(add_entry(l, key, word->word, word->id, word->n));
    }
    if (l->n > 0)
        qsort(l->entries, l->n, sizeof *l->entries, compare_entries);
out:
    return rc;
}

/* Of equal spellings the class's name, with the texts of all, under what is left of it for a hasty eye. */
static int list_lookalikes(list *out, const list *spellings, const dun_labels *labels) {
    int rc = DUN_OK;
    dun_str fold = {0};
    for (size_t i = 0, n; i < spellings->n; i += n) {
        const entry *first = spellings->entries + i;
        uint32_t texts = 0;
        n = group(spellings, i);
        for (size_t j = 0; j < n; j++)
            texts += first[j].n;
        TRY(dun_label_fold(&fold, first->common));
        TRY(add_entry(out, fold.bytes, labels->names[first->id], first->id, texts));
    }
    if (out->n > 0)
        qsort(out->entries, out->n, sizeof *out->entries, compare_entries);
out:
    dun_str_free(&fold);
    return rc;
}

static int tell_blanks(const dun_labels *labels, const char *name) {
    int rc = DUN_OK;
    list l = {0};
    dun_str text = {0};
    uint64_t texts = 0;
    for (size_t i = 0; i < labels->n_words; i++) {
        const dun_label *word = &labels->words[i];
        texts += word->n_blanks;
        if (word->n_blanks > 0)
            TRY(add_entry(&l, word->word, word->word, word->id, word->n_blanks));
    }
    if (texts == 0)
        goto out;
    qsort(l.entries, l.n, sizeof *l.entries, compare_entries);
    TRY(add_group(&text, l.entries, l.n));
    dun_warn("%s: blanks around the labels of %llu texts do not count: %s", name, (unsigned long long)texts,
             text.bytes);
out:
    dun_str_free(&text);
    free_list(&l);
    return rc;
}

/* Letters, digits and what joins them to the name of a column. */
static bool is_like_name(const char *text) {
    static const char part[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    return strlen(text) <= 30 && text[strspn(text, part)] == '\0';
}

static bool names_column(const char *word, enum dun_name_meaning meaning) {
    return dun_name_matches(word, strlen(word), meaning) == DUN_NAME_WHOLE;
}

/* A name that no other line has as its label, while the other labels come again and again; or the text's or
 * the label's column has a name that people give to such columns. */
static bool is_header(const dun_labels *labels, const dun_dataset *dataset) {
    const dun_example *first = &dataset->examples[0];
    const char *label = labels->names[first->label];
    size_t again = 0, n_with = 0;
    for (size_t i = 0; i < labels->n_words; i++)
        if (labels->words[i].id == first->label)
            n_with += labels->words[i].n;
    if (n_with > 1)
        return false;
    for (size_t i = 0; i < labels->n_words; i++)
        again += labels->words[i].n > 1;
    return names_column(first->text, DUN_NAME_TEXT) || names_column(label, DUN_NAME_LABEL) ||
           (dataset->n > 4 && again >= labels->n_classes - 1 && is_like_name(first->text) &&
            is_like_name(label) && !dun_label_is_whole(label));
}

int dun_labels_tell_header(const dun_dataset_reader *r) {
    int rc = DUN_OK;
    dun_str text = {0};
    const dun_example *first = &r->dataset->examples[0];
    const char *label = r->labels->names[first->label];
    if (!r->gather || r->options->header || !is_header(r->labels, r->dataset))
        goto out;
    TRY(dun_utf8_show(&text, first->text, first->length));
    TRY(dun_str_addf(&text, "' with the label '"));
    TRY(dun_utf8_show(&text, label, strlen(label)));
    dun_warn("%s:%u: the line looks like a header but is read as a text, '%s'; if it names the columns, "
             "data.header = yes is needed",
             r->name, first->line, text.bytes);
out:
    dun_str_free(&text);
    return rc;
}

int dun_labels_tell(const dun_dataset_reader *r) {
    int rc;
    list spellings = {0}, lookalikes = {0};
    TRY(tell_blanks(r->labels, r->name));
    TRY(list_spellings(&spellings, r->labels));
    TRY(tell_groups(&spellings, r->name, "spellings of one label, read as one", ""));
    if (r->gather) {
        TRY(list_lookalikes(&lookalikes, &spellings, r->labels));
        TRY(tell_groups(&lookalikes, r->name, "labels that look alike are classes of their own",
                        "; where they mean the same, data.label_map gives them one class"));
    }
out:
    free_list(&lookalikes);
    free_list(&spellings);
    return rc;
}

/* Appends the known label that looks like the word, if one does. */
static int add_nearest(dun_str *out, const dun_labels *labels, const char *word) {
    int rc = DUN_OK;
    char key[DUN_LABEL_BYTES + 2];
    dun_str wanted = {0}, fold = {0};
    dun_label_key(key, word);
    TRY(dun_label_fold(&wanted, key));
    for (size_t i = 0; i < labels->n_words; i++) {
        dun_label_key(key, labels->words[i].word);
        TRY(dun_label_fold(&fold, key));
        if (strcmp(fold.bytes, wanted.bytes) != 0)
            continue;
        TRY(dun_str_addf(out, "; it looks like '"));
        TRY(dun_utf8_show(out, labels->words[i].word, strlen(labels->words[i].word)));
        TRY(dun_str_addf(out, "', which data.label_map could say"));
        break;
    }
out:
    dun_str_free(&fold);
    dun_str_free(&wanted);
    return rc;
}

int dun_labels_refuse(const dun_dataset_reader *r, const char *word, size_t line) {
    int rc;
    const dun_labels *labels = r->labels;
    dun_str text = {0};
    const char *separator = "";
    TRY(dun_str_addf(&text, "%s:%zu: the label '", r->name, line));
    TRY(dun_utf8_show(&text, word, strlen(word)));
    TRY(dun_str_addf(&text, "' is not known; known are "));
    for (size_t i = 0; i < labels->n_words && text.length < MESSAGE_BYTES; i++) {
        const dun_label *known = &labels->words[labels->order[i]];
        if (!known->spelled)
            continue;
        TRY(dun_str_addf(&text, "%s", separator));
        TRY(dun_utf8_show(&text, known->word, strlen(known->word)));
        separator = ", ";
    }
    if (labels->ids)
        TRY(dun_str_addf(&text, " and the ids 0 to %u", labels->n_classes - 1));
    TRY(add_nearest(&text, labels, word));
    if (line == 1 && !r->options->header)
        TRY(dun_str_addf(&text, "; if the line names the columns, data.header = yes is needed"));
    rc = dun_error(DUN_BAD_INPUT, "%s", text.bytes);
out:
    dun_str_free(&text);
    return rc;
}
