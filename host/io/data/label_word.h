/* When two labels that differ in bytes are the same, and when they only look it. */
#ifndef DUN_LABEL_WORD_H
#define DUN_LABEL_WORD_H

#include "base/str.h"

#include <stdbool.h>

/* What all spellings of a label have in common: numbers without a plus, and without zeros at the end of a
 * fraction (1, +1, 1.0 and 1.00 are "1", .50 is "0.5"; 01 stays, for codes begin with zeros), true and false
 * in small letters, all others as they are. `word` is trimmed, and at most DUN_LABEL_BYTES long; `key` has
 * room for two bytes more than it, its end included. */
void dun_label_key(char *key, const char *word);

/* Digits, perhaps with a minus, that fit 64 bits. */
bool dun_label_is_whole(const char *word);

/* Replaces *out by what is left of a key when case, accents (precomposed or not), blanks, hyphens and
 * underscores between letters, punctuation at the ends and zeros before a whole number are gone: labels with
 * the same rest are worth a look. Never empty for a word that is not. */
int dun_label_fold(dun_str *out, const char *key);

#endif
