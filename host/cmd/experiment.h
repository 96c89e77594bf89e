/* What the commands that run a model share: a config file or a run directory, overridden from the
 * environment and the command line, opened as a session. */
#ifndef DUN_EXPERIMENT_H
#define DUN_EXPERIMENT_H

#include "cmd/shell/options.h"
#include "report/progress.h"
#include "session/session.h"

/* What the command line said. */
typedef struct {
    const char **sets; /* "section.key=value" */
    size_t n_sets;
    const char *device; /* NULL: the config's */
} dun_overrides;

typedef struct {
    dun_config config;
    char *name;             /* the config's experiment.name, else its file name without ending */
    char *run_path;         /* the run directory, or NULL for a config file */
    dun_saved_prompt saved; /* the run's result */
    dun_session session;
} dun_experiment;

/* Reads a config file into `config` (initialised), then the DUNLIN_SECTION_KEY environment, then the command
 * line. */
int dun_experiment_read_config(dun_config *config, const char *path, const dun_overrides *overrides);

/* The config's experiment.name, else its file's name without ending: "config/boids.ini" -> "boids". Newly
 * allocated; NULL with the error recorded. */
char *dun_experiment_name(const dun_config *config, const char *path);

/* Reads the config of `path` (a config file, or a run directory with its trained prompt) and opens the
 * session: model, tokenizer, prompt. Precedence: command line, DUNLIN_SECTION_KEY environment, file. */
int dun_experiment_open(dun_experiment *experiment, const char *path, const dun_overrides *overrides,
                        const dun_observer *observer);

/* The same with the config's starting prompt even for a run directory, which need not be finished. */
int dun_experiment_open_config(dun_experiment *experiment, const char *path, const dun_overrides *overrides,
                               const dun_observer *observer);
void dun_experiment_close(dun_experiment *experiment);

/* The overrides of a command line with --set and --device; sets are the caller's to free. */
int dun_overrides_read(dun_overrides *overrides, const dun_args *args);
void dun_overrides_free(dun_overrides *overrides);

/* The option rows of commands that run a model: what dun_overrides_read reads, and --trace (commands.c). */
#define DUN_OVERRIDE_OPTIONS                                                                                 \
    {.name = "set",                                                                                          \
     .argument = "SECTION.KEY=VALUE",                                                                        \
     .repeatable = true,                                                                                     \
     .help = "Sets a key of the config; the rest of the word is the value."},                                \
        {.name = "trace",                                                                                    \
         .argument = "FILE",                                                                                 \
         .environment = "DUNLIN_TRACE",                                                                      \
         .help = "Writes every launch and copy of the device as a Chrome or Perfetto trace."},               \
    {                                                                                                        \
        .name = "device", .letter = 'd', .argument = "SELECTOR",                                             \
        .help = "The device, as `dunlin devices` shows it; stands for --set device.use=SELECTOR."            \
    }

/* --unsure: the least confidence of an answer, 0 when it is not given. DUN_USAGE: not a number of 0 to 1. */
int dun_unsure_read(double *unsure, const dun_args *args);

#define DUN_UNSURE_OPTION                                                                                    \
    {                                                                                                        \
        .name = "unsure", .argument = "CONFIDENCE",                                                          \
        .help = "Answers with a lower confidence, 0 to 1, get the label `unsure`."                           \
    }

/* The rows of --quiet and --verbose, and the progress that they ask for. DUN_USAGE: both are given. The
 * progress needs dun_progress_close whatever is returned. */
#define DUN_TALK_OPTIONS                                                                                     \
    {.name = "quiet", .letter = 'q', .help = "No progress on stderr; warnings stay."}, {                     \
        .name = "verbose", .letter = 'v', .help = "More on stderr: the device in detail, seconds by stage."  \
    }
int dun_talk(dun_progress *progress, const dun_args *args);

/* Fails for a config file where only a finished run makes sense. */
int dun_experiment_require_run(const dun_experiment *experiment, const char *path, const char *command);

#endif
