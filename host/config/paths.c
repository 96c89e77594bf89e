/* The folders that are searched, in their order, and the absolute path that comes out. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "config/paths.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OF_CONFIG, OF_RUN, OF_USER, OF_SHARE, N_FOLDERS };

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

static const char *value_of(const dun_config *config, enum dun_config_id id) {
    return *(const char *const *)((const char *)config + dun_config_key_table[id].offset);
}

/* DUN_SHARE is the way from the program's folder to share/dunlin. Running from a build folder, the program
 * finds the source folder it was built from. */
char *dun_path_share(void) {
    char program[PATH_MAX] = "";
    dun_str path = {0};
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = length > 0 ? strrchr(program, '/') : NULL;
    if (slash)
        *slash = '\0';
    const char *const candidates[] = {DUN_SHARE, "..", "../.."};
    for (size_t i = 0; slash && i < sizeof candidates / sizeof *candidates; i++) {
        dun_str_clear(&path);
        if (dun_str_addf(&path, "%s/%s/config/default.ini", program, candidates[i]) < 0)
            break;
        if (!exists(path.bytes))
            continue;
        path.length = strlen(program) + 1 + strlen(candidates[i]);
        path.bytes[path.length] = '\0';
        char *real = realpath(path.bytes, NULL);
        char *copy = dun_strdup(real ? real : path.bytes);
        free(real);
        dun_str_free(&path);
        return copy;
    }
    dun_str_free(&path);
    return dun_strdup("");
}

char *dun_path_user(void) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    dun_str path = {0};
    char *copy = NULL;
    int rc = DUN_OK;
    if (data && *data == '/')
        rc = dun_str_addf(&path, "%s/dunlin", data);
    else if (home && *home == '/')
        rc = dun_str_addf(&path, "%s/.local/share/dunlin", home);
    if (rc == DUN_OK)
        copy = dun_strdup(path.length ? path.bytes : "");
    dun_str_free(&path);
    return copy;
}

/* The folder of the file that `origin`, "dir/file.ini:12", names; "." when it stands in no folder. */
static int add_origin_folder(dun_str *out, const char *origin) {
    const char *colon = strrchr(origin, ':'), *slash = NULL;
    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return dun_str_add(out, "", 0);
    for (const char *c = origin; c < colon; c++)
        if (*c == '/')
            slash = c;
    return slash ? dun_str_add(out, origin, slash == origin ? 1 : (size_t)(slash - origin))
                 : dun_str_add(out, ".", 1);
}

/* The folder that the run's folder is in; "" for a config of no run. */
static int add_run_folder(dun_str *out, const dun_config *config) {
    const char *run = config ? config->run : NULL;
    size_t n = run ? strlen(run) : 0;
    while (n > 0 && run[n - 1] == '/')
        n--;
    while (n > 0 && run[n - 1] != '/')
        n--;
    while (n > 1 && run[n - 1] == '/')
        n--;
    return dun_str_add(out, n ? run : ".", run ? (n ? n : 1) : 0);
}

/* The folders to look in, in their order; "" for one that there is not. `config` NULL: of no config. */
static int list_folders(dun_str folders[N_FOLDERS], const dun_config *config, const char *origin) {
    int rc;
    char *user = NULL, *share = NULL;
    TRY(add_origin_folder(&folders[OF_CONFIG], origin));
    TRY(add_run_folder(&folders[OF_RUN], config));
    TRY_PTR(user, dun_path_user());
    TRY(dun_str_add(&folders[OF_USER], user, strlen(user)));
    TRY_PTR(share, dun_path_share());
    TRY(dun_str_add(&folders[OF_SHARE], share, strlen(share)));
out:
    dun_free(user);
    dun_free(share);
    return rc;
}

static void free_folders(dun_str folders[N_FOLDERS]) {
    for (size_t i = 0; i < N_FOLDERS; i++)
        dun_str_free(&folders[i]);
}

