/* What a subcommand is: one row. commands.c lists the rows; options.c reads a command line against one and
 * prints its help. To add a subcommand: write its file with its row, name the row in commands.c. */
#ifndef DUN_CMD_H
#define DUN_CMD_H

#include "cmd/shell/options.h"

#include <stdbool.h>

typedef struct dun_command {
    const char *name;
    const char *summary;       /* one line, for the list of commands */
    const char *usage;         /* what follows the name: "--model FILE [FILE|-] [--json]" */
    const char *help;          /* more for --help, wrapped there, \n\n between paragraphs; NULL: no more */
    const dun_option *options; /* ends with a row without a name; --help is everybody's and not listed */
    unsigned min_operands, max_operands;
    bool goes_on; /* what it makes lies in files: when nobody reads what it prints any more, it goes on */
    bool ranked;  /* under a launcher of MPI all ranks carry it out together, and rank 0 alone is told how */
    int (*run)(const dun_args *args);
} dun_command;

/* The commands, NULL at the end. */
extern const dun_command *const dun_commands[];

/* Runs `dunlin ARGV[1] ...`: the command named, or the general help, or the version. Returns its status. */
int dun_command_run(int argc, char *const *argv);

/* Appends the help of one command, or with NULL that of the program. */
int dun_command_help(dun_str *out, const dun_command *command);

#endif
