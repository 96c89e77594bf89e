/* Byte-pair merging (Gage 1994; Sennrich, Haddow and Birch 2016): of all neighbours that may be joined, the
 * pair of lowest rank becomes one token, the leftmost of equals first, until none is left. Which may be
 * joined is said by a table of merges, or, in the way of SentencePiece, by the tokens themselves: two that
 * spell a token together, the one with the highest score first. */
#ifndef DUN_BPE_H
#define DUN_BPE_H

#include "io/token/tokenizer.h"
#include "io/token/vocab.h"

typedef struct dun_bpe dun_bpe;

/* For the merges or the scores of a description, whose tokens `vocab` has loaded; it must outlive the result.
 * DUN_BAD_INPUT: merges naming unknown tokens, twice the same, ... */
int dun_bpe_create(dun_bpe **out, const dun_vocab *vocab, const dun_token_description *from);
void dun_bpe_free(dun_bpe *bpe);

/* Appends the tokens of the word text[begin .. begin + length - 1], which ends below 2^32 - 1, with their
 * places in the text. O(n log n) for n bytes. */
int dun_bpe_encode(dun_tokens *out, dun_bpe *bpe, const char *text, size_t begin, size_t length);

#endif