int dun_path_expand(char **out, const char *path, const char *origin) {
    static const char *const signs[] = {"~", "$HOME", "${HOME}"};
    const char *home = getenv("HOME"), *rest = NULL;
    dun_str full = {0};
    *out = NULL;
    for (size_t i = 0; i < sizeof signs / sizeof *signs && !rest; i++) {
        const size_t n = strlen(signs[i]);
        if (strncmp(path, signs[i], n) == 0 && (path[n] == '/' || !path[n]))
            rest = path + n;
    }
    if (!rest)
        return DUN_OK;
    if (!home || !*home)
        return dun_error(DUN_USAGE, "%s: %s: HOME is not set; give the full path", origin, path);
    if (dun_str_addf(&full, "%s%s", home, rest) < 0)
        return DUN_FAILED;
    *out = full.bytes;
    return DUN_OK;
}

/* FOLDER/PATH or, of a run that came from elsewhere, FOLDER/NAME where that exists; else "". */
static int try_folder(dun_str *out, const dun_str *folder, const char *path, bool by_name) {
    int rc = DUN_OK;
    const char *slash = strrchr(path, '/');
    const char *const ways[] = {*path == '/' ? NULL : path + (strncmp(path, "./", 2) ? 0 : 2),
                                by_name && slash ? slash + 1 : NULL};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        dun_str_clear(out);
        if (!ways[i] || !folder->length)
            continue;
        TRY(dun_str_addf(out, "%s/%s", folder->bytes, ways[i]));
        if (exists(out->bytes))
            goto out;
    }
    dun_str_clear(out);
out:
    return rc;
}

/* A copy that means the same file in whatever config it is written: not ./ or ../. */
static char *settle(const char *path) {
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    char *real = strncmp(path, "../", 3) == 0 ? realpath(path, NULL) : NULL;
    char *copy = dun_strdup(real ? real : path);
    free(real);
    return copy;
}

/* Where `path`, which `origin` names, lies; *found is NULL when that is as written, or nowhere. */
static int find(char **found, const char *path, const char *origin, const dun_config *config,
                const char *recorded) {
    int rc = DUN_OK;
    dun_str folders[N_FOLDERS] = {0}, candidate = {0};
    const bool beside = strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0;
    *found = NULL;
    if (!*path || (!beside && exists(path)))
        goto out;
    if (recorded && exists(recorded)) {
        TRY_PTR(*found, dun_strdup(recorded));
        goto out;
    }
    TRY(list_folders(folders, config, origin));
    for (size_t i = 0; i < N_FOLDERS && !*found; i++) {
        if (i > OF_RUN && beside)
            continue;
        TRY(try_folder(&candidate, &folders[i], path, i == OF_RUN));
        if (!candidate.length)
            continue;
        TRY_PTR(*found, settle(candidate.bytes));
        if (i == OF_RUN)
            dun_warn("%s: %s is not there; %s beside the run is taken", origin, path, *found);
    }
out:
    dun_str_free(&candidate);
    free_folders(folders);
    return rc;
}

/* Is the key's value that of the config's run, and nothing that somebody sets over it? */
static bool is_of_run(const dun_config *config, enum dun_config_id id) {
    const char *origin = dun_config_origin(config, id);
    const size_t n = config->run ? strlen(config->run) : 0;
    return n && strncmp(origin, config->run, n) == 0 && strncmp(origin + n, "/config.ini:", 12) == 0;
}

static const char *recorded_of(const dun_config *config, enum dun_config_id id) {
    return is_of_run(config, id) ? config->recorded[id] : NULL;
}

static int put(dun_config *config, enum dun_config_id id, const char *path) {
    int rc;
    char *origin = NULL;
    if (is_of_run(config, id) && !config->written[id])
        TRY_PTR(config->written[id], dun_strdup(value_of(config, id)));
    TRY_PTR(origin, dun_strdup(dun_config_origin(config, id)));
    TRY(dun_config_put(config, id, path, origin));
out:
    dun_free(origin);
    return rc;
}

