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

enum { N_FOLDERS = 3 };

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

/* The folders to look in, in their order; "" for one that there is not. */
static int list_folders(dun_str folders[N_FOLDERS], const char *origin) {
    int rc;
    char *user = NULL, *share = NULL;
    TRY(add_origin_folder(&folders[0], origin));
    TRY_PTR(user, dun_path_user());
    TRY(dun_str_add(&folders[1], user, strlen(user)));
    TRY_PTR(share, dun_path_share());
    TRY(dun_str_add(&folders[2], share, strlen(share)));
out:
    dun_free(user);
    dun_free(share);
    return rc;
}

static void free_folders(dun_str folders[N_FOLDERS]) {
    for (size_t i = 0; i < N_FOLDERS; i++)
        dun_str_free(&folders[i]);
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
static int find(char **found, const char *path, const char *origin) {
    int rc = DUN_OK;
    dun_str folders[N_FOLDERS] = {0}, candidate = {0};
    const bool beside = strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0;
    *found = NULL;
    if (!*path || *path == '/' || (!beside && exists(path)))
        goto out;
    TRY(list_folders(folders, origin));
    for (size_t i = 0; i < N_FOLDERS && !*found; i++) {
        if (!folders[i].length || (i > 0 && beside))
            continue;
        dun_str_clear(&candidate);
        TRY(dun_str_addf(&candidate, "%s/%s", folders[i].bytes, path + (strncmp(path, "./", 2) ? 0 : 2)));
        if (exists(candidate.bytes))
            TRY_PTR(*found, settle(candidate.bytes));
    }
out:
    dun_str_free(&candidate);
    free_folders(folders);
    return rc;
}

int dun_paths_resolve(dun_config *config) {
    int rc = DUN_OK;
    char *found = NULL, *origin = NULL;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        if (!(dun_config_key_table[id].traits & DUN_TRAIT_PATH))
            continue;
        TRY(find(&found, value_of(config, id), dun_config_origin(config, id)));
        if (!found)
            continue;
        TRY_PTR(origin, dun_strdup(dun_config_origin(config, id)));
        TRY(dun_config_put(config, id, found, origin));
        dun_free(found);
        dun_free(origin);
        found = origin = NULL;
    }
out:
    dun_free(found);
    dun_free(origin);
    return rc;
}

char *dun_path_find(const char *path) {
    char *found;
    if (find(&found, path, "") < 0)
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

int dun_paths_check_model(const dun_config *config) {
    int rc = DUN_OK;
    dun_str folders[N_FOLDERS] = {0}, list = {0};
    const char *path = config->model.path, *origin = dun_config_origin(config, DUN_KEY_model_path);
    if (!*path || exists(path))
        goto out;
    TRY(list_folders(folders, origin));
    TRY(dun_str_addf(&list, "the current folder"));
    for (size_t i = 0; i < N_FOLDERS && *path != '/'; i++)
        if (folders[i].length && strcmp(folders[i].bytes, ".") != 0)
            TRY(dun_str_addf(&list, ", %s", folders[i].bytes));
    TRY(dun_error(DUN_BAD_INPUT,
                  "%s: model.path = %s: no such file%s%s; %s%stools/model fetches the model that the configs "
                  "name, or name another GGUF file: --set model.path=FILE, or DUNLIN_MODEL_PATH=FILE",
                  origin, path, *path == '/' ? "" : "; looked in ", *path == '/' ? "" : list.bytes,
                  folders[2].bytes, folders[2].length ? "/" : ""));
out:
    free_folders(folders);
    dun_str_free(&list);
    return rc;
}
