/* What the config tests share: parsing a text over the defaults, and what a call is expected to give. */
#ifndef CONFIG_EXPECT_H
#define CONFIG_EXPECT_H

#include "base/err.h"
#include "base/file.h"
#include "config/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Parses one file's text over the defaults. */
static inline int parse_bytes(dun_config *config, const char *bytes, size_t length) {
    assert_int_equal(dun_config_init(config), DUN_OK);
    return dun_config_parse(config, bytes, length, "dir/t.ini");
}

static inline int parse(dun_config *config, const char *text) {
    return parse_bytes(config, text, strlen(text));
}

static inline void expect_ok(int rc) {
    if (rc != DUN_OK)
        fail_msg("%d: %s", rc, dun_error_message());
}

/* DUN_USAGE, one line, and every part in its message. */
static inline void expect_usage(int rc, const char *input, const char *const *parts, size_t n_parts) {
    if (rc != DUN_USAGE)
        fail_msg("status %d instead of DUN_USAGE for: %s", rc, input);
    const char *message = dun_error_message();
    for (size_t i = 0; i < n_parts && parts[i]; i++)
        if (!strstr(message, parts[i]))
            fail_msg("for: %s\nmessage: %s\nlacks: %s", input, message, parts[i]);
    assert_null(strchr(message, '\n'));
}

static inline void write_file(const char *path, const char *text) {
    expect_ok(dun_file_write(path, text, strlen(text)));
}

/* A value that the key takes and that is not its default, as plain text in `out`. */
enum { OTHER_BYTES = 40 };
static inline const char *other_value(char out[OTHER_BYTES], enum dun_config_id id) {
    const dun_config_key *key = &dun_config_key_table[id];
    const dun_config_range *range = &key->range;
    double inside = isinf(range->max) ? range->min + 3.25 : range->min + 0.375 * (range->max - range->min);
    switch (key->type) {
    case DUN_CONFIG_INTEGER:
        snprintf(out, OTHER_BYTES, "%.0f", range->max);
        break;
    case DUN_CONFIG_REAL:
        snprintf(out, OTHER_BYTES, "%.17g", inside);
        break;
    case DUN_CONFIG_YES_NO:
        snprintf(out, OTHER_BYTES, "%s", key->initial[0] == 'y' ? "no" : "yes");
        break;
    case DUN_CONFIG_CHOICE:
        snprintf(out, OTHER_BYTES, "%s", key->choices[strcmp(key->choices[0], key->initial) == 0]);
        break;
    case DUN_CONFIG_STRING:
        snprintf(out, OTHER_BYTES, "another");
        break;
    }
    return out;
}

#endif
