/* The tokens of a vocabulary: the bytes each stands for, and ids by text. */
#ifndef DUN_VOCAB_H
#define DUN_VOCAB_H

#include "io/token/description.h"

/* Texts one behind the other, a zero after each. */
typedef struct {
    char *bytes;
    size_t *starts; /* [n + 1] */
} dun_packed;

/* Ids by text. */
typedef struct {
    uint32_t *slots; /* id + 1; 0: free */
    unsigned bits;
} dun_token_index;

typedef struct {
    uint32_t n;             /* V, ids are 0 .. n - 1 */
    uint32_t byte_ids[256]; /* the token of each single byte, or DUN_NO_TOKEN */
    size_t longest;         /* bytes of the longest text */
    bool byte_level;
    dun_packed pieces; /* what tokens stand for */
    dun_packed texts;  /* as the file writes them; of byte-level vocabularies until settled */
    dun_token_index by_text, by_piece;
    const dun_token_description *from; /* until settled */
} dun_vocab;

/* Takes the tokens of a description, which is borrowed until settled; DUN_BAD_INPUT names part and index.
 * `vocab` needs dun_vocab_free after. */
int dun_vocab_load(dun_vocab *vocab, const dun_token_description *from);
void dun_vocab_settle(dun_vocab *vocab); /* frees what only making a tokenizer needs */
void dun_vocab_free(dun_vocab *vocab);

/* The token whose text in the file is `left` followed by `right`, or DUN_NO_TOKEN. Of several the last, which
 * leaves the others out of reach. Not for settled byte-level vocabularies. */
uint32_t dun_vocab_find(const dun_vocab *vocab, dun_slice left, dun_slice right);

/* The token that such bytes of a text are as a whole, or DUN_NO_TOKEN; only where the description says that
 * merges may be ignored. */
uint32_t dun_vocab_find_word(const dun_vocab *vocab, dun_slice word);

/* The bytes a token stands for, zero-terminated besides. */
static inline const char *dun_vocab_piece(const dun_vocab *vocab, uint32_t id, size_t *length) {
    *length = vocab->pieces.starts[id + 1] - vocab->pieces.starts[id] - 1;
    return vocab->pieces.bytes + vocab->pieces.starts[id];
}

#endif
