/* Plans of several runs: written once, compared, and read again. */
#include "run/sweep_plan.h"

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char advice[] = "take another --out, or the configs, values and seeds that it was begun with";

static bool is_known_by(const dun_config_key *key) {
    return strcmp(key->section, "device") != 0 && strcmp(key->section, "output") != 0;
}

int dun_sweep_config_hash(uint64_t *hash, const dun_config *config) {
    int rc = DUN_OK;
    dun_str text = {0}, value = {0};
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        if (!is_known_by(key))
            continue;
        dun_str_clear(&value);
        TRY(dun_config_get(&value, config, (enum dun_config_id)id));
        const char *known = value.length ? value.bytes : "", *slash = strrchr(known, '/');
        if (key->traits & DUN_TRAIT_PATH && slash)
            known = slash + 1;
        TRY(dun_str_addf(&text, "%s.%s=%s\n", key->section, key->name, known));
    }
    *hash = dun_hash(DUN_HASH_START, text.bytes, text.length);
out:
    dun_str_free(&text);
    dun_str_free(&value);
    return rc;
}

/* --- Writing. --- */

/* An array of these strings. NULL on failure, the error recorded. */
static json_t *words_json(char *const *words, size_t n) {
    int rc = DUN_OK;
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        TRY(dun_json_append(array, json_string(words[i])));
out:
    if (rc < 0)
        json_decref(array);
    return rc < 0 ? NULL : array;
}

static json_t *row_json(const dun_sweep_row *row) {
    int rc = DUN_OK;
    char hash[20];
    json_t *run = json_object();
    snprintf(hash, sizeof hash, "%016" PRIx64, row->config_hash);
    TRY(dun_json_set(run, "name", json_string(row->name)));
    TRY(dun_json_set(run, "seed", json_integer((json_int_t)row->seed)));
    TRY(dun_json_set(run, "config", json_string(hash)));
out:
    if (rc < 0)
        json_decref(run);
    return rc < 0 ? NULL : run;
}

static int plan_json(json_t **out, const dun_sweep_table *table) {
    int rc = DUN_OK;
    char key[DUN_SWEEP_KEY_BYTES];
    const dun_sweep *sweep = table->sweep;
    const size_t n_settings = dun_sweep_points(sweep), n_seeds = table->n_seeds;
    json_t *root = json_object(), *keys = json_array(), *values = json_array(), *configs = json_array(),
           *runs = json_array();
    for (size_t i = 0; i < sweep->n_axes; i++) {
        dun_sweep_key(key, sweep, i);
        TRY(dun_json_append(keys, json_string(key)));
        TRY(dun_json_append(values, words_json(sweep->axes[i].values, sweep->axes[i].n)));
    }
    for (size_t i = 0; i < table->n_rows; i += n_settings * n_seeds)
        TRY(dun_json_append(configs, json_string(table->rows[i].config)));
    for (size_t i = 0; i < table->n_rows; i++)
        TRY(dun_json_append(runs, row_json(&table->rows[i])));
    TRY(dun_json_set(root, "keys", json_incref(keys)));
    TRY(dun_json_set(root, "values", json_incref(values)));
    TRY(dun_json_set(root, "configs", json_incref(configs)));
    TRY(dun_json_set(root, "seeds", json_integer((json_int_t)n_seeds)));
    TRY(dun_json_set(root, "runs", json_incref(runs)));
    *out = json_incref(root);
out:
    json_decref(root);
    json_decref(keys);
    json_decref(values);
    json_decref(configs);
    json_decref(runs);
    return rc;
}

static int plan_text(dun_str *out, const dun_sweep_table *table) {
    int rc = DUN_OK;
    json_t *root = NULL;
    TRY(plan_json(&root, table));
    TRY(dun_json_dump(out, root));
    TRY(dun_str_add(out, "\n", 1));
out:
    json_decref(root);
    return rc;
}

/* --- Reading. --- */

