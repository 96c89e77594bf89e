/* Completions for bash, zsh and fish, from the tables of commands, options and keys. Each script has a fixed
 * part, the functions that list what depends on the machine (files, runs, devices), and a part made from the
 * tables. */
#include "base/err.h"
#include "cmd/shell/shell.h"
#include "cmd/shell/topics.h"
#include "config/config.h"

#include <string.h>

/* The words of "a|b|c", a space between. */
static int add_words(dun_str *out, const char *words) {
    int rc = DUN_OK;
    for (; *words; words++)
        TRY(dun_str_add(out, *words == '|' ? " " : words, 1));
out:
    return rc;
}

/* What may follow `section.key=`: words, or the name of a kind of file; nothing for numbers. */
static int add_key_values(dun_str *out, enum dun_config_id id) {
    int rc = DUN_OK;
    const dun_config_key *key = &dun_config_key_table[id];
    if (key->type == DUN_CONFIG_YES_NO)
        TRY(dun_str_addf(out, "yes no"));
    for (const char *const *word = key->choices; word && *word; word++)
        TRY(dun_str_addf(out, "%s%s", word == key->choices ? "" : " ", *word));
out:
    return rc;
}

/* Case arms for the keys: those with words, the paths, the device. `words_arm` is a format for the words. */
static int add_key_arms(dun_str *out, const char *words_arm, const char *file_arm, const char *device_arm) {
    int rc = DUN_OK;
    dun_str words = {0};
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const enum dun_config_id id = (enum dun_config_id)i;
        const dun_config_key *key = &dun_config_key_table[i];
        dun_str_clear(&words);
        TRY(add_key_values(&words, id));
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

/* " train eval ... help" and for `topics` the topics, which `dunlin help` takes. */
static int add_command_names(dun_str *out, bool topics) {
    int rc = DUN_OK;
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(dun_str_addf(out, "%s ", (*c)->name));
    if (!topics)
        TRY(dun_str_addf(out, "help"));
    for (const dun_topic *topic = dun_topics; topics && topic->name; topic++)
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

/* Devices as any shell with sed can list them. */
#define LIST_DEVICES "dunlin devices 2>/dev/null | sed -n 's/^\\(\\* \\)\\{0,1\\}\\([0-9][0-9]*\\) .*/\\2/p'"

/* bash */

static const char bash_begin[] =
    "# bash completion for dunlin, made from its tables of commands, options and keys\n"
    "_dunlin_words() {\n"
    "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
    "}\n"
    "_dunlin_files() {\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen \"$@\" -- \"$cur\")\n"
    "}\n"
    "_dunlin_none() { :; }\n"
    "_dunlin_file() { _dunlin_files -f; }\n"
    "_dunlin_dir() { _dunlin_files -d; }\n"
    "_dunlin_config() { _dunlin_files -f -X '!*.ini'; _dunlin_files -d; }\n"
    "# Folders; of those in runs/ the runs alone, when nothing is typed yet.\n"
    "_dunlin_run() {\n"
    "    local config\n"
    "    _dunlin_files -d\n"
    "    [ -z \"$cur\" ] || return 0\n"
    "    for config in runs/*/config.ini; do\n"
    "        [ ! -f \"$config\" ] || COMPREPLY+=(\"${config%/config.ini}\")\n"
    "    done\n"
    "}\n"
    "_dunlin_selector() {\n"
    "    _dunlin_words \"best cpu gpu all $(" LIST_DEVICES ")\"\n"
    "}\n"
    "# section.key=value\n"
    "_dunlin_set() {\n"
    "    local key\n"
    "    if [[ $cur != *=* ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "        _dunlin_words \"$_dunlin_keys\"\n"
    "        return 0\n"
    "    fi\n"
    "    key=${cur%%=*}\n"
    "    before+=$key=\n"
    "    cur=${cur#*=}\n"
    "    case $key in\n";

static const char bash_middle[] =
    "    esac\n"
    "}\n"
    "_dunlin() {\n"
    "    local cur prev command before='' i\n"
    "    local -a words=()\n"
    "    COMPREPLY=()\n"
    "    # bash takes words apart at '=': they are put together again.\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        if ((i > 0)) && [[ ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == = ]]; then\n"
    "            words[${#words[@]} - 1]+=${COMP_WORDS[i]}\n"
    "        else\n"
    "            words+=(\"${COMP_WORDS[i]}\")\n"
    "        fi\n"
    "    done\n"
    "    cur=${words[${#words[@]} - 1]}\n"
    "    prev=${words[${#words[@]} - 2]}\n"
    "    command=${words[1]-}\n"
    "    if ((${#words[@]} == 2)); then\n"
    "        _dunlin_words \"$_dunlin_commands --help --version\"\n"
    "        return 0\n"
    "    fi\n"
    "    if [[ $cur == --*=* ]]; then\n"
    "        prev=${cur%%=*}\n"
    "        before=$prev=\n"
    "        cur=${cur#*=}\n"
    "    fi\n"
    "    case $command,$prev in\n";

static const char bash_end[] = "    esac\n"
                               "    # Where bash itself replaces only what stands behind the last '='.\n"
                               "    if [[ $COMP_WORDBREAKS != *=* ]]; then\n"
                               "        COMPREPLY=(\"${COMPREPLY[@]/#/$before}\")\n"
                               "    fi\n"
                               "}\n"
                               "complete -F _dunlin dunlin\n";

static const char *const kind_names[DUN_N_VALUE_KINDS] = {
    [DUN_VALUE_NONE] = "none", [DUN_VALUE_FILE] = "file",     [DUN_VALUE_DIR] = "dir",
    [DUN_VALUE_RUN] = "run",   [DUN_VALUE_CONFIG] = "config", [DUN_VALUE_SELECTOR] = "selector",
    [DUN_VALUE_SET] = "set",   [DUN_VALUE_WORDS] = "words"};

/* "train,--out) ..." for options with values. */
static int add_bash_values(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    for (const dun_option *o = command->options; o->name; o++) {
        if (!o->argument)
            continue;
        enum dun_value_kind kind = dun_value_kind_of(o);
        TRY(dun_str_addf(out, "    %s,--%s", command->name, o->name));
        if (o->letter)
            TRY(dun_str_addf(out, " | %s,-%c", command->name, o->letter));
        TRY(dun_str_addf(out, ") _dunlin_%s", kind_names[kind]));
        if (kind == DUN_VALUE_WORDS) {
            TRY(dun_str_addf(out, " '"));
            TRY(add_words(out, o->argument));
            TRY(dun_str_addf(out, "'"));
        }
        TRY(dun_str_addf(out, " ;;\n"));
    }
out:
    return rc;
}

/* "train,*) ..." for options and operands. */
static int add_bash_command(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    bool kinds[DUN_N_VALUE_KINDS];
    dun_str words = {0};
    TRY(dun_str_addf(out, "    %s,*)\n        if [[ $cur == -* ]]; then\n            _dunlin_words '",
                     command->name));
    for (const dun_option *o = command->options; o->name; o++) {
        TRY(dun_str_addf(out, "--%s ", o->name));
        if (o->letter)
            TRY(dun_str_addf(out, "-%c ", o->letter));
    }
    TRY(dun_str_addf(out, "--%s -%c'\n        else\n            :\n", dun_help_option.name,
                     dun_help_option.letter));
    dun_operand_kinds(kinds, command);
    for (int k = 0; k < DUN_N_VALUE_KINDS; k++)
        if (kinds[k])
            TRY(dun_str_addf(out, "            _dunlin_%s\n", kind_names[k]));
    TRY(dun_operand_words(&words, command));
    if (words.length)
        TRY(dun_str_addf(out, "            _dunlin_words '%s'\n", words.bytes + 1));
    TRY(dun_str_addf(out, "        fi ;;\n"));
out:
    dun_str_free(&words);
    return rc;
}

int dun_complete_bash(dun_str *out) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "%s", bash_begin));
    TRY(add_key_arms(out, "_dunlin_words '%s'", "_dunlin_file", "_dunlin_selector"));
    TRY(dun_str_addf(out, "%s", bash_middle));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add_bash_values(out, *c));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add_bash_command(out, *c));
    TRY(dun_str_addf(out, "    help,*) _dunlin_words '"));
    TRY(add_command_names(out, true));
    TRY(add_key_names(out, ""));
    TRY(dun_str_addf(out, "' ;;\n%s_dunlin_commands='", bash_end));
    TRY(add_command_names(out, false));
    TRY(dun_str_addf(out, "'\n_dunlin_keys='"));
    TRY(add_key_names(out, "="));
    TRY(dun_str_addf(out, "'\n"));
