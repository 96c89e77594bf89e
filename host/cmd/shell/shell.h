/* What the man pages and the completions share: the tables of commands, options and keys seen as what a
 * shell may offer. Nothing here knows a command by its name. */
#ifndef DUN_SHELL_H
#define DUN_SHELL_H

#include "cmd/cmd.h"

/* What can stand as a value or an operand. */
enum dun_value_kind {
    DUN_VALUE_NONE,     /* nothing that could be listed */
    DUN_VALUE_FILE,     /* any file */
    DUN_VALUE_DIR,      /* a folder */
    DUN_VALUE_RUN,      /* the folder of a run */
    DUN_VALUE_CONFIG,   /* a config file */
    DUN_VALUE_SELECTOR, /* a device */
    DUN_VALUE_SET,      /* section.key=value */
    DUN_VALUE_WORDS,    /* one of the words of an argument "a|b" */
    DUN_N_VALUE_KINDS
};

/* The kind that an option's `argument` stands for; NULL gives NONE. */
enum dun_value_kind dun_value_kind_of(const dun_option *option);

/* Which kinds the operands of a command are of, from its usage line. */
void dun_operand_kinds(bool kinds[DUN_N_VALUE_KINDS], const dun_command *command);

/* Appends the lower-case words among the operands of the usage line, a space before each. */
int dun_operand_words(dun_str *out, const dun_command *command);

/* The row of --help, which every command has besides its own. */
extern const dun_option dun_help_option;

/* Append man pages, and completion scripts. */
int dun_man_program(dun_str *out); /* dunlin(1) */
int dun_man_config(dun_str *out);  /* dunlin-config(5) */
int dun_complete_bash(dun_str *out);
int dun_complete_zsh(dun_str *out);
int dun_complete_fish(dun_str *out);

/* Appends text with every character of `special` behind a backslash. */
int dun_text_escaped(dun_str *out, const char *text, const char *special);

#endif
