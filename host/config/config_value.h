/* Config values as text, for the config_*.c files: what a key accepts, quotes, text to value and back. */
#ifndef DUN_CONFIG_VALUE_H
#define DUN_CONFIG_VALUE_H

#include "config/config.h"

typedef union {
    const char *string; /* borrowed */
    int64_t integer;
    double real;
    bool yes;
    int choice;
} dun_config_value;

/* Reads plain text as a value of the key; `origin` opens the message. A string value points into `text`. */
int dun_config_value_read(dun_config_value *value, enum dun_config_id id, const char *text,
                          const char *origin);

/* Takes quotes, surrounding spaces and, in a file, a trailing comment off `raw`; `out` has length + 1 bytes.
 */
int dun_config_unquote(char *out, const char *raw, size_t length, bool in_file, const char *origin);

/* Appends text in quotes if a file could not hold it without. */
int dun_config_quote(dun_str *out, const char *text);

/* What makes bytes unfit for a config (a control byte, not UTF-8), or NULL. */
const char *dun_config_fault(const char *bytes, size_t length);

#endif
