/* What is known of a run, and a run as a directory or as bytes. */
#include "api/run.h"

#include "base/json.h"
#include "run/folder.h"
#include "run/history.h"
#include "run/rundir.h"

#include <inttypes.h>
#include <stdio.h>

static int enter(const dunlin_run *run) {
    return dun_handle_enter(DUN_HANDLE(run), DUN_HANDLE_RUN, false, "run");
}

static void leave(const dunlin_run *run) {
    dun_handle_leave(DUN_HANDLE(run));
}

dunlin_status dunlin_sizes(const dunlin_run *run, size_t *n_classes, size_t *point_width) {
    int rc = DUN_OK;
    dun_api_begin();
    TRY(enter(run));
    if (n_classes)
        *n_classes = run->experiment.saved.n_classes;
    if (point_width)
        *point_width = run->experiment.saved.point_width;
    leave(run);
out:
    return dun_api_end(rc);
}

dunlin_status dunlin_class_name(const dunlin_run *run, size_t index, const char **name) {
    int rc = DUN_OK;
    dun_api_begin();
    TRY(dun_api_need(name, "name"));
    *name = NULL;
    TRY(enter(run));
    if (index < run->experiment.saved.n_classes)
        *name = run->experiment.saved.class_names[index];
    else
        rc = dun_error(DUN_USAGE, "there is no class %zu; the run has %u", index,
                       run->experiment.saved.n_classes);
    leave(run);
out:
    return dun_api_end(rc);
}

static json_t *word(const char *text) {
    return text ? json_string(text) : json_null();
}

static int add_classes(json_t *root, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    json_t *names = json_array();
    TRY(dun_json_set(root, "classes", names));
    for (uint32_t k = 0; k < saved->n_classes; k++)
        TRY(dun_json_append(names, json_string(saved->class_names[k])));
    TRY(dun_json_set(root, "n_classes", json_integer(saved->n_classes)));
    TRY(dun_json_set(root, "point_width", json_integer(saved->point_width)));
    TRY(dun_json_set(root, "prompts", json_integer(saved->n_prompts)));
    TRY(dun_json_set(root, "prompt_rows", json_integer(saved->n_rows)));
    TRY(dun_json_set(root, "width", json_integer(saved->width)));
    TRY(dun_json_set(root, "calibration_temperature",
                     saved->calibration > 0 ? dun_json_real(saved->calibration) : json_null()));
out:
    return rc;
}

static int add_model(json_t *root, const dunlin_run *run) {
    int rc = DUN_OK;
    char hash[24];
    const dun_model_file *file = run->experiment.session.model;
    json_t *model = json_object();
    TRY(dun_json_set(root, "model", model));
    snprintf(hash, sizeof hash, "%016" PRIx64, dun_model_file_fingerprint(file));
    TRY(dun_json_set(model, "path", json_string(dun_model_file_path(file))));
    TRY(dun_json_set(model, "hash", json_string(hash)));
    TRY(dun_json_set(model, "name", json_string(dun_model_file_spec(file)->name)));
out:
    return rc;
}

static int add_config(json_t *root, const dun_config *config) {
    int rc = DUN_OK;
    char name[80];
    dun_str value = {0};
    json_t *keys = json_object();
    TRY(dun_json_set(root, "config", keys));
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        dun_str_clear(&value);
        TRY(dun_config_get(&value, config, (enum dun_config_id)id));
        snprintf(name, sizeof name, "%s.%s", key->section, key->name);
        TRY(dun_json_set(keys, name, json_string(value.length ? value.bytes : "")));
    }
out:
    dun_str_free(&value);
    return rc;
}

static int add_metrics(json_t *root, const dun_kept *kept) {
    int rc = DUN_OK;
    json_t *metrics = NULL;
    const dun_str *text = dun_kept_find(kept, "metrics.json");
    if (text)
        TRY(dun_json_parse(&metrics, text->bytes, text->length, "metrics.json", 1));
    const bool stopped = json_is_true(json_object_get(metrics, "stopped"));
    TRY(dun_json_set(root, "stopped", json_boolean(stopped)));
    TRY(dun_json_set(root, "metrics", metrics ? json_incref(metrics) : json_null()));
out:
    json_decref(metrics);
    return rc;
}

