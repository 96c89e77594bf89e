/* What a form of model on disk must offer to be a row of model_file.c's table; nobody else includes this. */
#ifndef DUN_MODEL_STORE_H
#define DUN_MODEL_STORE_H

#include "io/model_file.h"

#include <stdatomic.h>

/* A part that only dun_model_file_look wants: the weights are checked as far as the table of tensors tells.
 */
enum { DUN_MODEL_TABLE = 8 };

/* An open model; what its store keeps lies in `self`. */
struct dun_model_file {
    atomic_uint others; /* owners beside the first */
    const struct dun_model_store *store;
    void *self;
    char *path;
    dun_spec spec;
    dun_weight_source source;
    dun_tokenizer *tokenizer; /* NULL: not asked for */
};

typedef struct dun_model_store {
    /* Fills self, spec, source and tokenizer, as far as `parts` says; on failure what is there is freed. */
    int (*open)(dun_model_file *model, const char *path, unsigned parts);
    void (*free)(void *self);
    uint64_t (*fingerprint)(const void *self);
    void (*facts)(dun_model_facts *out, const void *self); /* also of what was not opened wholly */
} dun_model_store;

extern const dun_model_store dun_store_gguf;
extern const dun_model_store dun_store_hf;

/* What facts say of tensors, counted one by one; starts from zeros. */
enum { DUN_TALLY_TYPES = 32 }; /* more are not in one model */
typedef struct {
    uint32_t types[DUN_TALLY_TYPES];
    size_t n;
    uint64_t bytes[DUN_TALLY_TYPES], most;
} dun_tensor_tally;
void dun_tally_tensor(dun_model_facts *out, dun_tensor_tally *tally, uint32_t type, const uint64_t dims[4],
                      size_t bytes);

#endif
