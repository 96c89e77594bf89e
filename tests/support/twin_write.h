/* The models of twin_models.h as folders and as GGUF files, with the same values in both. Failures fail the
 * test. */
#ifndef TWIN_WRITE_H
#define TWIN_WRITE_H

#include "model/spec.h"

/* How a tensor is made of canonical rows. */
enum twin_how {
    STACK,  /* the slots' rows, one below the other */
    TURNED, /* the same, columns first */
    PAIRED, /* rows of each head so that components that turn together are neighbours */
    HEADS,  /* of each head its query, key and value */
    GROUPS, /* of each key/value head its queries, key and value */
    EACH,   /* a tensor a head: @ in its name */
    LESS    /* one slot's values less 1 */
};

typedef struct {
    const char *name; /* # is the layer */
    enum twin_how how;
    int slots[3]; /* enum dun_slot + 1; 0: no more */
} twin_tensor;

enum {
    TWIN_TENSORS = 24,
    TWIN_VALUES = 1 << 13, /* of a tensor, at most */
    TWIN_MAX_TENSORS = 128,
    TWIN_NAME_BYTES = 96
};

typedef struct {
    dun_spec spec;
    const char *config,
        *keys; /* beyond the sizes: of config.json, and "key=value ..." of the GGUF file, b as bool */
    twin_tensor hf[TWIN_TENSORS], gguf[TWIN_TENSORS]; /* none: the form does not exist */
} twin_model;

/* Where they are written, one at a time. */
#define TWIN_FOLDER BINARY_DIR "/twin-model"
#define TWIN_GGUF BINARY_DIR "/twin-model.gguf"

/* A tensor on its way into a file. */
typedef struct {
    char name[TWIN_NAME_BYTES];
    uint32_t rows, columns; /* columns 1: a vector */
    float *values;
} twin_made_tensor;

typedef struct {
    twin_made_tensor tensors[TWIN_MAX_TENSORS];
    size_t n;
} twin_made;

/* What readers should find: models have as many key/value heads as others, but where their files say
 * otherwise. */
dun_spec twin_spec(const twin_model *m);

/* Value k of a canonical row: a multiple of 1/64, which every format holds, and for norms around 1. */
float twin_value(enum dun_slot slot, uint32_t layer, uint32_t row, uint32_t k);

/* The tensors of one form; to be freed. */
void twin_make(twin_made *out, const twin_tensor *list, const dun_spec *spec);
void twin_free(twin_made *m);

/* The whole model, as a folder (in one file, or in two with an index) or as a GGUF file. */
void twin_write_folder(const twin_model *m, bool sharded);
void twin_write_gguf(const twin_model *m);

/* Its pieces: tensors first .. end - 1 as one safetensors file, in F32, F16 or BF16 by turns; the index of
 * two files, of which the first has `half` tensors. */
void twin_write_config(const twin_model *m);
void twin_write_shard(const char *name, const twin_made *m, size_t first, size_t end);
void twin_write_index(const twin_made *m, size_t half);
void twin_write_text(const char *name, const char *text);
void twin_write_tensors(const char *name, const char *header, size_t bytes); /* safetensors, of zeros */
void twin_remove_file(const char *name);
void twin_remove(void);

#endif
