/* Which two neighbouring tokens may be joined, and which first. */
#ifndef DUN_RANKS_H
#define DUN_RANKS_H

#include "io/token/vocab.h"

typedef struct {
    const dun_vocab *vocab;
    struct dun_rank_slot *slots; /* by pair, at most half full; NULL: by text */
    unsigned slot_bits;
    uint32_t *by_token; /* [vocab->n] ranks of tokens by their scores; UINT32_MAX: nothing becomes this one */
} dun_ranks;

/* From the merges or the scores of a description; `ranks` needs dun_ranks_free after. DUN_BAD_INPUT: a merge
 * names an unknown token or is there twice, a score is no number. */
int dun_ranks_load(dun_ranks *ranks, const dun_vocab *vocab, const dun_token_description *from);
void dun_ranks_free(dun_ranks *ranks);

/* Is `text` what decides? Then neighbours without a token of their own may be joined too. */
bool dun_ranks_by_text(const dun_ranks *ranks);

/* The rank of a pair that spells `text` and what it becomes, or UINT32_MAX: it is not joined. */
uint32_t dun_ranks_find(uint32_t *merged, const dun_ranks *ranks, uint32_t left, uint32_t right,
                        dun_slice text);

#endif