static int damaged(const char *path, const char *what) {
    return dun_error(DUN_BAD_INPUT, "%s: %s; it is not what dunlin wrote there", path, what);
}

static int read_axes(dun_sweep *sweep, const json_t *root, const char *path) {
    int rc = DUN_OK;
    const json_t *keys = json_object_get(root, "keys"), *values = json_object_get(root, "values");
    if (!json_is_array(keys) || !json_is_array(values) || json_array_size(keys) != json_array_size(values))
        TRY(damaged(path, "has not as many keys as lists of values"));
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *list = json_array_get(values, i);
        const char *key = json_string_value(json_array_get(keys, i));
        if (!key || json_array_size(list) == 0)
            TRY(damaged(path, "has a key without values"));
        TRY_GROW(sweep->axes, sweep->capacity, sweep->n_axes);
        dun_axis *axis = &sweep->axes[sweep->n_axes++];
        *axis = (dun_axis){0};
        if (dun_config_find(&axis->id, key, path) < 0)
            TRY(dun_error(DUN_BAD_INPUT, "%s: no key is called %.60s", path, key));
        for (size_t j = 0; j < json_array_size(list); j++) {
            const char *value = json_string_value(json_array_get(list, j));
            if (!value)
                TRY(damaged(path, "has a value that is no text"));
            TRY_GROW(axis->values, axis->capacity, axis->n);
            TRY_PTR(axis->values[axis->n], dun_strdup(value));
            axis->n++;
        }
        if (dun_sweep_points(sweep) > DUN_SWEEP_POINTS)
            TRY(damaged(path, "has too many combinations"));
    }
out:
    return rc;
}

static int read_configs(dun_sweep_plan *plan, const json_t *root, const char *path) {
    int rc = DUN_OK;
    const json_t *configs = json_object_get(root, "configs");
    const size_t n = json_array_size(configs);
    if (n == 0)
        TRY(damaged(path, "has no configs"));
    TRY_NEW(plan->configs, n);
    for (; plan->n_configs < n; plan->n_configs++) {
        const char *name = json_string_value(json_array_get(configs, plan->n_configs));
        if (!name)
            TRY(damaged(path, "has a config without a name"));
        TRY_PTR(plan->configs[plan->n_configs], dun_strdup(name));
    }
out:
    return rc;
}

static int read_row(dun_sweep_row *row, const json_t *run, const char *path) {
    int rc = DUN_OK;
    const char *name = json_string_value(json_object_get(run, "name"));
    const char *hash = json_string_value(json_object_get(run, "config"));
    if (!name || !*name || *name == '.' || strchr(name, '/'))
        TRY(damaged(path, "has a run whose name is not that of a folder there"));
    if (!hash || sscanf(hash, "%16" SCNx64, &row->config_hash) != 1)
        TRY(damaged(path, "has a run without the hash of its config"));
    TRY_PTR(row->name, dun_strdup(name));
    row->seed = json_integer_value(json_object_get(run, "seed"));
out:
    return rc;
}

static int read_rows(dun_sweep_plan *plan, const json_t *root, const char *path) {
    int rc = DUN_OK;
    const json_t *runs = json_object_get(root, "runs");
    const json_int_t seeds = json_integer_value(json_object_get(root, "seeds"));
    const size_t n = json_array_size(runs), n_points = dun_sweep_points(&plan->sweep);
    if (seeds < 1 || seeds > DUN_SWEEP_POINTS || n == 0 || n > DUN_SWEEP_POINTS ||
        n != plan->n_configs * n_points * (size_t)seeds)
        TRY(damaged(path, "has not a run for each config, combination and seed"));
    TRY(dun_sweep_table_create(&plan->table, &plan->sweep, n));
    plan->table.n_seeds = (uint32_t)seeds;
    plan->table.several_configs = plan->n_configs > 1;
    for (size_t i = 0; i < n; i++) {
        dun_sweep_row *row = &plan->table.rows[i];
        row->setting = i / (size_t)seeds;
        row->point = row->setting % n_points;
        row->config = plan->configs[row->setting / n_points];
        TRY(read_row(row, json_array_get(runs, i), path));
    }
out:
    return rc;
}