out:
    return rc;
}

/* zsh */

static const char zsh_begin[] =
    "#compdef dunlin\n"
    "# zsh completion for dunlin, made from its tables of commands, options and keys\n"
    "_dunlin_config() { _files -g '*.ini' }\n"
    "_dunlin_run() {\n"
    "    local -a runs\n"
    "    runs=(runs/*/config.ini(N:h))\n"
    "    (( ! $#runs )) || compadd -f -a runs\n"
    "    _files -/\n"
    "}\n"
    "_dunlin_selector() {\n"
    "    local -a devices\n"
    "    devices=(best cpu gpu all ${(f)\"$(" LIST_DEVICES ")\"})\n"
    "    compadd -a devices\n"
    "}\n"
    "_dunlin_set() {\n"
    "    local key=${PREFIX%%=*}\n"
    "    if ! compset -P '*='; then\n"
    "        compadd -S '' -- ${=_dunlin_keys}\n"
    "        return\n"
    "    fi\n"
    "    case $key in\n";

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
            TRY(add_words(out, option->argument));
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

int dun_complete_zsh(dun_str *out) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "%s", zsh_begin));
    TRY(add_key_arms(out, "compadd -- %s", "_files", "_dunlin_selector"));
    TRY(dun_str_addf(out, "    esac\n}\n_dunlin_keys='"));
    TRY(add_key_names(out, "="));
    TRY(dun_str_addf(out, "'\n_dunlin() {\n    local -a commands\n    commands=(\n"));
    for (const dun_command *const *c = dun_commands; *c; c++) {
        TRY(dun_str_addf(out, "        '%s:", (*c)->name));
        TRY(add_zsh_help(out, (*c)->summary));
        TRY(dun_str_addf(out, "'\n"));
    }
    TRY(dun_str_addf(out, "        'help:Show the help of a command, a topic or a key'\n    )\n"
                          "    if (( CURRENT == 2 )); then\n"
                          "        _describe command commands\n"
                          "        compadd -- --help --version\n"
                          "        return\n    fi\n"
                          "    shift words\n    (( CURRENT-- ))\n"
                          "    case $words[1] in\n"));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add_zsh_command(out, *c));
    TRY(dun_str_addf(out, "    help) compadd -- "));
    TRY(add_command_names(out, true));
    TRY(add_key_names(out, ""));
    TRY(dun_str_addf(out, " ;;\n    esac\n}\ncompdef _dunlin dunlin\n"));
