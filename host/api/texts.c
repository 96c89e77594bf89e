/* Texts: copied from arrays, or read from the files of a config. */
#include "api/texts.h"

#include "api/config.h"
#include "base/utf8.h"
#include "session/session.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *const *texts;
    const size_t *lengths;
    const char *const *labels;
    const double *weights;
    size_t count;
} arrays;

static int check_text(const arrays *a, size_t i) {
    const char *text = a->texts[i];
    if (!text)
        return dun_error(DUN_BAD_INPUT, "text %zu is NULL", i);
    const size_t length = a->lengths ? a->lengths[i] : strlen(text);
    if (length > DUN_TEXT_BYTES)
        return dun_error(DUN_BAD_INPUT, "text %zu has %zu bytes; at most %d are possible", i, length,
                         DUN_TEXT_BYTES);
    const size_t before_zero = strnlen(text, length);
    if (before_zero < length)
        return dun_error(DUN_BAD_INPUT, "text %zu has a zero byte at %zu; texts have none", i, before_zero);
    return DUN_OK;
}

static int check_label(const arrays *a, size_t i) {
    const char *label = a->labels[i];
    if (!label)
        return dun_error(DUN_BAD_INPUT, "the label of text %zu is NULL", i);
    if (strlen(label) > DUN_LABEL_BYTES)
        return dun_error(DUN_BAD_INPUT, "the label of text %zu has %zu bytes; at most %d are possible", i,
                         strlen(label), DUN_LABEL_BYTES);
    if (dun_utf8_trim(label, strlen(label)).length == 0)
        return dun_error(DUN_BAD_INPUT, "the label of text %zu is empty; at least one byte is needed", i);
    return DUN_OK;
}

static int check_weights(const arrays *a) {
    double sum = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (!isfinite(a->weights[i]) || a->weights[i] < 0)
            return dun_error(DUN_BAD_INPUT, "the weight of text %zu is %g; a number from 0 is needed", i,
                             a->weights[i]);
        sum += a->weights[i];
    }
    if (a->count && !(sum > 0))
        return dun_error(DUN_BAD_INPUT, "the weight of every text is 0; one at least must count");
    return DUN_OK;
}

static int check(const arrays *a) {
    int rc = DUN_OK;
    if (a->count)
        TRY(dun_api_need(a->texts, "texts"));
    if (a->count > INT32_MAX)
        TRY(dun_error(DUN_BAD_INPUT, "%zu texts are too many; at most %d are possible", a->count, INT32_MAX));
    for (size_t i = 0; i < a->count; i++) {
        TRY(check_text(a, i));
        if (a->labels)
            TRY(check_label(a, i));
    }
    if (a->weights)
        TRY(check_weights(a));
out:
    return rc;
}

/* Appends a repaired copy, and its zero; *length is that of the copy. */
static int add_copy(dun_str *out, size_t *length, const char *bytes, size_t n) {
    int rc = DUN_OK;
    const size_t before = out->length;
    TRY(dun_utf8_repair(out, bytes, n));
    *length = out->length - before;
    TRY(dun_str_add(out, "", 1));
out:
    return rc;
}

/* All bytes first, then where each begins: the block moves while it grows. */
static int copy_bytes(dunlin_texts *t, const arrays *a) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    size_t length;
    for (size_t i = 0; i < a->count; i++) {
        TRY(add_copy(&bytes, &t->lengths[i], a->texts[i], a->lengths ? a->lengths[i] : strlen(a->texts[i])));
        if (a->labels)
            TRY(add_copy(&bytes, &length, a->labels[i], strlen(a->labels[i])));
    }
    const char *at = bytes.bytes;
    for (size_t i = 0; i < a->count; i++) {
        t->texts[i] = at;
        at += t->lengths[i] + 1;
        if (a->labels) {
            t->labels[i] = at;
            at += strlen(at) + 1;
        }
    }
    t->bytes = bytes.bytes;
    bytes = (dun_str){0};
out:
    dun_str_free(&bytes);
    return rc;
}

static int fill(dunlin_texts *t, const arrays *a) {
    int rc = DUN_OK;
    TRY_NEW(t->texts, a->count);
    TRY_NEW(t->lengths, a->count);
    if (a->labels)
        TRY_NEW(t->labels, a->count);
    if (a->weights)
        TRY_NEW(t->weights, a->count);
    if (a->weights && a->count)
        memcpy(t->weights, a->weights, a->count * sizeof *t->weights);
    TRY(copy_bytes(t, a));
out:
    return rc;
}

static void free_texts(dunlin_texts *t) {
    if (!t)
        return;
    dun_free(t->texts);
    dun_free(t->labels);
    dun_free(t->lengths);
    dun_free(t->weights);
    dun_free(t->lines);
    dun_free(t->bytes);
    dun_dataset_free(t->dataset);
    if (t->spellings)
        dun_labels_free(t->spellings);
    dun_free(t->spellings);
    dun_free(t);
}

/* Hands out what is filled. */
static int publish(dunlin_texts **out, dunlin_texts *t, const char *name, size_t n) {
    int rc = DUN_OK;
    t->given = (dun_given){.name = name,
                           .n = n,
                           .texts = t->texts,
                           .lengths = t->lengths,
                           .labels = t->labels,
                           .weights = t->weights,
                           .lines = t->lines};
    TRY(dun_handle_begin(&t->handle, DUN_HANDLE_TEXTS));
    dun_handle_leave(&t->handle);
    *out = t;
out:
    return rc;
}

