/* See tables.h. */
#include "run/tables.h"

#include "base/csv.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <string.h>

static int end_line(dun_str *out) {
    return dun_str_add(out, "\n", 1);
}

static int add_word(dun_str *out, const char *word) {
    return dun_csv_add(out, word, strlen(word));
}

typedef struct {
    const char *bytes;
    size_t length;
} span;

/* Goes to the first of `stops` outside quotes and brackets, or to the end. */
static const char *skip_to(const char *at, const char *end, const char *stops) {
    size_t depth = 0;
    for (bool quoted = false; at < end; at++) {
        if (!quoted && depth == 0 && strchr(stops, *at))
            break;
        quoted ^= *at == '"' && at[-1] != '\\';
        depth += !quoted && (*at == '[' || *at == '{');
        depth -= !quoted && depth && (*at == ']' || *at == '}');
    }
    return at;
}

/* The next `"key": value` of a line of history.jsonl, as dun_run_dir_step writes it; false after the last. */
static bool next_pair(span *key, span *value, const char **at, const char *end) {
    const char *open = memchr(*at, '"', (size_t)(end - *at));
    const char *close = open ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
    if (!close)
        return false;
    const char *start = skip_to(close + 1, end, ":");
    start += start < end;
    while (start < end && *start == ' ')
        start++;
    *at = skip_to(start, end, ",}");
    *key = (span){open + 1, (size_t)(close - open - 1)};
    *value = (span){start, (size_t)(*at - start)};
    return true;
}

typedef struct {
    span *names;
    size_t n, capacity;
} columns;

static bool same(const span *a, const span *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Adds the keys of a line that no line before had. */
static int gather(columns *c, const char *line, const char *end) {
    int rc = DUN_OK;
    span key, value;
    while (next_pair(&key, &value, &line, end)) {
        size_t i = 0;
        while (i < c->n && !same(&c->names[i], &key))
            i++;
        if (i < c->n)
            continue;
        TRY_GROW(c->names, c->capacity, c->n);
        c->names[c->n++] = key;
    }
out:
    return rc;
}

static int add_row(dun_str *out, const columns *c, const char *line, const char *end) {
    int rc = DUN_OK;
    for (size_t i = 0; i < c->n; i++) {
        span key, value = {"", 0}, other;
        for (const char *at = line; next_pair(&key, &other, &at, end);)
            if (same(&key, &c->names[i]))
                value = other;
        TRY(dun_csv_add(out, value.bytes, value.length));
    }
    TRY(end_line(out));
out:
    return rc;
}

static int write_history(const dun_run_dir *run) {
    int rc = DUN_OK;
    dun_file file = {0};
    char *path = NULL;
    dun_str text = {0};
    columns c = {0};
    TRY_PTR(path, dun_run_dir_file(run->path, "history.jsonl"));
    TRY(dun_file_map(&file, path));
    const char *begin = (const char *)file.bytes, *end = begin + file.length, *newline;
    for (const char *at = begin; at < end; at = newline + 1) {
        newline = memchr(at, '\n', (size_t)(end - at));
        newline = newline ? newline : end - 1;
        TRY(gather(&c, at, newline));
    }
    for (size_t i = 0; i < c.n; i++)
        TRY(dun_csv_add(&text, c.names[i].bytes, c.names[i].length));
    TRY(end_line(&text));
    for (const char *at = begin; at < end; at = newline + 1) {
        newline = memchr(at, '\n', (size_t)(end - at));
        newline = newline ? newline : end - 1;
        TRY(add_row(&text, &c, at, newline));
    }
    TRY(dun_run_dir_write(run, "history.csv", &text));
out:
    dun_free(c.names);
    dun_str_free(&text);
    dun_free(path);
    dun_file_unmap(&file);
    return rc;
}

static int add_score(dun_str *out, const char *name, const dun_score *score) {
    int rc;
    TRY(add_word(out, name));
    TRY(dun_str_addf(out, ",%.6f,%.6f,%.6f,%llu\n", score->precision, score->recall, score->f1,
                     (unsigned long long)score->support));
out:
    return rc;
}

static int write_report(const dun_run_dir *run, const dun_metrics *metrics, char *const *class_names) {
    int rc;
    dun_str text = {0};
    TRY(dun_str_addf(&text, "class,precision,recall,f1,support\n"));
    for (uint32_t k = 0; k < metrics->n_classes; k++)
        TRY(add_score(&text, class_names[k], &metrics->classes[k]));
    TRY(dun_str_addf(&text, "accuracy,,,%.6f,%llu\n", metrics->accuracy, (unsigned long long)metrics->n));
    TRY(add_score(&text, "macro avg", &metrics->macro));
    TRY(add_score(&text, "weighted avg", &metrics->weighted));
    TRY(dun_run_dir_write(run, "report.csv", &text));
out:
    dun_str_free(&text);
    return rc;
}

static int write_confusion(const dun_run_dir *run, const dun_metrics *metrics, char *const *class_names) {
    int rc;
    const uint32_t K = metrics->n_classes;
    dun_str text = {0};
    TRY(add_word(&text, "true class"));
    for (uint32_t k = 0; k < K; k++)
        TRY(add_word(&text, class_names[k]));
    TRY(end_line(&text));
    for (uint32_t k = 0; k < K; k++) {
        TRY(add_word(&text, class_names[k]));
        for (uint32_t p = 0; p < K; p++)
            TRY(dun_str_addf(&text, ",%llu", (unsigned long long)metrics->confusion[(size_t)k * K + p]));
        TRY(end_line(&text));
    }
    TRY(dun_run_dir_write(run, "confusion.csv", &text));
out:
    dun_str_free(&text);
    return rc;
}

int dun_tables_write(const dun_run_dir *run, const dun_metrics *metrics, char *const *class_names) {
    int rc;
    TRY(write_history(run));
    if (!metrics)
        goto out;
    TRY(write_report(run, metrics, class_names));
    TRY(write_confusion(run, metrics, class_names));
out:
    return rc;
}