static int read_plan(dun_sweep_plan *plan, const char *bytes, size_t length, const char *path) {
    int rc = DUN_OK;
    json_t *root = NULL;
    *plan = (dun_sweep_plan){0};
    TRY(dun_json_parse(&root, bytes, length, path, 1));
    TRY(read_axes(&plan->sweep, root, path));
    TRY(read_configs(plan, root, path));
    TRY(read_rows(plan, root, path));
out:
    json_decref(root);
    if (rc < 0)
        dun_sweep_plan_free(plan);
    return rc;
}

bool dun_sweep_plan_exists(const char *folder) {
    char *path = dun_run_dir_file(folder, DUN_PLAN_FILE);
    const bool is = path && access(path, F_OK) == 0;
    dun_free(path);
    return is;
}

int dun_sweep_plan_read(dun_sweep_plan *plan, const char *folder) {
    int rc = DUN_OK;
    dun_file file = {0};
    char *path = NULL;
    *plan = (dun_sweep_plan){0};
    TRY_PTR(path, dun_run_dir_file(folder, DUN_PLAN_FILE));
    if (access(path, F_OK) != 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not the folder of several runs: it has no " DUN_PLAN_FILE,
                      folder));
    TRY(dun_file_map(&file, path));
    TRY(read_plan(plan, (const char *)file.bytes, file.length, path));
out:
    dun_file_unmap(&file);
    dun_free(path);
    return rc;
}

void dun_sweep_plan_free(dun_sweep_plan *plan) {
    dun_sweep_table_free(&plan->table);
    dun_sweep_free(&plan->sweep);
    for (size_t i = 0; i < plan->n_configs; i++)
        dun_free(plan->configs[i]);
    dun_free(plan->configs);
    *plan = (dun_sweep_plan){0};
}

/* --- Comparing. --- */

static int refuse(const dun_sweep_table *theirs, const dun_sweep_table *ours, const char *path) {
    if (theirs->n_rows != ours->n_rows)
        return dun_error(DUN_FAILED, "%s: is of other runs: of %zu, not of %zu; %s", path, theirs->n_rows,
                         ours->n_rows, advice);
    for (size_t i = 0; i < ours->n_rows; i++) {
        const dun_sweep_row *their = &theirs->rows[i], *our = &ours->rows[i];
        if (strcmp(their->name, our->name) != 0 || their->seed != our->seed)
            return dun_error(
                DUN_FAILED, "%s: is of other runs: number %zu is %s with seed %lld, not %s with %lld; %s",
                path, i + 1, their->name, (long long)their->seed, our->name, (long long)our->seed, advice);
        if (their->config_hash != our->config_hash)
            return dun_error(DUN_FAILED, "%s: is of other runs: %s has another config; %s", path, our->name,
                             advice);
    }
    return dun_error(DUN_FAILED, "%s: is of other runs: other keys, values or configs; %s", path, advice);
}

int dun_sweep_plan_agree(const dun_sweep_table *table, const char *folder) {
    int rc = DUN_OK;
    bool made;
    dun_str text = {0};
    dun_file file = {0};
    dun_sweep_plan plan = {0};
    char *path = NULL;
    TRY(plan_text(&text, table));
    TRY_PTR(path, dun_run_dir_file(folder, DUN_PLAN_FILE));
    TRY(dun_file_write_new(&made, path, text.bytes, text.length));
    if (made)
        goto out;
    TRY(dun_file_map(&file, path));
    if (file.length == text.length && memcmp(file.bytes, text.bytes, text.length) == 0)
        goto out;
    TRY(read_plan(&plan, (const char *)file.bytes, file.length, path));
    TRY(refuse(&plan.table, table, path));
out:
    dun_sweep_plan_free(&plan);
    dun_file_unmap(&file);
    dun_free(path);
    dun_str_free(&text);
    return rc;
}
