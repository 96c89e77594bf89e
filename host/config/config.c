/* The config's key rows, and the one way a value gets into the struct. See config.h. */
#include "config/config.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "config/config_value.h"

#include <math.h>
#include <string.h>

#define ALWAYS NULL
#define FROM(a, b) .range = {a, b, false, false}
#define BELOW(a, b) .range = {a, b, false, true}
#define AT_LEAST(a) .range = {a, INFINITY, false, false}
#define ABOVE(a) .range = {a, INFINITY, true, false}
#define WORD(id, word) word,
#define RUN DUN_SCOPE_RUN
#define DATA DUN_SCOPE_DATA
#define MODEL DUN_SCOPE_MODEL
#define PLAIN 0
#define LATER DUN_TRAIT_LATER
#define PATH DUN_TRAIT_PATH
#define OUTPUT DUN_TRAIT_OUTPUT
#define SOURCE DUN_TRAIT_SOURCE
#define DEVICES DUN_TRAIT_DEVICES
#define ROWS DUN_TRAIT_ROWS
#define POINT DUN_TRAIT_POINT
#define ANSWER DUN_TRAIT_ANSWER
#define ROW(in_section, key, type_name, ...)                                                                 \
    {.section = #in_section,                                                                                 \
     .name = #key,                                                                                           \
     .offset = offsetof(dun_config, in_section.key),                                                         \
     .type = DUN_CONFIG_##type_name,                                                                         \
     __VA_ARGS__},
#define TEXTS(text, not_set, unit_name, touches, with_traits, help_text)                                     \
    .initial = text, .unset = not_set, .unit = unit_name, .scope = touches, .traits = with_traits,           \
    .help = help_text
#define STRING(section, key, initial, unset, touches, traits, help)                                          \
    ROW(section, key, STRING, TEXTS(initial, unset, "", touches, traits, help))
#define INTEGER(section, key, initial, unset, range, unit, touches, traits, help)                            \
    ROW(section, key, INTEGER, TEXTS(initial, unset, unit, touches, traits, help), range)
#define REAL(section, key, initial, unset, range, unit, touches, traits, help)                               \
    ROW(section, key, REAL, TEXTS(initial, unset, unit, touches, traits, help), range)
#define YES_NO(section, key, initial, touches, traits, help)                                                 \
    ROW(section, key, YES_NO, TEXTS(initial, ALWAYS, "", touches, traits, help))
#define CHOICE(section, key, initial, touches, traits, help, words)                                          \
    ROW(section, key, CHOICE, TEXTS(initial, ALWAYS, "", touches, traits, help),                             \
        .choices = (const char *const[]){words NULL})
const dun_config_key dun_config_key_table[DUN_N_KEYS] = {
#include "config/config.def"
};

const dun_config_section dun_config_section_table[DUN_N_SECTIONS] = {
#define SECTION(name, help) {#name, help},
#include "config/config.def"
};

