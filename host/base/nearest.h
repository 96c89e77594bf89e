/* "Did you mean ...": how far two words are apart, and the nearest of a list. */
#ifndef DUN_NEAREST_H
#define DUN_NEAREST_H

#include <stddef.h>

/* Fewest single-byte insertions, deletions, changes and swaps of neighbours that make one word the other
 * (optimal string alignment). Of longer words the first 63 bytes count. */
size_t dun_edit_distance(const char *a, const char *b);

/* The nearest of n >= 1 names, the first of equals. */
const char *dun_nearest(const char *word, const char *const *names, size_t n);

#endif
