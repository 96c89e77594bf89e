/* Cuts a text into the words that byte-pair merging never crosses, by the pattern a model file names.
 * Time is linear in the text. */
#ifndef DUN_PRETOKENIZER_H
#define DUN_PRETOKENIZER_H

#include "base/str.h"

#include <stddef.h>

typedef struct dun_pretokenizer dun_pretokenizer;

/* DUN_BAD_INPUT for an unknown name, listing the known ones; the message says in what `part` of `file`. */
int dun_pretokenizer_create(dun_pretokenizer **out, dun_slice name, const char *file, const char *part);
void dun_pretokenizer_free(dun_pretokenizer *pretokenizer);

/* Bytes of the word that starts at `at` < length, at least 1. The text must be valid UTF-8. */
int dun_pretokenizer_next(size_t *word, dun_pretokenizer *pretokenizer, const char *text, size_t length,
                          size_t at);

#endif
