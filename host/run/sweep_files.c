/* A table of runs as CSV and JSON; see sweep_table.h. */
#include "base/csv.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/sweep_table.h"

#include <math.h>
#include <string.h>

/* Figures of a row, once for both formats. */
static const struct {
    const char *name;
    size_t offset;
} figure_table[] = {
    {"accuracy", offsetof(dun_sweep_row, accuracy)},
    {"macro_f1", offsetof(dun_sweep_row, macro_f1)},
    {"class_means_untrained", offsetof(dun_sweep_row, baseline)},
    {"majority", offsetof(dun_sweep_row, majority)},
    {"linear_probe_before", offsetof(dun_sweep_row, probe_before)},
    {"linear_probe_after", offsetof(dun_sweep_row, probe_after)},
    {"last_loss", offsetof(dun_sweep_row, last_loss)},
    {"seconds", offsetof(dun_sweep_row, seconds)},
};
enum { N_FIGURES = sizeof figure_table / sizeof *figure_table };

static double figure_of(const dun_sweep_row *row, size_t i) {
    return *(const double *)((const char *)row + figure_table[i].offset);
}

static int add_cell(dun_str *out, const char *text) {
    return dun_csv_add(out, text, strlen(text));
}

static int add_number(dun_str *out, double value) {
    char number[40];
    snprintf(number, sizeof number, "%.9g", value);
    return add_cell(out, isnan(value) ? "" : number);
}

static int add_csv_row(dun_str *out, const dun_sweep_table *table, const dun_sweep_row *row) {
    int rc = DUN_OK;
    TRY(add_cell(out, row->config));
    for (size_t i = 0; i < table->sweep->n_axes; i++)
        TRY(add_cell(out, dun_sweep_value(table->sweep, i, row->point)));
    TRY(dun_str_addf(out, ",%lld,%s", (long long)row->seed, dun_row_status_name(row->status)));
    for (size_t i = 0; i < N_FIGURES; i++)
        TRY(add_number(out, figure_of(row, i)));
    TRY(dun_str_addf(out, ",%llu", (unsigned long long)row->steps));
    TRY(add_cell(out, row->run ? row->run : ""));
    TRY(add_cell(out, row->message ? row->message : ""));
    TRY(dun_str_add(out, "\n", 1));
out:
    return rc;
}

int dun_sweep_table_csv(dun_str *out, const dun_sweep_table *table) {
    int rc = DUN_OK;
    char key[DUN_SWEEP_KEY_BYTES];
    TRY(dun_str_addf(out, "config"));
    for (size_t i = 0; i < table->sweep->n_axes; i++) {
        dun_sweep_key(key, table->sweep, i);
        TRY(add_cell(out, key));
    }
    TRY(dun_str_addf(out, ",seed,status"));
    for (size_t i = 0; i < N_FIGURES; i++)
        TRY(add_cell(out, figure_table[i].name));
    TRY(dun_str_addf(out, ",steps,run,message\n"));
    for (size_t i = 0; i < table->n_rows; i++)
        TRY(add_csv_row(out, table, &table->rows[i]));
out:
    return rc;
}

