/* Reads what runs left in their folder, and what was noted of those that failed. */
#include "run/sweep_state.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/folder.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *dun_sweep_row_path(const dun_sweep_row *row, const char *folder) {
    return dun_run_dir_file(folder, row->name);
}

static char *note_path(const dun_sweep_row *row, const char *folder) {
    dun_str path = {0};
    return dun_str_addf(&path, "%s/%s.json", folder, row->name) < 0 ? NULL : path.bytes;
}

bool dun_sweep_row_is_over(const dun_sweep_row *row) {
    return row->status == DUN_ROW_DONE || row->status == DUN_ROW_DIVERGED;
}

static bool has_ended(const dun_sweep_row *row) {
    return dun_sweep_row_is_over(row) || row->status == DUN_ROW_FAILED;
}

static double figure(const json_t *object, const char *section, const char *name) {
    const json_t *value = json_object_get(section ? json_object_get(object, section) : object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void take_end(dun_sweep_row *row, const json_t *end, const char *seconds) {
    row->last_loss = figure(end, NULL, "last_loss");
    row->seconds = figure(end, NULL, seconds);
    row->steps = (uint64_t)json_integer_value(json_object_get(end, "steps"));
}

static int read_metrics(dun_sweep_row *row, const char *path) {
    int rc = DUN_OK;
    json_t *metrics = NULL;
    TRY(dun_json_read(&metrics, path));
    row->status = DUN_ROW_DONE;
    row->accuracy = figure(metrics, NULL, "accuracy");
    row->macro_f1 = figure(metrics, "macro_avg", "f1");
    row->baseline = figure(metrics, "baseline", "class_means_untrained");
    row->majority = figure(metrics, "baseline", "majority");
    row->probe_before = figure(metrics, "linear_probe", "before");
    row->probe_after = figure(metrics, "linear_probe", "after");
    take_end(row, metrics, "wall_seconds");
out:
    json_decref(metrics);
    return rc;
}

static int read_note(dun_sweep_row *row, const char *path) {
    int rc = DUN_OK;
    json_t *note = NULL;
    TRY(dun_json_read(&note, path));
    const char *status = json_string_value(json_object_get(note, "status"));
    const char *message = json_string_value(json_object_get(note, "message"));
    row->status = DUN_ROW_FAILED;
    if (status && strcmp(status, dun_row_status_name(DUN_ROW_DIVERGED)) == 0)
        row->status = DUN_ROW_DIVERGED;
    TRY_PTR(row->message, dun_strdup(message ? message : ""));
    take_end(row, note, "seconds");
out:
    json_decref(note);
    return rc;
}

/* A row of which nothing is known but what it is to be. */
static void reset(dun_sweep_row *row) {
    dun_free(row->run);
    dun_free(row->message);
    *row = (dun_sweep_row){.setting = row->setting,
                           .config = row->config,
                           .point = row->point,
                           .seed = row->seed,
                           .name = row->name,
                           .config_hash = row->config_hash};
    dun_sweep_row_clear_figures(row);
}

/* What is not there is no fault; what is and cannot be read, is a row that failed. */
static int read_file(dun_sweep_row *row, int (*read)(dun_sweep_row *row, const char *path),
                     const char *path) {
    int rc = DUN_OK;
    if (access(path, F_OK) != 0 || read(row, path) == DUN_OK)
        return rc;
    row->status = DUN_ROW_FAILED;
    dun_free(row->message);
    TRY_PTR(row->message, dun_strdup(dun_error_message()));
    dun_error_clear();
out:
    return rc;
}

static bool is_held(const char *path) {
    const bool held = dun_claim_refuse_held(path) < 0;
    dun_error_clear();
    return held;
}

int dun_sweep_row_look(dun_sweep_row *row, const char *folder) {
    int rc = DUN_OK;
    char *path = NULL, *metrics = NULL, *note = NULL;
    reset(row);
    TRY_PTR(path, dun_sweep_row_path(row, folder));
    TRY_PTR(metrics, dun_run_dir_file(path, "metrics.json"));
    TRY_PTR(note, note_path(row, folder));
    if (dun_folder_is_run(path))
        row->status = DUN_ROW_INTERRUPTED;
    TRY(read_file(row, read_metrics, metrics));
    if (!has_ended(row))
        TRY(read_file(row, read_note, note));
    if (!dun_sweep_row_is_over(row) && is_held(path))
        row->status = DUN_ROW_RUNNING;
    if (row->status == DUN_ROW_RUNNING || dun_folder_is_run(path))
        TRY_PTR(row->run, dun_strdup(path));
out:
    dun_free(path);
    dun_free(metrics);
    dun_free(note);
    return rc;
}

int dun_sweep_look(bool *changed, dun_sweep_table *table, const char *folder) {
    int rc = DUN_OK;
    *changed = false;
    for (size_t i = 0; i < table->n_rows; i++) {
        dun_sweep_row *row = &table->rows[i];
        const enum dun_row_status before = row->status;
        if (dun_sweep_row_is_over(row) && row->looked)
            continue;
        TRY(dun_sweep_row_look(row, folder));
        row->looked = true;
        *changed |= row->status != before && has_ended(row);
    }
out:
    return rc;
}

static json_t *note_json(const dun_sweep_row *row) {
    int rc = DUN_OK;
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    json_t *note = json_object(), *name = json_string(host);
    TRY(dun_json_set(note, "status", json_string(dun_row_status_name(row->status))));
    TRY(dun_json_set(note, "message", json_string(row->message)));
    TRY(dun_json_set(note, "steps", json_integer((json_int_t)row->steps)));
    TRY(dun_json_set(note, "last_loss", dun_json_real(row->last_loss)));
    TRY(dun_json_set(note, "seconds", dun_json_real(row->seconds)));
    if (name) /* it is UTF-8 */
        TRY(dun_json_set(note, "host", json_incref(name)));
out:
    json_decref(name);
    if (rc < 0)
        json_decref(note);
    return rc < 0 ? NULL : note;
}

int dun_sweep_row_note(const dun_sweep_row *row, const char *folder) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *note = NULL;
    char *path = NULL;
    TRY_PTR(note, note_json(row));
    TRY_PTR(path, note_path(row, folder));
    TRY(dun_json_dump(&text, note));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(dun_file_write(path, text.bytes, text.length));
out:
    json_decref(note);
    dun_free(path);
    dun_str_free(&text);
    return rc;
}

int dun_sweep_row_forget(const dun_sweep_row *row, const char *folder) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, note_path(row, folder));
    if (unlink(path) < 0 && errno != ENOENT)
        TRY(dun_error(DUN_FAILED, "%s: cannot be removed: %s", path, strerror(errno)));
out:
    dun_free(path);
    return rc;
}
