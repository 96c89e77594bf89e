/* The completion of fish. */
#include "cmd/shell/complete.h"

#include "base/err.h"
#include "cmd/shell/shell.h"

#include <string.h>

extern const char dun_completion_fish[]; /* scripts/dunlin.fish, embedded */

static const char *const fish_actions[DUN_N_VALUE_KINDS] = {
    [DUN_VALUE_NONE] = "-x",
    [DUN_VALUE_FILE] = "-r -F",
    [DUN_VALUE_DIR] = "-x -a '(__fish_complete_directories)'",
    [DUN_VALUE_RUN] = "-x -a '(__dunlin_runs)'",
    [DUN_VALUE_CONFIG] = "-x -a '(__dunlin_configs)'",
    [DUN_VALUE_SELECTOR] = "-x -a '(__dunlin_selectors)'",
    [DUN_VALUE_SET] = "-x -a '(__dunlin_sets)'"};

/* In single quotes. */
static int add_fish_text(dun_str *out, const char *text) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "'"));
    for (; *text; text++) {
        if (strchr("'\\", *text))
            TRY(dun_str_addf(out, "\\"));
        TRY(dun_str_add(out, *text == '\n' ? " " : text, 1));
    }
    TRY(dun_str_addf(out, "'"));
out:
    return rc;
}

static int add_fish_option(dun_str *out, const dun_command *command, const dun_option *option) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "complete -c dunlin -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                     option->name));
    if (option->letter)
        TRY(dun_str_addf(out, " -s %c", option->letter));
    if (option->argument && dun_value_kind_of(option) == DUN_VALUE_WORDS) {
        TRY(dun_str_addf(out, " -x -a '"));
        TRY(dun_complete_words(out, option->argument));
        TRY(dun_str_addf(out, "'"));
    } else if (option->argument) {
        TRY(dun_str_addf(out, " %s", fish_actions[dun_value_kind_of(option)]));
    }
    TRY(dun_str_addf(out, " -d "));
    TRY(add_fish_text(out, option->help));
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}

static int add_fish_command(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    bool kinds[DUN_N_VALUE_KINDS];
    dun_str words = {0};
    TRY(dun_str_addf(out, "complete -c dunlin -n __fish_use_subcommand -a %s -d ", command->name));
    TRY(add_fish_text(out, command->summary));
    TRY(dun_str_addf(out, "\n"));
    for (const dun_option *o = command->options; o->name; o++)
        TRY(add_fish_option(out, command, o));
    TRY(add_fish_option(out, command, &dun_help_option));
    dun_operand_kinds(kinds, command);
    for (int k = 0; k < DUN_N_VALUE_KINDS; k++)
        if (kinds[k])
            TRY(dun_str_addf(out, "complete -c dunlin -n '__fish_seen_subcommand_from %s' %s\n",
                             command->name, k == DUN_VALUE_FILE ? "-F" : fish_actions[k] + strlen("-x ")));
    TRY(dun_operand_words(&words, command));
    if (words.length)
        TRY(dun_str_addf(out, "complete -c dunlin -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                         command->name, words.bytes + 1));
out:
    dun_str_free(&words);
    return rc;
}

/* section.key=, and behind it each value of a key that has words. */
static int add_fish_sets(dun_str *out) {
    int rc = DUN_OK;
    dun_str words = {0};
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        dun_str_clear(&words);
        TRY(dun_complete_key_values(&words, (enum dun_config_id)i));
        TRY(dun_str_addf(out, "    printf '%%s\\t%%s\\n' %s.%s=", key->section, key->name));
        TRY(dun_str_addf(out, " "));
        TRY(add_fish_text(out, key->help));
        TRY(dun_str_addf(out, "\n"));
        if (words.length)
            TRY(dun_str_addf(out, "    printf '%s.%s=%%s\\n' %s\n", key->section, key->name, words.bytes));
    }
out:
    dun_str_free(&words);
    return rc;
}

static int add_fish_commands(dun_str *out) {
    return dun_complete_each(out, add_fish_command);
}

int dun_complete_fish(dun_str *out) {
    static const dun_complete_part parts[] = {
        {"arms", add_fish_sets}, {"commands", add_fish_commands}, {NULL, NULL}};
    return dun_complete_fill(out, dun_completion_fish, parts);
}
