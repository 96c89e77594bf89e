/* Self-contained HTML pages: the template of host/report/page/, which is inside the program, with data as
 * JSON. Nothing in the data can break out of its element, and the page's policy allows no network. */
#ifndef DUN_PAGE_H
#define DUN_PAGE_H

#include "base/str.h"

#include <stddef.h>

/* Bytes of a text that a page shows; longer ones are cut, with a mark. */
enum { DUN_PAGE_TEXT_BYTES = 600 };

enum dun_page_kind { DUN_PAGE_REPORT, DUN_PAGE_BOIDS, DUN_PAGE_DEVICES, DUN_PAGE_CURVE };

/* Appends a JSON string: `bytes` as a page shows them: repaired UTF-8, cut behind a whole character after
 * most_bytes with how long it was, control characters as their pictures (U+2400 and on). */
int dun_page_add_string(dun_str *json, const char *bytes, size_t length, size_t most_bytes);

/* Appends a JSON array of n numbers, `stride` floats apart, with so many significant digits. */
int dun_page_add_numbers(dun_str *json, const float *values, size_t n, size_t stride, int digits);

/* Appends JSON as it may stand inside a script element: <, >, &, U+2028 and U+2029 as escapes. */
int dun_page_add_escaped(dun_str *html, const char *json, size_t length);

/* Appends the whole page. `title` is plain text. */
int dun_page_add(dun_str *html, enum dun_page_kind kind, const char *title, const dun_str *json);

#endif
