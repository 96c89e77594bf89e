/* A config with its overrides, opened as a session. */
#include "run/experiment.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/paths.h"
#include "run/run_files.h"
#include "run/rundir.h"
#include "session/model_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DUNLIN_PROMPT_LR for prompt.lr, and so on for every key. */
static int read_environment(dun_config *config) {
    int rc = DUN_OK;
    for (size_t i = 0; i < DUN_N_KEYS; i++) {
        char name[128];
        const dun_config_key *key = &dun_config_key_table[i];
        snprintf(name, sizeof name, "DUNLIN_%s_%s", key->section, key->name);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (value)
            TRY(dun_config_put(config, (enum dun_config_id)i, value, name));
    }
out:
    return rc;
}

char *dun_experiment_name(const dun_config *config, const char *path) {
    if (*config->experiment.name)
        return dun_strdup(config->experiment.name);
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    return dun_strndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

/* What is set over the file, and where the files are that it names. */
static int override(dun_config *config, const dun_overrides *overrides) {
    int rc = DUN_OK;
    if (!overrides || !overrides->alone)
        TRY(read_environment(config));
    for (size_t i = 0; overrides && i < overrides->n_sets; i++)
        TRY(dun_config_set(config, overrides->sets[i]));
    if (overrides && overrides->device)
        TRY(dun_config_put(config, DUN_KEY_device_use, overrides->device, "--device"));
    TRY(dun_paths_resolve(config));
out:
    return rc;
}

int dun_experiment_read_config(dun_config *config, const char *path, const dun_overrides *overrides) {
    int rc = DUN_OK;
    char *found = NULL;
    TRY_PTR(found, dun_path_find(path));
    TRY(dun_config_load(config, found));
    if (config->run)
        TRY(dun_run_files_read(config));
    TRY(override(config, overrides));
out:
    dun_free(found);
    return rc;
}

int dun_experiment_model_config(dun_config *config, const char *model, const dun_overrides *overrides) {
    int rc = DUN_OK;
    *config = (dun_config){0};
    TRY(dun_config_init(config));
    TRY(override(config, overrides));
    TRY(dun_config_put(config, DUN_KEY_model_path, model, "the command line"));
    TRY(dun_model_name_settle(config));
out:
    return rc;
}

/* `kept` NULL: the file in the run's folder. */
static int open_run(dun_experiment *e, const dun_kept *kept) {
    int rc = DUN_OK;
    char *path = NULL;
    static const char name[] = "prompt.safetensors";
    const dun_str *bytes = kept ? dun_kept_find(kept, name) : NULL;
    TRY_PTR(path, dun_run_dir_file(e->run_path, name));
    if (kept && !bytes)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not there; the result of a training is needed", path));
    TRY(bytes ? dun_saved_prompt_parse(&e->saved, bytes->bytes, bytes->length, path)
              : dun_saved_prompt_read(&e->saved, path));
    if (e->saved.n_classes < 2)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no centroids; the result of `dunlin train` is needed", path));
    TRY(dun_session_use_prompt(&e->session, &e->saved, path));
out:
    dun_free(path);
    return rc;
}

/* Reads the config of a config file or a run directory, and checks it. */
static int read_whole(dun_config *config, const char *path, bool is_folder, const dun_overrides *overrides) {
    int rc = DUN_OK;
    char *file = NULL;
    TRY(dun_config_init(config));
    if (is_folder && !dun_run_dir_exists(path))
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not a run directory: it has no config.ini", path));
    if (is_folder)
        TRY_PTR(config->run, dun_strdup(path));
    TRY_PTR(file, is_folder ? dun_run_dir_file(path, "config.ini") : dun_strdup(path));
    TRY(dun_experiment_read_config(config, file, overrides));
    if (is_folder)
        TRY(dun_config_put_before(config));
    TRY(dun_config_check(config));
    TRY(dun_model_name_settle(config));
out:
    dun_free(file);
    return rc;
}

int dun_experiment_run_config(dun_config *config, const char *run_path, const dun_overrides *overrides) {
    *config = (dun_config){0};
    if (!dun_dir_exists(run_path))
        return dun_error(DUN_USAGE, "%s: is not the folder of a run", run_path);
    return read_whole(config, run_path, true, overrides);
}

static int open_session(dun_experiment *e, const char *path, const dun_overrides *overrides,
                        const dun_observer *observer, bool trained) {
    int rc = DUN_OK;
    bool is_folder = dun_dir_exists(path);
    *e = (dun_experiment){0};
    TRY(read_whole(&e->config, path, is_folder, overrides));
    if (is_folder)
        TRY_PTR(e->run_path, dun_strdup(path));
    TRY_PTR(e->name, dun_experiment_name(&e->config, path));
    TRY(dun_session_open(&e->session, &e->config, observer));
    if (e->run_path && trained)
        TRY(open_run(e, NULL));
    else
        TRY(dun_session_start_prompt(&e->session));
out:
    if (rc < 0)
        dun_experiment_close(e);
    return rc;
}

int dun_experiment_open(dun_experiment *e, const char *path, const dun_overrides *overrides,
                        const dun_observer *observer) {
    return open_session(e, path, overrides, observer, true);
}

int dun_experiment_open_config(dun_experiment *e, const char *path, const dun_overrides *overrides,
                               const dun_observer *observer) {
    return open_session(e, path, overrides, observer, false);
}

void dun_experiment_close(dun_experiment *e) {
    dun_session_close(&e->session);
    dun_saved_prompt_free(&e->saved);
    dun_free(e->run_path);
    dun_free(e->name);
    dun_config_free(&e->config);
    *e = (dun_experiment){0};
}

static int read_kept(dun_config *config, const dun_kept *kept, const char *name,
                     const dun_overrides *overrides) {
    int rc = DUN_OK;
    char *file = NULL;
    const dun_str *text = dun_kept_find(kept, "config.ini");
    TRY(dun_config_init(config));
    TRY_PTR(config->run, dun_strdup(name));
    TRY_PTR(file, dun_run_dir_file(name, "config.ini"));
    if (!text)
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not there; every run has one", file));
    TRY(dun_config_parse(config, text->bytes, text->length, file));
    TRY(dun_run_files_take(config, dun_kept_find(kept, "metrics.json")));
    TRY(override(config, overrides));
    TRY(dun_config_put_before(config));
    TRY(dun_config_check(config));
    TRY(dun_model_name_settle(config));
out:
    dun_free(file);
    return rc;
}

int dun_experiment_open_kept(dun_experiment *e, const dun_kept *kept, const char *name,
                             const dun_overrides *overrides, const dun_observer *observer) {
    int rc = DUN_OK;
    *e = (dun_experiment){0};
    TRY(read_kept(&e->config, kept, name, overrides));
    TRY_PTR(e->run_path, dun_strdup(name));
    TRY_PTR(e->name, dun_experiment_name(&e->config, name));
    TRY(dun_session_open(&e->session, &e->config, observer));
    TRY(open_run(e, kept));
out:
    if (rc < 0)
        dun_experiment_close(e);
    return rc;
}

int dun_experiment_require_run(const dun_experiment *e, const char *path, const char *command) {
    if (e->run_path)
        return DUN_OK;
    return dun_error(DUN_USAGE, "%s: is a config file; `dunlin %s` needs the folder of a finished run", path,
                     command);
}
