/* Labels: the words of a file and the class ids they mean, from a label map or gathered while reading. */
#include "io/dataset.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/dataset_inside.h"

#include <stdlib.h>
#include <string.h>

/* The word's place among words in byte order; true when it is there already. */
static bool find_word(size_t *at, const dun_labels *labels, const char *word) {
    size_t low = 0, high = labels->n_words;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(labels->words[middle].word, word);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

static int insert_word(dun_labels *labels, size_t at, const char *word, uint32_t id) {
    int rc;
    char *copy = NULL;
    TRY_GROW(labels->words, labels->capacity, labels->n_words);
    TRY_PTR(copy, dun_strdup(word));
    memmove(labels->words + at + 1, labels->words + at, (labels->n_words - at) * sizeof *labels->words);
    labels->words[at] = (dun_label){copy, id};
    labels->n_words++;
out:
    return rc;
}

void dun_labels_free(dun_labels *labels) {
    for (size_t i = 0; i < labels->n_words; i++)
        dun_free(labels->words[i].word);
    dun_free(labels->words);
    dun_free(labels->names);
    *labels = (dun_labels){0};
}

/* Digits, perhaps with a minus, that fit 64 bits. */
static bool is_whole(const char *word) {
    size_t digits = strspn(word + (word[0] == '-'), "0123456789");
    return digits > 0 && digits <= 18 && word[(word[0] == '-') + digits] == '\0';
}

/* Cuts spaces and tabs off both ends, in place. */
static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    text[length] = '\0';
    return text;
}

/* One "word:id" of a map with n_entries of them, which is cut up. */
static int add_entry(dun_labels *labels, char *entry, size_t n_entries, const char *where) {
    int rc = DUN_OK;
    size_t id, at;
    char *colon = strrchr(entry, ':');
    if (!colon)
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has '%s' without a ':'; label:id is needed, as in bad:0",
                      where, trim(entry)));
    *colon = '\0';
    char *word = trim(entry), *number = trim(colon + 1);
    if (!word[0])
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has no label before ':%s'; label:id is needed", where,
                      number));
    if (strlen(word) > DUN_LABEL_BYTES)
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has a label of %zu bytes; at most %d are possible",
                      where, strlen(word), DUN_LABEL_BYTES));
    if (!dun_dataset_number(&id, number))
        TRY(dun_error(DUN_USAGE, "%s: data.label_map gives '%s' the id '%s'; a number from 0 is needed",
                      where, word, number));
    if (id >= n_entries || id >= DUN_CLASSES)
        TRY(dun_error(DUN_USAGE,
                      "%s: data.label_map gives '%s' the id %zu; ids from 0 without a hole are needed", where,
                      word, id));
    if (find_word(&at, labels, word))
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has '%s' twice; once is needed", where, word));
    TRY(insert_word(labels, at, word, (uint32_t)id));
    if (!labels->names[id])
        labels->names[id] = labels->words[at].word;
    labels->n_classes = id + 1 > labels->n_classes ? (uint32_t)id + 1 : labels->n_classes;
    labels->ids &= !is_whole(word);
out:
    return rc;
}

int dun_labels_parse(dun_labels *labels, const char *map, const char *where) {
    int rc = DUN_OK;
    char *copy = NULL;
    size_t n_entries = 1;
    *labels = (dun_labels){0};
    if (!map || map[strspn(map, " \t")] == '\0')
        goto out;
    for (const char *c = map; *c; c++)
        n_entries += *c == ',';
    if (strpbrk(map, "\r\n"))
        TRY(dun_error(DUN_USAGE,
                      "%s: data.label_map has a line break; label:id, label:id in one line is needed",
                      where));
    TRY_PTR(copy, dun_strdup(map));
    TRY_NEW(labels->names, n_entries);
    labels->fixed = labels->ids = true;
    for (char *entry = copy, *next; entry; entry = next) {
        next = strchr(entry, ',');
        if (next)
            *next++ = '\0';
        TRY(add_entry(labels, entry, n_entries, where));
    }
    for (uint32_t id = 0; id < labels->n_classes; id++)
        if (!labels->names[id])
            TRY(dun_error(DUN_USAGE,
                          "%s: data.label_map has no label for the id %u; ids from 0 to %u are needed", where,
                          id, labels->n_classes - 1));
    if (labels->n_classes < 2)
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has one class; at least two are needed", where));
out:
    dun_free(copy);
    if (rc < 0)
        dun_labels_free(labels);
    return rc;
}

