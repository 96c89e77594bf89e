/* A Hugging Face folder as a model: the sizes of its config.json, the tensors of its safetensors as weights,
 * its tokenizer.json as a tokenizer. */
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/model/model_folder.h"
#include "io/model/model_store.h"
#include "io/model/spec_hf.h"
#include "io/store/shards.h"
#include "io/token/read_json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    dun_shards shards;
    json_t *config;
    dun_weights *weights; /* NULL: not asked for */
} hf_model;

static void hf_free(void *self) {
    hf_model *m = self;
    if (!m)
        return;
    dun_weights_free(m->weights);
    dun_shards_free(&m->shards);
    json_decref(m->config);
    dun_free(m);
}

static int read_rows(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                     uint32_t n_rows) {
    return dun_weights_read(out, self, slot, layer, first_row, n_rows);
}

static int raw_rows(dun_raw_rows *out, const void *self, enum dun_slot slot, uint32_t layer) {
    return dun_weights_raw(out, self, slot, layer);
}

/* The model's name for people: of a snapshot in Hugging Face's cache the repository's, else the folder's. */
static int name_model(char *out, size_t size, const char *folder) {
    int rc;
    dun_str name = {0};
    TRY(dun_hub_repository(&name, folder));
    const char *end = folder + strlen(folder);
    while (end > folder + 1 && end[-1] == '/')
        end--;
    const char *begin = end;
    while (begin > folder && begin[-1] != '/')
        begin--;
    if (!name.length)
        TRY(dun_str_addf(&name, "%.*s", (int)(end - begin), begin));
    snprintf(out, size, "%s", name.bytes);
out:
    dun_str_free(&name);
    return rc;
}

static int read_config(hf_model *m, dun_file *file, const char *path) {
    int rc;
    TRY(dun_file_map(file, path));
    TRY(dun_json_parse(&m->config, (const char *)file->bytes, file->length, path, 1));
    if (!json_is_object(m->config))
        TRY(dun_error(DUN_BAD_INPUT, "%s: is a list; expected an object with the model's sizes", path));
out:
    return rc;
}

/* The list is a copy, so that the one of the shards stays for facts. */
static int copy_list(dun_stored_list *out, const dun_stored_list *list) {
    int rc = DUN_OK;
    out->n = list->n;
    TRY_NEW(out->tensors, list->n);
    TRY_NEW(out->order, list->n);
    if (list->n) {
        memcpy(out->tensors, list->tensors, list->n * sizeof *list->tensors);
        memcpy(out->order, list->order, list->n * sizeof *list->order);
    }
out:
    return rc;
}

static int read_weights(dun_model_file *model, hf_model *m, const char *folder, const char *config,
                        uint64_t hash, unsigned parts) {
    int rc;
    dun_weights_from from = {.file = folder, .hash = dun_shards_hash(hash, &m->shards)};
    TRY(copy_list(&from.list, &m->shards.list));
    TRY(dun_spec_hf(&from, m->config, config));
    TRY(name_model(from.spec.name, sizeof from.spec.name, folder));
    model->spec = from.spec;
    if (parts & (DUN_MODEL_WEIGHTS | DUN_MODEL_TABLE)) {
        from.table_only = parts & DUN_MODEL_TABLE;
        TRY(dun_weights_create(&m->weights, &from));
        model->source = (dun_weight_source){.self = m->weights, .read = read_rows, .raw = raw_rows};
    }
out:
    dun_stored_free(&from.list);
    return rc;
}

/* What a run stands on beside the tensors: a text's tokens depend on the tokenizer's files. */
static int hash_files(uint64_t *hash, const char *folder) {
    static const char *const names[] = {"config.json", "tokenizer.json", "tokenizer_config.json"};
    int rc = DUN_OK;
    dun_str path = {0};
    dun_file file = {0};
    *hash = DUN_HASH_START;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, names[i]));
        if (access(path.bytes, F_OK) != 0)
            continue;
        TRY(dun_file_map(&file, path.bytes));
        *hash = dun_hash(*hash, file.bytes, file.length);
        dun_file_unmap(&file);
        file = (dun_file){0};
    }
out:
    dun_file_unmap(&file);
    dun_str_free(&path);
    return rc;
}

static int hf_open(dun_model_file *model, const char *path, unsigned parts) {
    int rc = DUN_OK;
    dun_str config = {0};
    dun_file file = {0};
    hf_model *m = NULL;
    uint64_t hash;
    TRY_NEW(m, 1);
    model->self = m;
    TRY(dun_str_addf(&config, "%s/config.json", path));
    if (!dun_model_folder_has(path, "config.json"))
        TRY(dun_model_folder_refuse(path));
    TRY(read_config(m, &file, config.bytes));
    if (parts != DUN_MODEL_TOKENIZER) {
        TRY(dun_shards_open(&m->shards, path));
        TRY(hash_files(&hash, path));
        TRY(read_weights(model, m, path, config.bytes, hash, parts));
    }
    if (parts & DUN_MODEL_TOKENIZER)
        TRY(dun_tokenizer_read_json(&model->tokenizer, path));
out:
    dun_file_unmap(&file);
    dun_str_free(&config);
    return rc;
}

static uint64_t hf_fingerprint(const void *self) {
    const hf_model *m = self;
    return dun_weights_hash(m->weights);
}

static void hf_facts(dun_model_facts *out, const void *self) {
    const hf_model *m = self;
    snprintf(out->architecture, sizeof out->architecture, "%s", dun_spec_hf_kind(m->config));
    dun_tensor_tally tally = {0};
    for (size_t i = 0; i < m->shards.list.n; i++) {
        const dun_stored *tensor = &m->shards.list.tensors[i];
        dun_tally_tensor(out, &tally, tensor->type, tensor->dims, tensor->bytes);
    }
}

const dun_model_store dun_store_hf = {hf_open, hf_free, hf_fingerprint, hf_facts};
