/* What `dunlin compare` found, as a table and as a page; the results are those of cmd/compare.h. */
#ifndef DUN_COMPARE_SHOW_H
#define DUN_COMPARE_SHOW_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Appends the table, or a page with curves that needs nothing else. `title` is the config's name. */
int dun_compare_table(dun_str *out, const json_t *results);
int dun_compare_page(dun_str *out, const json_t *results, const char *title);

#endif