int dun_paths_resolve(dun_config *config) {
    int rc = DUN_OK;
    char *found = NULL;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const unsigned traits = dun_config_key_table[id].traits;
        if (!(traits & (DUN_TRAIT_PATH | DUN_TRAIT_OUTPUT)))
            continue;
        TRY(dun_path_expand(&found, value_of(config, id), dun_config_origin(config, id)));
        if (found)
            TRY(put(config, id, found));
        dun_free(found);
        found = NULL;
        if (traits & DUN_TRAIT_PATH)
            TRY(find(&found, value_of(config, id), dun_config_origin(config, id), config,
                     recorded_of(config, id)));
        if (found)
            TRY(put(config, id, found));
        dun_free(found);
        found = NULL;
    }
out:
    dun_free(found);
    return rc;
}

char *dun_path_find(const char *path) {
    char *found;
    if (find(&found, path, "", NULL, NULL) < 0)
        return NULL;
    return found ? found : dun_strdup(path);
}

int dun_path_absolute(char *out, size_t size, const char *path) {
    char *real = realpath(path, NULL);
    if (!real)
        return dun_error(DUN_BAD_INPUT, "%s: %s", path, strerror(errno));
    if (strlen(real) >= size) {
        free(real);
        return dun_error(DUN_BAD_INPUT, "%s: the path is too long", path);
    }
    strcpy(out, real);
    free(real);
    return DUN_OK;
}

static bool is_listed(const dun_str folders[N_FOLDERS], size_t n) {
    size_t i = 0;
    while (i < n && !(folders[i].length && strcmp(folders[i].bytes, folders[n].bytes) == 0))
        i++;
    return i < n;
}

/* ", A, B": the places beside the current folder where a path was looked for. */
static int add_places(dun_str *out, const dun_config *config, enum dun_config_id id,
                      const dun_str folders[N_FOLDERS]) {
    int rc = DUN_OK;
    const char *path = value_of(config, id), *recorded = recorded_of(config, id);
    const bool full = *path == '/';
    if (recorded && strcmp(recorded, path) != 0)
        TRY(dun_str_addf(out, "%s%s", out->length ? ", " : "", recorded));
    for (size_t i = 0; i < N_FOLDERS; i++)
        if (folders[i].length && strcmp(folders[i].bytes, ".") != 0 && (!full || i == OF_RUN) &&
            !is_listed(folders, i))
            TRY(dun_str_addf(out, "%s%s", out->length ? ", " : "", folders[i].bytes));
out:
    return rc;
}

int dun_paths_check(const dun_config *config, enum dun_config_id id) {
    int rc = DUN_OK;
    dun_str folders[N_FOLDERS] = {0}, list = {0}, hint = {0};
    const char *path = value_of(config, id), *origin = dun_config_origin(config, id);
    if (!*path || exists(path))
        goto out;
    TRY(list_folders(folders, config, origin));
    if (*path != '/')
        TRY(dun_str_addf(&list, "the current folder"));
    TRY(add_places(&list, config, id, folders));
    if (id == DUN_KEY_model_path)
        TRY(dun_str_addf(
            &hint,
            "; %s%stools/model fetches the model that the configs name, and `dunlin models` lists those on this "
            "computer: --set model.path=NAME, or DUNLIN_MODEL_PATH=NAME, a name or a file",
            folders[OF_SHARE].bytes, folders[OF_SHARE].length ? "/" : ""));
    TRY(dun_error(DUN_BAD_INPUT, "%s: %s.%s = %s: no such file%s%s%s", origin,
                  dun_config_key_table[id].section, dun_config_key_table[id].name, path,
                  list.length ? "; looked in " : "", list.length ? list.bytes : "",
                  hint.length ? hint.bytes : ""));
out:
    free_folders(folders);
    dun_str_free(&hint);
    dun_str_free(&list);
    return rc;
}
