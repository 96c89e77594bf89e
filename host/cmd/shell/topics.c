/* The texts of all topics, as rows, and keys of the config as paragraphs. */
#include "cmd/shell/topics.h"

#include "base/err.h"
#include "cmd/shell/options.h"
#include "cmd/shell/shell.h"
#include "config/config.h"

#include <string.h>

enum { COLUMN = 24 };

const dun_topic_row dun_run_files[] = {
    {"config.ini", "The complete config of the run; trains again with another --out."},
    {"history.jsonl, history.csv",
     "A line a step: step, epoch, loss, accuracy of the batch, learning rate, and "
     "the validation accuracy where it was measured."},
    {"metrics.json",
     "Accuracy, figures for each class, confusion matrix, baselines, device, seconds by stage and in all; "
     "written last, so its presence says that the run is complete."},
    {"report.csv, confusion.csv", "Precision, recall, F1 and support of each class; the confusion matrix."},
    {"prompt.safetensors",
     "prompt_embeddings F32 (rows, width), of several prompts (prompts, rows, width), and centroids F32 (classes, "
     "width of a point; those of several prompts side by side)."},
    {"predictions.tsv", "Each validation text with its label, the predicted one and the distances."},
    {".dunlin", "Whose folder it is, and which process works there now: one at a time."},
    {"checkpoint", "What --resume goes on from; checkpoint.previous is the one before."},
    {"run.log", "All that the run said, with times in UTC, warnings and details included."},
    {"report.html", "The run as a page, unless [output] report = no."},
    {"scatter.png, scatter.svg, training.gif", "Pictures, unless [output] pictures = no."},
    {"trajectory, projection.safetensors", "What the page and the pictures are made from."},
    {"sweep.csv, sweep.json", "In the folder of several runs made together: their table."},
    {"plan.json, NAME.json", "There: what the runs are; how the run NAME failed, or that its loss diverged."},
    {"events.out.tfevents.*", "Scalars for TensorBoard, with [output] tensorboard = yes."},
    {0},
};

const dun_topic_row dun_environment_rows[] = {
    {"DUNLIN_SECTION_KEY",
     "Any key of a config, as DUNLIN_PROMPT_LR for prompt.lr. It goes before the config "
     "file; --set goes before it."},
    {"DUNLIN_MODEL_PATH", "So the model file, for `dunlin tokenize` as well."},
    {"DUNLIN_MODELS",
     "More folders with models, with ':' between them, for `dunlin models` and names of models."},
    {"DUNLIN_CACHE", "Folder of what is kept between runs; off keeps nothing."},
    {"DUNLIN_DEVICES",
     "A file of tuned rows like config/devices.ini; they go before what `dunlin tune` kept on this machine and what "
     "is inside the program."},
    {"DUNLIN_PROGRAM",
     "For other programs that use dunlin's libraries: the program dunlin, which tries drivers in processes of its own; "
     "else the one beside them or on PATH."},
    {"DUNLIN_TRACE", "A file for a trace, as --trace."},
    {"DUNLIN_KERNELS", "A kernels.cl that is used instead of the one inside the program."},
    {"DUNLIN_FAIL_AT", "For tests: the n-th allocation, OpenCL call or file write fails."},
    {"XDG_DATA_HOME", "Models and data are looked for in its folder dunlin, else in ~/.local/share/dunlin."},
    {"XDG_CACHE_HOME", "What may be thrown away is kept in its folder dunlin, else in ~/.cache/dunlin."},
    {"OCL_ICD_VENDORS", "The folder in which the OpenCL loader finds drivers."},
    {"NO_COLOR", "When set: no colours on a terminal."},
    {0},
};

const dun_topic_row dun_exit_rows[] = {
    {"0", "Done."},
    {"1", "Failed: a disk is full, the output cannot be written, the loss is not a number."},
    {"2", "Bad command line or config."},
    {"3", "Bad input: a model, data, prompt or run that is not what it must be."},
    {"4", "A problem with the OpenCL device."},
    {"130", "Interrupted by Ctrl-C, SIGTERM or SIGHUP; a training run has saved a checkpoint."},
    {0},
};

