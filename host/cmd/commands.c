/* The table of subcommands, and the program's own options. */
#include "base/err.h"
#include "base/nearest.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/ranked.h"
#include "cmd/shell/topics.h"
#include "dev/trace.h"
#include "ranks/ranks.h"

#include <string.h>

/* In the order of the help. */
#define COMMANDS(X)                                                                                          \
    X(train)                                                                                                 \
    X(init)                                                                                                  \
    X(eval)                                                                                                  \
    X(curve)                                                                                                 \
    X(classify)                                                                                              \
    X(suggest)                                                                                               \
    X(serve)                                                                                                 \
    X(points)                                                                                                \
    X(embed)                                                                                                 \
    X(tokenize)                                                                                              \
    X(bench)                                                                                                 \
    X(report)                                                                                                \
    X(export)                                                                                                \
    X(boids)                                                                                                 \
    X(tune)                                                                                                  \
    X(models)                                                                                                \
    X(devices)                                                                                               \
    X(check)                                                                                                 \
    X(compare)                                                                                               \
    X(cache)

#define X(name) extern const dun_command dun_command_##name;
COMMANDS(X)
#undef X

const dun_command *const dun_commands[] = {
#define X(name) &dun_command_##name,
    COMMANDS(X)
#undef X
        NULL,
};

/* What no help names: dunlin runs it itself. */
extern const dun_command dun_command_try_driver;

enum { MAX_NAMES = 64 };

static int find(const dun_command **command, const char *name) {
    const char *names[MAX_NAMES] = {"help"};
    size_t n = 1;
    *command = &dun_command_try_driver;
    if (strcmp((*command)->name, name) == 0)
        return DUN_OK;
    for (const dun_command *const *c = dun_commands; *c && n < MAX_NAMES; c++) {
        *command = *c;
        if (strcmp((*c)->name, name) == 0)
            return DUN_OK;
        names[n++] = (*c)->name;
    }
    return dun_error(DUN_USAGE, "unknown command \"%.60s\"; the nearest is %s (see dunlin --help)", name,
                     dun_nearest(name, names, n));
}

static int program_help(dun_str *out) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "Usage: dunlin COMMAND ...\n\n"
                          "Trains soft prompts on a frozen language model, on any OpenCL device.\n\n"
                          "Commands:\n"));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(dun_str_addf(out, "  %-10s %s\n", (*c)->name, (*c)->summary));
    TRY(dun_str_addf(out, "  %-10s %s\n\n", "help",
                     "Show the help of a command, a topic or a key of the config."));
    TRY(dun_str_addf(out, "Topics for dunlin help:\n"));
    for (const dun_topic *topic = dun_topics; topic->name; topic++)
        if (!topic->generated)
            TRY(dun_str_addf(out, "  %-12s %s\n", topic->name, topic->summary));
    TRY(dun_str_addf(out, "\n"));
    TRY(dun_str_addf(out, "Options:\n"
                          "  -h, --help   Show this help; dunlin COMMAND --help shows that of a command.\n"
                          "      --version  Show the version.\n"));
out:
    return rc;
}

int dun_command_help(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    if (!command)
        return program_help(out);
    TRY(dun_str_addf(out, "Usage: dunlin %s %s\n\n%s\n\n", command->name, command->usage, command->summary));
    if (command->help)
        TRY(dun_help_wrap(out, command->help, 0));
    TRY(dun_str_addf(out, "%sOptions:\n", command->help ? "\n" : ""));
    TRY(dun_options_help(out, command->options));
out:
    return rc;
}

static int print_help(const dun_command *command) {
    int rc = DUN_OK;
    dun_str help = {0};
    TRY(dun_command_help(&help, command));
    TRY(dun_out_text(&help));
out:
    dun_str_free(&help);
    return rc;
}

static int unknown_topic(const char *name) {
    const char *names[MAX_NAMES];
    size_t n = 0;
    for (const dun_command *const *c = dun_commands; *c && n < MAX_NAMES; c++)
        names[n++] = (*c)->name;
    for (const dun_topic *topic = dun_topics; topic->name && n < MAX_NAMES; topic++)
        names[n++] = topic->name;
    return dun_error(DUN_USAGE, "help: no command or topic \"%.60s\"; the nearest is %s (see dunlin --help)",
                     name, dun_nearest(name, names, n));
}

/* What is not a command is a topic, or with a dot a key of the config. */
static int print_topic(const char *name) {
    int rc = DUN_OK;
    dun_str text = {0};
    const dun_topic *topic = dun_topic_find(name);
    if (topic)
        TRY(dun_topic_print(&text, topic));
    else if (strchr(name, '.'))
        TRY(dun_topic_print_key(&text, name));
    else
        TRY(unknown_topic(name));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

/* dunlin help [COMMAND|TOPIC|SECTION.KEY] */
static int help_command(int argc, char *const *argv) {
    if (argc > 1)
        return dun_error(
            DUN_USAGE, "help: unexpected \"%.60s\"; usage: dunlin help [COMMAND|TOPIC|SECTION.KEY]", argv[1]);
    if (argc == 0 || strcmp(argv[0], "help") == 0 || argv[0][0] == '-')
        return print_help(NULL);
    for (const dun_command *const *c = dun_commands; *c; c++)
        if (strcmp((*c)->name, argv[0]) == 0)
            return print_help(*c);
    return print_topic(argv[0]);
}

static int run(const dun_command *command, int argc, char *const *argv) {
    int rc = DUN_OK;
    dun_args args = {0};
    TRY(dun_args_read(&args, command, argc, argv));
    const char *trace = args.help ? NULL : dun_args_value(&args, "trace");
    if (trace)
        TRY(dun_trace_start(trace));
    if (command->goes_on && !args.help)
        dun_out_for_listeners();
    rc = dun_trace_stop(args.help ? print_help(command) : command->run(&args));
out:
    dun_args_free(&args);
    return rc;
}

/* A job of one command line, by all ranks that a launcher started, or by this process alone. */
static int run_alone_or_ranked(const dun_command *command, int argc, char *const *argv) {
    int rc = DUN_OK;
    bool leads = true;
    if (command->ranked)
        TRY(dun_ranked_join(&leads, command->name, argc, argv));
    else if (dun_ranks_launched())
        dun_ranks_hide();
    rc = leads ? run(command, argc, argv) : dun_ranked_work();
out:
    return rc;
}

int dun_command_run(int argc, char *const *argv) {
    static const char *const own[] = {"help", "version"};
    static const char version[] = "dunlin " DUN_VERSION "\n";
    const dun_command *command = NULL;
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name)
        return dun_error(DUN_USAGE, "no command given; dunlin --help lists them");
    if (strcmp(name, "--version") == 0)
        return dun_out_write(version, sizeof version - 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help_command(argc - 2, argv + 2);
    if (name[0] == '-')
        return dun_error(DUN_USAGE, "unknown option %.60s; the nearest is --%s (see dunlin --help)", name,
                         dun_nearest(name + strspn(name, "-"), own, sizeof own / sizeof *own));
    int rc = find(&command, name);
    return rc < 0 ? rc : run_alone_or_ranked(command, argc - 2, argv + 2);
}
