/* Finding the safetensors files of a folder, and their tensors as one list. See shards.h. */
#include "io/store/shards.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/model/model_folder.h"
#include "model/quant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILES = 4096 };
static const char single_name[] = "model.safetensors", index_name[] = "model.safetensors.index.json";
static const char file_end[] = ".safetensors";

/* A file of the folder itself, by the end that such files have. */
static bool is_file_name(const char *name) {
    size_t length = strlen(name), n = strlen(file_end);
    return length > n && strcmp(name + length - n, file_end) == 0 && !strchr(name, '/') &&
           !strchr(name, '\\') && name[0] != '.';
}

int dun_shards_parse_index(json_t **root, const json_t **map, const char *bytes, size_t length,
                           const char *name) {
    int rc;
    const char *tensor;
    json_t *file;
    *root = NULL;
    TRY(dun_json_parse(root, bytes, length, name, 1));
    json_t *found = json_object_get(*root, "weight_map");
    if (!json_is_object(found) || json_object_size(found) == 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: has no object 'weight_map'; expected the file of each tensor",
                      name));
    json_object_foreach(found, tensor, file) {
        if (!json_is_string(file))
            TRY(dun_error(DUN_BAD_INPUT, "%s: the file of tensor '%.80s' is no string; expected its name",
                          name, tensor));
        if (!is_file_name(json_string_value(file)))
            TRY(dun_error(
                DUN_BAD_INPUT,
                "%s: tensor '%.80s' is in '%.80s'; expected a file NAME.safetensors of the same folder", name,
                tensor, json_string_value(file)));
    }
    *map = found;
out:
    if (rc < 0) {
        json_decref(*root);
        *root = NULL;
    }
    return rc;
}

static int join(dun_str *out, const char *folder, const char *name) {
    dun_str_clear(out);
    return dun_str_addf(out, "%s/%s", folder, name);
}

