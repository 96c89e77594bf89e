/* See experiment.h. */
#include "cmd/experiment.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "config/paths.h"
#include "run/rundir.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int dun_overrides_read(dun_overrides *overrides, const dun_args *args) {
    *overrides = (dun_overrides){.device = dun_args_value(args, "device")};
    return dun_args_all(&overrides->sets, &overrides->n_sets, args, "set");
}

void dun_overrides_free(dun_overrides *overrides) {
    dun_free(overrides->sets);
    *overrides = (dun_overrides){0};
}

int dun_unsure_read(double *unsure, const dun_args *args) {
    const char *text = dun_args_value(args, "unsure");
    char *end = NULL;
    *unsure = text ? strtod(text, &end) : 0;
    if (text && (end == text || *end || !(*unsure >= 0 && *unsure <= 1)))
        return dun_error(DUN_USAGE, "%s: --unsure must be a number of 0 to 1, not \"%.40s\"",
                         args->command->name, text);
    return DUN_OK;
}

int dun_talk(dun_progress *progress, const dun_args *args) {
    const bool quiet = dun_args_has(args, "quiet");
    dun_progress_init(progress, quiet);
    progress->verbose = dun_args_has(args, "verbose");
    if (quiet && progress->verbose)
        return dun_error(DUN_USAGE, "%s: --quiet and --verbose exclude each other", args->command->name);
    return DUN_OK;
}

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

int dun_experiment_read_config(dun_config *config, const char *path, const dun_overrides *overrides) {
    int rc = DUN_OK;
    char *found = NULL;
    TRY_PTR(found, dun_path_find(path));
    TRY(dun_config_load(config, found));
    TRY(read_environment(config));
    for (size_t i = 0; i < overrides->n_sets; i++)
        TRY(dun_config_set(config, overrides->sets[i]));
    if (overrides->device)
        TRY(dun_config_put(config, DUN_KEY_device_use, overrides->device, "--device"));
    TRY(dun_paths_resolve(config));
out:
    dun_free(found);
    return rc;
}

static int open_run(dun_experiment *e) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(e->run_path, "prompt.safetensors"));
    TRY(dun_saved_prompt_read(&e->saved, path));
    if (e->saved.n_classes < 2)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no centroids; the result of `dunlin train` is needed", path));
    TRY(dun_session_use_prompt(&e->session, &e->saved, path));
out:
    dun_free(path);
    return rc;
}

static int open_session(dun_experiment *e, const char *path, const dun_overrides *overrides,
                        const dun_observer *observer, bool trained) {
    int rc = DUN_OK;
    char *file = NULL;
    *e = (dun_experiment){0};
    TRY(dun_config_init(&e->config));
    if (dun_dir_exists(path)) {
        TRY_PTR(e->run_path, dun_strdup(path));
        TRY_PTR(file, dun_run_dir_file(path, "config.ini"));
        if (!dun_run_dir_exists(path))
            TRY(dun_error(DUN_BAD_INPUT, "%s: is not a run directory: it has no config.ini", path));
    } else {
        TRY_PTR(file, dun_strdup(path));
    }
    TRY(dun_experiment_read_config(&e->config, file, overrides));
    TRY_PTR(e->name, dun_experiment_name(&e->config, path));
    TRY(dun_config_check(&e->config));
    TRY(dun_paths_check_model(&e->config));
    TRY(dun_session_open(&e->session, &e->config, observer));
    if (e->run_path && trained)
        TRY(open_run(e));
    else
        TRY(dun_session_start_prompt(&e->session));
out:
    dun_free(file);
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

int dun_experiment_require_run(const dun_experiment *e, const char *path, const char *command) {
    if (e->run_path)
        return DUN_OK;
    return dun_error(DUN_USAGE, "%s: is a config file; `dunlin %s` needs the folder of a finished run", path,
                     command);
}
