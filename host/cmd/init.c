/* dunlin init: a config for texts of one's own, from what their file is like. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/starter.h"
#include "config/paths.h"
#include "io/data/dataset.h"
#include "io/data/doubles.h"
#include "io/data/judge.h"
#include "io/data/split.h"
#include "io/data/split_copy.h"
#include "io/data/text_file.h"
#include "io/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define VALID_SHARE 0.2
enum { SEED = 1, LEAST_LENGTH = 16, MOST_LENGTH = 512, USUAL_CONTEXT = 2048 };

typedef struct {
    const char *folder, *data;
    dun_text_file text; /* of the data */
    dun_judged found;
    dun_labels labels;
    dun_dataset *dataset, *valid;
    uint32_t *counts; /* [K] texts of a class */
    dun_split split;
    dun_starter starter;
    char *train_path, *valid_path, *config_path;
} job;

static bool has_bad_rows(const dun_tally *tally) {
    return tally->n[DUN_PASSED_UNLABELLED] + tally->n[DUN_PASSED_UNEVEN] > 0;
}

/* What is written must be what training reads, so its own reader has the last word. */
static int read_data(job *j, const char *valid) {
    int rc = DUN_OK;
    const dun_dataset_options options = {.format = j->found.format,
                                         .text_column = j->found.text_column,
                                         .label_column = j->found.label_column,
                                         .header = j->found.header,
                                         .training = true,
                                         .skip_bad_rows = true};
    dun_dataset_options others = options;
    others.training = false;
    TRY(dun_dataset_of_text(&j->dataset, &j->labels, &j->text, &options));
    if (valid)
        TRY(dun_dataset_read(&j->valid, &j->labels, valid, &others));
    j->starter.skips_rows = valid && (has_bad_rows(&j->dataset->tally) || has_bad_rows(&j->valid->tally));
    TRY_NEW(j->counts, j->labels.n_classes);
    for (size_t i = 0; i < j->dataset->n; i++)
        j->counts[j->dataset->examples[i].label]++;
out:
    return rc;
}

static int join(char **out, const char *folder, const char *name, const char *ending) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(dun_str_addf(&path, "%s/%s.%s", folder, name, ending));
    if (access(path.bytes, F_OK) == 0)
        TRY(dun_error(DUN_FAILED, "%s: exists already, and is never overwritten; name another folder",
                      path.bytes));
    *out = path.bytes;
    path = (dun_str){0};
out:
    dun_str_free(&path);
    return rc;
}

static int by_size(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Room for a text in the model, beside the template's words and the prompt's rows. */
static int model_room(uint32_t *room, job *j, const dun_model_file *model) {
    int rc = DUN_OK;
    const uint32_t context = dun_model_file_spec(model)->context;
    const char *prompt = dun_starter_prompt(&j->starter).text;
    dun_tokenizer *tokenizer = dun_model_file_tokenizer(model);
    dun_tokens tokens = {0};
    dun_str words = {0};
    j->starter.context = context;
    TRY(dun_starter_template(&words, &j->starter));
    TRY(dun_tokenizer_encode(&tokens, tokenizer, prompt, strlen(prompt)));
    size_t taken = tokens.n + dun_tokenizer_most(tokenizer, words.bytes, words.length) + 1;
    *room = context > taken ? context - (uint32_t)taken : 1;
out:
    dun_str_free(&words);
    dun_tokens_free(&tokens);
    return rc;
}

/* data.max_length: what 95 of 100 texts fit into, a multiple of 8. Without a model a token is taken for three
 * bytes. */
static int measure_texts(job *j) {
    int rc = DUN_OK;
    dun_model_file *model = NULL;
    dun_tokenizer *tokenizer = NULL;
    dun_tokens tokens = {0};
    uint32_t *lengths = NULL, n = (uint32_t)j->dataset->n, room = MOST_LENGTH;
    TRY_NEW(lengths, n);
    if (j->starter.model_found) {
        TRY(dun_model_file_open(&model, j->starter.model, DUN_MODEL_SPEC | DUN_MODEL_TOKENIZER));
        tokenizer = dun_model_file_tokenizer(model);
        TRY(model_room(&room, j, model));
    }
    for (uint32_t i = 0; i < n; i++) {
        const dun_example *example = &j->dataset->examples[i];
        tokens.n = 0;
        if (tokenizer)
            TRY(dun_tokenizer_encode(&tokens, tokenizer, example->text, example->length));
        lengths[i] = tokenizer ? (uint32_t)tokens.n : (uint32_t)(example->length / 3 + 1);
    }
    qsort(lengths, n, sizeof *lengths, by_size);
    uint32_t wanted = (lengths[(uint64_t)(n - 1) * 95 / 100] + 7) / 8 * 8;
    wanted = wanted < LEAST_LENGTH ? LEAST_LENGTH : wanted > MOST_LENGTH ? MOST_LENGTH : wanted;
    wanted = wanted > room ? room : wanted;
    j->starter.max_length = wanted;
    j->starter.longest = lengths[n - 1];
    for (uint32_t i = 0; i < n; i++)
        j->starter.n_cut += lengths[i] > wanted;
out:
    dun_free(lengths);
    dun_tokens_free(&tokens);
    dun_model_file_free(model);
    return rc;
}

static int write_split(const job *j) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_split_copy(&text, &j->text, &j->found.dialect, j->found.header, j->dataset, &j->split, false));
    TRY(dun_file_write(j->train_path, text.bytes, text.length));
    dun_str_clear(&text);
    TRY(dun_split_copy(&text, &j->text, &j->found.dialect, j->found.header, j->dataset, &j->split, true));
    TRY(dun_file_write(j->valid_path, text.bytes, text.length));