static int describe(dun_str *out, const dunlin_run *run) {
    int rc = DUN_OK;
    json_t *root = json_object();
    TRY(dun_json_set(root, "version", json_string(DUN_VERSION)));
    TRY(add_classes(root, &run->experiment.saved));
    TRY(add_model(root, run));
    TRY(dun_json_set(root, "device", dun_run_dir_device_json(&run->experiment.session.compute)));
    TRY(dun_json_set(root, "directory", word(run->directory)));
    TRY(add_config(root, &run->experiment.config));
    TRY(add_metrics(root, &run->kept));
    TRY(dun_json_dump(out, root));
out:
    json_decref(root);
    return rc;
}

/* The lines as the elements of an array; none of them holds a bracket of another. */
static int list_history(dun_str *out, const dunlin_run *run) {
    int rc = DUN_OK, more = 0;
    const dun_str none = {0}, *text = dun_kept_find(&run->kept, "history.jsonl");
    dun_history history;
    dun_step_record record;
    dun_str line = {0};
    dun_history_of(&history, text ? text : &none);
    TRY(dun_str_addf(out, "["));
    while ((more = dun_history_next(&record, &history)) == 1) {
        dun_str_clear(&line);
        TRY(dun_history_add_line(&line, &record));
        TRY(dun_str_addf(out, "%s", out->length > 1 ? ", " : ""));
        TRY(dun_str_add(out, line.bytes, line.length - 1));
    }
    TRY(more);
    TRY(dun_str_addf(out, "]"));
out:
    dun_str_free(&line);
    dun_history_close(&history);
    return rc;
}

static int pack(dun_str *out, const dunlin_run *run) {
    return dun_kept_pack(out, &run->kept, dun_run_byte_names);
}

/* What `make` says of a run, into a buffer. */
static dunlin_status give(const dunlin_run *run, int (*make)(dun_str *out, const dunlin_run *run),
                          void *buffer, size_t size, size_t *needed, bool text) {
    int rc = DUN_OK;
    dun_str content = {0};
    dun_api_begin();
    TRY(enter(run));
    rc = make(&content, run);
    leave(run);
    TRY(rc);
    TRY(dun_api_give(buffer, size, needed, &content, text));
out:
    dun_str_free(&content);
    return dun_api_end(rc);
}

dunlin_status dunlin_info(const dunlin_run *run, char *buffer, size_t size, size_t *needed) {
    return give(run, describe, buffer, size, needed, true);
}

dunlin_status dunlin_history(const dunlin_run *run, char *buffer, size_t size, size_t *needed) {
    return give(run, list_history, buffer, size, needed, true);
}

dunlin_status dunlin_to_bytes(const dunlin_run *run, void *bytes, size_t size, size_t *needed) {
    return give(run, pack, bytes, size, needed, false);
}

static int save(const dunlin_run *run, const char *directory) {
    int rc = DUN_OK;
    dun_claim *claim = NULL;
    TRY(dun_folder_claim(&claim, directory));
    TRY(dun_kept_write(&run->kept, directory, "metrics.json"));
    dun_claim_give_back(claim);
    claim = NULL;
out:
    (void)dun_claim_withdraw(claim, dun_run_kept_names);
    return rc;
}

dunlin_status dunlin_save(const dunlin_run *run, const char *directory) {
    int rc = DUN_OK;
    dun_api_begin();
    TRY(dun_api_need(directory, "directory"));
    TRY(enter(run));
    rc = *directory ? save(run, directory)
                    : dun_error(DUN_USAGE, "the argument directory is empty; a path is needed");
    leave(run);
out:
    return dun_api_end(rc);
}
