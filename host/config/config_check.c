/* Config keys against each other: what never fits together, by the NEEDS rows of config.def. */
#include "config/config.h"

#include "base/err.h"
#include "config/config_value.h"

#include <string.h>

/* The NEEDS rows of config.def. Values stand as config files write them, several separated by '|'. */
typedef struct {
    enum dun_config_id id;
    const char *is; /* when the key has this value, or NULL: when it is not at its default ... */
    enum dun_config_id needed_id;
    const char *needed; /* ... the other key needs one of these; "*" : any but "not set" */
    bool of_model;      /* asked only when a model is named: without one (boids) there is no prompt */
    const char *reason;
} rule;

#define NOT_DEFAULT .is = NULL
#define IS(word) .is = word
#define IN_A_MODEL_IS(word) .is = word, .of_model = true
#define NEEDS(section, key, when, other_section, other_key, values, because)                                 \
    {.id = DUN_KEY_##section##_##key,                                                                        \
     when,                                                                                                   \
     .needed_id = DUN_KEY_##other_section##_##other_key,                                                     \
     .needed = values,                                                                                       \
     .reason = because},
static const rule rules[] = {
#include "config/config.def"
};

static bool is_listed(const char *list, const char *value) {
    size_t length = strlen(value);
    for (const char *at = list;; at++) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, value, length) == 0)
            return true;
        at += word;
        if (!*at)
            return false;
    }
}

static bool matches(const char *values, const char *value) {
    return strcmp(values, "*") == 0 ? value[0] != '\0' : is_listed(values, value);
}

/* "section.key = value", with its place unless that opens the message. */
static int add_fact(dun_str *out, const dun_config *config, enum dun_config_id id, bool with_origin) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str value = {0};
    TRY(dun_config_get(&value, config, id));
    TRY(dun_str_addf(out, value.length ? "%s.%s = %s" : "%s.%s without a value%s", key->section, key->name,
                     value.bytes));
    if (with_origin)
        TRY(dun_str_addf(out, " (%s)", dun_config_origin(config, id)));
out:
    dun_str_free(&value);
    return rc;
}

/* A list of values as "a, b or c". */
static int add_list(dun_str *out, const char *values) {
    int rc;
    for (const char *at = values;; at++) {
        int word = (int)strcspn(at, "|");
        const char *before = at == values ? "" : at[word] ? ", " : " or ";
        TRY(word ? dun_str_addf(out, "%s%.*s", before, word, at) : dun_str_addf(out, "%snothing", before));
        at += word;
        if (!*at)
            break;
    }
out:
    return rc;
}

/* "section.key = a or b", "section.key" for any value. */
static int add_needed(dun_str *out, enum dun_config_id id, const char *values) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    TRY(dun_str_addf(out, "%s.%s", key->section, key->name));
    if (strcmp(values, "*") != 0) {
        TRY(dun_str_addf(out, " = "));
        TRY(add_list(out, values));
    }
out:
    return rc;
}

/* Does the key have one of the values, or with NULL another than its default? */
static int holds(bool *held, const dun_config *config, enum dun_config_id id, const char *values) {
    int rc;
    dun_str value = {0};
    bool is_default;
    TRY(dun_config_is(&is_default, config, id, dun_config_key_table[id].initial));
    TRY(dun_config_get(&value, config, id));
    *held = values ? matches(values, value.bytes) : !is_default;
out:
    dun_str_free(&value);
    return rc;
}

static int check_rule(const dun_config *config, const rule *row) {
    int rc = DUN_OK;
    dun_str fact = {0}, other = {0}, needed = {0};
    bool asked, met;
    if (row->of_model && !config->model.path[0])
        goto out;
    TRY(holds(&asked, config, row->id, row->is));
    TRY(holds(&met, config, row->needed_id, row->needed));
    if (!asked || met)
        goto out;
    /* The message opens with the place of a key that somebody set. */
    bool first_set = config->origins[row->id];
    const char *where = config->origins[first_set ? row->id : row->needed_id];
    if (!where)
        where = "config";
    TRY(add_fact(&fact, config, row->id, !first_set));
    TRY(add_fact(&other, config, row->needed_id, first_set));
    TRY(add_needed(&needed, row->needed_id, row->needed));
    TRY(dun_error(DUN_USAGE, "%s: %s does not go with %s; needed is %s: %s", where, fact.bytes, other.bytes,
                  needed.bytes, row->reason));
out:
    dun_str_free(&fact);
    dun_str_free(&other);
    dun_str_free(&needed);
    return rc;
}

int dun_config_check(const dun_config *config) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        TRY(check_rule(config, &rules[i]));
out:
    return rc;
}
