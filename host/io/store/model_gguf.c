/* A GGUF file as a model: its metadata's sizes, its tensors as weights, its vocabulary as a tokenizer. */
#include "base/err.h"
#include "base/mem.h"
#include "io/model/model_store.h"
#include "io/model/spec_gguf.h"
#include "io/token/read_gguf.h"

typedef struct {
    dun_gguf *file;
    dun_weights *weights; /* NULL: not asked for */
} gguf_model;

static void gguf_free(void *self) {
    gguf_model *m = self;
    if (!m)
        return;
    dun_weights_free(m->weights);
    dun_gguf_free(m->file);
    dun_free(m);
}

static int read_rows(float *out, const void *self, enum dun_slot slot, uint32_t layer, uint32_t first_row,
                     uint32_t n_rows) {
    return dun_weights_read(out, self, slot, layer, first_row, n_rows);
}

static int raw_rows(dun_raw_rows *out, const void *self, enum dun_slot slot, uint32_t layer) {
    return dun_weights_raw(out, self, slot, layer);
}

static int gguf_open(dun_model_file *model, const char *path, unsigned parts) {
    int rc = DUN_OK;
    dun_weights_from from = {0};
    gguf_model *m = NULL;
    TRY_NEW(m, 1);
    model->self = m;
    rc = dun_gguf_open(&m->file, path);
    if (rc == DUN_BAD_INPUT &&
        (parts & DUN_MODEL_TABLE)) /* for facts; where these keys are wrong, as before */
        (void)dun_gguf_open_keys(&m->file, path);
    TRY(rc);
    if (parts & (DUN_MODEL_SPEC | DUN_MODEL_WEIGHTS | DUN_MODEL_TABLE)) {
        TRY(dun_spec_gguf(&from, m->file));
        model->spec = from.spec;
    }
    if (parts & (DUN_MODEL_WEIGHTS | DUN_MODEL_TABLE)) {
        from.table_only = parts & DUN_MODEL_TABLE;
        TRY(dun_weights_create(&m->weights, &from));
        model->source = (dun_weight_source){.self = m->weights, .read = read_rows, .raw = raw_rows};
    }
    if (parts & DUN_MODEL_TOKENIZER)
        TRY(dun_tokenizer_read_gguf(&model->tokenizer, m->file));
out:
    dun_stored_free(&from.list);
    return rc;
}

static uint64_t gguf_fingerprint(const void *self) {
    const gguf_model *m = self;
    return dun_weights_hash(m->weights);
}

static void gguf_facts(dun_model_facts *out, const void *self) {
    const gguf_model *m = self;
    dun_tensor_tally tally = {0};
    if (!m->file)
        return;
    dun_spec_gguf_repository(out->repository, sizeof out->repository, m->file);
    dun_spec_gguf_name(out->architecture, sizeof out->architecture, m->file);
    for (size_t i = 0; i < dun_gguf_n_tensors(m->file); i++) {
        const dun_gguf_tensor *tensor = dun_gguf_tensor_at(m->file, i);
        dun_tally_tensor(out, &tally, tensor->type, tensor->dims, tensor->bytes);
    }
}

const dun_model_store dun_store_gguf = {gguf_open, gguf_free, gguf_fingerprint, gguf_facts};
