/* Merging with a heap of candidate pairs over a linked list of tokens. See bpe.h. */
#include "io/token/bpe.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/vocab.h"

#include <string.h>

static const uint32_t none = UINT32_MAX;

typedef struct {
    uint64_t pair; /* left << 32 | right; all ones: free */
    uint32_t rank, merged;
} slot;

typedef struct {
    uint32_t id;
    uint32_t prev, next;   /* in the word, or none */
    uint32_t rank, merged; /* of the pair with the next token; rank none: no merge names it */
    uint32_t begin, end;   /* in the text */
} node;

struct dun_bpe {
    slot *slots; /* hash table, at most half full */
    unsigned slot_bits;
    /* For the word at hand; room for `capacity` bytes. */
    node *nodes;
    uint64_t *heap; /* rank << 32 | node; the smallest on top; up to two for each byte */
    size_t n_heap;
    size_t capacity;
};

int dun_bpe_create(dun_bpe **out, size_t n_merges) {
    int rc = DUN_OK;
    dun_bpe *bpe = NULL;
    TRY_NEW(bpe, 1);
    bpe->slot_bits = 1;
    while (((size_t)1 << bpe->slot_bits) < 2 * n_merges)
        bpe->slot_bits++;
    TRY_NEW(bpe->slots, (size_t)1 << bpe->slot_bits);
    memset(bpe->slots, 0xff, sizeof(slot) << bpe->slot_bits);
    *out = bpe;
    bpe = NULL;
out:
    dun_bpe_free(bpe);
    return rc;
}

void dun_bpe_free(dun_bpe *bpe) {
    if (!bpe)
        return;
    dun_free(bpe->slots);
    dun_free(bpe->nodes);
    dun_free(bpe->heap);
    dun_free(bpe);
}

/* The slot of a pair, or the free one where it belongs. */
static slot *find(const dun_bpe *bpe, uint32_t left, uint32_t right) {
    uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t hash = (pair ^ pair >> 29) * 0x9e3779b97f4a7c15u;
    size_t mask = ((size_t)1 << bpe->slot_bits) - 1, at = hash >> (64 - bpe->slot_bits);
    while (bpe->slots[at].pair != pair && bpe->slots[at].pair != UINT64_MAX)
        at = (at + 1) & mask;
    return &bpe->slots[at];
}

uint32_t dun_bpe_add(dun_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged) {
    slot *place = find(bpe, left, right);
    if (place->pair == UINT64_MAX)
        *place = (slot){(uint64_t)left << 32 | right, rank, merged};
    return place->rank;
}

static void push(dun_bpe *bpe, uint64_t key) {
    size_t at = bpe->n_heap++;
    while (at > 0 && bpe->heap[(at - 1) / 2] > key) {
        bpe->heap[at] = bpe->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    bpe->heap[at] = key;
}

static uint64_t pop(dun_bpe *bpe) {
    uint64_t top = bpe->heap[0], last = bpe->heap[--bpe->n_heap];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < bpe->n_heap) {
        if (child + 1 < bpe->n_heap && bpe->heap[child + 1] < bpe->heap[child])
            child++;
        if (bpe->heap[child] >= last)
            break;
        bpe->heap[at] = bpe->heap[child];
        at = child;
    }
    bpe->heap[at] = last;
    return top;
}

/* Looks up the pair of a node with its next one, and makes it a candidate if there is a merge. */
static void offer(dun_bpe *bpe, uint32_t at) {
    node *n = &bpe->nodes[at];
    n->rank = none;
    if (n->next == none)
        return;
    const slot *merge = find(bpe, n->id, bpe->nodes[n->next].id);
    n->rank = merge->rank; /* of a free slot: none */
    n->merged = merge->merged;
    if (n->rank != none)
        push(bpe, (uint64_t)n->rank << 32 | at);
}

static void merge_all(dun_bpe *bpe) {
    while (bpe->n_heap > 0) {
        uint64_t key = pop(bpe);
        uint32_t at = (uint32_t)key;
        node *left = &bpe->nodes[at];
        if (left->rank != key >> 32)
            continue; /* one of the two has been merged with another since */
        node *right = &bpe->nodes[left->next];
        left->id = left->merged;
        left->next = right->next;
        left->end = right->end;
        right->rank = none;
        if (left->next != none)
            bpe->nodes[left->next].prev = at;
        offer(bpe, at);
        if (left->prev != none)
            offer(bpe, left->prev);
    }
}

static int reserve(dun_bpe *bpe, size_t length) {
    int rc = DUN_OK;
    size_t capacity = 64;
    if (length <= bpe->capacity)
        goto out;
    while (capacity < length)
        capacity *= 2;
    dun_free(bpe->nodes);
    dun_free(bpe->heap);
    bpe->nodes = NULL;
    bpe->heap = NULL;
    bpe->capacity = 0;
    TRY_NEW(bpe->nodes, capacity);
    TRY_NEW(bpe->heap, 2 * capacity);
    bpe->capacity = capacity;
out:
    return rc;
}

int dun_bpe_encode(dun_tokens *out, dun_bpe *bpe, const uint32_t byte_ids[256], const char *text,
                   size_t begin, size_t length) {
    int rc;
    uint32_t n = 0;
    TRY(reserve(bpe, length));
    for (size_t at = begin; at < begin + length; at++) {
        uint32_t id = byte_ids[(unsigned char)text[at]];
        if (id != DUN_NO_TOKEN) {
            bpe->nodes[n] = (node){
                .id = id, .prev = n - 1, .next = n + 1, .begin = (uint32_t)at, .end = (uint32_t)at + 1};
            n++;
        }
    }
    if (n == 0)
        goto out;
    bpe->nodes[n - 1].next = none; /* the first node's prev wrapped around to none */
    bpe->n_heap = 0;
    for (uint32_t i = 0; i < n; i++)
        offer(bpe, i);
    merge_all(bpe);
    for (uint32_t i = 0; i != none; i = bpe->nodes[i].next)
        TRY(dun_tokens_add(out, bpe->nodes[i].id, bpe->nodes[i].begin, bpe->nodes[i].end));
out:
    return rc;
}
