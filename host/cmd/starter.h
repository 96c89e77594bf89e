/* The commented config that `dunlin init` writes. */
#ifndef DUN_STARTER_H
#define DUN_STARTER_H

#include "base/str.h"
#include "io/data/dataset.h"
#include "io/data/judge.h"

#include <limits.h>

typedef struct {
    char train[PATH_MAX], valid[PATH_MAX]; /* as the config names them */
    char *name;                            /* of the run */
    char *model;
    bool model_found;
    const dun_judged *found; /* borrowed, as the next two */
    const dun_labels *labels;
    const uint32_t *counts; /* [n_classes] texts */
    const dun_dataset *dataset;
    const bool *to_valid; /* [n] texts that the split gives to validation; NULL: none */
    uint32_t context;     /* positions of the model */
    uint32_t max_length, longest, n_cut;
    bool skips_rows; /* the files hold rows that data.bad_rows = skip passes over */
} dun_starter;

/* Name and model: `model`, or with NULL the one that config/recommended.ini names, by its full path where it
 * is there. */
int dun_starter_init(dun_starter *starter, const char *folder, const char *model);
void dun_starter_free(dun_starter *starter);

/* Appends "bad (120), good (130)", at most 20 classes. */
int dun_starter_classes(dun_str *out, const dun_starter *starter);

/* Words that make the model sum up what the labels are about: those of the first prompt, and for two more, as
 * prompt.texts takes them. All have as many tokens in the usual tokenizers. */
typedef struct {
    const char *text, *texts;
} dun_starter_words;
dun_starter_words dun_starter_prompt(const dun_starter *starter);

/* Appends a template that shows a short training text of each class and its label, then the text and the
 * place of its label; where a class has no short text, there are many classes, or the model reads little, it
 * shows none. */
int dun_starter_template(dun_str *out, const dun_starter *starter);

/* Appends the config. */
int dun_starter_config(dun_str *out, const dun_starter *starter);

#endif
