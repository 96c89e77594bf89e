/* Fills the template from what the data are like and from the recipe's keys.
 * How to train is taken from config/recommended.ini, else from config/quickstart.ini, else it
 * is what those began with. */
#include "cmd/starter.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "config/config.h"
#include "config/config_value.h"
#include "config/paths.h"
#include "session/model_name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MOST_CLASSES = 20 };

static int load_recipe(dun_config *config, bool *found) {
    static const char *const names[] = {"recommended.ini", "quickstart.ini"};
    int rc = DUN_OK;
    char *share = NULL;
    dun_str path = {0};
    *found = false;
    TRY(dun_config_init(config));
    TRY_PTR(share, dun_path_share());
    for (size_t i = 0; i < 2 && *share && !*found; i++) {
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/config/%s", share, names[i]));
        if (access(path.bytes, R_OK) != 0)
            continue;
        TRY(dun_config_load(config, path.bytes));
        *found = true;
    }
    if (!*found) {
        TRY(dun_config_set(config, "prompt.lr=1e-2"));
        TRY(dun_config_set(config, "centroid.start=mean"));
    }
out:
    dun_str_free(&path);
    dun_free(share);
    return rc;
}

/* "reviews/" -> "reviews", for a folder without a name of its own "texts". */
static char *name_of(const char *folder) {
    size_t end = strlen(folder);
    while (end > 0 && folder[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && folder[start - 1] != '/')
        start--;
    bool usable = end > start && folder[start] != '.';
    return usable ? dun_strndup(folder + start, end - start) : dun_strdup("texts");
}

int dun_starter_init(dun_starter *starter, const char *folder, const char *model) {
    int rc = DUN_OK;
    dun_config config = {0};
    bool found;
    char real[PATH_MAX];
    char *path = NULL;
    TRY(load_recipe(&config, &found));
    TRY_PTR(starter->name, name_of(folder));
    if (!model)
        model = *config.model.path ? config.model.path : "models/model.gguf";
    TRY(dun_model_name_find(&path, model));
    starter->model_found = access(path, R_OK) == 0;
    if (starter->model_found)
        TRY(dun_path_absolute(real, sizeof real, path));
    TRY_PTR(starter->model, dun_strdup(starter->model_found ? real : model));
out:
    dun_free(path);
    dun_config_free(&config);
    return rc;
}

void dun_starter_free(dun_starter *starter) {
    dun_free(starter->name);
    dun_free(starter->model);
}

int dun_starter_classes(dun_str *out, const dun_starter *starter) {
    int rc = DUN_OK;
    const dun_labels *labels = starter->labels;
    for (uint32_t k = 0; k < labels->n_classes && k < MOST_CLASSES; k++) {
        TRY(dun_str_addf(out, "%s", k ? ", " : ""));
        TRY(dun_utf8_show(out, labels->names[k], strlen(labels->names[k])));
        TRY(dun_str_addf(out, " (%u)", starter->counts[k]));
    }
    if (labels->n_classes > MOST_CLASSES)
        TRY(dun_str_addf(out, " and %u more", labels->n_classes - MOST_CLASSES));
out:
    return rc;
}

dun_starter_words dun_starter_prompt(const dun_starter *starter) {
    static const dun_starter_words of_feelings = {" Overall this text sounds very",
                                                  " In short I found it| All in all it felt"};
    static const dun_starter_words of_topics = {" Overall this text is about",
                                                " In short it is on| The main subject here is"};
    const dun_labels *labels = starter->labels;
    static const char *const feelings[] = {"good", "bad",   "positive", "negative", "pos",
                                           "neg",  "happy", "sad",      "neutral"};
    size_t n = 0;
    for (uint32_t k = 0; k < labels->n_classes; k++)
        for (size_t i = 0; i < sizeof feelings / sizeof *feelings; i++)
            n += strcasecmp(labels->names[k], feelings[i]) == 0;
    return n >= 2 ? of_feelings : of_topics;
}

static int add_line(dun_str *out, const char *key, const char *value) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "%s = ", key));
    TRY(dun_config_quote(out, value));
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}

