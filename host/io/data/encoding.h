/* How bytes stand for text: byte order marks, UTF-16, and what is put for bytes that stand for none. The one
 * idea of it, for files that are read whole and for what is read as it comes. */
#ifndef DUN_ENCODING_H
#define DUN_ENCODING_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dun_encoding { DUN_UTF8, DUN_UTF16LE, DUN_UTF16BE };

/* The byte order mark at the front of a text: *skipped bytes (0: none), and the encoding it stands for, UTF-8
 * without one. *open: a few more bytes are needed to tell. DUN_BAD_INPUT: a mark of UTF-32. */
int dun_mark_read(enum dun_encoding *encoding, size_t *skipped, bool *open, const char *bytes, size_t length,
                  const char *name);

/* UTF-16 without a mark, told by its NULs, as an error with the `iconv` to run; DUN_OK for all else. */
int dun_silent_utf16_refuse(const char *bytes, size_t length, const char *name);

/* Appends UTF-16 as UTF-8; *taken bytes are used up: all at the `end` of the text, else without half a
 * character at its end. For half a character elsewhere stands 0xff, which is no UTF-8; *fault is where the
 * first one is, `length` without one. */
int dun_utf16_decode(dun_str *out, size_t *taken, size_t *fault, const char *bytes, size_t length,
                     enum dun_encoding encoding, bool end);

/* Appends any bytes as UTF-8 without NUL: U+FFFD stands for what is neither. */
int dun_text_repair(dun_str *out, const char *bytes, size_t length);

/* How many bytes at the front are text: UTF-8 without NUL. */
size_t dun_text_valid(const char *bytes, size_t length);

#endif
