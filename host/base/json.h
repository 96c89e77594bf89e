/* JSON through jansson, with hostile bytes refused at line:column. */
#ifndef DUN_JSON_H
#define DUN_JSON_H

#include "base/str.h"

#include <jansson.h>
#include <stddef.h>

/* Caps: nesting, a document's bytes, and the integers a double holds exactly. */
enum { DUN_JSON_DEPTH = 64, DUN_JSON_BYTES = 1 << 30 };
#define DUN_JSON_INTEGER ((json_int_t)1 << 53)

/* From now on jansson allocates through mem.h, with its failures noticed and its blocks counted. For
 * programs, before any value exists, as jansson has one allocator for the whole process: a library leaves it
 * alone. */
void dun_json_own_memory(void);

/* Parses one object or array (RFC 8259); *out is the caller's, NULL on failure. DUN_BAD_INPUT for anything
 * else: `name:line:column: what; what would be right`. Columns count characters from 1 and point at the last
 * one that was read; `first_line` is the number of the first line, for a document inside a larger file.
 * Besides what is not JSON it refuses duplicate keys, \u0000, lone surrogates, bytes that are not UTF-8,
 * nesting deeper than DUN_JSON_DEPTH, integers beyond DUN_JSON_INTEGER either way, and reals that overflow.
 */
int dun_json_parse(json_t **out, const char *bytes, size_t length, const char *name, size_t first_line);

/* A whole file, by its path as the name. */
int dun_json_read(json_t **out, const char *path);

/* dun_json_parse for data of others, whose keys may hold what nobody asks for: integers of 64 bits are read
 * as they are; where one is larger, all of them as reals. */
int dun_json_parse_foreign(json_t **out, const char *bytes, size_t length, const char *name,
                           size_t first_line);

/* Appends a value as one line without spaces: keys in the order they were set, reals with 9 significant
 * digits, which read back to the same float. DUN_FAILED: no memory, the text then unchanged. */
int dun_json_dump(dun_str *out, const json_t *value);

/* The same, keys in order and reals with all digits: equal values are the same text, others are not. */
int dun_json_dump_ordered(dun_str *out, const json_t *value);

/* Set a key, append an element. They take over `value`, also on failure; a NULL value, as json_string() and
 * the like give without memory or for bytes that are not UTF-8, is DUN_FAILED. */
int dun_json_set(json_t *object, const char *key, json_t *value);
int dun_json_append(json_t *array, json_t *value);

/* A number, or null where JSON has none for it (NaN, infinity). */
json_t *dun_json_real(double value);

#endif
