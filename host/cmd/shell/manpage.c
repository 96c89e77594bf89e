/* dunlin(1) and dunlin-config(5) in the man macros of roff, from the tables of commands, options and keys. */
#include "base/err.h"
#include "cmd/shell/shell.h"
#include "cmd/shell/topics.h"
#include "config/config.h"

#include <string.h>

enum { MOST_BYTES = 78 };

/* What roff reads as something else: a hyphen as a dash, quotes and accents as typographic ones. */
static const char *escape_of(char c) {
    static const struct {
        char character;
        const char *escape;
    } escapes[] = {{'-', "\\-"}, {'\\', "\\e"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'`', "\\(ga"}};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].character == c)
            return escapes[i].escape;
    return NULL;
}

/* Length of the first word once it is escaped. */
static size_t word_bytes(const char *text) {
    size_t n = 1;
    for (; *text && *text != ' ' && *text != '\n'; text++)
        n += escape_of(*text) ? strlen(escape_of(*text)) : 1;
    return n;
}

/* Text in lines that are not too long to read in the source, none of which is a request by accident. A blank
 * line begins a new paragraph, a single newline is a space. */
static int add_text(dun_str *out, const char *text) {
    int rc = DUN_OK;
    size_t line = out->length;
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\''))
            TRY(dun_str_addf(out, "\\&"));
        begins = false;
        if (text[0] == '\n' && text[1] == '\n') {
            TRY(dun_str_addf(out, "\n.PP\n"));
            text++;
            begins = true;
        } else if (*text == '\n' || *text == ' ') {
            begins = text[1] && out->length - line + word_bytes(text + 1) > MOST_BYTES;
            TRY(dun_str_addf(out, begins ? "\n" : " "));
        } else {
            const char *escape = escape_of(*text);
            TRY(escape ? dun_str_addf(out, "%s", escape) : dun_str_add(out, text, 1));
        }
        if (begins)
            line = out->length;
    }
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}

static int add_heading(dun_str *out, const char *name) {
    return dun_str_addf(out, ".SH %s\n", name);
}

static int add_rows(dun_str *out, const dun_topic_row *rows) {
    int rc = DUN_OK;
    for (; rows->name; rows++) {
        TRY(dun_str_addf(out, ".TP\n.B "));
        TRY(add_text(out, rows->name));
        TRY(add_text(out, rows->meaning));
    }
out:
    return rc;
}

static int add_option(dun_str *out, const dun_option *option) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, ".TP\n"));
    if (option->letter)
        TRY(dun_str_addf(out, "\\fB\\-%c\\fR, ", option->letter));
    TRY(dun_str_addf(out, "\\fB\\-\\-"));
    TRY(dun_text_escaped(out, option->name, "-"));
    TRY(dun_str_addf(out, "\\fR"));
    if (option->argument) {
        TRY(dun_str_addf(out, " \\fI"));
        TRY(dun_text_escaped(out, option->argument, "-"));
        TRY(dun_str_addf(out, "\\fR"));
    }
    TRY(dun_str_addf(out, "\n"));
    TRY(add_text(out, option->help));
    if (option->repeatable)
        TRY(add_text(out, "May be repeated."));
    if (option->environment) {
        TRY(dun_str_addf(out, "Without it the variable\n.B "));
        TRY(add_text(out, option->environment));
        TRY(add_text(out, "is taken."));
    }
out:
    return rc;
}

static int add_command(dun_str *out, const dun_command *command) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, ".SS dunlin %s\n", command->name));
    TRY(add_text(out, command->summary));
    TRY(dun_str_addf(out, ".PP\n.B dunlin %s\n", command->name));
    TRY(add_text(out, command->usage));
    if (command->help) {
        TRY(dun_str_addf(out, ".PP\n"));
        TRY(add_text(out, command->help));
    }
    for (const dun_option *o = command->options; o->name; o++)
        TRY(add_option(out, o));
out:
    return rc;
}

