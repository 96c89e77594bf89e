/* Command lines read against a table of options: `--name value`, `--name=value`, `-n value`, `-nvalue`, flags
 * together as `-ab`, `--` before operands that look like options, `-` an operand. Options and operands may
 * come in any order. A value not given may come from the environment instead. */
#ifndef DUN_OPTIONS_H
#define DUN_OPTIONS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;        /* without the dashes */
    char letter;             /* of the short form; 0: none */
    const char *argument;    /* what help calls its value, "FILE"; NULL: it takes none */
    bool one_of;             /* the value is one of the words of `argument`, "lines|jsonl" */
    bool repeatable;         /* may be given several times; others only once */
    const char *environment; /* variable that stands in when it is not given; NULL: none */
    const char *help;
} dun_option;

struct dun_command;

/* A command line taken apart; strings are borrowed from argv or the environment, but for paths whose `~`
 * became the home: in --out=~/runs the shell leaves it. */
typedef struct {
    const struct dun_command *command;
    struct dun_arg {
        const dun_option *option;
        const char *value; /* NULL for flags */
    } * given;             /* in the order given */
    size_t n_given, given_capacity;
    const char **operands;
    size_t n_operands, operands_capacity;
    char **paths; /* [n_paths], its own */
    size_t n_paths, paths_capacity;
    bool help; /* --help or -h was met: nothing was checked that help can do without */
} dun_args;

/* Reads the words after the command's name. DUN_USAGE: an unknown option (the nearest is named), a value
 * missing or too many, operands missing or too many. `args` needs dun_args_free only after success. */
int dun_args_read(dun_args *args, const struct dun_command *command, int argc, char *const *argv);
void dun_args_free(dun_args *args);

/* Was the option given? */
bool dun_args_has(const dun_args *args, const char *name);

/* Its value, else its environment variable when that is set and not empty, else NULL. */
const char *dun_args_value(const dun_args *args, const char *name);

/* All values of a repeatable option as given, in a new array (dun_free; never NULL after success). */
int dun_args_all(const char ***values, size_t *n_values, const dun_args *args, const char *name);

/* DUN_USAGE when a value that the command cannot do without is missing. */
int dun_args_require(const char **value, const dun_args *args, const char *name);

/* A whole number behind an option; `number` stays as it is when the option is not given. DUN_USAGE: anything
 * else, or out of range. */
int dun_args_count(int64_t *number, const dun_args *args, const char *name, int64_t least, int64_t most);

/* The same for any number. */
typedef struct {
    double least, most;
    bool above; /* `least` itself is excluded */
} dun_number_range;
int dun_args_number(double *number, const dun_args *args, const char *name, const dun_number_range *range);

/* The operand at an index, or NULL. */
const char *dun_args_operand(const dun_args *args, size_t index);

/* Appends words and a newline in lines of at most 80 columns, all but the first indented. A single newline
 * in `words` is a space, two are a new paragraph. */
int dun_help_wrap(dun_str *out, const char *words, size_t indent);

/* Appends the options as help shows them, lines of at most 80 columns. */
int dun_options_help(dun_str *out, const dun_option *options);

#endif
