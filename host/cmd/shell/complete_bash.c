/* The completion of bash. */
#include "cmd/shell/complete.h"

#include "base/err.h"
#include "cmd/shell/shell.h"

#include <string.h>

extern const char dun_completion_bash[]; /* scripts/dunlin.bash, embedded */

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
            TRY(dun_complete_words(out, o->argument));
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

static int add_bash_arms(dun_str *out) {
    return dun_complete_key_arms(out, "_dunlin_words '%s'", "_dunlin_file", "_dunlin_selector");
}

static int add_bash_all_values(dun_str *out) {
    return dun_complete_each(out, add_bash_values);
}

static int add_bash_commands(dun_str *out) {
    return dun_complete_each(out, add_bash_command);
}

int dun_complete_bash(dun_str *out) {
    static const dun_complete_part parts[] = {{"arms", add_bash_arms},
                                              {"values", add_bash_all_values},
                                              {"commands", add_bash_commands},
                                              {NULL, NULL}};
    return dun_complete_fill(out, dun_completion_bash, parts);
}
