/* Finds equal texts by their hashes, in n log n steps, and says what is known of them. */
#include "io/data/doubles.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Different texts of one hash that are told apart; examples in a warning. */
enum { MOST_OF_HASH = 16, SHOWN = 5 };

/* One data set, or two as if they were one. */
typedef struct {
    const dun_dataset *sets[2];
    const char *names[2];
} texts;

typedef struct {
    uint64_t hash;
    uint32_t index;
} entry;

static size_t count(const texts *t) {
    return t->sets[0]->n + (t->sets[1] ? t->sets[1]->n : 0);
}

static bool in_second(const texts *t, size_t index) {
    return index >= t->sets[0]->n;
}

static const dun_example *example(const texts *t, size_t index) {
    const size_t n = t->sets[0]->n;
    return index < n ? &t->sets[0]->examples[index] : &t->sets[1]->examples[index - n];
}

static dun_slice inside(const texts *t, size_t index) {
    const dun_example *one = example(t, index);
    return dun_utf8_trim(one->text, one->length);
}

static bool are_equal(const texts *t, size_t i, size_t j) {
    const dun_slice a = inside(t, i), b = inside(t, j);
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static int compare_entries(const void *left, const void *right) {
    const entry *a = left, *b = right;
    return a->hash != b->hash ? (a->hash > b->hash) - (a->hash < b->hash)
                              : (a->index > b->index) - (a->index < b->index);
}

/* Those of one hash: nearly always one text, once or several times. */
static void match(uint32_t *first, const texts *t, const entry *entries, size_t n) {
    uint32_t different[MOST_OF_HASH];
    size_t n_different = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t index = entries[i].index;
        size_t j = 0;
        while (j < n_different && !are_equal(t, different[j], index))
            j++;
        first[index] = j < n_different ? different[j] : index;
        if (j == n_different && n_different < MOST_OF_HASH)
            different[n_different++] = index;
    }
}

static int find(uint32_t *first, const texts *t) {
    int rc = DUN_OK;
    entry *entries = NULL;
    const size_t n = count(t);
    TRY_NEW(entries, n);
    for (size_t i = 0; i < n; i++) {
        const dun_slice text = inside(t, i);
        entries[i] = (entry){dun_hash(DUN_HASH_START, text.bytes, text.length), (uint32_t)i};
    }
    qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && entries[end].hash == entries[i].hash;)
            end++;
        match(first, t, entries + i, end - i);
    }
out:
    dun_free(entries);
    return rc;
}

int dun_doubles_find(uint32_t *first, const dun_dataset *dataset) {
    const texts t = {.sets = {dataset}};
    return find(first, &t);
}

static int add_place(dun_str *out, const texts *t, size_t index) {
    return dun_str_addf(out, "%s:%u", t->names[in_second(t, index)], example(t, index)->line);
}

/* Texts of the second set that stand in the first as well. */
static int tell_shared(const texts *t, const uint32_t *first) {
    int rc = DUN_OK;
    dun_str text = {0};
    size_t n_shared = 0;
    for (size_t i = t->sets[0]->n; i < count(t); i++) {
        if (in_second(t, first[i]) || ++n_shared > SHOWN)
            continue;
        TRY(dun_str_addf(&text, "%s%u = %u", n_shared > 1 ? ", " : "", example(t, i)->line,
                         example(t, first[i])->line));
    }
    if (n_shared > 0)
        dun_warn(
            "%s: %zu of %zu texts (%.3g %%) stand in %s as well, so that accuracy on them says little of new "
            "texts; lines: %s%s",
            t->names[1], n_shared, t->sets[1]->n, 100. * (double)n_shared / (double)t->sets[1]->n,
            t->names[0], text.bytes, n_shared > SHOWN ? ", ..." : "");
out:
    dun_str_free(&text);
    return rc;
}

/* Texts whose label is another one than where they stood first. */
static int tell_contrary(const texts *t, const uint32_t *first, const dun_labels *labels) {
    int rc = DUN_OK;
    dun_str text = {0};
    size_t n_contrary = 0;
    for (size_t i = 0; i < count(t); i++) {
        const char *names[2] = {labels->names[example(t, first[i])->label],
                                labels->names[example(t, i)->label]};
        if (names[0] == names[1] || ++n_contrary > SHOWN)
            continue;
        TRY(dun_str_addf(&text, n_contrary > 1 ? "; " : ""));
        for (size_t j = 0; j < 2; j++) {
            TRY(add_place(&text, t, j ? i : first[i]));
            TRY(dun_str_addf(&text, " '"));
            TRY(dun_utf8_show(&text, names[j], strlen(names[j])));
            TRY(dun_str_addf(&text, j ? "'" : "', "));
        }
    }
    if (n_contrary > 0)
        dun_warn("%s: %zu text%s another label than where %s first: %s%s", t->names[0], n_contrary,
                 n_contrary > 1 ? "s have" : " has", n_contrary > 1 ? "they stood" : "it stood", text.bytes,
                 n_contrary > SHOWN ? "; ..." : "");
out:
    dun_str_free(&text);
    return rc;
}

int dun_doubles_tell(const dun_dataset *train, const char *train_name, const dun_dataset *valid,
                     const char *valid_name, const dun_labels *labels) {
    int rc = DUN_OK;
    uint32_t *first = NULL;
    const texts t = {{train, valid}, {train_name, valid_name}};
    TRY_NEW(first, count(&t));
    TRY(find(first, &t));
    if (valid)
        TRY(tell_shared(&t, first));
    TRY(tell_contrary(&t, first, labels));
out:
    dun_free(first);
    return rc;
}
