/* Reads a command line word by word against a table of options, and prints that table as help. */
#include "cmd/shell/options.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cmd/cmd.h"
#include "cmd/shell/shell.h"
#include "config/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 24, HELP_WIDTH = 80, MAX_OPTIONS = 64 };

static const dun_option *find(const dun_option *options, const char *name, size_t length) {
    for (const dun_option *o = options; o->name; o++)
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static const dun_option *find_letter(const dun_option *options, char letter) {
    for (const dun_option *o = options; o->name; o++)
        if (o->letter == letter)
            return o;
    return letter == dun_help_option.letter ? &dun_help_option : NULL;
}

static int unknown_option(const dun_command *command, const char *name, size_t length) {
    const char *names[MAX_OPTIONS] = {dun_help_option.name};
    size_t n = 1;
    char word[64];
    if (length > sizeof word - 1)
        length = sizeof word - 1;
    memcpy(word, name, length);
    word[length] = '\0';
    for (const dun_option *o = command->options; o->name && n < MAX_OPTIONS; o++)
        names[n++] = o->name;
    return dun_error(DUN_USAGE, "%s: unknown option --%s; the nearest is --%s (see dunlin %s --help)",
                     command->name, word, dun_nearest(word, names, n), command->name);
}

static bool is_word_of(const char *value, const char *words) {
    size_t length = strlen(value);
    for (const char *word = words; word; word = strchr(word, '|')) {
        word += *word == '|';
        if (strcspn(word, "|") == length && memcmp(word, value, length) == 0)
            return true;
    }
    return false;
}

static int check_value(const dun_command *command, const dun_option *option, const char *value,
                       const char *origin) {
    if (option->one_of && !is_word_of(value, option->argument))
        return dun_error(DUN_USAGE, "%s: %s: \"%.60s\" is unknown; it can be one of %s", command->name,
                         origin, value, option->argument);
    return DUN_OK;
}

/* Of options that take a path. */
static int expand_home(const char **value, dun_args *args, const dun_option *option, const char *origin) {
    static const char *const kinds[] = {"DIR", "FILE", "PATH", "RUN"};
    int rc = DUN_OK;
    bool is_path = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        is_path |= strcmp(option->argument, kinds[i]) == 0;
    if (!is_path)
        goto out;
    TRY_GROW(args->paths, args->paths_capacity, args->n_paths);
    char **path = &args->paths[args->n_paths];
    TRY(dun_path_expand(path, *value, origin));
    if (*path) {
        *value = *path;
        args->n_paths++;
    }
out:
    return rc;
}

static int add_option(dun_args *args, const dun_option *option, const char *value) {
    int rc = DUN_OK;
    char origin[80] = "--";
    if (option == &dun_help_option) {
        args->help = true;
        goto out;
    }
    strncat(origin, option->name, sizeof origin - 3);
    if (value) {
        TRY(check_value(args->command, option, value, origin));
        TRY(expand_home(&value, args, option, origin));
    }
    if (!option->repeatable && dun_args_has(args, option->name))
        TRY(dun_error(DUN_USAGE, "%s: %s is given twice; it can be given once", args->command->name, origin));
    TRY_GROW(args->given, args->given_capacity, args->n_given);
    args->given[args->n_given++] = (struct dun_arg){option, value};
out:
    return rc;
}

static int missing_value(const dun_command *command, const dun_option *option) {
    return dun_error(DUN_USAGE, "%s: --%s needs a value: --%s %s", command->name, option->name, option->name,
                     option->argument);
}

/* --name, --name=value or --name value; `next` is the following word or NULL, *taken whether it was used. */
static int read_long(dun_args *args, const char *word, const char *next, bool *taken) {
    const dun_command *command = args->command;
    const char *name = word + 2, *value = NULL;
    size_t length = strcspn(name, "=");
    const dun_option *option = find(command->options, name, length);
    if (!option && length == strlen(dun_help_option.name) && memcmp(name, dun_help_option.name, length) == 0)
        option = &dun_help_option;
    if (!option)
        return unknown_option(command, name, length);
    if (name[length] == '=')
        value = name + length + 1;
    if (!option->argument && value)
        return dun_error(DUN_USAGE, "%s: --%s takes no value", command->name, option->name);
    if (option->argument && !value) {
        if (!next)
            return missing_value(command, option);
        value = next;
        *taken = true;
    }
    return add_option(args, option, value);
}

/* -a, -ab (flags), -avalue or -a value. */
static int read_short(dun_args *args, const char *word, const char *next, bool *taken) {
    int rc = DUN_OK;
    const dun_command *command = args->command;
    for (const char *letter = word + 1; *letter; letter++) {
        const dun_option *option = find_letter(command->options, *letter);
        if (!option)
            TRY(dun_error(DUN_USAGE, "%s: unknown option -%c in %.60s; see dunlin %s --help", command->name,
                          *letter, word, command->name));
        if (!option->argument) {
            TRY(add_option(args, option, NULL));
            continue;
        }
        if (letter[1])
            TRY(add_option(args, option, letter + 1));
        else if (!next)
            TRY(missing_value(command, option));
        else {
            TRY(add_option(args, option, next));
            *taken = true;
        }
        break;
    }
out:
    return rc;
}

static int check_operands(const dun_args *args) {
    const dun_command *command = args->command;
    if (args->n_operands < command->min_operands)
        return dun_error(DUN_USAGE, "%s: something is missing; usage: dunlin %s %s", command->name,
                         command->name, command->usage);
    if (args->n_operands > command->max_operands)
        return dun_error(DUN_USAGE, "%s: unexpected \"%.60s\"; usage: dunlin %s %s", command->name,
                         args->operands[command->max_operands], command->name, command->usage);
    return DUN_OK;
}

int dun_args_read(dun_args *args, const dun_command *command, int argc, char *const *argv) {
    int rc = DUN_OK;
    bool only_operands = false;
    *args = (dun_args){.command = command};
    for (int i = 0; i < argc && !args->help; i++) {
        const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        bool taken = false;
        if (only_operands || word[0] != '-' || !word[1]) {
            TRY_GROW(args->operands, args->operands_capacity, args->n_operands);
            args->operands[args->n_operands++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (word[1] == '-') {
            TRY(read_long(args, word, next, &taken));
        } else {
            TRY(read_short(args, word, next, &taken));
        }
        i += taken;
    }
    if (!args->help)
        TRY(check_operands(args));
    for (const dun_option *o = command->options; o->name && !args->help; o++) {
        const char *value = dun_args_value(args, o->name);
        if (o->environment && value && !dun_args_has(args, o->name))
            TRY(check_value(command, o, value, o->environment));
    }
out:
    if (rc < 0)
        dun_args_free(args);
    return rc;
}

void dun_args_free(dun_args *args) {
    dun_free(args->given);
    dun_free(args->operands);
    for (size_t i = 0; i < args->n_paths; i++)
        dun_free(args->paths[i]);
    dun_free(args->paths);
    *args = (dun_args){0};
}

bool dun_args_has(const dun_args *args, const char *name) {
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            return true;
    return false;
}

const char *dun_args_value(const dun_args *args, const char *name) {
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            return args->given[i].value;
    const dun_option *option = find(args->command->options, name, strlen(name));
    const char *value = option && option->environment ? getenv(option->environment) : NULL;
    return value && *value ? value : NULL;
}

int dun_args_all(const char ***values, size_t *n_values, const dun_args *args, const char *name) {
    int rc = DUN_OK;
    *values = NULL;
    *n_values = 0;
    TRY_NEW(*values, args->n_given);
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            (*values)[(*n_values)++] = args->given[i].value;
out:
    return rc;
}

int dun_args_require(const char **value, const dun_args *args, const char *name) {
    const dun_option *option = find(args->command->options, name, strlen(name));
    *value = dun_args_value(args, name);
    if (*value)
        return DUN_OK;
    return dun_error(DUN_USAGE, "%s: --%s %s is missing; usage: dunlin %s %s", args->command->name, name,
                     option && option->argument ? option->argument : "", args->command->name,
                     args->command->usage);
}

int dun_args_count(int64_t *number, const dun_args *args, const char *name, int64_t least, int64_t most) {
    const char *word = dun_args_value(args, name);
    char *end = NULL;
    errno = 0;
    long long value = word ? strtoll(word, &end, 10) : 0;
    if (!word)
        return DUN_OK;
    if (errno || end == word || *end || strspn(word, "-0123456789") != strlen(word) || value < least ||
        value > most)
        return dun_error(DUN_USAGE, "%s: --%s %.40s: a whole number from %lld to %lld is needed",
                         args->command->name, name, word, (long long)least, (long long)most);
    *number = value;
    return DUN_OK;
}

int dun_args_number(double *number, const dun_args *args, const char *name, const dun_number_range *range) {
    const char *word = dun_args_value(args, name);
    char *end = NULL;
    double value = word ? strtod(word, &end) : 0;
    if (!word)
        return DUN_OK;
    if (end == word || *end || strspn(word, "+-.0123456789eE") != strlen(word) ||
        !(range->above ? value > range->least : value >= range->least) || !(value <= range->most))
        return dun_error(DUN_USAGE, "%s: --%s %.40s: a number %s %g and at most %g is needed",
                         args->command->name, name, word, range->above ? "above" : "from", range->least,
                         range->most);
    *number = value;
    return DUN_OK;
}

const char *dun_args_operand(const dun_args *args, size_t index) {
    return index < args->n_operands ? args->operands[index] : NULL;
}

int dun_help_wrap(dun_str *out, const char *words, size_t indent) {
    int rc = DUN_OK;
    size_t column = indent;
    while (*words) {
        size_t length = strcspn(words, " \n");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            TRY(dun_str_addf(out, "\n%*s", (int)indent, ""));
            column = indent;
        } else if (column > indent) {
            TRY(dun_str_add(out, " ", 1));
            column++;
        }
        TRY(dun_str_add(out, words, length));
        column += length;
        words += length;
        if (words[0] == '\n' && words[1] == '\n') {
            TRY(dun_str_addf(out, "\n\n%*s", (int)indent, ""));
            column = indent;
        }
        words += strspn(words, " \n");
    }
    TRY(dun_str_add(out, "\n", 1));
out:
    return rc;
}

static int add_option_help(dun_str *out, const dun_option *option) {
    int rc = DUN_OK;
    dun_str help = {0};
    size_t start = out->length;
    if (option->letter)
        TRY(dun_str_addf(out, "  -%c, ", option->letter));
    else
        TRY(dun_str_addf(out, "      "));
    TRY(dun_str_addf(out, "--%s%s%s", option->name, option->argument ? " " : "",
                     option->argument ? option->argument : ""));
    size_t used = out->length - start;
    if (used + 2 > HELP_COLUMN)
        TRY(dun_str_addf(out, "\n%*s", HELP_COLUMN, ""));
    else
        TRY(dun_str_addf(out, "%*s", (int)(HELP_COLUMN - used), ""));
    TRY(dun_str_addf(&help, "%s%s", option->help, option->repeatable ? " May be repeated." : ""));
    if (option->environment)
        TRY(dun_str_addf(&help, " [%s]", option->environment));
    TRY(dun_help_wrap(out, help.bytes, HELP_COLUMN));
out:
    dun_str_free(&help);
    return rc;
}

int dun_options_help(dun_str *out, const dun_option *options) {
    int rc = DUN_OK;
    for (const dun_option *o = options; o->name; o++)
        TRY(add_option_help(out, o));
    TRY(add_option_help(out, &dun_help_option));
out:
    return rc;
}
