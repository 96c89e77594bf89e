/* Names of models, looked up among those of this computer. */
#include "session/model_name.h"

#include "base/err.h"
#include "base/mem.h"
#include "config/paths.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

int dun_model_names_list(dun_model_entries *out) {
    int rc;
    char *user = NULL, *share = NULL;
    dun_str of_user = {0}, of_share = {0};
    const char *folders[4] = {"models"};
    size_t n = 1;
    TRY_PTR(user, dun_path_user());
    TRY_PTR(share, dun_path_share());
    TRY(dun_str_addf(&of_user, "%s/models", user));
    TRY(dun_str_addf(&of_share, "%s/models", share));
    if (*user)
        folders[n++] = of_user.bytes;
    if (*share)
        folders[n++] = of_share.bytes;
    TRY(dun_model_entries_list(out, folders));
out:
    dun_str_free(&of_share);
    dun_str_free(&of_user);
    dun_free(share);
    dun_free(user);
    return rc;
}

int dun_model_name_find(char **path, const char *name) {
    int rc = DUN_OK;
    dun_model_entries entries = {0};
    const dun_model_entry *entry = NULL;
    bool exact = true;
    char *found = NULL;
    TRY_PTR(found, dun_path_find(name));
    if (*name && access(found, F_OK) != 0) {
        TRY(dun_model_names_list(&entries));
        TRY(dun_model_entries_find(&entry, &exact, &entries, name));
    }
    if (entry && entry->fault)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", entry->name, entry->fault));
    if (entry && !exact)
        dun_warn("the model '%s' is taken for %s, %s", name, entry->name, entry->path);
    TRY_PTR(*path, dun_strdup(entry ? entry->path : found));
out:
    dun_free(found);
    dun_model_entries_free(&entries);
    return rc;
}

int dun_model_name_settle(dun_config *config) {
    int rc;
    char *path = NULL, *origin = NULL;
    TRY(dun_model_name_find(&path, config->model.path));
    if (strcmp(path, config->model.path) != 0) {
        TRY_PTR(origin, dun_strdup(dun_config_origin(config, DUN_KEY_model_path)));
        TRY(dun_config_put(config, DUN_KEY_model_path, path, origin));
    }
    TRY(dun_paths_check(config, DUN_KEY_model_path));
out:
    dun_free(origin);
    dun_free(path);
    return rc;
}
