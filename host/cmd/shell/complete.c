/* What the completions of all shells share. */
#include "cmd/shell/complete.h"

#include "base/err.h"
#include "cmd/shell/shell.h"
#include "cmd/shell/topics.h"
#include "config/config.h"

#include <string.h>

int dun_complete_words(dun_str *out, const char *words) {
    int rc = DUN_OK;
    for (; *words; words++)
        TRY(dun_str_add(out, *words == '|' ? " " : words, 1));
out:
    return rc;
}

int dun_complete_key_values(dun_str *out, enum dun_config_id id) {
    int rc = DUN_OK;
    const dun_config_key *key = &dun_config_key_table[id];
    if (key->type == DUN_CONFIG_YES_NO)
        TRY(dun_str_addf(out, "yes no"));
    for (const char *const *word = key->choices; word && *word; word++)
        TRY(dun_str_addf(out, "%s%s", word == key->choices ? "" : " ", *word));
out:
    return rc;
}

int dun_complete_key_arms(dun_str *out, const char *words_arm, const char *file_arm, const char *device_arm) {
    int rc = DUN_OK;
    dun_str words = {0};
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const dun_config_key *key = &dun_config_key_table[i];
        dun_str_clear(&words);
        TRY(dun_complete_key_values(&words, id));
        TRY(dun_str_addf(out, "        %s.%s) ", key->section, key->name));
        if (words.length)
            TRY(dun_str_addf(out, words_arm, words.bytes));
        else if (key->traits & DUN_TRAIT_PATH)
            TRY(dun_str_addf(out, "%s", file_arm));
        else if (key->traits & DUN_TRAIT_DEVICES)
            TRY(dun_str_addf(out, "%s", device_arm));
        else
            TRY(dun_str_addf(out, ":"));
        TRY(dun_str_addf(out, " ;;\n"));
    }
out:
    dun_str_free(&words);
    return rc;
}

/* What any of the scripts may have: commands, with topics for `dunlin help`, keys, keys before a value, and
 * devices as any shell with sed can list them. */
static int add_names(dun_str *out) {
    int rc = DUN_OK;
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(dun_str_addf(out, "%s ", (*c)->name));
    TRY(dun_str_addf(out, "help"));
out:
    return rc;
}

static int add_topics(dun_str *out) {
    int rc = DUN_OK;
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(dun_str_addf(out, "%s ", (*c)->name));
    for (const dun_topic *topic = dun_topics; topic->name; topic++)
        TRY(dun_str_addf(out, "%s ", topic->name));
out:
    return rc;
}

static int add_key_names(dun_str *out, const char *end) {
    int rc = DUN_OK;
    for (int i = 0; i < DUN_N_KEYS; i++)
        TRY(dun_str_addf(out, "%s%s.%s%s", i ? " " : "", dun_config_key_table[i].section,
                         dun_config_key_table[i].name, end));
out:
    return rc;
}

static int add_keys(dun_str *out) {
    return add_key_names(out, "");
}

static int add_sets(dun_str *out) {
    return add_key_names(out, "=");
}

static int add_devices(dun_str *out) {
    return dun_str_addf(
        out, "dunlin devices 2>/dev/null | sed -n 's/^\\(\\* \\)\\{0,1\\}\\([0-9][0-9]*\\) .*/\\2/p'");
}

int dun_complete_each(dun_str *out, int (*add)(dun_str *out, const dun_command *command)) {
    int rc = DUN_OK;
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add(out, *c));
out:
    return rc;
}

static const dun_complete_part shared_parts[] = {{"names", add_names},     {"topics", add_topics},
                                                 {"keys", add_keys},       {"sets", add_sets},
                                                 {"devices", add_devices}, {NULL, NULL}};

static const dun_complete_part *find_part(const dun_complete_part *parts, const char *name, size_t length) {
    for (; parts->name; parts++)
        if (strlen(parts->name) == length && memcmp(parts->name, name, length) == 0)
            return parts;
    return NULL;
}

int dun_complete_fill(dun_str *out, const char *script, const dun_complete_part *own) {
    int rc = DUN_OK;
    while (*script) {
        size_t plain = strcspn(script, "@");
        TRY(dun_str_add(out, script, plain));
        script += plain;
        if (!*script)
            break;
        size_t name = strspn(script + 1, "abcdefghijklmnopqrstuvwxyz");
        const dun_complete_part *found = find_part(own, script + 1, name);
        found = found ? found : find_part(shared_parts, script + 1, name);
        if (found && script[1 + name] == '@') {
            TRY(found->add(out));
            script += name + 2;
        } else {
            TRY(dun_str_add(out, script++, 1));
        }
    }
out:
    return rc;
}
