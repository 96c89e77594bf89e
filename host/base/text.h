/* Growing text: the one string builder for messages, tables, JSON lines and reports. */
#ifndef DUN_TEXT_H
#define DUN_TEXT_H

#include <stddef.h>

typedef struct {
    char *bytes; /* zero-terminated once anything was added; NULL while empty */
    size_t length;
    size_t capacity;
} dun_text;

/* Append; return 0 or DUN_FAILED (no memory), the text then unchanged. */
int dun_text_add(dun_text *text, const char *bytes, size_t length);
int dun_text_addf(dun_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, control characters as spaces: a field that keeps to its place in a table, and to its line. */
int dun_text_add_field(dun_text *text, const char *bytes, size_t length);

void dun_text_clear(dun_text *text); /* keeps the memory */
void dun_text_free(dun_text *text);

#endif
