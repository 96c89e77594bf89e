/* Texts as token ids, packed: what the engine is fed. */
#ifndef DUN_TEXTS_H
#define DUN_TEXTS_H

#include "base/str.h"
#include "io/data/dataset.h"
#include "io/token/tokenizer.h"

/* A growing list of token ids. */
typedef struct {
    uint32_t *ids;
    size_t n, capacity;
} dun_id_list;

typedef struct {
    dun_id_list tokens; /* of all texts, one after another */
    uint32_t *start;    /* [n+1] */
    uint32_t *label;    /* [n] class id */
    double *weight;     /* [n] by which its loss is multiplied in training; 1 unless its example says other */
    uint32_t n;
    uint64_t n_cut;     /* texts that lost tokens to max_length, ever */
    uint32_t longest;   /* tokens of the longest text, words around it included, shared ones not */
    dun_id_list shared; /* with which almost every text begins: tokens of the words before it */
    bool *shares;       /* [n] those are left out of its tokens; else it begins otherwise, and has them all */
    size_t start_capacity, label_capacity, weight_capacity, share_capacity;
    const char *before, *after; /* words around every text, borrowed; NULL: none */
    const char *lead;   /* words that begin every sequence, prompt rows between them and the text; or NULL */
    bool inside;        /* something stands before: no beginning-of-text token */
    bool plain;         /* control tokens that texts spell are plain characters (data.special_tokens) */
    dun_str joined;     /* scratch: a text among its words, */
    dun_tokens scratch; /* and its tokens */
} dun_texts;

/* What every sequence begins with, so that it can be run once for all: from now on texts leave the tokens out
 * that the words before them begin with. With rows of the prompt before the text only `lead` is shared. */
int dun_texts_share(dun_texts *texts, dun_tokenizer *tokenizer);

/* Adds one text, cut to its first max_length tokens. Start from {0}. Words around it are tokenised together
 * with it, as one string; a token that holds a byte of the text is the text's, the others are never cut. */
int dun_texts_add(dun_texts *texts, dun_tokenizer *tokenizer, const char *text, size_t length, uint32_t label,
                  uint32_t max_length);

/* Adds every example of a dataset in file order, with its weight. */
int dun_texts_add_dataset(dun_texts *texts, dun_tokenizer *tokenizer, const dun_dataset *dataset,
                          uint32_t max_length);

/* A part of other texts: begins empty (from {0}) with what all of them share, then takes texts over. */
int dun_texts_begin_part(dun_texts *part, const dun_texts *whole);
int dun_texts_take(dun_texts *part, const dun_texts *whole, uint32_t index);

/* Puts the first n texts into an order: text order[i] comes to be the i-th. */
int dun_texts_arrange(dun_texts *texts, const uint32_t *order, uint32_t n);

void dun_texts_drop(dun_texts *texts, uint32_t n); /* takes the first n away */
void dun_texts_free(dun_texts *texts);

uint32_t dun_texts_length(const dun_texts *texts, uint32_t index);   /* tokens of one text */
uint32_t dun_texts_n_shared(const dun_texts *texts, uint32_t index); /* shared ones before them */

#endif
