/* dunlin suggest: the texts whose labels would teach a run most, as a file to fill in. */
#include "session/suggest.h"

#include "base/csv.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/rows.h"
#include "cmd/shell/common.h"
#include "session/answer.h"

#include <string.h>

enum { WANTED = 20, MOST_WANTED = 1000, SHOWN_BYTES = 48 };

static int add_json(dun_str *out, const dun_suggestion *one) {
    int rc = DUN_OK;
    json_t *object = json_object();
    TRY(dun_json_set(object, "text", json_stringn(one->text, one->length)));
    TRY(dun_json_set(object, "label", json_string("")));
    TRY(dun_json_dump(out, object));
out:
    json_decref(object);
    return rc;
}

/* The texts with room for their labels, as a file of this name is read. */
static int make_file(dun_str *out, const dun_suggestions *s, uint32_t n, const char *path) {
    int rc = DUN_OK;
    const bool json = dun_text_ends_with(path, ".jsonl"), tsv = dun_text_ends_with(path, ".tsv");
    if (!json && !tsv)
        TRY(dun_str_addf(out, "text,label\n"));
    for (uint32_t i = 0; i < n; i++) {
        const dun_suggestion *one = &s->pool[i];
        if (json)
            TRY(add_json(out, one));
        else
            TRY(tsv ? dun_str_add_field(out, one->text, one->length)
                    : dun_csv_add(out, one->text, one->length));
        TRY(dun_str_addf(out, "%s", json ? "\n" : tsv ? "\t\n" : ",\n"));
    }
out:
    return rc;
}

/* For people, what the run takes them for. */
static int make_table(dun_str *out, const dun_suggestions *s, uint32_t n, const dun_saved_prompt *saved) {
    int rc = DUN_OK;
    static const char *const heads[] = {"margin", "guess", "confidence", "text"};
    dun_table table;
    dun_table_init(&table, "rlrl");
    TRY(dun_table_add_all(&table, heads, sizeof heads / sizeof *heads));
    for (uint32_t i = 0; i < n; i++) {
        const dun_suggestion *one = &s->pool[i];
        size_t shown = one->length;
        if (shown > SHOWN_BYTES)
            for (shown = SHOWN_BYTES; shown > 0 && ((unsigned char)one->text[shown] & 0xc0) == 0x80;)
                shown--;
        TRY(dun_table_add(&table, "%.4f", one->margin));
        TRY(dun_table_add(&table, "%s", saved->class_names[one->nearest]));
        TRY(dun_table_add(&table, "%.3f", one->confidence));
        TRY(dun_table_add(&table, "%.*s%s", (int)shown, one->text, shown < one->length ? " ..." : ""));
    }
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

static int tell(const dun_suggestions *s, uint32_t n, const dun_saved_prompt *saved, const char *path) {
    int rc = DUN_OK;
    dun_str file = {0}, table = {0};
    TRY(make_file(&file, s, n, path ? path : ""));
    if (!path) {
        TRY(dun_out_text(&file));
        goto out;
    }
    TRY(dun_file_write(path, file.bytes, file.length));
    TRY(make_table(&table, s, n, saved));
    TRY(dun_str_addf(&table, "\n%u of %llu texts, to be labelled in %s\n", n, (unsigned long long)s->n_seen,
                     path));
    TRY(dun_out_text(&table));
out:
    dun_str_free(&file);
    dun_str_free(&table);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment e = {0};
    dun_classifier classifier = {0};
    dun_suggestions suggestions = {0};
    dun_asked *asked = NULL;
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    int64_t wanted = WANTED;
    const char *path = dun_args_value(args, "out");
    TRY(dun_talk(&progress, args));
    TRY(dun_args_count(&wanted, args, "n", 1, MOST_WANTED));
    if (path)
        TRY(dun_place_for_file(path));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open(&e, dun_args_operand(args, 0), &overrides, &observer));
    TRY(dun_experiment_require_run(&e, dun_args_operand(args, 0), "suggest"));
    TRY(dun_rows_ask(&asked, dun_args_operand(args, 1), args, &e.config));
    TRY(dun_session_start_engine(&e.session, false));
    TRY(dun_classifier_open(&classifier, &e.session, &e.saved));
    TRY(dun_suggestions_create(&suggestions, (uint32_t)wanted, e.saved.point_width));
    TRY(dun_suggestions_of_asked(&suggestions, &classifier, asked,
                                 dun_answer_temperature(&e.saved, &e.config)));
    const uint32_t n = dun_suggestions_choose(&suggestions, (uint32_t)wanted);
    if (n == 0)
        TRY(dun_error(DUN_BAD_INPUT,
                      "suggest: there is no text; a file with texts without labels is needed"));
    TRY(tell(&suggestions, n, &e.saved, path));
out:
    dun_progress_close(&progress);
    dun_suggestions_free(&suggestions);
    dun_classifier_free(&classifier);
    dun_asked_close(asked);
    dun_experiment_close(&e);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "n", .letter = 'n', .argument = "N", .help = "How many texts (20), 1 to 1000."},
    {.name = "out",
     .letter = 'o',
     .argument = "FILE",
     .help =
         "The file to fill in: CSV with the columns text and label, or TSV or JSON lines where its name ends in .tsv "
         "or .jsonl. Without it CSV on standard output."},
    DUN_ROWS_OPTIONS,
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_suggest = {
    .name = "suggest",
    .summary = "Choose the texts whose labels would teach a run most.",
    .usage = "RUN [FILE|-] [-n N] [--out FILE] [--input lines|tsv|jsonl] [--text COLUMN] [--device SELECTOR]",
    .help =
        "Reads texts without labels as `dunlin classify` does, and writes those that are worth a label: of the ten times "
        "as many whose two nearest centroids are about as near (the smallest margins), first the smallest, then each "
        "time the one whose point is farthest from those chosen. Equal texts are chosen once, empty ones never.\n\n"
        "Fill in the labels and train on the file, or on it and the old texts together: --set data.train=FILE; a CSV "
        "needs data.header = yes, data.text_column = text and data.label_column = label. A row without a label is "
        "an error, or with data.bad_rows = skip passed over.",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .run = run,
};
