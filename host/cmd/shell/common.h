/* Options that several commands have: the overrides of a config, --unsure, --quiet and --verbose. */
#ifndef DUN_COMMON_H
#define DUN_COMMON_H

#include "cmd/shell/options.h"
#include "report/progress.h"
#include "run/experiment.h"

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

#endif
