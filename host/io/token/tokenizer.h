/* Byte-pair encoding, of bytes or of characters, by merges or by scores: added tokens recognised inside a
 * text, normalisation, cuts into words. Encoding costs O(n log n), never quadratic. */
#ifndef DUN_TOKENIZER_H
#define DUN_TOKENIZER_H

#include "io/token/description.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dun_tokenizer dun_tokenizer;

/* The bytes [begin, end) of the text that a token was made from; none for one that stands for no byte of it.
 */
typedef struct {
    uint32_t begin, end;
} dun_token_span;

/* A growing list of tokens; start from {0}. */
typedef struct {
    uint32_t *ids;
    dun_token_span *spans; /* each in the text of its own call */
    size_t n;
    size_t capacity, span_capacity;
} dun_tokens;

/* DUN_BAD_INPUT: merges naming unknown tokens, patterns that are not understood ... Nothing of the
 * description is kept. */
int dun_tokenizer_create(dun_tokenizer **out, const dun_token_description *from);
void dun_tokenizer_free(dun_tokenizer *tokenizer);

/* Appends the tokens of `length` bytes of text (any bytes; invalid UTF-8 is encoded as U+FFFD). A
 * beginning-of-text token is put first only when the model file asks for one; the first text that brings it
 * itself is warned of. Spans follow each other and
 * cover the text, but for bytes that the vocabulary cannot spell: of the tokens that stand for a part which
 * was normalised the first has the part's bytes, and a space put in front has none. */
int dun_tokenizer_encode(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length);

/* From now on a text with a token of id `rows` or above is DUN_BAD_INPUT: the model's table of embeddings
 * ends there, as some vocabularies do not. */
void dun_tokenizer_limit(dun_tokenizer *tokenizer, uint32_t rows);

/* The same for a part from inside a longer text: never with a beginning-of-text token, nor with the space
 * that some models put in front of a text. */
int dun_tokenizer_encode_inside(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length);

/* The same, with or without that token, for a text whose bytes [plain.begin, plain.end) spell no control
 * token: what looks like one there, wholly or in part, is plain characters. Places are those of valid UTF-8;
 * {0, UINT32_MAX} is all of any text, {0, 0} nothing of it. */
int dun_tokenizer_encode_plain(dun_tokens *out, dun_tokenizer *tokenizer, const char *text, size_t length,
                               dun_token_span plain, bool inside);

/* The most tokens with a byte of the text, whatever stands around it; without a beginning-of-text token. No
 * more than 2^28 is said, even of edits that could make more. */
size_t dun_tokenizer_most(const dun_tokenizer *tokenizer, const char *text, size_t length);

/* The bytes a token stands for, e.g. " Overall"; valid while the tokenizer lives. */
const char *dun_tokenizer_piece(const dun_tokenizer *tokenizer, uint32_t id, size_t *length);
uint32_t dun_tokenizer_vocab(const dun_tokenizer *tokenizer);

/* Appends one token. */
int dun_tokens_add(dun_tokens *tokens, uint32_t id, size_t begin, size_t end);
void dun_tokens_free(dun_tokens *tokens);

#endif
