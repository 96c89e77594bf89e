/* Where files are that a config or the command line names. A path is taken as written; when there is nothing
 * it is looked for beside the config file that names it, then under the user's own folder
 * ($XDG_DATA_HOME/dunlin, else ~/.local/share/dunlin) and the installed one (share/dunlin beside bin). A path
 * in a file that begins with ./ or ../ is looked for beside that file first. `~` and `$HOME` at the front are
 * the home.
 *
 * A path in the config of a run (dun_config.run) is looked for as written, then where the run recorded that
 * it was, then in the run's folder and beside it, there by its name alone as well, which is told; then as
 * above. */
#ifndef DUN_PATHS_H
#define DUN_PATHS_H

#include "config/config.h"

/* Puts the place where a file was found in the stead of each path in the config (the keys with
 * DUN_TRAIT_PATH); what is nowhere stays. */
int dun_paths_resolve(dun_config *config);

/* `~`, `$HOME` and `${HOME}` at the front, as a shell reads them: a new path in *out, NULL where there are
 * none. DUN_USAGE: HOME is not set; `origin` is who names the path. */
int dun_path_expand(char **out, const char *path, const char *origin);

/* A copy of `path`, or of the place where it was found instead; NULL with the error recorded. */
char *dun_path_find(const char *path);

/* The full path of what exists. DUN_BAD_INPUT: it does not, or the path is too long. */
int dun_path_absolute(char *out, size_t size, const char *path);

/* DUN_BAD_INPUT: the file of a key is nowhere; the message says where it was looked for, of a model also how
 * to get one. */
int dun_paths_check(const dun_config *config, enum dun_config_id id);

/* The folder with config/, data/ and tools/ that belongs to this program, "" when there is none. Newly
 * allocated; NULL with the error recorded. */
char *dun_path_share(void);

/* The user's own folder; "" without a home. Newly allocated; NULL with the error recorded. */
char *dun_path_user(void);

#endif
