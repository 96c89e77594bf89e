/* Records full paths in metrics.json, and reads them again. */
#include "run/run_files.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "run/claim.h"
#include "run/rundir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* FOLDER/VALUE of a key, or the value if that is a full path; nothing of a key without one. */
static int add_full(dun_str *out, const dun_config *config, enum dun_config_id id, const char *folder) {
    int rc;
    dun_str value = {0};
    TRY(dun_config_get(&value, config, id));
    if (value.length && (*value.bytes == '/' || *folder))
        TRY(dun_str_addf(out, "%s%s%s", *value.bytes == '/' ? "" : folder, *value.bytes == '/' ? "" : "/",
                         value.bytes));
out:
    dun_str_free(&value);
    return rc;
}

static void name_key(char name[64], int id) {
    snprintf(name, 64, "%s.%s", dun_config_key_table[id].section, dun_config_key_table[id].name);
}

json_t *dun_run_files_json(const dun_config *config) {
    int rc = DUN_OK;
    char here[4096], name[64];
    dun_str full = {0};
    json_t *files = json_object();
    if (!getcwd(here, sizeof here))
        here[0] = '\0';
    for (int id = 0; id < DUN_N_KEYS; id++) {
        if (!(dun_config_key_table[id].traits & DUN_TRAIT_PATH))
            continue;
        dun_str_clear(&full);
        TRY(add_full(&full, config, (enum dun_config_id)id, here));
        name_key(name, id);
        if (full.length && dun_utf8_valid(full.bytes, full.length) == full.length)
            TRY(dun_json_set(files, name, json_string(full.bytes)));
    }
out:
    dun_str_free(&full);
    if (rc < 0) {
        json_decref(files);
        return NULL;
    }
    return files;
}

/* Of metrics.json; NULL where there is none that can be read, which then is no help here and no fault either.
 */
static json_t *read_metrics(const char *run) {
    json_t *metrics = NULL;
    char *path = dun_run_dir_complete(run) ? dun_run_dir_file(run, "metrics.json") : NULL;
    if (path)
        (void)dun_json_read(&metrics, path);
    dun_free(path);
    dun_error_clear();
    return metrics;
}

/* `from`: the folder that the run was begun in, or "". */
static int take(dun_config *config, const json_t *metrics, const char *from) {
    int rc = DUN_OK;
    char name[64];
    dun_str full = {0};
    const json_t *files = json_object_get(metrics, "files");
    for (int id = 0; id < DUN_N_KEYS; id++) {
        if (!(dun_config_key_table[id].traits & DUN_TRAIT_PATH))
            continue;
        name_key(name, id);
        const char *recorded = json_string_value(json_object_get(files, name));
        dun_str_clear(&full);
        TRY(recorded ? dun_str_addf(&full, "%s", recorded)
                     : add_full(&full, config, (enum dun_config_id)id, from));
        dun_free(config->recorded[id]);
        config->recorded[id] = NULL;
        if (full.length)
            TRY_PTR(config->recorded[id], dun_strdup(full.bytes));
    }
out:
    dun_str_free(&full);
    return rc;
}

int dun_run_files_read(dun_config *config) {
    int rc = DUN_OK;
    char *from = NULL;
    json_t *metrics = read_metrics(config->run);
    TRY_PTR(from, dun_claim_from(config->run));
    TRY(take(config, metrics, from));
out:
    json_decref(metrics);
    dun_free(from);
    return rc;
}

int dun_run_files_take(dun_config *config, const dun_str *metrics) {
    int rc = DUN_OK;
    json_t *object = NULL;
    if (metrics)
        TRY(dun_json_parse(&object, metrics->bytes, metrics->length, "metrics.json", 1));
    TRY(take(config, object, ""));
out:
    json_decref(object);
    return rc;
}
