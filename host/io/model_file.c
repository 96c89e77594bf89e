/* The table of forms in which models lie on disk, recognised by content, and the parts of an open one. */
#include "io/model_file.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/model/model_resolve.h"
#include "io/model/model_store.h"

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

int dun_model_file_open(dun_model_file **out, const char *path, unsigned parts) {
    int rc = DUN_OK;
    dun_model_file *model = NULL;
    const dun_model_store *store = NULL;
    TRY_NEW(model, 1);
    TRY(dun_model_resolve(&model->path, path));
    TRY(find_store(&store, model->path));
    model->store = store;
    TRY(store->open(model, model->path, parts));
    if (model->tokenizer && model->spec.vocab)
        dun_tokenizer_limit(model->tokenizer, model->spec.vocab);
    *out = model;
    model = NULL;
out:
    dun_model_file_free(model);
    return rc;
}

void dun_model_file_free(dun_model_file *model) {
    if (!model)
        return;
    dun_tokenizer_free(model->tokenizer);
    if (model->store)
        model->store->free(model->self);
    dun_free(model->path);
    dun_free(model);
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

void dun_model_file_facts(dun_model_facts *out, const dun_model_file *model) {
    *out = (dun_model_facts){0};
    model->store->facts(out, model->self);
}

void dun_tally_tensor(dun_model_facts *out, dun_tensor_tally *tally, uint32_t type, const uint64_t dims[4],
                      size_t bytes) {
    out->parameters += dims[0] * dims[1] * dims[2] * dims[3];
    if (type >= DUN_TALLY_TYPES)
        return;
    tally->bytes[type] += bytes;
    if (tally->bytes[type] > tally->most) {
        tally->most = tally->bytes[type];
        out->format = dun_quant_find(type)->name;
    }
}

int dun_model_file_read(float *out, const dun_model_file *model, enum dun_slot slot, uint32_t layer,
                        uint32_t first_row, uint32_t n_rows) {
    return model->source.read(out, model->source.self, slot, layer, first_row, n_rows);
}

uint64_t dun_model_file_fingerprint(const dun_model_file *model) {
    return model->store->fingerprint(model->self);
}
