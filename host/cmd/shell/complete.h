/* Completions for bash, zsh and fish, from the tables of commands, options and keys. What is fixed of a
 * script, with the functions that list what depends on the machine (files, runs, devices), is a file in
 * scripts/; the parts made from the tables stand in its @places@. */
#ifndef DUN_COMPLETE_H
#define DUN_COMPLETE_H

#include "cmd/cmd.h"
#include "config/config.h"

/* What stands in a script's place @name@. A table ends with a row without a name. */
typedef struct {
    const char *name;
    int (*add)(dun_str *out);
} dun_complete_part;

/* Appends a script with its places filled in: those of `own`, and for any script @names@ (of commands),
 * @topics@ (of `dunlin help`), @keys@, @sets@ (keys with a '=') and @devices@ (a command that lists them). */
int dun_complete_fill(dun_str *out, const char *script, const dun_complete_part *own);

/* Appends a part of every command. */
int dun_complete_each(dun_str *out, int (*add)(dun_str *out, const dun_command *command));

/* The words of "a|b|c", a space between. */
int dun_complete_words(dun_str *out, const char *words);

/* The words that may follow `section.key=`; nothing where it has none. */
int dun_complete_key_values(dun_str *out, enum dun_config_id id);

/* Case arms for the keys: those with words, the paths, the device. `words_arm` is a format for the words. */
int dun_complete_key_arms(dun_str *out, const char *words_arm, const char *file_arm, const char *device_arm);

#endif
