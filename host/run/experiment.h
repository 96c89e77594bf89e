/* What all that runs a model begins with: a config file or a run directory, overridden from the environment
 * and by its caller, opened as a session. */
#ifndef DUN_EXPERIMENT_H
#define DUN_EXPERIMENT_H

#include "run/kept.h"
#include "session/session.h"

/* What the caller sets over the file and the environment. */
typedef struct {
    const char **sets; /* "section.key=value" */
    size_t n_sets;
    const char *device; /* NULL: the config's */
    bool alone;         /* the environment sets nothing */
} dun_overrides;

typedef struct {
    dun_config config;
    char *name;             /* the config's experiment.name, else its file name without ending */
    char *run_path;         /* the run directory, or NULL for a config file */
    dun_saved_prompt saved; /* the run's result */
    dun_session session;
} dun_experiment;

/* Reads a config file into `config` (initialised), then the DUNLIN_SECTION_KEY environment, then the
 * overrides. */
int dun_experiment_read_config(dun_config *config, const char *path, const dun_overrides *overrides);

/* The config's experiment.name, else its file's name without ending: "config/boids.ini" -> "boids". Newly
 * allocated; NULL with the error recorded. */
char *dun_experiment_name(const dun_config *config, const char *path);

/* Reads the config of `path` (a config file, or a run directory with its trained prompt) and opens the
 * session: model, tokenizer, prompt. Precedence: overrides, DUNLIN_SECTION_KEY environment, file. */
int dun_experiment_open(dun_experiment *experiment, const char *path, const dun_overrides *overrides,
                        const dun_observer *observer);

/* The config of a run directory, overridden likewise and checked, in `config` (zeroed; dun_config_free
 * whatever is returned). DUN_USAGE: it is no such folder. */
int dun_experiment_run_config(dun_config *config, const char *run_path, const dun_overrides *overrides);

/* A config that names a model and nothing else, under the environment and the overrides; in `config`
 * likewise. */
int dun_experiment_model_config(dun_config *config, const char *model, const dun_overrides *overrides);

/* The same with the config's starting prompt even for a run directory, which need not be finished. */
int dun_experiment_open_config(dun_experiment *experiment, const char *path, const dun_overrides *overrides,
                               const dun_observer *observer);
void dun_experiment_close(dun_experiment *experiment);

/* Opens the trained run whose files are kept: config.ini, prompt.safetensors and perhaps metrics.json.
 * `name`: its folder's path, or what stands for it in messages. DUN_BAD_INPUT: a file is missing or damaged.
 */
int dun_experiment_open_kept(dun_experiment *experiment, const dun_kept *kept, const char *name,
                             const dun_overrides *overrides, const dun_observer *observer);

/* Fails for a config file where only a finished run makes sense. */
int dun_experiment_require_run(const dun_experiment *experiment, const char *path, const char *command);

#endif