/* Choices are stored through an int. */
#define CHOICE(section, key, initial, touches, traits, help, words)                                          \
    _Static_assert(sizeof(enum dun_##section##_##key) == sizeof(int), "an enum of another size than int");
#include "config/config.def"

int dun_config_init(dun_config *config) {
    int rc = DUN_OK;
    *config = (dun_config){0};
    for (int id = 0; id < DUN_N_KEYS; id++)
        TRY(dun_config_put(config, (enum dun_config_id)id, dun_config_key_table[id].initial, NULL));
out:
    return rc;
}

static void *field_of(dun_config *config, enum dun_config_id id) {
    return (char *)config + dun_config_key_table[id].offset;
}

static void free_string(const char **field) {
    dun_free((void *)(uintptr_t)*field);
    *field = NULL;
}

void dun_config_free(dun_config *config) {
    for (int id = 0; id < DUN_N_KEYS; id++) {
        if (dun_config_key_table[id].type == DUN_CONFIG_STRING)
            free_string(field_of(config, (enum dun_config_id)id));
        dun_free(config->origins[id]);
        dun_free(config->recorded[id]);
        dun_free(config->written[id]);
        config->origins[id] = config->recorded[id] = config->written[id] = NULL;
    }
    dun_free(config->run);
    config->run = NULL;
}

int dun_config_put(dun_config *config, enum dun_config_id id, const char *value, const char *origin) {
    int rc;
    char *string = NULL, *where = NULL;
    dun_config_value read;
    TRY(dun_config_value_read(&read, id, value, origin ? origin : "default"));
    if (origin)
        TRY_PTR(where, dun_strdup(origin));
    if (dun_config_key_table[id].type == DUN_CONFIG_STRING)
        TRY_PTR(string, dun_strdup(read.string));
    void *field = field_of(config, id);
    switch (dun_config_key_table[id].type) {
    case DUN_CONFIG_STRING:
        free_string(field);
        *(const char **)field = string;
        string = NULL;
        break;
    case DUN_CONFIG_INTEGER:
        *(int64_t *)field = read.integer;
        break;
    case DUN_CONFIG_REAL:
        *(double *)field = read.real;
        break;
    case DUN_CONFIG_YES_NO:
        *(bool *)field = read.yes;
        break;
    case DUN_CONFIG_CHOICE:
        *(int *)field = read.choice;
        break;
    }
    dun_free(config->origins[id]);
    config->origins[id] = where;
    where = NULL;
out:
    dun_free(string);
    dun_free(where);
    return rc;
}

/* Nearest by name, with a small preference for the section that was named. */
static const dun_config_key *nearest_key(const char *section, const char *name) {
    const dun_config_key *nearest = dun_config_key_table;
    size_t least = SIZE_MAX;
    for (const dun_config_key *key = dun_config_key_table; key < dun_config_key_table + DUN_N_KEYS; key++) {
        size_t distance = 2 * dun_edit_distance(name, key->name) + (strcmp(section, key->section) != 0);
        if (distance < least) {
            least = distance;
            nearest = key;
        }
    }
    return nearest;
}

int dun_config_find(enum dun_config_id *id, const char *name, const char *origin) {
    char section[64] = "";
    const char *dot = strchr(name, '.');
    if (dot && (size_t)(dot - name) < sizeof section)
        memcpy(section, name, (size_t)(dot - name));
    const char *key_name = dot ? dot + 1 : name;
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        if (dot && strcmp(key->section, section) == 0 && strcmp(key->name, key_name) == 0) {
            *id = (enum dun_config_id)i;
            return DUN_OK;
        }
    }
    const dun_config_key *nearest = nearest_key(section, key_name);
    dun_str shown = {0};
    int rc = dun_utf8_show(&shown, name, strlen(name));
    if (rc == DUN_OK)
        rc = dun_error(DUN_USAGE, "%s: unknown key %s; the nearest known one is %s.%s", origin,
                       shown.bytes ? shown.bytes : "", nearest->section, nearest->name);
    dun_str_free(&shown);
    return rc;
}

int dun_config_set(dun_config *config, const char *assignment) {
    static const char origin[] = "--set";
    int rc;
    char *name = NULL, *value = NULL;
    enum dun_config_id id;
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return dun_error(DUN_USAGE, "%s: missing '='; section.key=value is needed", origin);
    TRY_PTR(name, dun_strndup(assignment, (size_t)(equals - assignment)));
    TRY(dun_config_find(&id, name, origin));
    const char *raw = equals + 1;
    TRY_NEW(value, strlen(raw) + 1);
    TRY(dun_config_unquote(value, raw, strlen(raw), false, origin));
    TRY(dun_config_put(config, id, value, origin));
out:
    dun_free(name);
    dun_free(value);
    return rc;
}

const char *dun_config_origin(const dun_config *config, enum dun_config_id id) {
    return config->origins[id] ? config->origins[id] : "default";
}

int dun_config_require(const dun_config *config, enum dun_config_id id) {
    const dun_config_key *key = &dun_config_key_table[id];
    const char *value = *(const char *const *)((const char *)config + key->offset);
    if (value[0])
        return DUN_OK;
    return dun_error(DUN_USAGE,
                     "%s: %s.%s is not set; needed is a line `%s = ...` under [%s], or --set %s.%s=...",
                     config->origins[id] ? config->origins[id] : "config", key->section, key->name, key->name,
                     key->section, key->section, key->name);
}
