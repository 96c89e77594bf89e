/* What the soft prompt starts as, or several of them that are trained together. */
#ifndef DUN_PROMPT_H
#define DUN_PROMPT_H

#include "config/config.h"
#include "io/model_file.h"

/* P, known before anything large is loaded, and what it is made from. */
typedef struct {
    uint32_t n_prompts; /* prompt.count */
    uint32_t n_rows;    /* P, of each */
    uint32_t width;     /* C */
    float *rows;        /* (n_prompts, P, C) */
} dun_prompt;

size_t dun_prompt_floats(const dun_prompt *prompt);

/* Fills the starting prompt of a config: embeddings of words, random rows of the vocabulary, noise with the
 * table's standard deviation, or a saved prompt. `n_soft`: rows that the template has room for, 0: any
 * number. Warns when the text's tokens are repeated or cut. DUN_USAGE: init needs a key that is not set,
 * there are fewer texts than prompts, or a file has another number of rows or prompts than the config says;
 * DUN_BAD_INPUT: a prompt file of another width. */
int dun_prompt_start(dun_prompt *prompt, const dun_config *config, uint32_t n_soft,
                     const dun_model_file *model);
void dun_prompt_free(dun_prompt *prompt);

#endif
