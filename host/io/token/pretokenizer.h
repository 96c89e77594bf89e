/* Cuts a text into the words that byte-pair merging never crosses, by a list of cuts, each of which cuts the
 * words of the one before. Time is linear in the text for the patterns of known tokenizers. */
#ifndef DUN_PRETOKENIZER_H
#define DUN_PRETOKENIZER_H

#include "io/token/description.h"

typedef struct dun_pretokenizer dun_pretokenizer;

typedef struct {
    uint32_t begin, end; /* bytes of the text */
} dun_word;

/* DUN_BAD_INPUT shows a pattern that is not understood; the message says in what `part` of `file`. */
int dun_pretokenizer_create(dun_pretokenizer **out, const dun_cut *cuts, size_t n, const char *file,
                            const char *part);
void dun_pretokenizer_free(dun_pretokenizer *pretokenizer);

/* The words of a text of less than 2^32 bytes, in order, valid until the next call. The text must be valid
 * UTF-8. */
int dun_pretokenizer_cut(const dun_word **words, size_t *n, dun_pretokenizer *pretokenizer, const char *text,
                         size_t length);

#endif
