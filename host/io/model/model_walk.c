/* The layouts of folders with models: plain ones, Hugging Face's cache, Ollama's and LM Studio's. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "io/model/model_walk.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"
#include "io/model/model_folder.h"
#include "io/model/model_ollama.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Folders below folders that are looked into. */
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

/* Whether a name is that of a part of a GGUF model, and begins as another part does. */
static bool is_same_model(const char *name, const char *part) {
    return part_number(name) && strncmp(name, part, strlen(part) - strlen("00001-of-00003.gguf")) == 0;
}

/* Bytes of the files in a folder that count: those whose names end so, or the parts that are of the same
 * model as `part`. */
static int sum_bytes(uint64_t *out, const char *folder, const char *end, const char *part) {
    int rc;
    dun_names list = {0};
    dun_str path = {0};
    *out = 0;
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        if (part ? !is_same_model(list.names[i], part) : !dun_text_ends_with(list.names[i], end))
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

static int add_file(dun_model_entries *out, const char *path, const char *folder, const char *name,
                    const char *shown) {
    int rc = DUN_OK;
    char *copy = NULL;
    uint64_t bytes = file_bytes(path);
    if (part_number(name))
        TRY(sum_bytes(&bytes, folder, NULL, name));
    TRY_PTR(copy, dun_strdup(shown));
    TRY(add(out, copy, path, bytes, NULL));
out:
    return rc;
}

/* A folder with config.json beside weights; or, where no GGUF file is in it, with what is taken for a model.
 */
static int add_folder(dun_model_entries *out, const char *folder, const char *shown, bool holds_gguf) {
    int rc;
    dun_str fault = {0};
    char *copy = NULL;
    const char *end = ".safetensors";
    uint64_t bytes = 0;
    TRY(dun_model_folder_other(&fault, &end, folder));
    if (fault.length ? holds_gguf : !dun_model_folder_has(folder, "config.json"))
        goto out;
    TRY(sum_bytes(&bytes, folder, end, NULL));
    if (!bytes && !fault.length)
        goto out;
    TRY_PTR(copy, dun_strdup(shown));
    TRY(add(out, copy, folder, bytes, fault.bytes));
out:
    dun_str_free(&fault);
    return rc;
}

/* Whether a folder is the one that `from` is in, or above it: a link that leads back up. */
static bool leads_up(const char *folder, const char *from) {
    char *real = realpath(folder, NULL), *here = realpath(from, NULL);
    const size_t length = real ? strlen(real) : 0;
    const bool up = real && here && strncmp(real, here, length) == 0 &&
                    (here[length] == '/' || here[length] == '\0' || length == 1);
    free(real);
    free(here);
    return up;
}

/* A GGUF file that stands for itself, or for its parts: the first of those that are there. */
static bool is_gguf(const dun_names *list, size_t i) {
    const char *name = list->names[i];
    if (!dun_text_ends_with(name, ".gguf"))
        return false;
    for (size_t k = 0; k < i && part_number(name); k++)
        if (is_same_model(list->names[k], name))
            return false;
    return true;
}

static int walk_below(dun_model_entries *out, const char *folder, const char *name, int depth);

/* A folder, by the name `own` if it is a model itself (NULL: it is not looked at), and what is in it, by
 * names that begin with `prefix`. */
static int walk(dun_model_entries *out, const char *folder, const char *own, const char *prefix, int depth) {
    int rc;
    dun_names list = {0};
    dun_str path = {0}, shown = {0};
    bool holds_gguf = false;
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++)
        holds_gguf |= dun_text_ends_with(list.names[i], ".gguf");
    if (own)
        TRY(add_folder(out, folder, own, holds_gguf));
    for (size_t i = 0; i < list.n; i++) {
        dun_str_clear(&path);
        dun_str_clear(&shown);
        TRY(dun_str_addf(&path, "%s/%s", folder, list.names[i]));
        TRY(dun_str_addf(&shown, "%s%s", prefix, list.names[i]));
        const bool is_folder = dun_dir_exists(path.bytes);
        if (!is_folder && is_gguf(&list, i))
            TRY(add_file(out, path.bytes, folder, list.names[i], shown.bytes));
        if (is_folder && depth < MAX_DEPTH && !leads_up(path.bytes, folder))
            TRY(walk_below(out, path.bytes, shown.bytes, depth + 1));
    }
out:
    dun_str_free(&shown);
    dun_str_free(&path);
    dun_names_free(&list);
    return rc;
}

/* A folder of this name. */
static int walk_below(dun_model_entries *out, const char *folder, const char *name, int depth) {
    int rc;
    dun_str prefix = {0};
    TRY(dun_str_addf(&prefix, "%s/", name));
    TRY(walk(out, folder, name, prefix.bytes, depth));
out:
    dun_str_free(&prefix);
    return rc;
}

int dun_walk_folder(dun_model_entries *out, const char *folder) {
    int rc;
    char *real = realpath(folder, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    rc = walk(out, real ? real : folder, slash && slash[1] ? slash + 1 : NULL, "", 0);
    free(real);
    return rc;
}

int dun_walk_files(dun_model_entries *out, const char *folder) {
    return walk(out, folder, NULL, "", MAX_DEPTH);
}

int dun_walk_lmstudio(dun_model_entries *out, const char *folder) {
    return walk(out, folder, NULL, "lmstudio:", 0);
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
    dun_names list = {0};
    dun_str repository = {0}, snapshot = {0}, shown = {0};
    TRY(dun_names_read(&list, folder));
    for (size_t i = 0; i < list.n; i++) {
        if (strncmp(list.names[i], "models--", 8) != 0)
            continue;
        dun_str_clear(&repository);
        dun_str_clear(&snapshot);
        dun_str_clear(&shown);
        TRY(dun_str_addf(&repository, "%s/%s", folder, list.names[i]));
        TRY(dun_str_addf(&shown, "hf:"));
        TRY(dun_hub_repository(&shown, list.names[i]));
        TRY(dun_hub_snapshot(&snapshot, repository.bytes));
        if (!snapshot.length)
            continue;
        TRY(walk_below(out, snapshot.bytes, shown.bytes, 0));
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