/* {"config", "values": {key: value}} of a row. NULL on failure, the error recorded. */
static json_t *setting_json(const dun_sweep_table *table, const dun_sweep_row *row) {
    int rc = DUN_OK;
    char key[DUN_SWEEP_KEY_BYTES];
    json_t *object = json_object(), *values = json_object();
    TRY(dun_json_set(object, "config", json_string(row->config)));
    for (size_t i = 0; i < table->sweep->n_axes; i++) {
        dun_sweep_key(key, table->sweep, i);
        TRY(dun_json_set(values, key, json_string(dun_sweep_value(table->sweep, i, row->point))));
    }
    TRY(dun_json_set(object, "values", json_incref(values)));
out:
    json_decref(values);
    if (rc < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *run_json(const dun_sweep_table *table, const dun_sweep_row *row) {
    int rc = DUN_OK;
    json_t *object = setting_json(table, row);
    TRY(object ? DUN_OK : DUN_FAILED);
    TRY(dun_json_set(object, "seed", json_integer(row->seed)));
    TRY(dun_json_set(object, "status", json_string(dun_row_status_name(row->status))));
    for (size_t i = 0; i < N_FIGURES; i++)
        TRY(dun_json_set(object, figure_table[i].name, dun_json_real(figure_of(row, i))));
    TRY(dun_json_set(object, "steps", json_integer((json_int_t)row->steps)));
    TRY(dun_json_set(object, "run", row->run ? json_string(row->run) : json_null()));
    if (row->message)
        TRY(dun_json_set(object, "message", json_string(row->message)));
out:
    if (rc < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *summary_json(const dun_sweep_table *table, const dun_sweep_summary *s) {
    int rc = DUN_OK;
    json_t *object = setting_json(table, &table->rows[s->first_row]);
    TRY(object ? DUN_OK : DUN_FAILED);
    TRY(dun_json_set(object, "runs", json_integer((json_int_t)s->n_rows)));
    TRY(dun_json_set(object, "done", json_integer((json_int_t)s->n_done)));
    TRY(dun_json_set(object, "accuracy", dun_json_real(s->mean)));
    TRY(dun_json_set(object, "accuracy_deviation", dun_json_real(s->deviation)));
    TRY(dun_json_set(object, "macro_f1", dun_json_real(s->macro_f1)));
    TRY(dun_json_set(object, "class_means_untrained", dun_json_real(s->baseline)));
    TRY(dun_json_set(object, "majority", dun_json_real(s->majority)));
    TRY(dun_json_set(object, "linear_probe_before", dun_json_real(s->probe_before)));
    TRY(dun_json_set(object, "linear_probe_after", dun_json_real(s->probe_after)));
    TRY(dun_json_set(object, "seconds", dun_json_real(s->seconds)));
out:
    if (rc < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int dun_sweep_table_json(json_t **out, const dun_sweep_table *table) {
    int rc = DUN_OK;
    char key[DUN_SWEEP_KEY_BYTES];
    dun_sweep_summary *settings = NULL;
    size_t n;
    json_t *root = json_object(), *keys = json_array(), *summary = json_array(), *runs = json_array();
    *out = NULL;
    TRY(dun_sweep_summarize(&settings, &n, table));
    for (size_t i = 0; i < table->sweep->n_axes; i++) {
        dun_sweep_key(key, table->sweep, i);
        TRY(dun_json_append(keys, json_string(key)));
    }
    for (size_t i = 0; i < n; i++)
        TRY(dun_json_append(summary, summary_json(table, &settings[i])));
    for (size_t i = 0; i < table->n_rows; i++)
        TRY(dun_json_append(runs, run_json(table, &table->rows[i])));
    TRY(dun_json_set(root, "keys", json_incref(keys)));
    TRY(dun_json_set(root, "settings", json_incref(summary)));
    TRY(dun_json_set(root, "runs", json_incref(runs)));
    *out = root;
    root = NULL;
out:
    dun_free(settings);
    json_decref(root);
    json_decref(keys);
    json_decref(summary);
    json_decref(runs);
    return rc;
}

static int write_file(const char *folder, const char *name, const dun_str *text) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(folder, name));
    TRY(dun_file_write(path, text->bytes, text->length));
out:
    dun_free(path);
    return rc;
}

int dun_sweep_table_write(const dun_sweep_table *table, const char *folder) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *object = NULL;
    TRY(dun_sweep_table_csv(&text, table));
    TRY(write_file(folder, "sweep.csv", &text));
    dun_str_clear(&text);
    TRY(dun_sweep_table_json(&object, table));
    TRY(dun_json_dump(&text, object));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(write_file(folder, "sweep.json", &text));
out:
    dun_str_free(&text);
    json_decref(object);
    return rc;
}