static int refuse_word(const dun_dataset_reader *r, const char *word, size_t line) {
    int rc;
    const dun_labels *labels = r->labels;
    dun_str list = {0};
    TRY(dun_str_addf(&list, "%s:%zu: the label '", r->name, line));
    TRY(dun_utf8_show(&list, word, strlen(word)));
    TRY(dun_str_addf(&list, "' is not known; known are "));
    for (size_t i = 0; i < labels->n_words && list.length < 1000; i++) {
        TRY(dun_str_addf(&list, i ? ", " : ""));
        TRY(dun_utf8_show(&list, labels->words[i].word, strlen(labels->words[i].word)));
    }
    if (labels->ids)
        TRY(dun_str_addf(&list, " and the ids 0 to %u", labels->n_classes - 1));
    if (line == 1 && !r->options->header)
        TRY(dun_str_addf(&list, "; if the line names the columns, data.header = yes is needed"));
    rc = dun_error(DUN_BAD_INPUT, "%s", list.bytes);
out:
    dun_str_free(&list);
    return rc;
}

int dun_labels_find(uint32_t *id, const dun_dataset_reader *r, const char *word, size_t line) {
    int rc = DUN_OK;
    dun_labels *labels = r->labels;
    size_t at, number;
    if (find_word(&at, labels, word)) {
        *id = labels->words[at].id;
    } else if (r->gather) {
        if (labels->n_words == DUN_CLASSES)
            TRY(dun_error(DUN_BAD_INPUT,
                          "%s:%zu: more than %d different labels; another label_column is needed", r->name,
                          line, DUN_CLASSES));
        *id = (uint32_t)labels->n_words;
        TRY(insert_word(labels, at, word, *id));
    } else if (labels->ids && dun_dataset_number(&number, word) && number < labels->n_classes) {
        *id = (uint32_t)number;
    } else {
        TRY(refuse_word(r, word, line));
    }
out:
    return rc;
}

static int compare_values(const void *left, const void *right) {
    const dun_label *const *a = left, *const *b = right;
    long long x = strtoll((*a)->word, NULL, 10), y = strtoll((*b)->word, NULL, 10);
    return x != y ? (x > y) - (x < y) : strcmp((*a)->word, (*b)->word);
}

int dun_labels_settle(dun_labels *labels, dun_dataset *dataset) {
    int rc = DUN_OK;
    const size_t n = labels->n_words;
    dun_label **order = NULL;
    uint32_t *final = NULL; /* [n], by provisional id */
    bool all_whole = true;
    TRY_NEW(order, n);
    TRY_NEW(final, n);
    TRY_NEW(labels->names, n);
    for (size_t i = 0; i < n; i++) {
        order[i] = &labels->words[i];
        all_whole &= is_whole(labels->words[i].word);
    }
    if (all_whole)
        qsort(order, n, sizeof *order, compare_values);
    for (size_t i = 0; i < n; i++) {
        labels->names[i] = order[i]->word;
        final[order[i]->id] = (uint32_t)i;
        order[i]->id = (uint32_t)i;
    }
    for (size_t i = 0; i < dataset->n; i++)
        dataset->examples[i].label = final[dataset->examples[i].label];
    labels->n_classes = (uint32_t)n;
out:
    dun_free(final);
    dun_free(order);
    return rc;
}