dunlin_status dunlin_texts_new(dunlin_texts **out, size_t count, const char *const *texts,
                               const size_t *lengths, const char *const *labels, const double *weights) {
    int rc = DUN_OK;
    const arrays a = {texts, lengths, labels, weights, count};
    dunlin_texts *t = NULL;
    dun_api_begin();
    TRY(dun_api_need(out, "out"));
    *out = NULL;
    TRY(check(&a));
    TRY_NEW(t, 1);
    TRY(fill(t, &a));
    TRY(publish(out, t, "text", count));
    t = NULL;
out:
    free_texts(t);
    return dun_api_end(rc);
}

/* The records of a data set, which is taken over; `labels` are named by `spellings`, which are not. */
static int of_dataset(dunlin_texts **out, dun_dataset **dataset, const dun_labels *spellings,
                      dunlin_texts *owner, const char *name) {
    int rc = DUN_OK;
    dunlin_texts *t = owner;
    t->dataset = *dataset;
    *dataset = NULL;
    t->from_files = true;
    const size_t n = t->dataset->n;
    TRY_NEW(t->texts, n);
    TRY_NEW(t->labels, n);
    TRY_NEW(t->lengths, n);
    TRY_NEW(t->lines, n);
    for (size_t i = 0; i < n; i++) {
        const dun_example *example = &t->dataset->examples[i];
        t->texts[i] = example->text;
        t->lengths[i] = example->length;
        t->labels[i] = spellings->names[example->label];
        t->lines[i] = example->line;
    }
    TRY(publish(out, t, name, n));
out:
    return rc;
}

/* Names as text of the set's own: the other may be freed first. */
static int copy_names(dun_labels **out, const dun_labels *labels) {
    int rc = DUN_OK;
    dun_labels *copy = NULL;
    TRY_NEW(copy, 1);
    *out = copy;
    TRY_NEW(copy->names, labels->n_classes);
    TRY_NEW(copy->words, labels->n_classes);
    for (uint32_t k = 0; k < labels->n_classes; k++) {
        TRY_PTR(copy->words[k].word, dun_strdup(labels->names[k]));
        copy->names[k] = copy->words[k].word;
        copy->n_words++;
    }
out:
    return rc;
}

static int make_one(dunlin_texts **out, dun_dataset **dataset, const dun_labels *labels, const char *name) {
    int rc = DUN_OK;
    dunlin_texts *t = NULL;
    *out = NULL;
    if (!*dataset)
        goto out;
    TRY_NEW(t, 1);
    TRY(copy_names(&t->spellings, labels));
    TRY(of_dataset(out, dataset, t->spellings, t, name));
    t = NULL;
out:
    free_texts(t);
    return rc;
}

dunlin_status dunlin_texts_read(dunlin_texts **training, dunlin_texts **validation,
                                const dunlin_config *config) {
    int rc = DUN_OK;
    dun_config copy = {0};
    dun_session sets = {0};
    dun_api_begin();
    TRY(dun_api_need(training, "training"));
    *training = NULL;
    if (validation)
        *validation = NULL;
    TRY(dun_api_config_copy(&copy, config));
    sets.config = &copy;
    TRY(dun_session_read_sets(&sets));
    TRY(make_one(training, &sets.train, &sets.labels, "training text"));
    if (validation)
        rc = make_one(validation, &sets.valid, &sets.labels, "validation text");
    if (rc < 0) {
        dun_str message = {0};
        (void)dun_str_addf(&message, "%s", dun_error_message());
        dunlin_texts_free(*training);
        *training = NULL;
        (void)dun_error((enum dun_status)rc, "%s", message.length ? message.bytes : "out of memory");
        dun_str_free(&message);
    }
out:
    dun_dataset_free(sets.train);
    dun_dataset_free(sets.valid);
    dun_labels_free(&sets.labels);
    dun_config_free(&copy);
    return dun_api_end(rc);
}

dunlin_status dunlin_texts_count(const dunlin_texts *texts, size_t *count) {
    int rc = DUN_OK;
    dun_api_begin();
    TRY(dun_api_need(count, "count"));
    TRY(dun_api_texts_enter(texts, false, "texts"));
    *count = texts->given.n;
    dun_api_texts_leave(texts);
out:
    return dun_api_end(rc);
}

void dunlin_texts_free(dunlin_texts *texts) {
    dun_api_begin();
    if (texts && dun_handle_end(DUN_HANDLE(texts), DUN_HANDLE_TEXTS))
        free_texts(texts);
}

int dun_api_texts_enter(const dunlin_texts *texts, bool labels, const char *name) {
    int rc = DUN_OK;
    TRY(dun_handle_enter(DUN_HANDLE(texts), DUN_HANDLE_TEXTS, false, name));
    if (labels && !texts->labels) {
        dun_handle_leave(DUN_HANDLE(texts));
        TRY(dun_error(DUN_BAD_INPUT, "%s: have no labels; those of a training need them", name));
    }
out:
    return rc;
}

void dun_api_texts_leave(const dunlin_texts *texts) {
    if (texts)
        dun_handle_leave(DUN_HANDLE(texts));
}
