/* The table of forms in which models lie on disk, recognised by content, and the parts of an open one. */
#include "io/model_file.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/model/model_folder.h"
#include "io/model/model_resolve.h"
#include "io/model/model_store.h"

#include <stdio.h>
#include <string.h>

/* The first bytes of a file; none for a folder. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
    bool folder;
} beginning;

static bool is_gguf(const beginning *b) {
    return b->length >= 4 && memcmp(b->bytes, "GGUF", 4) == 0;
}

static bool is_folder(const beginning *b) {
    return b->folder;
}

/* A header's length in 8 bytes, then JSON. */
static bool is_safetensors(const beginning *b) {
    return b->length > 9 && b->bytes[8] == '{' && b->bytes[7] == 0 && b->bytes[6] == 0;
}

/* An archive of pickled tensors. */
static bool is_zip(const beginning *b) {
    return b->length >= 4 && memcmp(b->bytes, "PK\3\4", 4) == 0;
}

static const struct {
    bool (*is)(const beginning *b);
    const dun_model_store *store; /* NULL: not read, */
    const char *fault;            /* what it is, and what to do */
} forms[] = {
    {is_gguf, &dun_store_gguf, NULL},
    {is_folder, &dun_store_hf, NULL},
    {is_safetensors, NULL, "is a safetensors file without a config.json beside it; the whole folder is read"},
    {is_zip, NULL,
     "is a PyTorch file or a zip archive; a GGUF file is read, or a folder with model.safetensors"},
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

/* What is no form of a model is a GGUF file to those who gave it: that reader says what is wrong with it. */
static int find_store(const dun_model_store **out, const char *path) {
    int rc = DUN_OK;
    dun_file file = {0};
    beginning b = {.folder = dun_dir_exists(path)};
    if (!b.folder)
        TRY(dun_file_map(&file, path));
    b.bytes = file.bytes;
    b.length = file.length;
    *out = &dun_store_gguf;
    for (size_t i = 0; i < N_FORMS; i++)
        if (forms[i].is(&b)) {
            if (!forms[i].store)
                TRY(dun_error(DUN_BAD_INPUT, "%s: %s", path, forms[i].fault));
            *out = forms[i].store;
            break;
        }
out:
    dun_file_unmap(&file);
    return rc;
}

/* *out is there also on failure, as far as it came. */
static int open_parts(dun_model_file **out, const char *path, unsigned parts) {
    int rc = DUN_OK;
    dun_model_file *model = NULL;
    const dun_model_store *store = NULL;
    TRY_NEW(model, 1);
    *out = model;
    TRY(dun_model_resolve(&model->path, path));
    TRY(find_store(&store, model->path));
    model->store = store;
    TRY(store->open(model, model->path, parts));
    if (model->tokenizer && model->spec.vocab)
        dun_tokenizer_limit(model->tokenizer, model->spec.vocab);
out:
    return rc;
}

int dun_model_file_open(dun_model_file **out, const char *path, unsigned parts) {
    int rc;
    dun_model_file *model = NULL;
    TRY(open_parts(&model, path, parts));
    *out = model;
    model = NULL;
out:
    dun_model_file_free(model);
    return rc;
}

int dun_model_file_look(dun_model_facts *facts, dun_spec *spec, const char *path) {
    int rc;
    dun_model_file *model = NULL;
    *facts = (dun_model_facts){0};
    rc = open_parts(&model, path, DUN_MODEL_SPEC | DUN_MODEL_TABLE | DUN_MODEL_TOKENIZER);
    if (model && model->self && dun_model_file_facts(facts, model) < 0)
        rc = DUN_FAILED;
    TRY(rc);
    *spec = model->spec;
out:
    dun_model_file_free(model);
    return rc;
}

void dun_model_file_free(dun_model_file *model) {
    if (!model)
        return;
    if (atomic_fetch_sub(&model->others, 1) > 0)
        return;
    dun_tokenizer_free(model->tokenizer);
    if (model->store)
        model->store->free(model->self);
    dun_free(model->path);
    dun_free(model);
}

dun_model_file *dun_model_file_keep(dun_model_file *model) {
    atomic_fetch_add(&model->others, 1);
    return model;
}

const char *dun_model_file_path(const dun_model_file *model) {
    return model->path;
}

const dun_spec *dun_model_file_spec(const dun_model_file *model) {
    return &model->spec;
}

const dun_weight_source *dun_model_file_source(const dun_model_file *model) {
    return &model->source;
}

dun_tokenizer *dun_model_file_tokenizer(const dun_model_file *model) {
    return model->tokenizer;
}

int dun_model_file_facts(dun_model_facts *out, const dun_model_file *model) {
    int rc = DUN_OK;
    dun_str repository = {0};
    *out = (dun_model_facts){0};
    model->store->facts(out, model->self);
    if (*out->repository)
        goto out;
    TRY(dun_hub_repository(&repository, model->path));
    if (repository.length < sizeof out->repository)
        snprintf(out->repository, sizeof out->repository, "%s", repository.bytes ? repository.bytes : "");
out:
    dun_str_free(&repository);
    return rc;
}

void dun_tally_tensor(dun_model_facts *out, dun_tensor_tally *tally, uint32_t type, const uint64_t dims[4],
                      size_t bytes) {
    const dun_quant_type *found = dun_quant_find(type);
    size_t i = 0;
    out->parameters += dims[0] * dims[1] * dims[2] * dims[3];
    while (i < tally->n && tally->types[i] != type)
        i++;
    if (!found || i == DUN_TALLY_TYPES)
        return;
    if (i == tally->n) {
        tally->types[i] = type;
        tally->n++;
    }
    tally->bytes[i] += bytes;
    if (tally->bytes[i] > tally->most) {
        tally->most = tally->bytes[i];
        out->format = found->name;
    }
}

int dun_model_file_read(float *out, const dun_model_file *model, enum dun_slot slot, uint32_t layer,
                        uint32_t first_row, uint32_t n_rows) {
    return model->source.read(out, model->source.self, slot, layer, first_row, n_rows);
}

uint64_t dun_model_file_fingerprint(const dun_model_file *model) {
    return model->store->fingerprint(model->self);
}
