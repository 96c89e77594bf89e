/* The patterns of tokenizers, in the dialect that tokenizer.json files are written in (Oniguruma's), run by
 * PCRE2. Unicode's classes are meant: \s is White_Space, \d is Nd. */
#ifndef DUN_REGEX_H
#define DUN_REGEX_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dun_regex dun_regex;

/* `literal`: the pattern stands for itself. DUN_BAD_INPUT shows a pattern that is not understood and says in
 * what `part` of `file` it is. */
int dun_regex_create(dun_regex **out, const char *pattern, bool literal, const char *file, const char *part);
void dun_regex_free(dun_regex *regex);

/* The first match of at least one byte that begins at or after `from`: 1 with its place, or 0. The text must
 * be valid UTF-8 and ends at `length`: what follows has no say. DUN_BAD_INPUT: the pattern takes more steps
 * than any of use needs. */
int dun_regex_find(size_t *begin, size_t *end, dun_regex *regex, const char *text, size_t length,
                   size_t from);

#endif