out:
    dun_str_free(&text);
    return rc;
}

static int write_all(job *j) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_dir_make(j->folder));
    if (j->train_path)
        TRY(write_split(j));
    TRY(dun_starter_config(&text, &j->starter));
    TRY(dun_file_write(j->config_path, text.bytes, text.length));
out:
    dun_str_free(&text);
    if (rc < 0 && j->train_path) {
        unlink(j->train_path);
        unlink(j->valid_path);
    }
    return rc;
}

/* Where both files lie as the config says it: beside it, or by their full paths. */
static int name_files(job *j, const char *valid) {
    int rc = DUN_OK;
    dun_starter *s = &j->starter;
    if (valid) {
        TRY(dun_path_absolute(s->train, sizeof s->train, j->data));
        TRY(dun_path_absolute(s->valid, sizeof s->valid, valid));
    } else {
        const char *ending = dun_split_format(&j->found.dialect);
        snprintf(s->train, sizeof s->train, "./train.%s", ending);
        snprintf(s->valid, sizeof s->valid, "./valid.%s", ending);
        TRY(join(&j->train_path, j->folder, "train", ending));
        TRY(join(&j->valid_path, j->folder, "valid", ending));
    }
out:
    return rc;
}

static int print_summary(const job *j) {
    int rc = DUN_OK;
    dun_str text = {0};
    const dun_starter *s = &j->starter;
    const size_t n_valid = j->valid ? j->valid->n : j->split.n_valid;
    TRY(dun_str_addf(&text, "data      %s: %s%s, text in column %s, label in column %s\n", j->data,
                     j->found.format, j->found.header ? " with a header" : "", j->found.text_column,
                     j->found.label_column));
    if (j->found.n_labels > 1)
        TRY(dun_str_addf(&text,
                         "label     %s is a guess (%zu values); next likely: %s (%zu values): --label %s\n",
                         j->found.label_column, j->found.labels[0].n_values, j->found.labels[1].column,
                         j->found.labels[1].n_values, j->found.labels[1].column));
    TRY(dun_str_addf(&text, "classes   "));
    TRY(dun_starter_classes(&text, s));
    TRY(dun_str_addf(&text, "\nsplit     %zu texts to train with, %zu to validate%s\n",
                     j->dataset->n - j->split.n_valid, n_valid,
                     j->valid ? "" : ", the same share of every class; written beside the config"));
    if (j->split.n_doubles > 0)
        TRY(dun_str_addf(&text, "          %u texts that come again are on the side of the first\n",
                         j->split.n_doubles));
    TRY(dun_str_addf(&text, "length    %u tokens; %u of %zu texts are longer and will be cut\n",
                     s->max_length, s->n_cut, j->dataset->n));
    TRY(dun_str_addf(&text, "model     %s%s\nwritten   %s\n\ndunlin train %s\n", s->model,
                     s->model_found ? "" : " (not there yet)", j->config_path, j->config_path));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

static void free_job(job *j) {
    dun_starter_free(&j->starter);
    dun_dataset_free(j->valid);
    dun_dataset_free(j->dataset);
    dun_labels_free(&j->labels);
    dun_judged_free(&j->found);
    dun_free(j->counts);
    dun_split_free(&j->split);
    dun_free(j->train_path);
    dun_free(j->valid_path);
    dun_free(j->config_path);
    dun_text_file_close(&j->text);
}

/* Which of them is it? A terminal is asked; Enter is the first. */
static int ask(char **out, const dun_judged *found, const char *name) {
    int rc = DUN_OK;
    char line[64];
    dun_str text = {0};
    TRY(dun_str_addf(&text, "%s: which column is the label?\n", name));
    TRY(dun_judged_list(&text, found));
    fprintf(stderr, "%s1 to %zu [1]: ", text.bytes, found->n_labels);
    fflush(stderr);
    if (!fgets(line, sizeof line, stdin))
        TRY(dun_error(DUN_USAGE, "init: no answer; --label COLUMN is needed"));
    const long number = line[0] == '\n' ? 1 : strtol(line, NULL, 10);
    if (number < 1 || (size_t)number > found->n_labels)
        TRY(dun_error(DUN_USAGE, "init: 1 to %zu was to be answered", found->n_labels));
    TRY_PTR(*out, dun_strdup(found->labels[number - 1].column));
out:
    dun_str_free(&text);
    return rc;
}

static int refuse_close(const job *j) {
    const dun_label_guess *guess = j->found.labels;
    return dun_error(
        DUN_USAGE,
        "%s: two columns could be the label: %s (%zu values: %s), %s (%zu values: %s); name one: "
        "dunlin init %s --data %s --label %s",
        j->data, guess[0].column, guess[0].n_values, guess[0].samples, guess[1].column, guess[1].n_values,
        guess[1].samples, j->folder, j->data, guess[0].column);
}

/* What the file is like; where two columns could be the label, who uses it decides. */
static int judge(job *j, const char *text, const char *label) {
    int rc;
    char *answer = NULL;
    TRY(dun_judge(&j->found, &j->text, text, label));
    if (!j->found.close)
        goto out;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        TRY(refuse_close(j));
    TRY(ask(&answer, &j->found, j->data));
    dun_judged_free(&j->found);
    TRY(dun_judge(&j->found, &j->text, text, answer));
out:
    dun_free(answer);
    return rc;
}

/* Without data of one's own: those that come with dunlin. */
static int shipped_data(char **data, char **valid) {
    int rc = DUN_OK;
    TRY_PTR(*data, dun_path_find("data/feelings/train.tsv"));
    TRY_PTR(*valid, dun_path_find("data/feelings/valid.tsv"));
    if (access(*data, R_OK) != 0)
        TRY(dun_error(DUN_USAGE,
                      "init: --data FILE is needed: the data that come with dunlin are not found"));
out:
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    job j = {.folder = dun_args_operand(args, 0), .data = dun_args_value(args, "data")};
    const char *valid = dun_args_value(args, "valid");
    char *own_data = NULL, *own_valid = NULL;
    if (!j.data && valid)
        TRY(dun_error(DUN_USAGE, "init: --valid without --data; the training texts are needed as well"));
    if (!j.data) {
        TRY(shipped_data(&own_data, &own_valid));
        j.data = own_data;
        valid = own_valid;
    }
    TRY(join(&j.config_path, j.folder, "config", "ini"));
    const char *const named[] = {j.data, valid, dun_args_value(args, "model")};
    TRY(dun_place_for_files(j.folder, named, sizeof named / sizeof *named));
    TRY(dun_text_file_open(&j.text, j.data));
    TRY(judge(&j, dun_args_value(args, "text"), dun_args_value(args, "label")));
    TRY(read_data(&j, valid));
    if (!valid)
        TRY(dun_split_make(&j.split, j.dataset, j.labels.n_classes, VALID_SHARE, SEED, j.data));
    TRY(dun_doubles_tell(j.dataset, j.data, j.valid, valid, &j.labels));
    TRY(name_files(&j, valid));
    TRY(dun_starter_init(&j.starter, j.folder, dun_args_value(args, "model")));
    j.starter.found = &j.found;
    j.starter.labels = &j.labels;
    j.starter.counts = j.counts;
    j.starter.dataset = j.dataset;
    j.starter.to_valid = j.split.to_valid;
    j.starter.context = USUAL_CONTEXT; /* until the model says better */
    TRY(measure_texts(&j));
    TRY(write_all(&j));
    if (!j.starter.model_found)
        dun_warn(
            "%s: there is no such model file yet, so max_length is a guess; `dunlin train` will say how to "
            "get it",
            j.starter.model);
    TRY(print_summary(&j));
out:
    free_job(&j);
    dun_free(own_data);
    dun_free(own_valid);
    return rc;
}

static const dun_option options[] = {
    {.name = "data",
     .argument = "FILE",
     .help =
         "Labelled texts: TSV, CSV, JSON or JSON lines, perhaps with gzip. Without it: those that come with dunlin."},
    {.name = "valid",
     .argument = "FILE",
     .help = "Texts to validate with, of the same form; without it a fifth of each class is kept for that."},
    {.name = "text", .argument = "COLUMN", .help = "Column of the texts, a name or a number from 0."},
    {.name = "label", .argument = "COLUMN", .help = "Column of the labels, likewise."},
    {.name = "model",
     .letter = 'm',
     .argument = "FILE",
     .environment = "DUNLIN_MODEL_PATH",
     .help =
         "Model: a file, a folder, or a name of `dunlin models`; without it the one that the configs of dunlin name."},
    {0},
};

const dun_command dun_command_init = {
    .name = "init",
    .summary = "Write a config for texts of your own.",
    .usage = "DIR [--data FILE [--valid FILE]] [--text COLUMN] [--label COLUMN] [--model FILE]",
    .help = "Looks at the file of texts: its format, whether it has a header, which column is\n"
            "the text and which the label, the classes, how long the texts are. Writes\n"
            "DIR/config.ini with comments, and when there is one file only, DIR/train.* and\n"
            "DIR/valid.*: lines of the file as they are, the same ones every time, a fifth of\n"
            "each class to validate with. DIR is new or empty, but for files named\n"
            "here: nothing is overwritten. Then: dunlin train DIR/config.ini.",
    .options = options,
    .goes_on = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
