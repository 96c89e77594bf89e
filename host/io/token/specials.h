/* Finds added tokens (<|im_start|> ...) inside a text: of those that begin first, the longest. */
#ifndef DUN_SPECIALS_H
#define DUN_SPECIALS_H

#include "io/token/edits.h"
#include "io/token/tokenizer.h"

typedef struct dun_specials dun_specials;

/* Takes the added tokens of a description, those that are looked for in the normalised text or the others;
 * `edits` is what normalises, and their own contents too. DUN_BAD_INPUT: one longer than 256 bytes. */
int dun_specials_create(dun_specials **out, const dun_token_description *from, bool normalized,
                        dun_edits *edits);
void dun_specials_free(dun_specials *specials);

/* An added token with the blanks that it takes along; start from {0}. */
typedef struct {
    size_t begin, end; /* its bytes; nothing of it is left where `end` is not behind `begin` */
    size_t next;       /* where to look on, which may be among its blanks */
    size_t blanks;     /* where those end that begin at `next` or before, if it took them */
    uint32_t id;
} dun_special_match;

/* The added token that follows `last`, or {length, length, length}. What lies between last.end and `begin` is
 * plain text. As in Hugging Face's library, one that is among the blanks another took is found all the same,
 * and ends those. Control tokens have no byte of the `plain` ones. */
dun_special_match dun_specials_find(const dun_specials *specials, const char *text, size_t length,
                                    dun_special_match last, dun_token_span plain);

/* Bytes of the shortest, 0 if there is none. */
size_t dun_specials_shortest(const dun_specials *specials);

#endif
