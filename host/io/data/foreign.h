/* Knows files that are no text by their first bytes, to say what they are. */
#ifndef DUN_FOREIGN_H
#define DUN_FOREIGN_H

#include <stddef.h>

/* DUN_BAD_INPUT where the bytes begin a file that is no text: what it is, and how to get text from it. */
int dun_foreign_refuse(const char *bytes, size_t length, const char *name);

/* The same for a file of records, which is no page of HTML or XML either; a line may well be some. */
int dun_foreign_refuse_file(const char *bytes, size_t length, const char *name);

#endif
