/* Byte-pair merging (Gage 1994; Sennrich, Haddow and Birch 2016): of all neighbours that a merge names, the
 * pair of lowest rank becomes one token, the leftmost of equals first, until none is left. */
#ifndef DUN_BPE_H
#define DUN_BPE_H

#include "io/token/tokenizer.h"

typedef struct dun_bpe dun_bpe;

/* Room for ranks 0 .. n_merges - 1. */
int dun_bpe_create(dun_bpe **out, size_t n_merges);
void dun_bpe_free(dun_bpe *bpe);

/* Makes `left` `right` become `merged`. Returns the rank of that pair: `rank`, or, with nothing changed, the
 * one it already had. */
uint32_t dun_bpe_add(dun_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged);

/* Appends the tokens of the word text[begin .. begin + length - 1], which ends below 2^32 - 1, with their
 * places in the text. A byte whose token is DUN_NO_TOKEN is left out. O(n log n) for n bytes. */
int dun_bpe_encode(dun_tokens *out, dun_bpe *bpe, const uint32_t byte_ids[256], const char *text,
                   size_t begin, size_t length);

#endif
