/* Byte-level BPE from a model file's metadata: pre-tokenizer pattern (a table row), merges by rank,
 * special tokens recognised inside a text. Encoding costs O(n log n) per word, never quadratic. */
#ifndef DUN_TOKENIZER_H
#define DUN_TOKENIZER_H

#include "io/store/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dun_tokenizer dun_tokenizer;

/* A growing list of token ids; start from {0}. */
typedef struct {
    uint32_t *ids;
    size_t n;
    size_t capacity;
} dun_tokens;

/* DUN_BAD_INPUT: an unknown pre-tokenizer (the known ones are listed), merges naming unknown tokens, ids out
 * of range... */
int dun_tokenizer_create(dun_tokenizer **out, const dun_gguf *file);
void dun_tokenizer_free(dun_tokenizer *tokenizer);

/* Appends the ids of `length` bytes of text (any bytes; invalid UTF-8 is encoded as U+FFFD). A
 * beginning-of-text token is put first only when the model file asks for one. */
int dun_tokenizer_encode(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length);

/* The same for a part from inside a longer text: never with a beginning-of-text token. */
int dun_tokenizer_encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length);

/* The bytes a token stands for, e.g. " Overall"; valid while the tokenizer lives. */
const char *dun_tokenizer_piece(const dun_tokenizer *tokenizer, uint32_t id, size_t *length);
uint32_t dun_tokenizer_vocab(const dun_tokenizer *tokenizer);

void dun_tokens_free(dun_tokens *tokens);

#endif
