/* The tokens of a byte-level vocabulary: the bytes each stands for, and ids by text while a tokenizer is
 * made. */
#ifndef DUN_VOCAB_H
#define DUN_VOCAB_H

#include "io/token/description.h"

#define DUN_NO_TOKEN UINT32_MAX

typedef struct {
    uint32_t n;             /* V, ids are 0 .. n - 1 */
    uint32_t byte_ids[256]; /* the token of each single byte, or DUN_NO_TOKEN */
    char *pieces;           /* the bytes of all tokens, a zero after each */
    size_t *starts;         /* [n + 1], in `pieces` */

    /* Only until dun_vocab_settle, as the functions that take texts: */
    const dun_token_description *from;
    uint32_t *slots; /* hash of texts -> id + 1; 0: free */
    unsigned slot_bits;
} dun_vocab;

/* Takes the tokens of a description, which is borrowed until settled; DUN_BAD_INPUT names part and index.
 * `vocab` needs dun_vocab_free after. */
int dun_vocab_load(dun_vocab *vocab, const dun_token_description *from);
void dun_vocab_settle(dun_vocab *vocab); /* frees what lookups by text need */
void dun_vocab_free(dun_vocab *vocab);

/* The token whose text in the file is `left` followed by `right`, or DUN_NO_TOKEN. */
uint32_t dun_vocab_find(const dun_vocab *vocab, dun_slice left, dun_slice right);

/* The bytes a token stands for, zero-terminated besides. */
static inline const char *dun_vocab_piece(const dun_vocab *vocab, uint32_t id, size_t *length) {
    *length = vocab->starts[id + 1] - vocab->starts[id] - 1;
    return vocab->pieces + vocab->starts[id];
}

#endif
