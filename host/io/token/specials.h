/* Finds special tokens (<|im_start|> ...) inside a text: of those that begin first, the longest. */
#ifndef DUN_SPECIALS_H
#define DUN_SPECIALS_H

#include "io/token/tokenizer.h"
#include "io/token/vocab.h"

typedef struct dun_specials dun_specials;

/* Takes the special tokens of a vocabulary that is not settled yet and that must outlive the result.
 * DUN_BAD_INPUT: one longer than 256 bytes. */
int dun_specials_create(dun_specials **out, const dun_vocab *vocab);
void dun_specials_free(dun_specials *specials);

/* Where at or after `from` the first special token begins, `length` if nowhere, its id and its bytes. Control
 * tokens have no byte of the `plain` ones. */
typedef struct {
    size_t at, bytes;
    uint32_t id;
} dun_special_match;
dun_special_match dun_specials_find(const dun_specials *specials, const char *text, size_t length,
                                    size_t from, dun_token_span plain);

#endif