const dun_topic_row dun_selector_rows[] = {
    {"N", "The number of a device in `dunlin devices`."},
    {"PLATFORM:DEVICE", "Both numbers, as 0:0."},
    {"cpu, gpu", "The first of that kind."},
    {"best", "The first GPU that works, else the first device; this is the default."},
    {"all", "Every device, where several make sense."},
    {"NAME", "Part of the name of a device or platform, when it fits only one."},
    {0},
};

static int add_rows(dun_str *out, const dun_topic_row *rows) {
    int rc = DUN_OK;
    for (; rows->name; rows++) {
        if (strlen(rows->name) + 4 > COLUMN)
            TRY(dun_str_addf(out, "  %s\n%*s", rows->name, COLUMN, ""));
        else
            TRY(dun_str_addf(out, "  %-*s", COLUMN - 2, rows->name));
        TRY(dun_help_wrap(out, rows->meaning, COLUMN));
    }
out:
    return rc;
}

static int add_files(dun_str *out) {
    return add_rows(out, dun_run_files);
}

static int add_environment(dun_str *out) {
    return add_rows(out, dun_environment_rows);
}

static int add_exits(dun_str *out) {
    return add_rows(out, dun_exit_rows);
}

static int add_selectors(dun_str *out) {
    return add_rows(out, dun_selector_rows);
}

const dun_topic dun_topics[] = {
    {.name = "config",
     .summary = "Config files, and every key.",
     .text =
         "A config is an INI file: `[section]` lines, and `key = value` lines below them. A comment is a "
         "line that begins with # or ;, or what follows \" ;\" behind a value. A value keeps its spaces in "
         "double quotes. `include = other.ini` before the first section reads another file first, beside "
         "this one. What a config does not say has its default.\n\n"
         "The strongest comes first: --set SECTION.KEY=VALUE, the environment (DUNLIN_SECTION_KEY), the "
         "config, the files it includes, the default. `dunlin help SECTION.KEY` tells about one key.\n\n"
         "The path of a file is looked for as written, then beside the config that names it, then in "
         "~/.local/share/dunlin, then where dunlin is installed. A path that begins with ./ is beside the "
         "config.",
     .section = "*"},
    {.name = "experiments",
     .summary = "From a config to a result.",
     .text =
         "A frozen language model reads a text; then it reads a few trained rows, the soft prompt. What it "
         "gives at the last of these rows is the point of the text. Each class has a centroid among the "
         "points, and a text belongs to the class whose centroid is nearest. Only the prompt, and if asked "
         "for the centroids, are trained.\n\n"
         "dunlin init DIR --data FILE writes a config for texts of your own. dunlin train CONFIG trains it "
         "and leaves a run, the folder runs/NAME. dunlin eval RUN measures it again, dunlin classify RUN "
         "sorts texts line by line, dunlin train --resume RUN goes on with a run that was interrupted.\n\n"
         "What matters most, in this order: prompt.text (words that make the model say what you want to "
         "know), centroid.start = mean, model.point = hidden, prompt.lr (between 1e-3 and 1e-1).\n\n"
         "Ready configs lie in config/ of the source, or in share/dunlin/config once dunlin is installed; "
         "they are found there by the same name: dunlin train config/quickstart.ini."},
    {.name = "selectors",
     .summary = "How devices are named.",
     .text = "--device, device.use and `dunlin devices` take a selector; several are separated by commas.",
     .add = add_selectors},
    {.name = "data",
     .summary = "Files of labelled texts.",
     .text =
         "TSV: text, tab, label, without any quoting. CSV: RFC 4180, so that quoted fields may hold commas, "
         "newlines and doubled quotes. JSONL: an object a line with the keys text and label. Each may be "
         "compressed with gzip. Texts are UTF-8, without empty ones. Any number of classes from two on is "
         "fine; a label that the training file or the label map does not have is an error with its line.",
     .section = "data"},
    {.name = "losses",
     .summary = "What training makes small.",
     .text = "Cross-entropy: softmax over the negative distances to all centroids. Centroid: the distance to "
             "the own centroid, and a repulsion between centroids. Attract-repel: the distance to the own "
             "centroid, and a repulsion from those of the other classes. With label words, cross-entropy "
             "goes by the distances less what the model's head makes of a word for each class.",
     .section = "loss"},
    {.name = "files",
     .summary = "What a run leaves behind.",
     .text = "The folder of a run holds:",
     .add = add_files},
    {.name = "environment", .summary = "Variables that dunlin reads.", .add = add_environment},
    {.name = "exit-codes", .summary = "What the exit status means.", .add = add_exits},
    {.name = "man", .summary = "dunlin(1) as a man page.", .add = dun_man_program, .generated = true},
    {.name = "man-config", .summary = "dunlin-config(5).", .add = dun_man_config, .generated = true},
    {.name = "bash", .summary = "Completion for bash.", .add = dun_complete_bash, .generated = true},
    {.name = "zsh", .summary = "Completion for zsh.", .add = dun_complete_zsh, .generated = true},
    {.name = "fish", .summary = "Completion for fish.", .add = dun_complete_fish, .generated = true},
    {0},
};

