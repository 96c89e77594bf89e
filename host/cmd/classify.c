/* dunlin classify: the class of every line, by the nearest centroid of a run; exactly one answer a line. */
#include "classifier.h"
#include "cmd.h"
#include "err.h"
#include "evaluate.h"
#include "experiment.h"
#include "json.h"
#include "lines.h"
#include "mem.h"
#include "out.h"
#include "progress.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    dun_classifier classifier;
    const dun_saved_prompt *saved;
    dun_text texts;  /* the queued texts, zero-terminated, one after another; kept for --json */
    dun_text answer; /* one line of output */
    bool json;
    bool at_once; /* answer every line before reading the next: somebody is typing */
} classify_job;

static int answer_json(classify_job *job, const float *distances, const char *text) {
    int rc = DUN_OK;
    const dun_saved_prompt *saved = job->saved;
    json_t *object = json_object(), *all = json_object();
    uint32_t nearest = dun_nearest_centroid(distances, saved->n_classes);
    TRY(dun_json_set(object, "label", json_string(saved->class_names[nearest])));
    for (uint32_t k = 0; k < saved->n_classes; k++)
        TRY(dun_json_set(all, saved->class_names[k], dun_json_real((double)distances[k])));
    TRY(dun_json_set(object, "distances", json_incref(all)));
    TRY(dun_json_set(object, "text", json_string(text)));
    TRY(dun_out_json(object));
out:
    json_decref(all);
    json_decref(object);
    return rc;
}

static int answer_plain(classify_job *job, const float *distances) {
    int rc = DUN_OK;
    uint32_t K = job->saved->n_classes;
    dun_text_clear(&job->answer);
    TRY(dun_text_addf(&job->answer, "%s", job->saved->class_names[dun_nearest_centroid(distances, K)]));
    for (uint32_t k = 0; k < K; k++)
        TRY(dun_text_addf(&job->answer, "\t%.6g", (double)distances[k]));
    TRY(dun_text_add(&job->answer, "\n", 1));
    TRY(dun_out_text(&job->answer));
out:
    return rc;
}

/* Answers everything queued, in order. */
static int answer_queue(classify_job *job) {
    int rc = DUN_OK;
    dun_classifier *c = &job->classifier;
    const char *text = job->texts.bytes;
    TRY(dun_classifier_run(c));
    for (uint32_t i = 0; i < dun_classifier_queued(c); i++) {
        const float *distances = c->distances + (size_t)i * job->saved->n_classes;
        TRY(job->json ? answer_json(job, distances, text) : answer_plain(job, distances));
        text += job->json ? strlen(text) + 1 : 0;
    }
    TRY(dun_out_flush());
    dun_classifier_clear(c);
    dun_text_clear(&job->texts);
out:
    return rc;
}

static int queue_text(classify_job *job, const char *text, size_t length) {
    int rc = DUN_OK;
    TRY(dun_classifier_add(&job->classifier, text, length));
    if (rc == 0) {
        TRY(answer_queue(job));
        TRY(dun_classifier_add(&job->classifier, text, length));
    }
    if (job->json)
        TRY(dun_text_add(&job->texts, text, length + 1));
    if (job->at_once)
        TRY(answer_queue(job));
    rc = DUN_OK;
out:
    return rc;
}

static int classify_lines(classify_job *job, dun_lines *lines) {
    int rc = DUN_OK;
    const char *text;
    size_t length;
    for (;;) {
        TRY(dun_lines_next(&text, &length, lines));
        if (rc == 0)
            break;
        TRY(queue_text(job, text, length));
    }
    TRY(answer_queue(job));
    if (dun_lines_repaired(lines))
        dun_warn("%s: texts that are not all UTF-8: %zu; U+FFFD stands for what is not",
                 dun_lines_name(lines), dun_lines_repaired(lines));
out:
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_lines *lines = NULL;
    classify_job job = {.json = dun_args_has(args, "json")};
    const char *path = dun_args_operand(args, 1), *input = dun_args_value(args, "input");
    const bool jsonl = input && strcmp(input, "jsonl") == 0;
    bool standard_input = !path || strcmp(path, "-") == 0;
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_lines_open(&lines, path ? path : "-", jsonl ? DUN_LINES_JSONL : DUN_LINES_PLAIN));
    TRY(dun_experiment_open(&experiment, dun_args_operand(args, 0), &overrides, NULL));
    TRY(dun_experiment_require_run(&experiment, dun_args_operand(args, 0), "classify"));
    TRY(dun_session_start_engine(&experiment.session, false));
    TRY(dun_classifier_create(&job.classifier, &experiment.session, &experiment.saved));
    job.saved = &experiment.saved;
    job.at_once = standard_input && isatty(STDIN_FILENO);
    TRY(classify_lines(&job, lines));
out:
    dun_text_free(&job.texts);
    dun_text_free(&job.answer);
    dun_classifier_free(&job.classifier);
    dun_experiment_close(&experiment);
    dun_lines_close(lines);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "json",
     .help = "JSON lines {\"label\", \"distances\", \"text\"} instead of tab-separated ones."},
    {.name = "input",
     .argument = "lines|jsonl",
     .one_of = true,
     .help = "What a line of FILE is: a text (the default), or an object with a key \"text\"."},
    DUN_OVERRIDE_OPTIONS,
    {0},
};

const dun_command dun_command_classify = {
    .name = "classify",
    .summary = "Tell the class of every line of a file or of standard input.",
    .usage = "RUN [FILE|-] [--json] [--input lines|jsonl] [--device SELECTOR]",
    .help = "Prints for each line the label, then its distance to every class's centroid.",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .run = run,
};
