/* Labels: the words of a file and the class ids they mean, from a label map or gathered while reading. */
#include "io/data/dataset.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/data/dataset_inside.h"
#include "io/data/label_word.h"

#include <stdlib.h>
#include <string.h>

/* Spellings that are remembered; words looked up lately. */
enum { MOST_WORDS = 4 * DUN_CLASSES, N_RECENT = 256 };

/* The word's place in `order`; true when it is there already. */
static bool find_word(size_t *at, const dun_labels *labels, const char *word) {
    size_t low = 0, high = labels->n_words;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(labels->words[labels->order[middle]].word, word);
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

/* Adds a word that is not there yet. */
static int insert_word(dun_labels *labels, const char *word, uint32_t id) {
    int rc;
    size_t at;
    char *copy = NULL;
    TRY_GROW(labels->words, labels->capacity, labels->n_words);
    TRY_GROW(labels->order, labels->order_capacity, labels->n_words);
    TRY_PTR(copy, dun_strdup(word));
    find_word(&at, labels, word);
    memmove(labels->order + at + 1, labels->order + at, (labels->n_words - at) * sizeof *labels->order);
    labels->order[at] = (uint32_t)labels->n_words;
    labels->words[labels->n_words++] = (dun_label){.word = copy, .id = id};
out:
    return rc;
}

void dun_labels_free(dun_labels *labels) {
    for (size_t i = 0; i < labels->n_words; i++)
        dun_free(labels->words[i].word);
    dun_free(labels->words);
    dun_free(labels->order);
    dun_free(labels->names);
    *labels = (dun_labels){0};
}

void dun_labels_begin(dun_labels *labels) {
    for (size_t i = 0; i < labels->n_words; i++)
        labels->words[i].n = labels->words[i].n_blanks = 0;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text) {
    dun_slice inside = dun_utf8_trim(text, strlen(text));
    text[(size_t)(inside.bytes - text) + inside.length] = '\0';
    return text + (inside.bytes - text);
}

/* The word that a spelling stands for, spelled as it is or otherwise. */
static bool find_spelling(size_t *index, const dun_labels *labels, const char *word) {
    char key[DUN_LABEL_BYTES + 2];
    size_t at;
    if (!find_word(&at, labels, word)) {
        dun_label_key(key, word);
        if (!find_word(&at, labels, key))
            return false;
    }
    *index = labels->order[at];
    return true;
}

/* The word as a spelling of a class, and with it what all its spellings have in common. */
static int add_spelling(size_t *index, dun_labels *labels, const char *word, uint32_t id) {
    int rc = DUN_OK;
    char key[DUN_LABEL_BYTES + 2];
    size_t at;
    dun_label_key(key, word);
    if (!find_word(&at, labels, word))
        TRY(insert_word(labels, word, id));
    find_word(&at, labels, word);
    *index = labels->order[at];
    labels->words[*index].spelled = true;
    if (!find_word(&at, labels, key))
        TRY(insert_word(labels, key, id));
out:
    return rc;
}

/* A word of the map with its class; another spelling of it may have the same one. */
static int map_word(dun_labels *labels, const char *word, uint32_t id, const char *where) {
    int rc = DUN_OK;
    size_t index, at;
    bool known = find_spelling(&index, labels, word);
    if (find_word(&at, labels, word) && labels->words[labels->order[at]].spelled)
        TRY(dun_error(DUN_USAGE, "%s: data.label_map has '%s' twice; once is needed", where, word));
    if (known && labels->words[index].id != id)
        TRY(dun_error(DUN_USAGE,
                      "%s: data.label_map gives '%s' another id than an equal label; equal numbers, and true "
                      "and false in any case, are one label",
                      where, word));
    TRY(add_spelling(&index, labels, word, id));
    if (!labels->names[id])
        labels->names[id] = labels->words[index].word;
    labels->n_classes = id + 1 > labels->n_classes ? id + 1 : labels->n_classes;
    labels->ids &= !dun_label_is_whole(word) && !(known && dun_label_is_whole(labels->words[index].word));
out:
    return rc;
}

/* One "word:id" of a map with n_entries of them, which is cut up. */
static int add_entry(dun_labels *labels, char *entry, size_t n_entries, const char *where) {
    int rc = DUN_OK;
    size_t id;
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
    TRY(map_word(labels, word, (uint32_t)id, where));
out:
    return rc;
}

int dun_labels_parse(dun_labels *labels, const char *map, const char *where) {
    int rc = DUN_OK;
    char *copy = NULL;
    size_t n_entries = 1;
    *labels = (dun_labels){0};
    if (!map || dun_utf8_trim(map, strlen(map)).length == 0)
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

bool dun_labels_class(uint32_t *id, const dun_labels *labels, const char *word) {
    char text[DUN_LABEL_BYTES + 1];
    size_t index;
    const dun_slice inside = dun_utf8_trim(word, strlen(word));
    if (inside.length > DUN_LABEL_BYTES)
        return false;
    memcpy(text, inside.bytes, inside.length);
    text[inside.length] = '\0';
    if (inside.length == 0 || !find_spelling(&index, labels, text))
        return false;
    *id = labels->words[index].id;
    return true;
}

/* A label that no spelling so far stands for. */
static int add_new(size_t *index, const dun_dataset_reader *r, const char *word, size_t line) {
    int rc = DUN_OK;
    dun_labels *labels = r->labels;
    if (labels->n_classes == DUN_CLASSES)
        TRY(dun_error(DUN_BAD_INPUT, "%s:%zu: more than %d different labels; another label_column is needed",
                      r->name, line, DUN_CLASSES));
    TRY(add_spelling(index, labels, word, labels->n_classes));
    labels->n_classes++;
out:
    return rc;
}

/* Without blanks around it, zero-terminated in `word`. */
static int trim_word(char *word, bool *blanks, const dun_dataset_reader *r, const char *found, size_t line) {
    const size_t length = strlen(found);
    const dun_slice inside = dun_utf8_trim(found, length);
    if (inside.length == 0)
        return dun_error(DUN_BAD_INPUT, "%s:%zu: empty label; at least one byte is needed", r->name, line);
    memcpy(word, inside.bytes, inside.length);
    word[inside.length] = '\0';
    *blanks = inside.length < length;
    return DUN_OK;
}

/* Counts a text of this spelling; *id is its class. */
static void count(uint32_t *id, dun_labels *labels, size_t index, bool blanks) {
    dun_label *word = &labels->words[index];
    word->spelled = true;
    word->n++;
    word->n_blanks += blanks;
    *id = word->id;
}

int dun_labels_find(uint32_t *id, const dun_dataset_reader *r, const char *found, size_t line) {
    int rc = DUN_OK;
    dun_labels *labels = r->labels;
    char word[DUN_LABEL_BYTES + 1], key[DUN_LABEL_BYTES + 2];
    bool blanks = false;
    size_t index, number = 0;
    TRY(trim_word(word, &blanks, r, found, line));
    uint32_t *recent = &labels->recent[dun_hash(DUN_HASH_START, word, strlen(word)) % N_RECENT];
    if (*recent && strcmp(labels->words[*recent - 1].word, word) == 0) {
        count(id, labels, *recent - 1, blanks);
        goto out;
    }
    if (find_spelling(&index, labels, word)) {
        if (labels->n_words < MOST_WORDS) /* beyond, spellings are not told apart */
            TRY(add_spelling(&index, labels, word, labels->words[index].id));
    } else if (r->gather) {
        TRY(add_new(&index, r, word, line));
    } else {
        dun_label_key(key, word);
        if (!labels->ids || !dun_dataset_number(&number, key) || number >= labels->n_classes)
            TRY(dun_labels_refuse(r, word, line));
        *id = (uint32_t)number;
        goto out;
    }
    *recent = (uint32_t)index + 1;
    count(id, labels, index, blanks);
out:
    return rc;
}

/* The names of gathered labels, by provisional id: [n_classes] of the spellings the one met most often, of
 * equals the first in byte order. Whether each class has a spelling that is a whole number. */
static bool choose_names(const dun_label **chosen, const dun_labels *labels, bool *whole) {
    bool all_whole = true;
    for (size_t i = 0; i < labels->n_words; i++) {
        const dun_label *word = &labels->words[labels->order[i]], **best = &chosen[word->id];
        if (word->n > 0 && (!*best || word->n > (*best)->n))
            *best = word;
        whole[word->id] |= word->n > 0 && dun_label_is_whole(word->word);
    }
    for (uint32_t id = 0; id < labels->n_classes; id++)
        all_whole &= whole[id];
    return all_whole;
}

static int compare_words(const void *left, const void *right) {
    const dun_label *const *a = left, *const *b = right;
    return strcmp((*a)->word, (*b)->word);
}

static int compare_values(const void *left, const void *right) {
    const dun_label *const *a = left, *const *b = right;
    long long x = strtoll((*a)->word, NULL, 10), y = strtoll((*b)->word, NULL, 10);
    return x != y ? (x > y) - (x < y) : compare_words(left, right);
}

int dun_labels_settle(dun_labels *labels, dun_dataset *dataset) {
    int rc = DUN_OK;
    const uint32_t n = labels->n_classes;
    const dun_label **names = NULL; /* [n] */
    uint32_t *final = NULL;         /* [n], by provisional id */
    bool *whole = NULL;             /* [n] */
    TRY_NEW(names, n);
    TRY_NEW(final, n);
    TRY_NEW(whole, n);
    TRY_NEW(labels->names, n);
    qsort(names, n, sizeof *names, choose_names(names, labels, whole) ? compare_values : compare_words);
    for (uint32_t i = 0; i < n; i++) {
        labels->names[i] = names[i]->word;
        final[names[i]->id] = i;
    }
    for (size_t i = 0; i < labels->n_words; i++)
        labels->words[i].id = final[labels->words[i].id];
    for (size_t i = 0; i < dataset->n; i++)
        dataset->examples[i].label = final[dataset->examples[i].label];
out:
    dun_free(whole);
    dun_free(final);
    dun_free(names);
    return rc;
}
