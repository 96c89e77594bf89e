/* dunlin classify: the class of every text, by the nearest centroid of a run; exactly one answer each. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "io/data/asked.h"
#include "session/answer.h"
#include "session/classifier.h"

#include <stdlib.h>
#include <string.h>

enum answer_form { FORM_TEXT, FORM_TSV, FORM_JSON };

typedef struct {
    dun_classifier classifier;
    dun_answer_rule rule;
    enum answer_form form;
    dun_str texts;  /* for JSON: the queued texts, zero-terminated, one after another */
    dun_str answer; /* one line of output */
} classify_job;

static int answer_json(const float *distances, const classify_job *job, const char *text) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_answer_json(object, &job->rule, distances));
    TRY(dun_json_set(object, "text", json_string(text)));
    TRY(dun_out_json(object));
out:
    json_decref(object);
    return rc;
}

static int answer_plain(classify_job *job, const float *distances) {
    int rc = DUN_OK;
    dun_str *line = &job->answer;
    dun_answer answer = dun_answer_of(&job->rule, distances);
    dun_str_clear(line);
    TRY(dun_str_add_field(line, answer.label, strlen(answer.label)));
    if (job->form == FORM_TSV) {
        TRY(dun_str_add(line, "\t", 1));
        TRY(dun_str_add_field(line, answer.nearest, strlen(answer.nearest)));
        TRY(dun_str_addf(line, "\t%.6g", answer.confidence));
    }
    for (uint32_t k = 0; k < job->rule.saved->n_classes; k++)
        TRY(dun_str_addf(line, "\t%.6g", (double)distances[k]));
    TRY(dun_str_add(line, "\n", 1));
    TRY(dun_out_text(line));
out:
    return rc;
}

/* One pass: answers as many of the queued texts as the device takes at once, in order. */
static int answer_pass(classify_job *job) {
    int rc = DUN_OK;
    uint32_t n = 0, K = job->rule.saved->n_classes;
    size_t taken = 0;
    TRY(dun_classifier_run(&n, &job->classifier));
    for (uint32_t i = 0; i < n; i++) {
        const float *distances = job->classifier.distances + (size_t)i * K;
        if (job->form != FORM_JSON) {
            TRY(answer_plain(job, distances));
            continue;
        }
        const char *text = job->texts.bytes + taken;
        TRY(answer_json(distances, job, text));
        taken += strlen(text) + 1;
    }
    job->texts.length -= taken;
    if (taken)
        memmove(job->texts.bytes, job->texts.bytes + taken, job->texts.length);
out:
    return rc;
}

static int answer_all(classify_job *job) {
    int rc = DUN_OK;
    while (dun_classifier_queued(&job->classifier))
        TRY(answer_pass(job));
    TRY(dun_out_flush());
out:
    return rc;
}

/* The next text, after everything queued is answered if it is not there yet. As dun_asked_next. */
static int next_text(const char **text, size_t *length, classify_job *job, dun_asked *asked) {
    int rc = DUN_OK;
    TRY(dun_out_wanted());
    TRY(dun_asked_ready(asked));
    if (rc == 0)
        TRY(answer_all(job));
    while ((rc = dun_asked_ready(asked)) == 0)
        TRY(dun_out_await(dun_asked_fd(asked)));
    TRY(rc);
    rc = dun_asked_next(text, length, asked);
out:
    return rc;
}

static int classify_texts(classify_job *job, dun_asked *asked) {
    int rc = DUN_OK, end;
    const char *text;
    size_t length;
    while ((end = next_text(&text, &length, job, asked)) == 1) {
        TRY(dun_classifier_add(&job->classifier, text, length));
        if (job->form == FORM_JSON)
            TRY(dun_str_add(&job->texts, text, length + 1));
        if (dun_classifier_full(&job->classifier))
            TRY(answer_pass(job));
    }
    TRY(dun_out_wanted());
    if (end < 0) { /* what came before the fault is answered all the same */
        char *message = dun_strdup(dun_error_message());
        rc = answer_all(job);
        rc = rc < 0 ? rc : dun_error((enum dun_status)end, "%s", message ? message : "out of memory");
        dun_free(message);
        goto out;
    }
    TRY(answer_all(job));
    TRY(dun_asked_tell(asked));
out:
    return rc;
}

static enum answer_form form_of(const dun_args *args) {
    const char *word = dun_args_value(args, "output");
    if (dun_args_has(args, "json") || (word && strcmp(word, "json") == 0))
        return FORM_JSON;
    return word && strcmp(word, "tsv") == 0 ? FORM_TSV : FORM_TEXT;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_asked *asked = NULL;
    classify_job job = {.form = form_of(args)};
    const char *path = dun_args_operand(args, 1);
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_unsure_read(&job.rule.unsure, args));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, NULL));
    TRY(dun_experiment_require_run(&experiment, dun_args_operand(args, 0), "classify"));
    const dun_asked_options options = {.input = dun_args_value(args, "input"),
                                       .column = dun_args_value(args, "text"),
                                       .usual = experiment.config.data.text_column,
                                       .usual_header = experiment.config.data.header};
    TRY(dun_asked_open(&asked, path ? path : "-", &options));
    job.rule.saved = &experiment.saved;
    job.rule.temperature = dun_answer_temperature(&experiment.saved, &experiment.config);
    TRY(dun_answer_check(&job.rule));
    TRY(dun_session_start_engine(&experiment.session, false));
    TRY(dun_classifier_open(&job.classifier, &experiment.session, &experiment.saved));
    TRY(classify_texts(&job, asked));
out:
    dun_str_free(&job.texts);
    dun_str_free(&job.answer);
    dun_classifier_free(&job.classifier);
    dun_experiment_close(&experiment);
    dun_asked_close(asked);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "output",
     .argument = "text|tsv|json",
     .one_of = true,
     .help = "text (the default): the label, then the distance to each class. tsv: the label, the nearest "
             "class, the confidence, the distances. json: JSON lines {\"label\", \"confidence\", "
             "\"distances\", \"text\"}."},
    {.name = "json", .help = "The same as --output json."},
    {.name = "input",
     .argument = "lines|tsv|jsonl",
     .one_of = true,
     .help =
         "Take FILE as lines, whatever its name: each a text, a text up to the first tab, or an object with "
         "a text."},
    {.name = "text",
     .argument = "COLUMN",
     .help =
         "Column of the texts: a name, a number from 0, or a JSON key (--input jsonl: \"text\"). Else that of "
         "the run's own texts, if the file has it, or the one that looks like texts."},
    DUN_UNSURE_OPTION,
    DUN_OVERRIDE_OPTIONS,
    {0},
};

const dun_command dun_command_classify = {
    .name = "classify",
    .summary = "Tell the class of every text of a file or of standard input.",
    .usage = "RUN [FILE|-] [--output text|tsv|json] [--input lines|tsv|jsonl] [--text COLUMN] "
             "[--unsure CONFIDENCE] [--device SELECTOR]",
    .help =
        "Prints exactly one line for each text, in order. A FILE that ends in .csv, .tsv, .jsonl, .json or .ft, "
        "perhaps with .gz, has a text a record; other files and standard input have one a line. Each gets "
        "an answer, an empty one too, and what is not UTF-8 is read as U+FFFD. Answers leave as soon as no "
        "further input waits.\n\n"
        "The confidence is the softmax of -distance / loss.temperature at the nearest class. It orders "
        "answers; it is not a measured probability of being right. Of a run with output.calibrate = yes it is "
        "one: the temperature was fitted on its validation texts.",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .ranked = true,
    .run = run,
};
