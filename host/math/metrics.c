/* Counts, scores and averages from a confusion matrix, as a report and as JSON. */
#include "math/metrics.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"

#include <math.h>
#include <string.h>

enum { DIGITS = 3, MOST_PRINTED_CLASSES = 20 };

int dun_metrics_create(dun_metrics *metrics, uint32_t n_classes) {
    int rc = DUN_OK;
    *metrics = (dun_metrics){.n_classes = n_classes};
    if (n_classes && (size_t)n_classes > SIZE_MAX / n_classes)
        TRY(dun_error(DUN_FAILED, "too many classes for a confusion matrix: %u", n_classes));
    TRY_NEW(metrics->confusion, (size_t)n_classes * n_classes);
    TRY_NEW(metrics->classes, n_classes);
out:
    if (rc < 0)
        dun_metrics_free(metrics);
    return rc;
}

void dun_metrics_free(dun_metrics *metrics) {
    dun_free(metrics->confusion);
    dun_free(metrics->classes);
    *metrics = (dun_metrics){0};
}

void dun_metrics_clear(dun_metrics *metrics) {
    memset(metrics->confusion, 0,
           (size_t)metrics->n_classes * metrics->n_classes * sizeof *metrics->confusion);
}

void dun_metrics_add(dun_metrics *metrics, uint32_t label, uint32_t predicted) {
    metrics->confusion[(size_t)label * metrics->n_classes + predicted]++;
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

static void add_weighted(dun_score *sum, const dun_score *score, double weight) {
    sum->precision += weight * score->precision;
    sum->recall += weight * score->recall;
    sum->f1 += weight * score->f1;
}

static void nothing_counted(dun_metrics *metrics) {
    const dun_score none = {.precision = NAN, .recall = NAN, .f1 = NAN};
    metrics->accuracy = NAN;
    metrics->macro = metrics->weighted = none;
    for (uint32_t k = 0; k < metrics->n_classes; k++)
        metrics->classes[k] = none;
}

void dun_metrics_finish(dun_metrics *metrics) {
    const uint32_t K = metrics->n_classes;
    uint64_t all_right = 0;
    metrics->n = 0;
    for (size_t at = 0; at < (size_t)K * K; at++)
        metrics->n += metrics->confusion[at];
    const double n = (double)metrics->n;
    metrics->macro = metrics->weighted = (dun_score){.support = metrics->n};
    for (uint32_t k = 0; k < K; k++) {
        dun_score *score = &metrics->classes[k];
        uint64_t right = metrics->confusion[(size_t)k * K + k], support = 0, predicted = 0;
        for (uint32_t j = 0; j < K; j++) {
            support += metrics->confusion[(size_t)k * K + j];
            predicted += metrics->confusion[(size_t)j * K + k];
        }
        *score = (dun_score){.precision = ratio((double)right, (double)predicted),
                             .recall = ratio((double)right, (double)support),
                             .f1 = ratio(2 * (double)right, (double)(predicted + support)),
                             .support = support};
        add_weighted(&metrics->macro, score, ratio(1, (double)K));
        add_weighted(&metrics->weighted, score, ratio((double)support, n));
        all_right += right;
    }
    metrics->accuracy = ratio((double)all_right, n);
    if (metrics->n == 0)
        nothing_counted(metrics);
}

static int add_score(dun_table *table, const char *name, const dun_score *score) {
    int rc = DUN_OK;
    TRY(dun_table_add(table, "%s", name));
    TRY(dun_table_add(table, "%.*f", DIGITS, score->precision));
    TRY(dun_table_add(table, "%.*f", DIGITS, score->recall));
    TRY(dun_table_add(table, "%.*f", DIGITS, score->f1));
    TRY(dun_table_add(table, "%llu", (unsigned long long)score->support));
out:
    return rc;
}

static int print_scores(dun_str *out, const dun_metrics *metrics, char *const *class_names) {
    static const char *const head[] = {"", "precision", "recall", "f1-score", "support", "", "", "", "", ""};
    static const char *const accuracy[] = {"", "", "", "", "", "accuracy", "", ""};
    int rc = DUN_OK;
    dun_table table;
    dun_table_init(&table, "rrrrr");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    for (uint32_t k = 0; k < metrics->n_classes; k++)
        TRY(add_score(&table, class_names[k], &metrics->classes[k]));
    TRY(dun_table_add_all(&table, accuracy, sizeof accuracy / sizeof *accuracy));
    TRY(dun_table_add(&table, "%.*f", DIGITS, metrics->accuracy));
    TRY(dun_table_add(&table, "%llu", (unsigned long long)metrics->n));
    TRY(add_score(&table, "macro avg", &metrics->macro));
    TRY(add_score(&table, "weighted avg", &metrics->weighted));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

static int print_confusion(dun_str *out, const dun_metrics *metrics, char *const *class_names) {
    int rc = DUN_OK;
    const uint32_t K = metrics->n_classes;
    char columns[MOST_PRINTED_CLASSES + 2] = "";
    dun_table table;
    memset(columns, 'r', K + 1);
    dun_table_init(&table, columns);
    TRY(dun_table_add(&table, "%s", ""));
    TRY(dun_table_add_all(&table, (const char *const *)class_names, K));
    for (uint32_t k = 0; k < K; k++) {
        TRY(dun_table_add(&table, "%s", class_names[k]));
        for (uint32_t j = 0; j < K; j++)
            TRY(dun_table_add(&table, "%llu", (unsigned long long)metrics->confusion[(size_t)k * K + j]));
    }
    TRY(dun_str_addf(out, "\nconfusion matrix, true classes down, predicted across:\n\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

int dun_metrics_report(dun_str *out, const dun_metrics *metrics, char *const *class_names) {
    int rc = DUN_OK;
    TRY(print_scores(out, metrics, class_names));
    if (metrics->n_classes <= MOST_PRINTED_CLASSES)
        TRY(print_confusion(out, metrics, class_names));
out:
    return rc;
}

/* `name` NULL: an average. NULL on failure, the error recorded. */
static json_t *score_json(const dun_score *score, const char *name) {
    int rc = DUN_OK;
    json_t *object = json_object();
    if (name)
        TRY(dun_json_set(object, "name", json_string(name)));
    TRY(dun_json_set(object, "precision", dun_json_real(score->precision)));
    TRY(dun_json_set(object, "recall", dun_json_real(score->recall)));
    TRY(dun_json_set(object, "f1", dun_json_real(score->f1)));
    TRY(dun_json_set(object, "support", json_integer((json_int_t)score->support)));
out:
    if (rc < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *row_json(const uint64_t *counts, uint32_t n) {
    int rc = DUN_OK;
    json_t *row = json_array();
    for (uint32_t k = 0; k < n; k++)
        TRY(dun_json_append(row, json_integer((json_int_t)counts[k])));
out:
    if (rc < 0) {
        json_decref(row);
        return NULL;
    }
    return row;
}

int dun_metrics_json(json_t **out, const dun_metrics *metrics, char *const *class_names) {
    int rc = DUN_OK;
    const uint32_t K = metrics->n_classes;
    json_t *root = json_object(), *classes = json_array(), *confusion = json_array();
    *out = NULL;
    for (uint32_t k = 0; k < K; k++)
        TRY(dun_json_append(classes, score_json(&metrics->classes[k], class_names[k])));
    for (uint32_t k = 0; k < K; k++)
        TRY(dun_json_append(confusion, row_json(metrics->confusion + (size_t)k * K, K)));
    TRY(dun_json_set(root, "accuracy", dun_json_real(metrics->accuracy)));
    TRY(dun_json_set(root, "n", json_integer((json_int_t)metrics->n)));
    TRY(dun_json_set(root, "classes", json_incref(classes)));
    TRY(dun_json_set(root, "macro_avg", score_json(&metrics->macro, NULL)));
    TRY(dun_json_set(root, "weighted_avg", score_json(&metrics->weighted, NULL)));
    TRY(dun_json_set(root, "confusion", json_incref(confusion)));
    *out = root;
    root = NULL;
out:
    json_decref(root);
    json_decref(classes);
    json_decref(confusion);
    return rc;
}
