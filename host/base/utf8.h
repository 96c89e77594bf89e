/* UTF-8 as Unicode defines it (The Unicode Standard, table 3-7): no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#ifndef DUN_UTF8_H
#define DUN_UTF8_H

#include "base/str.h"

#include <stddef.h>

/* How many bytes at the front are whole, valid characters; `length` when all are. */
size_t dun_utf8_valid(const char *bytes, size_t length);

/* Bytes of the invalid part at the front of n >= 1 bytes: one U+FFFD stands for it. */
size_t dun_utf8_invalid(const char *bytes, size_t length);

/* Appends the bytes with every maximal part of an invalid sequence replaced by one U+FFFD, as browsers do
 * (WHATWG Encoding Standard). */
int dun_utf8_repair(dun_str *out, const char *bytes, size_t length);

/* Appends any bytes as a message can quote them in one line: repaired, control characters as '?', after about
 * 60 bytes "...". */
int dun_utf8_show(dun_str *out, const char *bytes, size_t length);

/* The bytes without blanks at both ends: what Unicode calls white space, and what is as invisible at an end
 * (U+180E, U+200B to U+200F, U+2060, U+FEFF). A slice of `bytes`. */
dun_slice dun_utf8_trim(const char *bytes, size_t length);

/* Whether the bytes begin with a blank as above: its bytes, else 0. */
size_t dun_utf8_blank(const char *bytes, size_t length);

#endif
