/* Knows files that are no text by their first bytes, to say what they are. */
#ifndef DUN_FOREIGN_H
#define DUN_FOREIGN_H

#include <stddef.h>

/* DUN_BAD_INPUT when the bytes begin as those of a format that is no text with records, with its name and a
 * way to text; DUN_OK when they are none that is known. */
int dun_foreign_refuse(const char *bytes, size_t length, const char *name);

#endif
