/* A model on disk, whatever its form: the one door to its sizes, its weights and its tokenizer. Which forms
 * there are is known behind it alone. */
#ifndef DUN_MODEL_FILE_H
#define DUN_MODEL_FILE_H

#include "io/token/tokenizer.h"
#include "model/weight_source.h"

typedef struct dun_model_file dun_model_file;

/* What is wanted of it; nothing else is read or checked. The sizes come with the weights. */
enum { DUN_MODEL_SPEC = 1, DUN_MODEL_WEIGHTS = 2, DUN_MODEL_TOKENIZER = 4 };
enum { DUN_REPOSITORY_BYTES = 200 };

/* Opens a file or folder whose content says what it is, also those that other programs keep
 * (model_resolve.h). Weights: every tensor is present with its shape and finite, and there is none whose
 * effect would be left out. DUN_BAD_INPUT names file, expected and found; for a form that is not read it says
 * how to get one that is. */
int dun_model_file_open(dun_model_file **out, const char *path, unsigned parts);
void dun_model_file_free(dun_model_file *model);

/* One more owner, who frees it too: it lives as long as any. */
dun_model_file *dun_model_file_keep(dun_model_file *model);

/* Of the file or folder that was found. */
const char *dun_model_file_path(const dun_model_file *model);

/* Parts that were asked for; valid while the model is open. */
const dun_spec *dun_model_file_spec(const dun_model_file *model);
const dun_weight_source *dun_model_file_source(const dun_model_file *model);
dun_tokenizer *dun_model_file_tokenizer(const dun_model_file *model);

/* What there is to know of a model that was opened, whatever for. */
typedef struct {
    char architecture[32];                 /* as its file calls it, "" where it does not */
    uint64_t parameters;                   /* values of all its tensors */
    const char *format;                    /* in which most bytes are stored; NULL: there are no tensors */
    char repository[DUN_REPOSITORY_BYTES]; /* ORG/NAME on Hugging Face's hub, "" where nothing says it */
} dun_model_facts;
int dun_model_file_facts(dun_model_facts *out, const dun_model_file *model);

/* Whether a model can be used, by its sizes, the table of its tensors and its tokenizer; no weights are read.
 * DUN_BAD_INPUT as for opening; `facts` are then what was found out. */
int dun_model_file_look(dun_model_facts *facts, dun_spec *spec, const char *path);

/* Rows of the source (weight_source.h). */
int dun_model_file_read(float *out, const dun_model_file *model, enum dun_slot slot, uint32_t layer,
                        uint32_t first_row, uint32_t n_rows);

/* Identity of a model whose weights are open, for run directories: a hash of all that describes the tensors
 * and of samples of their data (whole hashing would cost seconds for large models). */
uint64_t dun_model_file_fingerprint(const dun_model_file *model);

#endif