static int add_data(dun_str *out, const dun_starter *s) {
    int rc = DUN_OK;
    const dun_judged *found = s->found;
    const bool json = strncmp(found->format, "json", 4) == 0;
    TRY(dun_str_addf(out, "[data]\n# ./ is the folder of this file.\n"));
    TRY(add_line(out, "train", s->train));
    TRY(add_line(out, "valid", s->valid));
    /* A split is named after its format; other files may say nothing of it. */
    if (!found->by_ending && strncmp(s->train, "./", 2) != 0)
        TRY(add_line(out, "format", found->format));
    if (found->header)
        TRY(dun_str_addf(out, "# The first line names the columns.\nheader = yes\n"));
    if (json ? strcmp(found->text_column, "text") != 0 : found->text != 0 || found->header)
        TRY(add_line(out, "text_column", found->text_column));
    if (json ? strcmp(found->label_column, "label") != 0 : found->label != 1 || found->header)
        TRY(add_line(out, "label_column", found->label_column));
    if (s->skips_rows)
        TRY(dun_str_addf(out, "# Rows without a label, or of another number of columns, are passed over.\n"
                              "bad_rows = skip\n"));
    TRY(dun_str_addf(out, "# Classes found: "));
    TRY(dun_starter_classes(out, s));
    TRY(dun_str_addf(out,
                     ".\n# label_map = one:0, two:1 would fix their order, or let labels share a class.\n"
                     "# Tokens; the longest text has %s%u, %u are cut. Longer costs time and memory.\n"
                     "max_length = %u\n\n",
                     s->model_found ? "" : "about ", s->longest, s->n_cut, s->max_length));
out:
    return rc;
}

/* Is the key a part of how to train, and set by the recipe? */
static bool is_recipe(const dun_config *config, int id) {
    static const char *const others[] = {"experiment", "device", "data", "boids", "compare", "output"};
    const dun_config_key *key = &dun_config_key_table[id];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(key->section, others[i]) == 0)
            return false;
    return config->origins[id] && id != DUN_KEY_model_path && id != DUN_KEY_prompt_text &&
           id != DUN_KEY_prompt_texts && id != DUN_KEY_prompt_template && id != DUN_KEY_prompt_file &&
           id != DUN_KEY_prompt_init && id != DUN_KEY_prompt_tokens;
}

/* The recipe's keys of a section, each with its help. */
static int add_recipe(dun_str *out, const dun_config *config, const char *section) {
    int rc = DUN_OK;
    dun_str value = {0};
    for (int id = 0; id < DUN_N_KEYS; id++) {
        const dun_config_key *key = &dun_config_key_table[id];
        if (strcmp(key->section, section) != 0 || !is_recipe(config, id))
            continue;
        dun_str_clear(&value);
        TRY(dun_config_get(&value, config, (enum dun_config_id)id));
        TRY(dun_str_addf(out, "# %s\n", key->help));
        TRY(add_line(out, key->name, value.length ? value.bytes : ""));
    }
out:
    dun_str_free(&value);
    return rc;
}

static int add_model(dun_str *out, const dun_starter *s, const dun_config *config) {
    int rc = DUN_OK;
    TRY(dun_str_addf(
        out, "[model]\n# The frozen model; its file must be this one for as long as runs of it are used.\n"));
    TRY(add_line(out, "path", s->model));
    TRY(add_recipe(out, config, "model"));
    TRY(dun_str_addf(out, "\n"));
out:
    return rc;
}

static int add_prompt(dun_str *out, const dun_starter *s, const dun_config *config) {
    int rc = DUN_OK;
    dun_str template = {0};
    const dun_starter_words words = dun_starter_prompt(s);
    TRY(dun_str_addf(out,
                     "[prompt]\n# What matters most: words behind which the model would say what the labels "
                     "are about. They are\n# the start; training changes them. The quotes keep the leading "
                     "space.\ninit = text\n"));
    TRY(add_line(out, "text", words.text));
    if (config->prompt.count > 1) {
        TRY(dun_str_addf(out, "# What the other prompts start as, with a bar between two.\n"));
        TRY(add_line(out, "texts", words.texts));
    }
    if (*config->prompt.template) {
        TRY(dun_starter_template(&template, s));
        TRY(dun_str_addf(out,
                         "# What every text is put into. Examples are run once; better ones of your own may "
                         "help, and a better word\n# than \"Label\". Without a template the prompt simply "
                         "follows the text.\n"));
        TRY(add_line(out, "template", template.bytes));
    }
    TRY(add_recipe(out, config, "prompt"));
out:
    dun_str_free(&template);
    return rc;
}

int dun_starter_config(dun_str *out, const dun_starter *s) {
    static const char *const rest[] = {"centroid", "loss", "train"};
    int rc = DUN_OK;
    dun_config config = {0};
    bool found;
    TRY(load_recipe(&config, &found));
    TRY(dun_str_addf(out,
                     "# Made by `dunlin init`, to be changed at will. Train it: dunlin train THIS FILE\n"
                     "# Every key and its default: dunlin help config, or the man page "
                     "dunlin-config(5).\n\n[experiment]\n# The run is left in runs/ under this name.\n"));
    TRY(add_line(out, "name", s->name));
    TRY(dun_str_addf(out, "\n"));
    TRY(add_model(out, s, &config));
    TRY(add_data(out, s));
    TRY(add_prompt(out, s, &config));
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        TRY(dun_str_addf(out, "\n[%s]\n", rest[i]));
        TRY(add_recipe(out, &config, rest[i]));
    }
out:
    dun_config_free(&config);
    return rc;
}
