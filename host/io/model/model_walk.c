/* The layouts of folders with models: plain ones, Hugging Face's cache, Ollama's and LM Studio's. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "io/model/model_walk.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"
#include "io/model/model_ollama.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Folders below folders that are looked into, which also bounds a link that leads back up. */
enum { MAX_DEPTH = 5 };

/* The number of a file that is a part of several, NAME-00002-of-00003.gguf; 0: it is whole. */
static unsigned part_number(const char *name) {
    static const char form[] = "-00000-of-00000.gguf";
    const size_t length = strlen(name), n = sizeof form - 1;
    if (length <= n)
        return 0;
    const char *end = name + length - n;
    for (size_t i = 0; i < n; i++)
        if (form[i] == '0' ? end[i] < '0' || end[i] > '9' : form[i] != end[i])
            return 0;
    return (unsigned)strtoul(end + 1, NULL, 10);
}

static uint64_t file_bytes(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
}

/* Bytes of the files in a folder that count: all safetensors, or the parts of one GGUF file, whose names
 * begin with the first `length` bytes of `first`. */
static int sum_bytes(uint64_t *out, const char *folder, const char *first, size_t length) {
    int rc;
    dun_names list = {0};
    dun_str path = {0};
    *out = 0;
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        if (first ? strncmp(list.names[i], first, length) != 0 || part_number(list.names[i]) == 0
                  : !dun_text_ends_with(list.names[i], ".safetensors"))
            continue;
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, list.names[i]));
        *out += file_bytes(path.bytes);
    }
out:
    dun_str_free(&path);
    dun_names_free(&list);
    return rc;
}

/* The path with its folder made absolute. The last name stays, though it be a link: those of models in
 * several parts say which part they are. NULL with the error recorded. */
static char *settle(const char *path) {
    const char *slash = strrchr(path, '/');
    dun_str out = {0};
    char *folder = dun_strndup(path, slash ? (size_t)(slash - path) : 0), *copy = NULL;
    char *real = folder ? realpath(slash == path ? "/" : slash ? folder : ".", NULL) : NULL;
    if (folder && dun_str_addf(&out, "%s/%s", real ? real : folder, slash ? slash + 1 : path) == DUN_OK)
        copy = dun_strdup(out.bytes);
    free(real);
    dun_free(folder);
    dun_str_free(&out);
    return copy;
}

/* Takes over `name`. What is there already under that name is not added again. */
static int add(dun_model_entries *out, char *name, const char *path, uint64_t bytes, const char *fault) {
    int rc = DUN_OK;
    char *copy = NULL, *why = NULL;
    TRY_PTR(copy, settle(path));
    if (fault)
        TRY_PTR(why, dun_strdup(fault));
    for (size_t i = 0; i < out->n; i++)
        if (strcmp(out->entries[i].name, name) == 0 && strcmp(out->entries[i].path, copy) == 0)
            goto out;
    TRY_GROW(out->entries, out->capacity, out->n);
    out->entries[out->n++] = (dun_model_entry){.name = name, .path = copy, .bytes = bytes, .fault = why};
    name = copy = why = NULL;
out:
    dun_free(name);
    dun_free(copy);
    dun_free(why);
    return rc;
}

static int add_file(dun_model_entries *out, const char *folder, const char *name, const char *shown) {
    int rc;
    dun_str path = {0};
    char *copy = NULL;
    uint64_t bytes;
    TRY(dun_str_addf(&path, "%s/%s", folder, name));
    bytes = file_bytes(path.bytes);
    if (part_number(name))
        TRY(sum_bytes(&bytes, folder, name, strlen(name) - strlen("00001-of-00003.gguf")));
    TRY_PTR(copy, dun_strdup(shown));
    TRY(add(out, copy, path.bytes, bytes, NULL));
out:
    dun_str_free(&path);
    return rc;
}

/* A folder with a config.json beside its weights. */
static int add_folder(dun_model_entries *out, const char *folder, const char *shown) {
    int rc = DUN_OK;
    dun_str path = {0};
    char *copy = NULL;
    uint64_t bytes = 0;
    TRY(dun_str_addf(&path, "%s/config.json", folder));
    if (!file_bytes(path.bytes))
        goto out;
    TRY(sum_bytes(&bytes, folder, NULL, 0));
    if (!bytes)
        goto out;
    TRY_PTR(copy, dun_strdup(shown));
    TRY(add(out, copy, folder, bytes, NULL));
out:
    dun_str_free(&path);
    return rc;
}

static int walk(dun_model_entries *out, const char *folder, const char *prefix, int depth) {
    int rc;
    dun_names list = {0};
    dun_str path = {0}, shown = {0};
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        dun_str_clear(&path);
        dun_str_clear(&shown);
        TRY(dun_str_addf(&path, "%s/%s", folder, list.names[i]));
        TRY(dun_str_addf(&shown, "%s%s", prefix, list.names[i]));
        if (dun_text_ends_with(list.names[i], ".gguf") && part_number(list.names[i]) <= 1)
            TRY(add_file(out, folder, list.names[i], shown.bytes));
        if (depth >= MAX_DEPTH || !dun_dir_exists(path.bytes))
            continue;
        TRY(add_folder(out, path.bytes, shown.bytes));
        TRY(dun_str_addf(&shown, "/"));
        TRY(walk(out, path.bytes, shown.bytes, depth + 1));
    }
