/* What is run with every text: words, the text, and rows of the prompt, in the order of prompt.template.
 *
 * Words that touch the text are the text's neighbours: they are tokenised with it (texts.h) and, while no
 * prompt row stands before the text, cached with it. Words that begin everything are run once for all texts.
 * All other words are rows of their own, run every time, as the prompt's are. One space before {soft} is for
 * the reader of the config alone and is left out. */
#ifndef DUN_TEMPLATE_H
#define DUN_TEMPLATE_H

#include "config/config.h"
#include "nn/batch.h"
#include "session/texts.h"

/* Rows that are the same for every text: token ids, and -1 - p for row p of the prompt. */
typedef struct {
    int32_t *ids;
    uint32_t n;
} dun_fixed_rows;

typedef struct {
    enum dun_template_kind { DUN_PART_WORDS, DUN_PART_TEXT, DUN_PART_SOFT } kind;
    dun_str words;
    uint32_t n_rows; /* SOFT; 0: all rows of the prompt */
} dun_template_part;

typedef struct {
    dun_template_part *parts;
    size_t n_parts, part_capacity;
    size_t first, end; /* the parts from first to before end are the text and its neighbours */
    uint32_t n_soft;   /* rows that the prompt must have; 0: any number */
    /* After dun_template_resolve: */
    dun_fixed_rows head, tail; /* before and after the text; with a head nothing of a text can be cached, */
    uint32_t n_lead;           /* but for the words it begins with: its rows that all texts share (texts.h) */
    uint32_t n_around;         /* most tokens of the text's neighbours, with what begins the text */
} dun_template;

/* Reads prompt.template, or makes the one that prompt.placement means. DUN_USAGE: not a template, or it
 * contradicts prompt.tokens or prompt.placement. */
int dun_template_parse(dun_template *out, const dun_config *config);

/* The text alone, without a prompt. */
int dun_template_bare(dun_template *out);

/* Tokenises the words for a prompt of P rows (n_soft, if that is set). */
int dun_template_resolve(dun_template *t, dun_tokenizer *tokenizer, uint32_t P);
void dun_template_free(dun_template *t);

/* Puts the text's neighbours around the texts that will be added; they stay borrowed. */
void dun_template_surround(dun_texts *texts, const dun_template *t);

/* Of a resolved template: most tokens that a text of max_length tokens and its neighbours can have. */
uint32_t dun_template_longest(const dun_template *t, uint32_t max_length);

/* Rows besides those of text and neighbours, and besides the shared ones. */
uint32_t dun_template_own_rows(const dun_template *t);

/* True when the prompt stands before the text, so that whole sequences are run. */
bool dun_template_is_prefix(const dun_template *t);

/* Makes `batch` the whole sequences of the n texts `which`, but for the tokens that texts share; they must
 * fit. */
void dun_template_batch(dun_batch *batch, const dun_template *t, const dun_texts *texts,
                        const uint32_t *which, uint32_t n);

#endif
