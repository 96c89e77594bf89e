/* The completion of zsh. */
#include "cmd/shell/complete.h"

#include "base/err.h"
#include "cmd/shell/shell.h"

#include <string.h>

extern const char dun_completion_zsh[]; /* scripts/dunlin.zsh, embedded */

static const char *const zsh_actions[DUN_N_VALUE_KINDS] = {[DUN_VALUE_NONE] = " ",
                                                           [DUN_VALUE_FILE] = "_files",
                                                           [DUN_VALUE_DIR] = "_files -/",
                                                           [DUN_VALUE_RUN] = "_dunlin_run",
                                                           [DUN_VALUE_CONFIG] = "_dunlin_config",
                                                           [DUN_VALUE_SELECTOR] = "_dunlin_selector",
                                                           [DUN_VALUE_SET] = "_dunlin_set"};

/* Help inside '...[ ]...': quotes end the string, brackets, colons and backslashes belong to _arguments. */
static int add_zsh_help(dun_str *out, const char *help) {
    int rc = DUN_OK;
    for (; *help; help++) {
        if (*help == '\'')
            TRY(dun_str_addf(out, "'\\'"));
        else if (strchr("[]:\\", *help))
            TRY(dun_str_addf(out, "\\"));
        TRY(dun_str_add(out, *help == '\n' ? " " : help, 1));
    }
out:
    return rc;
}

/* '(-o --out)'{-o,--out}'[help]:FILE:_files' */
static int add_zsh_option(dun_str *out, const dun_option *option) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "            "));
    if (option->letter && option->repeatable)
        TRY(dun_str_addf(out, "'*'{-%c,--%s}'", option->letter, option->name));
    else if (option->letter)
        TRY(dun_str_addf(out, "'(-%c --%s)'{-%c,--%s}'", option->letter, option->name, option->letter,
                         option->name));
    else
        TRY(dun_str_addf(out, "'%s--%s", option->repeatable ? "*" : "", option->name));
    TRY(dun_str_addf(out, "["));
    TRY(add_zsh_help(out, option->help));
    TRY(dun_str_addf(out, "]"));
    if (option->argument) {
        enum dun_value_kind kind = dun_value_kind_of(option);
        TRY(dun_str_addf(out, ":"));
        TRY(add_zsh_help(out, option->argument));
        TRY(dun_str_addf(out, ":"));
        if (kind == DUN_VALUE_WORDS) {
            TRY(dun_str_addf(out, "("));
            TRY(dun_complete_words(out, option->argument));
            TRY(dun_str_addf(out, ")"));
        } else {
            TRY(dun_str_addf(out, "%s", zsh_actions[kind]));
        }
    }
    TRY(dun_str_addf(out, "' \\\n"));
out:
    return rc;
}

static int add_zsh_command(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    bool kinds[DUN_N_VALUE_KINDS];
    dun_str words = {0};
    TRY(dun_str_addf(out, "    %s)\n        _arguments -s \\\n", command->name));
    for (const dun_option *o = command->options; o->name; o++)
        TRY(add_zsh_option(out, o));
    TRY(add_zsh_option(out, &dun_help_option));
    dun_operand_kinds(kinds, command);
    TRY(dun_operand_words(&words, command));
    TRY(dun_str_addf(out, "            '*:operand:{"));
    for (int k = 0; k < DUN_N_VALUE_KINDS; k++)
        if (kinds[k])
            TRY(dun_str_addf(out, "%s; ", zsh_actions[k]));
    if (words.length)
        TRY(dun_str_addf(out, "compadd --%s; ", words.bytes));
    TRY(dun_str_addf(out, ":}' ;;\n"));
out:
    dun_str_free(&words);
    return rc;
}

static int add_zsh_arms(dun_str *out) {
    return dun_complete_key_arms(out, "compadd -- %s", "_files", "_dunlin_selector");
}

static int add_zsh_summary(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "        '%s:", command->name));
    TRY(add_zsh_help(out, command->summary));
    TRY(dun_str_addf(out, "'\n"));
out:
    return rc;
}

static int add_zsh_summaries(dun_str *out) {
    return dun_complete_each(out, add_zsh_summary);
}

static int add_zsh_commands(dun_str *out) {
    return dun_complete_each(out, add_zsh_command);
}

int dun_complete_zsh(dun_str *out) {
    static const dun_complete_part parts[] = {{"arms", add_zsh_arms},
                                              {"summaries", add_zsh_summaries},
                                              {"commands", add_zsh_commands},
                                              {NULL, NULL}};
    return dun_complete_fill(out, dun_completion_zsh, parts);
}