static int open_file(dun_shards *shards, const char *folder, const char *name) {
    int rc;
    dun_str path = {0};
    TRY(join(&path, folder, name));
    TRY_PTR(shards->paths[shards->n_files], dun_strdup(path.bytes));
    rc = dun_safetensors_open(&shards->files[shards->n_files], path.bytes);
    if (rc < 0)
        dun_free(shards->paths[shards->n_files]);
    else
        shards->n_files++;
out:
    dun_str_free(&path);
    return rc;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that an index names, each once, by name. */
static int open_indexed(dun_shards *shards, const char *folder, const json_t *map, const char *index) {
    int rc = DUN_OK;
    const char **names = NULL, *tensor;
    json_t *file;
    size_t n = 0;
    dun_str path = {0};
    TRY_NEW(names, json_object_size(map));
    json_object_foreach((json_t *)(uintptr_t)map, tensor, file) names[n++] = json_string_value(file);
    qsort(names, n, sizeof *names, compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            names[kept++] = names[i];
    if (kept > MAX_FILES)
        TRY(dun_error(DUN_BAD_INPUT, "%s: names %zu files; expected at most %d", index, kept, MAX_FILES));
    TRY_NEW(shards->files, kept);
    TRY_NEW(shards->paths, kept);
    for (size_t i = 0; i < kept; i++) {
        TRY(join(&path, folder, names[i]));
        if (access(path.bytes, F_OK) != 0)
            TRY(dun_error(DUN_BAD_INPUT, "%s: is not there; expected it, as %s names it", path.bytes, index));
        TRY(open_file(shards, folder, names[i]));
    }
out:
    dun_str_free(&path);
    dun_free(names);
    return rc;
}

static uint32_t type_of(const dun_tensor *tensor) {
    const dun_quant_type *type = dun_quant_named(dun_tensor_type(tensor));
    return type ? type->id : UINT32_MAX;
}

static int list_tensors(dun_shards *shards) {
    int rc;
    dun_stored_list *list = &shards->list;
    size_t n = 0;
    for (size_t f = 0; f < shards->n_files; f++)
        n += shards->files[f].n_tensors;
    TRY_NEW(list->tensors, n);
    for (size_t f = 0; f < shards->n_files; f++)
        for (size_t i = 0; i < shards->files[f].n_tensors; i++) {
            const dun_tensor *tensor = &shards->files[f].tensors[i];
            dun_stored *stored = &list->tensors[list->n++];
            *stored = (dun_stored){.file = shards->paths[f],
                                   .name = tensor->name,
                                   .type = type_of(tensor),
                                   .n_dims = tensor->n_dims,
                                   .dims = {1, 1, 1, 1},
                                   .data = tensor->data,
                                   .bytes = tensor->bytes};
            for (uint32_t k = 0; k < tensor->n_dims; k++) /* the last one varies fastest here */
                stored->dims[k] = tensor->dims[tensor->n_dims - 1 - k];
        }
    TRY(dun_stored_sort(list));
out:
    return rc;
}

/* Is every tensor where the index says? */
static int check_index(const dun_shards *shards, const json_t *map, const char *index) {
    const char *name;
    json_t *file;
    json_object_foreach((json_t *)(uintptr_t)map, name, file) {
        const dun_stored *tensor = dun_stored_find(&shards->list, name);
        const char *wanted = json_string_value(file),
                   *base = tensor ? strrchr(tensor->file, '/') + 1 : "none";
        if (strcmp(base, wanted) != 0)
            return dun_error(DUN_BAD_INPUT, "%s: says that tensor '%.80s' is in %.80s; found in %s", index,
                             name, wanted, base);
    }
    return DUN_OK;
}

static int open_index(dun_shards *out, const char *folder, const char *path) {
    int rc;
    dun_file file = {0};
    json_t *root = NULL;
    const json_t *map;
    TRY(dun_file_map(&file, path));
    TRY(dun_shards_parse_index(&root, &map, (const char *)file.bytes, file.length, path));
    TRY(open_indexed(out, folder, map, path));
    TRY(list_tensors(out));
    TRY(check_index(out, map, path));
out:
    json_decref(root);
    dun_file_unmap(&file);
    return rc;
}

/* Whether an index beside model.safetensors is of other files. */
static bool is_other_index(const char *path) {
    bool other = true;
    dun_file file = {0};
    json_t *root = NULL, *name;
    const json_t *map;
    const char *tensor;
    if (dun_file_map(&file, path) == DUN_OK &&
        dun_shards_parse_index(&root, &map, (const char *)file.bytes, file.length, path) == DUN_OK) {
        other = false;
        json_object_foreach((json_t *)(uintptr_t)map, tensor, name) other |=
            strcmp(json_string_value(name), single_name) != 0;
    }
    dun_error_clear();
    json_decref(root);
    dun_file_unmap(&file);
    return other;
}

int dun_shards_open(dun_shards *out, const char *folder) {
    int rc;
    dun_str path = {0};
    *out = (dun_shards){0};
    const bool single = dun_model_folder_has(folder, single_name),
               index = dun_model_folder_has(folder, index_name);
    TRY(join(&path, folder, index_name));
    if (!single && !index)
        TRY(dun_model_folder_refuse(folder));
    if (!single) {
        TRY(open_index(out, folder, path.bytes));
        goto out;
    }
    if (index && is_other_index(path.bytes)) /* transformers' order */
        dun_warn("%s holds %s, which is read, and %s, which is not", folder, single_name, index_name);
    TRY_NEW(out->files, 1);
    TRY_NEW(out->paths, 1);
    TRY(open_file(out, folder, single_name));
    TRY(list_tensors(out));
out:
    dun_str_free(&path);
    if (rc < 0)
        dun_shards_free(out);
    return rc;
}

void dun_shards_free(dun_shards *shards) {
    dun_stored_free(&shards->list);
    for (size_t i = 0; i < shards->n_files; i++) {
        dun_safetensors_free(&shards->files[i]);
        dun_free(shards->paths[i]);
    }
    dun_free(shards->files);
    dun_free(shards->paths);
    *shards = (dun_shards){0};
}

uint64_t dun_shards_hash(uint64_t hash, const dun_shards *shards) {
    for (size_t i = 0; i < shards->list.n; i++) {
        const dun_stored *tensor = &shards->list.tensors[i];
        hash = dun_hash(hash, tensor->name, strlen(tensor->name) + 1);
        hash = dun_hash(hash, &tensor->type, sizeof tensor->type);
        hash = dun_hash(hash, tensor->dims, sizeof tensor->dims);
    }
    return hash;
}