out:
    dun_str_free(&shown);
    dun_str_free(&path);
    dun_names_free(&list);
    return rc;
}

int dun_walk_folder(dun_model_entries *out, const char *folder, const char *prefix) {
    return walk(out, folder, prefix, 0);
}

int dun_walk_files(dun_model_entries *out, const char *folder) {
    return walk(out, folder, "", MAX_DEPTH);
}

int dun_walk_lmstudio(dun_model_entries *out, const char *folder) {
    return walk(out, folder, "lmstudio:", 0);
}

int dun_hub_snapshot(dun_str *out, const char *repository) {
    int rc;
    dun_str path = {0};
    dun_file commit = {0};
    dun_names list = {0};
    TRY(dun_str_addf(&path, "%s/refs/main", repository));
    if (file_bytes(path.bytes)) {
        TRY(dun_file_map(&commit, path.bytes));
        const char *text = (const char *)commit.bytes;
        size_t length = 0;
        while (length < commit.length && !strchr(" \r\n/", text[length]))
            length++;
        TRY(dun_str_addf(out, "%s/snapshots/%.*s", repository, (int)length, text));
        if (length && dun_dir_exists(out->bytes))
            goto out;
        dun_str_clear(out);
    }
    dun_str_clear(&path);
    TRY(dun_str_addf(&path, "%s/snapshots", repository));
    TRY(dun_names_read(&list, path.bytes));
    if (list.n)
        TRY(dun_str_addf(out, "%s/%s", path.bytes, list.names[list.n - 1]));
out:
    dun_names_free(&list);
    dun_file_unmap(&commit);
    dun_str_free(&path);
    return rc;
}

int dun_walk_hub(dun_model_entries *out, const char *folder) {
    int rc;
    static const char form[] = "models--";
    dun_names list = {0};
    dun_str repository = {0}, snapshot = {0}, shown = {0};
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        if (strncmp(list.names[i], form, strlen(form)) != 0)
            continue;
        const char *rest = list.names[i] + strlen(form), *dash = strstr(rest, "--");
        dun_str_clear(&repository);
        dun_str_clear(&snapshot);
        dun_str_clear(&shown);
        TRY(dun_str_addf(&repository, "%s/%s", folder, list.names[i]));
        TRY(dash ? dun_str_addf(&shown, "hf:%.*s/%s", (int)(dash - rest), rest, dash + 2)
                 : dun_str_addf(&shown, "hf:%s", rest));
        TRY(dun_hub_snapshot(&snapshot, repository.bytes));
        if (!snapshot.length)
            continue;
        TRY(add_folder(out, snapshot.bytes, shown.bytes));
        TRY(dun_str_addf(&shown, "/"));
        TRY(dun_walk_folder(out, snapshot.bytes, shown.bytes));
    }
out:
    dun_str_free(&shown);
    dun_str_free(&snapshot);
    dun_str_free(&repository);
    dun_names_free(&list);
    return rc;
}

/* The manifest of HOST/NAMESPACE/NAME/TAG, `below` as Ollama writes it. */
static int add_manifest(dun_model_entries *out, const char *manifest, const char *below) {
    int rc;
    static const char registry[] = "registry.ollama.ai/", library[] = "library/";
    dun_str shown = {0};
    char *blob = NULL, *copy = NULL;
    const char *fault = NULL, *tag = strrchr(below, '/');
    if (strncmp(below, registry, strlen(registry)) == 0)
        below += strlen(registry);
    if (strncmp(below, library, strlen(library)) == 0)
        below += strlen(library);
    TRY(dun_str_addf(&shown, "ollama:%.*s:%s", (int)(tag - below), below, tag + 1));
    TRY_PTR(copy, dun_strdup(shown.bytes));
    rc = dun_ollama_blob(&blob, manifest);
    if (rc == DUN_BAD_INPUT)
        fault = dun_error_message();
    else
        TRY(rc);
    if (!fault && !file_bytes(blob))
        fault = "its manifest names a blob that is not there";
    rc = add(out, copy, blob ? blob : manifest, blob ? file_bytes(blob) : 0, fault);
    copy = NULL;
    dun_error_clear();
out:
    dun_free(copy);
    dun_free(blob);
    dun_str_free(&shown);
    return rc;
}

/* `folder` with its first `skip` bytes left out is HOST/.., `depth` folders above the manifests. */
static int walk_manifests(dun_model_entries *out, const char *folder, size_t skip, int depth) {
    int rc;
    dun_names list = {0};
    dun_str path = {0};
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, list.names[i]));
        if (depth > 0)
            TRY(walk_manifests(out, path.bytes, skip, depth - 1));
        else if (file_bytes(path.bytes))
            TRY(add_manifest(out, path.bytes, path.bytes + skip));
    }
out:
    dun_str_free(&path);
    dun_names_free(&list);
    return rc;
}

int dun_walk_ollama(dun_model_entries *out, const char *folder) {
    int rc;
    dun_str manifests = {0};
    TRY(dun_str_addf(&manifests, "%s/manifests", folder));
    TRY(walk_manifests(out, manifests.bytes, manifests.length + 1, 3));
out:
    dun_str_free(&manifests);
    return rc;
}
