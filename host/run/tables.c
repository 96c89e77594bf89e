/* Writes history.csv from history.jsonl, and the report and the confusion matrix. */
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

static int open_history(dun_history *history, const dun_run_dir *run) {
    const dun_str *kept = run->path ? NULL : dun_kept_find(run->kept, "history.jsonl");
    if (!kept)
        return dun_history_open(history, run->path);
    dun_history_of(history, kept);
    return DUN_OK;
}

/* Which fields any line has. */
static int find_fields(bool has[DUN_N_HISTORY_FIELDS], const dun_run_dir *run) {
    int rc = DUN_OK, more;
    dun_history history;
    dun_step_record record;
    dun_str value = {0};
    TRY(open_history(&history, run));
    while ((more = dun_history_next(&record, &history)) == 1)
        for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
            dun_str_clear(&value);
            TRY(dun_history_add_value(&value, &record, (enum dun_history_field)i));
            has[i] |= value.length > 0;
        }
    rc = more;
out:
    dun_str_free(&value);
    dun_history_close(&history);
    return rc;
}

/* A row of the fields that there are: their names, or with a record its values. */
static int add_row(dun_str *out, const bool has[DUN_N_HISTORY_FIELDS], const dun_step_record *record) {
    int rc = DUN_OK;
    const char *before = "";
    for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
        if (!has[i])
            continue;
        TRY(dun_str_addf(out, "%s%s", before, record ? "" : dun_history_name((enum dun_history_field)i)));
        before = ",";
        if (record)
            TRY(dun_history_add_value(out, record, (enum dun_history_field)i));
    }
    TRY(end_line(out));
out:
    return rc;
}

static int write_history(const dun_run_dir *run) {
    int rc = DUN_OK, more;
    bool has[DUN_N_HISTORY_FIELDS] = {false};
    dun_history history = {0};
    dun_step_record record;
    dun_str text = {0};
    TRY(find_fields(has, run));
    TRY(add_row(&text, has, NULL));
    TRY(open_history(&history, run));
    while ((more = dun_history_next(&record, &history)) == 1)
        TRY(add_row(&text, has, &record));
    TRY(more);
    TRY(dun_run_dir_write(run, "history.csv", &text));
out:
    dun_history_close(&history);
    dun_str_free(&text);
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