out:
    return rc;
}

/* fish */

static const char fish_begin[] =
    "# fish completion for dunlin, made from its tables of commands, options and keys\n"
    "function __dunlin_runs\n"
    "    for config in runs/*/config.ini\n"
    "        string replace /config.ini '' $config\n"
    "    end\n"
    "    __fish_complete_directories\n"
    "end\n"
    "function __dunlin_selectors\n"
    "    printf '%s\\n' best cpu gpu all\n"
    "    " LIST_DEVICES "\n"
    "end\n"
    "function __dunlin_configs\n"
    "    __fish_complete_suffix .ini\n"
    "end\n"
    "complete -c dunlin -f\n"
    "complete -c dunlin -n __fish_use_subcommand -s h -l help -d 'Show the help'\n"
    "complete -c dunlin -n __fish_use_subcommand -l version -d 'Show the version'\n";

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
        TRY(add_words(out, option->argument));
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
    TRY(dun_str_addf(out, "function __dunlin_sets\n"));
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        dun_str_clear(&words);
        TRY(add_key_values(&words, (enum dun_config_id)i));
        TRY(dun_str_addf(out, "    printf '%%s\\t%%s\\n' %s.%s=", key->section, key->name));
        TRY(dun_str_addf(out, " "));
        TRY(add_fish_text(out, key->help));
        TRY(dun_str_addf(out, "\n"));
        if (words.length)
            TRY(dun_str_addf(out, "    printf '%s.%s=%%s\\n' %s\n", key->section, key->name, words.bytes));
    }
    TRY(dun_str_addf(out, "end\n"));
out:
    dun_str_free(&words);
    return rc;
}

int dun_complete_fish(dun_str *out) {
    int rc = DUN_OK;
    TRY(add_fish_sets(out));
    TRY(dun_str_addf(out, "%s", fish_begin));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add_fish_command(out, *c));
    TRY(dun_str_addf(out, "complete -c dunlin -n __fish_use_subcommand -a help -d 'Show help'\n"
                          "complete -c dunlin -n '__fish_seen_subcommand_from help' -a '"));
    TRY(add_command_names(out, true));
    TRY(add_key_names(out, ""));
    TRY(dun_str_addf(out, "'\n"));
out:
    return rc;
}