const dun_topic *dun_topic_find(const char *name) {
    for (const dun_topic *topic = dun_topics; topic->name; topic++)
        if (strcmp(topic->name, name) == 0)
            return topic;
    return NULL;
}

/* "prompt.lr", its default, its help and what it takes. */
static int add_key(dun_str *out, enum dun_config_id id) {
    int rc = DUN_OK;
    const dun_config_key *key = &dun_config_key_table[id];
    dun_str words = {0};
    TRY(dun_str_addf(out, "  %s.%s%s%s\n      ", key->section, key->name, key->initial[0] ? " = " : "",
                     key->initial));
    TRY(dun_str_addf(&words, "%s", key->help));
    if (key->type != DUN_CONFIG_STRING) {
        TRY(dun_str_addf(&words, " Takes "));
        TRY(dun_config_accepts(&words, id));
        TRY(dun_str_addf(&words, "."));
    }
    TRY(dun_help_wrap(out, words.bytes, 6));
out:
    dun_str_free(&words);
    return rc;
}

static int add_sections(dun_str *out, const char *wanted) {
    int rc = DUN_OK;
    for (size_t s = 0; s < DUN_N_SECTIONS; s++) {
        const dun_config_section *section = &dun_config_section_table[s];
        if (strcmp(wanted, "*") != 0 && strcmp(wanted, section->name) != 0)
            continue;
        TRY(dun_str_addf(out, "\n[%s]\n", section->name));
        TRY(dun_help_wrap(out, section->help, 0));
        for (int id = 0; id < DUN_N_KEYS; id++)
            if (strcmp(dun_config_key_table[id].section, section->name) == 0)
                TRY(add_key(out, (enum dun_config_id)id));
    }
out:
    return rc;
}

int dun_topic_print(dun_str *out, const dun_topic *topic) {
    int rc = DUN_OK;
    if (topic->text)
        TRY(dun_help_wrap(out, topic->text, 0));
    if (topic->text && topic->add)
        TRY(dun_str_addf(out, "\n"));
    if (topic->section)
        TRY(add_sections(out, topic->section));
    if (topic->add)
        TRY(topic->add(out));
out:
    return rc;
}

int dun_topic_print_key(dun_str *out, const char *name) {
    int rc;
    enum dun_config_id id;
    TRY(dun_config_find(&id, name, "help"));
    TRY(add_key(out, id));
out:
    return rc;
}
