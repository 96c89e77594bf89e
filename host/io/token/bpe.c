/* Merging with a heap of candidate pairs over a linked list of tokens. See bpe.h. */
#include "io/token/bpe.h"

#include "base/err.h"
#include "base/mem.h"
#include "io/token/characters.h"
#include "io/token/ranks.h"

static const uint32_t none = UINT32_MAX;

typedef struct {
    uint32_t id;           /* DUN_NO_TOKEN: a character without one */
    uint32_t prev, next;   /* in the word, or none */
    uint32_t rank, merged; /* of the pair with the next token; rank none: they are not joined */
    uint32_t begin, end;   /* in the text */
} node;

struct dun_bpe {
    const dun_vocab *vocab;
    dun_ranks ranks;
    bool byte_fallback, fuse_unknown, ignore_merges;
    uint32_t unknown;
    /* For the word at hand; room for `capacity` bytes. */
    const char *text;
    node *nodes;
    uint32_t n_nodes;
    uint64_t *heap; /* rank << 32 | node; the smallest on top; up to two for each byte */
    size_t n_heap;
    size_t capacity;
};

int dun_bpe_create(dun_bpe **out, const dun_vocab *vocab, const dun_token_description *from) {
    int rc;
    dun_bpe *bpe = NULL;
    TRY_NEW(bpe, 1);
    bpe->vocab = vocab;
    bpe->byte_fallback = from->byte_fallback;
    bpe->fuse_unknown = from->fuse_unknown;
    bpe->ignore_merges = from->ignore_merges;
    bpe->unknown = from->unknown;
    TRY(dun_ranks_load(&bpe->ranks, vocab, from));
    *out = bpe;
    bpe = NULL;
out:
    dun_bpe_free(bpe);
    return rc;
}

void dun_bpe_free(dun_bpe *bpe) {
    if (!bpe)
        return;
    dun_ranks_free(&bpe->ranks);
    dun_free(bpe->nodes);
    dun_free(bpe->heap);
    dun_free(bpe);
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

/* Looks up the pair of a node with its next one, and makes it a candidate if they may be joined. */
static void offer(dun_bpe *bpe, uint32_t at) {
    node *n = &bpe->nodes[at];
    n->rank = none;
    if (n->next == none)
        return;
    const node *next = &bpe->nodes[n->next];
    n->rank = dun_ranks_find(&n->merged, &bpe->ranks, n->id, next->id,
                             (dun_slice){bpe->text + n->begin, next->end - n->begin});
    if (n->rank != none)
        push(bpe, (uint64_t)n->rank << 32 | at);
}

static void merge_all(dun_bpe *bpe) {
    bpe->n_heap = 0;
    for (uint32_t i = 0; i < bpe->n_nodes; i++)
        offer(bpe, i);
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
    if (bpe->nodes && length <= bpe->capacity)
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

static void add_node(dun_bpe *bpe, uint32_t id, size_t begin, size_t end) {
    const uint32_t n = bpe->n_nodes++; /* the first node's prev wraps around to none */
    bpe->nodes[n] =
        (node){.id = id, .prev = n - 1, .next = n + 1, .begin = (uint32_t)begin, .end = (uint32_t)end};
}

/* What has no token: the unknown one, which takes neighbours of its kind along, or nothing. */
static void add_unknown(dun_bpe *bpe, size_t begin, size_t end) {
    if (bpe->unknown == DUN_NO_TOKEN)
        return;
    if (bpe->fuse_unknown && bpe->n_nodes > 0 && bpe->nodes[bpe->n_nodes - 1].id == bpe->unknown &&
        bpe->nodes[bpe->n_nodes - 1].end == begin)
        bpe->nodes[bpe->n_nodes - 1].end = (uint32_t)end;
    else
        add_node(bpe, bpe->unknown, begin, end);
}

static bool spells_bytes(const dun_bpe *bpe, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++)
        if (bpe->vocab->byte_ids[(unsigned char)bpe->text[i]] == DUN_NO_TOKEN)
            return false;
    return true;
}

static void add_bytes(dun_bpe *bpe, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) {
        const uint32_t id = bpe->vocab->byte_ids[(unsigned char)bpe->text[i]];
        if (id != DUN_NO_TOKEN)
            add_node(bpe, id, i, i + 1);
        else
            add_unknown(bpe, i, i + 1);
    }
}

/* A character that is no token may still be joined to one where texts decide; else it falls apart at once. */
static void add_characters(dun_bpe *bpe, size_t begin, size_t end) {
    const dun_slice nothing = {"", 0};
    for (size_t at = begin, bytes; at < end; at += bytes) {
        dun_character_at(&bytes, bpe->text + at);
        const uint32_t id = dun_vocab_find(bpe->vocab, (dun_slice){bpe->text + at, bytes}, nothing);
        if (id != DUN_NO_TOKEN || dun_ranks_by_text(&bpe->ranks))
            add_node(bpe, id, at, at + bytes);
        else if (bpe->byte_fallback && spells_bytes(bpe, at, at + bytes))
            add_bytes(bpe, at, at + bytes);
        else
            add_unknown(bpe, at, at + bytes);
    }
}

static int put_node(dun_tokens *out, const dun_bpe *bpe, const node *n) {
    int rc = DUN_OK;
    if (n->id != DUN_NO_TOKEN)
        return dun_tokens_add(out, n->id, n->begin, n->end);
    if (!bpe->byte_fallback || !spells_bytes(bpe, n->begin, n->end))
        return bpe->unknown == DUN_NO_TOKEN ? DUN_OK : dun_tokens_add(out, bpe->unknown, n->begin, n->end);
    for (uint32_t i = n->begin; i < n->end; i++)
        TRY(dun_tokens_add(out, bpe->vocab->byte_ids[(unsigned char)bpe->text[i]], i, i + 1));
out:
    return rc;
}

int dun_bpe_encode(dun_tokens *out, dun_bpe *bpe, const char *text, size_t begin, size_t length) {
    int rc;
    bpe->text = text;
    bpe->n_nodes = 0;
    if (bpe->ignore_merges) {
        const uint32_t id = dun_vocab_find_word(bpe->vocab, (dun_slice){text + begin, length});
        if (id != DUN_NO_TOKEN)
            return dun_tokens_add(out, id, begin, begin + length);
    }
    TRY(reserve(bpe, length));
    if (bpe->vocab->byte_level)
        add_bytes(bpe, begin, begin + length);
    else
        add_characters(bpe, begin, begin + length);
    if (bpe->n_nodes == 0)
        goto out;
    bpe->nodes[bpe->n_nodes - 1].next = none;
    merge_all(bpe);
    for (uint32_t i = 0; i != none; i = bpe->nodes[i].next)
        TRY(put_node(out, bpe, &bpe->nodes[i]));
out:
    return rc;
}
