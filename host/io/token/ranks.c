/* A hash table of pairs, or the order of the scores. See ranks.h. */
#include "io/token/ranks.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t none = UINT32_MAX;
static const dun_slice nothing = {"", 0};

typedef struct dun_rank_slot {
    uint64_t pair; /* left << 32 | right; all ones: free */
    uint32_t rank, merged;
} slot;

/* The slot of a pair, or the free one where it belongs. */
static slot *find(const dun_ranks *ranks, uint32_t left, uint32_t right) {
    uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t hash = (pair ^ pair >> 29) * 0x9e3779b97f4a7c15u;
    size_t mask = ((size_t)1 << ranks->slot_bits) - 1, at = hash >> (64 - ranks->slot_bits);
    while (ranks->slots[at].pair != pair && ranks->slots[at].pair != UINT64_MAX)
        at = (at + 1) & mask;
    return &ranks->slots[at];
}

/* Merge `rank` of a description into the table. */
static int add_merge(dun_ranks *ranks, const dun_token_description *from, uint32_t rank) {
    const dun_slice left = from->merges[rank].left, right = from->merges[rank].right;
    const uint32_t left_id = dun_vocab_find(ranks->vocab, left, nothing);
    const uint32_t right_id = dun_vocab_find(ranks->vocab, right, nothing);
    const uint32_t merged = dun_vocab_find(ranks->vocab, left, right);
    const char *fault = NULL;
    slot *place;
    dun_str text = {0};
    int rc = DUN_OK;
    if (left_id == DUN_NO_TOKEN)
        fault = "begins with an unknown token; one of the vocabulary is needed";
    else if (right_id == DUN_NO_TOKEN)
        fault = "ends with an unknown token; one of the vocabulary is needed";
    else if (merged == DUN_NO_TOKEN)
        fault = "makes an unknown token; one of the vocabulary is needed";
    else if ((place = find(ranks, left_id, right_id))->pair != UINT64_MAX)
        fault = "is there twice; every merge once is needed";
    else
        *place = (slot){(uint64_t)left_id << 32 | right_id, rank, merged};
    if (!fault)
        goto out;
    TRY(dun_str_add(&text, left.bytes, left.length));
    TRY(dun_str_add(&text, " ", 1));
    TRY(dun_str_add(&text, right.bytes, right.length));
    TRY(dun_token_refuse(from->file, from->merges_name, rank, (dun_slice){text.bytes, text.length}, fault));
out:
    dun_str_free(&text);
    return rc;
}

static int load_merges(dun_ranks *ranks, const dun_token_description *from) {
    int rc;
    ranks->slot_bits = 1;
    while (((size_t)1 << ranks->slot_bits) < 2 * from->n_merges)
        ranks->slot_bits++;
    TRY_NEW(ranks->slots, (size_t)1 << ranks->slot_bits);
    memset(ranks->slots, 0xff, sizeof(slot) << ranks->slot_bits);
    rc = DUN_OK;
    for (uint32_t rank = 0; rank < from->n_merges; rank++)
        TRY(add_merge(ranks, from, rank));
out:
    return rc;
}

typedef struct {
    float score;
    uint32_t id;
} scored;

static int by_score(const void *left, const void *right) {
    const float a = ((const scored *)left)->score, b = ((const scored *)right)->score;
    return (a < b) - (a > b);
}

/* Equal scores have equal ranks. Nothing becomes a token that is looked for as a whole, or one of a byte. */
static int load_scores(dun_ranks *ranks, const dun_token_description *from) {
    int rc = DUN_OK;
    uint32_t n = 0;
    scored *list = NULL;
    TRY_NEW(list, from->n_tokens);
    TRY_NEW(ranks->by_token, from->n_tokens);
    for (uint32_t id = 0; id < from->n_tokens; id++) {
        ranks->by_token[id] = none;
        if (isnan(from->scores[id]))
            TRY(dun_token_refuse(from->file, from->tokens_name, id, from->tokens[id],
                                 "has a score that is no number"));
        if (!from->kinds || from->kinds[id] == DUN_TOKEN_NORMAL)
            list[n++] = (scored){from->scores[id], id};
    }
    qsort(list, n, sizeof *list, by_score);
    for (uint32_t i = 0, rank = 0; i < n; i++) {
        rank += i > 0 && list[i].score < list[i - 1].score;
        ranks->by_token[list[i].id] = rank;
    }
out:
    dun_free(list);
    return rc;
}

int dun_ranks_load(dun_ranks *ranks, const dun_vocab *vocab, const dun_token_description *from) {
    *ranks = (dun_ranks){.vocab = vocab};
    return from->scores ? load_scores(ranks, from) : load_merges(ranks, from);
}

void dun_ranks_free(dun_ranks *ranks) {
    dun_free(ranks->slots);
    dun_free(ranks->by_token);
    *ranks = (dun_ranks){0};
}

bool dun_ranks_by_text(const dun_ranks *ranks) {
    return ranks->by_token != NULL;
}

uint32_t dun_ranks_find(uint32_t *merged, const dun_ranks *ranks, uint32_t left, uint32_t right,
                        dun_slice text) {
    if (!ranks->by_token) {
        const slot *merge = find(ranks, left, right);
        *merged = merge->merged;
        return merge->rank; /* of a free slot: none */
    }
    *merged =
        text.length <= ranks->vocab->longest ? dun_vocab_find(ranks->vocab, text, nothing) : DUN_NO_TOKEN;
    return *merged == DUN_NO_TOKEN ? none : ranks->by_token[*merged];
}