static int add_commands(dun_str *out) {
    int rc = DUN_OK;
    TRY(add_heading(out, "COMMANDS"));
    TRY(dun_str_addf(out, "Every command also takes\n.B \\-\\-help\nor\n.BR \\-h .\n"));
    for (const dun_command *const *c = dun_commands; *c; c++)
        TRY(add_command(out, *c));
    TRY(dun_str_addf(out, ".SS dunlin help\n"));
    TRY(add_text(out, "Show the help of a command, a topic or a key of the config."));
    TRY(dun_str_addf(out, ".PP\n.B dunlin help\n"));
    TRY(add_text(out, "[COMMAND|TOPIC|SECTION.KEY]"));
    for (const dun_topic *topic = dun_topics; topic->name; topic++) {
        TRY(dun_str_addf(out, ".TP\n.B dunlin help "));
        TRY(add_text(out, topic->name));
        TRY(add_text(out, topic->summary));
    }
out:
    return rc;
}

int dun_man_program(dun_str *out) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, ".TH DUNLIN 1 %s \"dunlin " DUN_VERSION "\"\n", DUN_RELEASED));
    TRY(add_heading(out, "NAME"));
    TRY(dun_str_addf(out,
                     "dunlin \\- train soft prompts on a frozen language model, on any OpenCL device\n"));
    TRY(add_heading(out, "SYNOPSIS"));
    TRY(dun_str_addf(out, ".B dunlin\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIFILE\\fR]...\n.br\n"
                          ".B dunlin\n.B \\-\\-help\n|\n.B \\-\\-version\n"));
    TRY(add_heading(out, "DESCRIPTION"));
    TRY(add_text(out, dun_topic_find("experiments")->text));
    TRY(dun_str_addf(out, ".PP\nData goes to standard output,\nprogress and messages to standard error.\n"
                          "Keys of a config are described in\n.BR dunlin\\-config (5).\n"));
    TRY(add_commands(out));
    TRY(add_heading(out, "DEVICE SELECTORS"));
    TRY(add_text(out, dun_topic_find("selectors")->text));
    TRY(add_rows(out, dun_selector_rows));
    TRY(add_heading(out, "FILES"));
    TRY(add_text(out, dun_topic_find("files")->text));
    TRY(add_rows(out, dun_run_files));
    TRY(add_heading(out, "ENVIRONMENT"));
    TRY(add_rows(out, dun_environment_rows));
    TRY(add_heading(out, "EXIT STATUS"));
    TRY(add_rows(out, dun_exit_rows));
    TRY(add_heading(out, "SEE ALSO"));
    TRY(dun_str_addf(out, ".BR dunlin\\-config (5),\n.BR clinfo (1)\n"));
out:
    return rc;
}

static int add_key(dun_str *out, enum dun_config_id id) {
    int rc = DUN_OK;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str takes = {0};
    TRY(dun_str_addf(out, ".TP\n.B "));
    TRY(dun_str_addf(&takes, "%s%s%s", key->name, key->initial[0] ? " = " : "", key->initial));
    TRY(add_text(out, takes.bytes));
    TRY(add_text(out, key->help));
    if (key->type != DUN_CONFIG_STRING) {
        dun_str_clear(&takes);
        TRY(dun_str_addf(&takes, "Takes "));
        TRY(dun_config_accepts(&takes, id));
        TRY(dun_str_addf(&takes, "."));
        TRY(add_text(out, takes.bytes));
    }
out:
    dun_str_free(&takes);
    return rc;
}

int dun_man_config(dun_str *out) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, ".TH DUNLIN\\-CONFIG 5 %s \"dunlin " DUN_VERSION "\"\n", DUN_RELEASED));
    TRY(add_heading(out, "NAME"));
    TRY(dun_str_addf(out, "dunlin\\-config \\- config files of dunlin\n"));
    TRY(add_heading(out, "DESCRIPTION"));
    TRY(add_text(out, dun_topic_find("config")->text));
    for (int id = 0, section = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        if (id == 0 || strcmp(key[-1].section, key->section) != 0) {
            TRY(dun_str_addf(out, ".SH \"[%s]\"\n", key->section));
            TRY(add_text(out, dun_config_section_table[section++].help));
        }
        TRY(add_key(out, (enum dun_config_id)id));
    }
    TRY(add_heading(out, "DATA"));
    TRY(add_text(out, dun_topic_find("data")->text));
    TRY(add_heading(out, "SEE ALSO"));
    TRY(dun_str_addf(out, ".BR dunlin (1)\n"));
out:
    return rc;
}
