/* The trained result of a run as a file: prompt.safetensors with prompt_embeddings F32 (P, C), centroids
 * F32 (K, D), perhaps normalization F32 (2, D) and metric F32 (D, D before it), and what they belong to. Also
 * reads a file with prompt_embeddings alone (other tools write it). Several prompts are (prompts, P, C), and
 * D then is that of their points side by side; the kind of such a file is another, as version 0.1 cannot read
 * it. */
#ifndef DUN_RUNFILE_H
#define DUN_RUNFILE_H

#include "base/str.h"
#include "config/config.h"
#include "io/store/safetensors.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t n_prompts;              /* 0: 1 */
    uint32_t n_rows, width;          /* P, C */
    float *rows;                     /* (n_prompts, P, C) */
    uint32_t n_classes, point_width; /* K, D; 0 without centroids */
    float *centroids;                /* (K, D) */
    float *normalization;            /* (2, D): shift and scale of points; NULL: none */
    float *metric;                   /* (D, metric_width): what points go through after that; NULL: nothing */
    uint32_t metric_width;           /* of points before it, and of the normalization then */
    char **class_names;              /* [K]; NULL without centroids */
    const char *label_words;         /* loss.label_words of the run; NULL: none */
    float *label_offsets;            /* [K] what calibrates them (session/label_rows.h); NULL: none */
    double calibration;              /* temperature of probabilities, fitted on held-out texts; 0: none was */
    uint64_t model_hash;             /* 0: not recorded */
    float
        scale; /* rows of the model's table are multiplied with it to be in the prompt's space; 0: not said */
    bool foreign; /* read from another program's file, whose rows may be in another space
                     (session/embedding.h) */
    char model_name[96];
} dun_saved_prompt;

/* DUN_BAD_INPUT: not such a file, wrong shapes, NaN. */
int dun_saved_prompt_read(dun_saved_prompt *saved, const char *path);

/* DUN_USAGE: it has another number of prompts than prompt.count says. */
int dun_saved_prompt_check_count(const dun_saved_prompt *saved, const dun_config *config, const char *path);

/* The same of such a file's bytes; `name` is for messages. */
int dun_saved_prompt_parse(dun_saved_prompt *saved, const void *bytes, size_t length, const char *name);

/* Writes atomically; the same values give the same bytes. */
int dun_saved_prompt_write(const dun_saved_prompt *saved, const char *path);

/* Those of its tensors that are not the prompt's rows, as they lie there; how many there are. */
enum { DUN_SAVED_TENSORS = 3 };
size_t dun_saved_prompt_tensors(dun_tensor out[DUN_SAVED_TENSORS], const dun_saved_prompt *saved);

/* Appends the bytes of that file. */
int dun_saved_prompt_dump(dun_str *out, const dun_saved_prompt *saved);
void dun_saved_prompt_free(dun_saved_prompt *saved);

#endif
