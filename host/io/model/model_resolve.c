/* The layouts behind a path: folders, repositories of caches, manifests. See model_resolve.h. */
#include "io/model/model_resolve.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/model/model_folder.h"
#include "io/model/model_ollama.h"
#include "io/model/model_walk.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const char config_name[] = "config.json";

/* The path without what follows its last slash, "." where there is none. */
static int parent_of(char **out, const char *path) {
    int rc = DUN_OK;
    const char *slash = strrchr(path, '/');
    TRY_PTR(*out, slash ? dun_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : dun_strdup("."));
out:
    return rc;
}

/* The GGUF models of a folder itself: the first one's path, their number, their names for a message. */
static int find_gguf(char **first, size_t *n, dun_str *names, const char *folder) {
    int rc;
    dun_model_entries entries = {0};
    *n = 0;
    TRY(dun_walk_files(&entries, folder));
    for (size_t i = 0; i < entries.n; i++) {
        const dun_model_entry *entry = &entries.entries[i];
        TRY(dun_str_addf(names, "%s%s", *n ? ", " : "", entry->name));
        if ((*n)++ == 0) {
            dun_str path = {0}; /* not the one behind a link: names of parts count */
            rc = dun_str_addf(&path, "%s/%s", folder, entry->name);
            *first = path.bytes;
            TRY(rc);
        }
    }
out:
    dun_model_entries_free(&entries);
    return rc;
}

static int resolve_folder(char **out, const char *folder) {
    int rc;
    char *gguf = NULL;
    size_t n = 0;
    dun_str names = {0};
    TRY(find_gguf(&gguf, &n, &names, folder));
    if (dun_model_folder_is(folder)) {
        if (n)
            dun_warn("%s holds safetensors with %s, which are read, and %s, which can be named", folder,
                     config_name, names.bytes);
        TRY_PTR(*out, dun_strdup(folder));
    } else if (n == 1) {
        *out = gguf;
        gguf = NULL;
    } else if (n > 1) {
        TRY(dun_error(DUN_BAD_INPUT, "%s: holds several models: %s; expected one of them", folder,
                      names.bytes));
    } else if (dun_model_folder_has(folder, config_name) ||
               dun_model_folder_has(folder, "adapter_config.json")) {
        TRY_PTR(*out, dun_strdup(folder)); /* its reader says what is missing */
    } else {
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: is a folder without a model; expected a GGUF file in it, or %s beside "
                      "model.safetensors",
                      folder, config_name));
    }
out:
    dun_free(gguf);
    dun_str_free(&names);
    return rc;
}

/* models--ORG--NAME, or its folder of snapshots. */
static int resolve_repository(char **out, const char *folder) {
    int rc;
    dun_str snapshot = {0};
    TRY(dun_hub_snapshot(&snapshot, folder));
    if (!snapshot.length)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: holds no snapshot of the repository; expected snapshots/COMMIT (fetch it "
                      "again)",
                      folder));
    TRY(resolve_folder(out, snapshot.bytes));
out:
    dun_str_free(&snapshot);
    return rc;
}

static int resolve_manifest(char **out, const char *path) {
    int rc;
    TRY(dun_ollama_blob(out, path));
    if (access(*out, F_OK) != 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: names the blob %s, which is not there; expected it (ollama pull fetches it)", path,
                      *out));
out:
    if (rc < 0) {
        dun_free(*out);
        *out = NULL;
    }
    return rc;
}

int dun_model_resolve(char **out, const char *path) {
    int rc = DUN_OK;
    char *parent = NULL, *trimmed = NULL;
    size_t length = strlen(path);
    *out = NULL;
    while (length > 1 && path[length - 1] == '/')
        length--;
    TRY_PTR(trimmed, dun_strndup(path, length));
    TRY(parent_of(&parent, trimmed));
    const char *base = strrchr(trimmed, '/') ? strrchr(trimmed, '/') + 1 : trimmed;
    if (dun_dir_exists(trimmed)) {
        if (strncmp(base, "models--", 8) == 0)
            TRY(resolve_repository(out, trimmed));
        else if (strcmp(base, "snapshots") == 0)
            TRY(resolve_repository(out, parent));
        else
            TRY(resolve_folder(out, trimmed));
    } else if (dun_ollama_is_manifest(trimmed)) {
        TRY(resolve_manifest(out, trimmed));
    } else if ((dun_text_ends_with(base, ".safetensors") || dun_text_ends_with(base, ".json")) &&
               dun_model_folder_has(parent, config_name)) {
        *out = parent;
        parent = NULL;
    } else {
        *out = trimmed;
        trimmed = NULL;
    }
out:
    dun_free(parent);
    dun_free(trimmed);
    return rc;
}
