/* Growing text (dun_str): the one string builder for messages, tables, JSON lines and reports. */
#ifndef DUN_STR_H
#define DUN_STR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *bytes; /* zero-terminated once anything was added; NULL while empty */
    size_t length;
    size_t capacity;
} dun_str;

/* Bytes that lie elsewhere, without a zero behind them. */
typedef struct {
    const char *bytes;
    size_t length;
} dun_slice;

/* Append; return 0 or DUN_FAILED (no memory), the text then unchanged. */
int dun_str_add(dun_str *text, const char *bytes, size_t length);
int dun_str_addf(dun_str *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, control characters as spaces: a field that keeps to its place in a table, and to its line. */
int dun_str_add_field(dun_str *text, const char *bytes, size_t length);

/* Whether `part` stands somewhere in a text, or at its end; letters of ASCII are equal in either case. */
bool dun_text_contains(const char *text, const char *part);
bool dun_text_ends_with(const char *text, const char *end);

void dun_str_clear(dun_str *text); /* keeps the memory */
void dun_str_free(dun_str *text);

#endif
