/* Configs as text: the resolved one of a run, and config/default.ini. */
#include "config/config.h"

#include "base/err.h"
#include "config/config_value.h"

#include <string.h>

enum { COMMENT_COLUMNS = 100 };

static bool opens_section(int id) {
    const dun_config_key *key = &dun_config_key_table[id];
    return id == 0 || strcmp(key[-1].section, key->section) != 0;
}

#define BEFORE(section, key, value) {DUN_KEY_##section##_##key, value},
static const struct {
    enum dun_config_id id;
    const char *value;
} befores[] = {
#include "config/config.def"
};

/* What version 0.1, which had no such key, meant. */
static const char *before_of(enum dun_config_id id) {
    for (size_t i = 0; i < sizeof befores / sizeof *befores; i++)
        if (befores[i].id == id)
            return befores[i].value;
    return dun_config_key_table[id].initial;
}

int dun_config_put_before(dun_config *config) {
    int rc = DUN_OK;
    for (size_t i = 0; i < sizeof befores / sizeof *befores; i++)
        if (!config->origins[befores[i].id])
            TRY(dun_config_put(config, befores[i].id, befores[i].value, NULL));
out:
    return rc;
}

/* All of a config, or what a checkpoint knows it by. */
enum wanted { ALL, KNOWN, KNOWN_0_1 };

static int write_keys(dun_str *out, const dun_config *config, enum wanted wanted) {
    int rc = DUN_OK;
    dun_str value = {0};
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const unsigned traits = dun_config_key_table[id].traits;
        bool left_out = wanted == KNOWN && traits & (DUN_TRAIT_PATH | DUN_TRAIT_SOURCE);
        if (wanted != ALL && traits & DUN_TRAIT_LATER)
            TRY(dun_config_is(&left_out, config, (enum dun_config_id)id, before_of((enum dun_config_id)id)));
        if (left_out)
            continue;
        if (opens_section(id))
            TRY(dun_str_addf(out, "%s[%s]\n", id > 0 ? "\n" : "", dun_config_key_table[id].section));
        dun_str_clear(&value);
        if (wanted == KNOWN_0_1 && config->written[id])
            TRY(dun_str_addf(&value, "%s", config->written[id]));
        else
            TRY(dun_config_get(&value, config, (enum dun_config_id)id));
        TRY(dun_str_addf(out, "%s =%s", dun_config_key_table[id].name, value.length ? " " : ""));
        TRY(dun_config_quote(out, value.bytes));
        TRY(dun_str_addf(out, "\n"));
    }
out:
    dun_str_free(&value);
    return rc;
}

int dun_config_write(dun_str *out, const dun_config *config) {
    return write_keys(out, config, ALL);
}

int dun_config_write_known(dun_str *out, const dun_config *config) {
    return write_keys(out, config, KNOWN);
}

int dun_config_write_known_0_1(dun_str *out, const dun_config *config) {
    return write_keys(out, config, KNOWN_0_1);
}

/* Text as comment lines, broken between words. */
static int add_comment(dun_str *out, const char *text) {
    int rc = DUN_OK;
    while (*text) {
        size_t length = strlen(text);
        if (length > COMMENT_COLUMNS) {
            length = COMMENT_COLUMNS;
            while (text[length] != ' ')
                length--;
        }
        TRY(dun_str_addf(out, "# %.*s\n", (int)length, text));
        text += length;
        text += strspn(text, " ");
    }
out:
    return rc;
}

/* Help, what the key takes, and the line with the default. */
static int add_key(dun_str *out, enum dun_config_id id) {
    int rc;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str takes = {0};
    TRY(add_comment(out, key->help));
    TRY(dun_str_addf(&takes, "Takes "));
    TRY(dun_config_accepts(&takes, id));
    TRY(dun_str_addf(&takes, "."));
    if (key->type != DUN_CONFIG_STRING)
        TRY(add_comment(out, takes.bytes));
    TRY(dun_str_addf(out, "%s =%s%s\n", key->name, key->initial[0] ? " " : "", key->initial));
out:
    dun_str_free(&takes);
    return rc;
}

int dun_config_default_ini(dun_str *out) {
    static const char intro[] =
        "Every key of dunlin with its default. Made from host/config/config.def, so not to be edited here: "
        "a config of your own needs only the lines that differ, `dunlin train MY.ini`. "
        "Values keep their spaces in double quotes. A first line `include = other.ini` reads another file "
        "first.";
    int rc;
    TRY(add_comment(out, intro));
    for (int id = 0, section = 0; id < DUN_N_KEYS; id++) {
        TRY(dun_str_addf(out, "\n"));
        if (opens_section(id)) {
            TRY(add_comment(out, dun_config_section_table[section++].help));
            TRY(dun_str_addf(out, "[%s]\n", dun_config_key_table[id].section));
        }
        TRY(add_key(out, (enum dun_config_id)id));
    }
out:
    return rc;
}
