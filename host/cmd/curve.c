/* dunlin curve: accuracy over training texts, and whether more labels would help. */
#include "run/curve.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/place.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "cmd/signals.h"
#include "report/curve_page.h"

#include <string.h>

enum { FROM = 32, LEAST_FROM = 2, MOST_FROM = 1 << 30, RUNS = 3 };

/* The three files: NAME.html as it is asked for, and beside it NAME.json and NAME.csv. */
enum { PAGE, JSON, CSV, N_FILES };

static int name_files(char *names[N_FILES], const char *out) {
    int rc = DUN_OK;
    static const char *const endings[N_FILES] = {".html", ".json", ".csv"};
    const size_t stem = strlen(out) - (dun_text_ends_with(out, ".html") ? strlen(".html") : 0);
    dun_str name = {0};
    for (int i = 0; i < N_FILES; i++) {
        dun_str_clear(&name);
        TRY(dun_str_add(&name, out, stem));
        TRY(dun_str_addf(&name, "%s", endings[i]));
        TRY_PTR(names[i], dun_strdup(name.bytes));
        TRY(dun_place_for_file(names[i]));
    }
out:
    dun_str_free(&name);
    return rc;
}

static int write_files(char *const names[N_FILES], const dun_curve *curve) {
    int rc = DUN_OK;
    dun_str texts[N_FILES] = {{0}};
    json_t *json = NULL;
    TRY(dun_curve_page(&texts[PAGE], curve));
    TRY(dun_curve_json(&json, curve));
    TRY(dun_json_dump(&texts[JSON], json));
    TRY(dun_str_addf(&texts[JSON], "\n"));
    TRY(dun_curve_csv(&texts[CSV], curve));
    for (int i = 0; i < N_FILES; i++)
        TRY(dun_file_write(names[i], texts[i].bytes, texts[i].length));
out:
    for (int i = 0; i < N_FILES; i++)
        dun_str_free(&texts[i]);
    json_decref(json);
    return rc;
}

static int print(const dun_curve *curve, char *const names[N_FILES], bool as_json) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *json = NULL;
    if (as_json) {
        TRY(dun_curve_json(&json, curve));
        TRY(dun_out_json(json));
        goto out;
    }
    TRY(dun_curve_text(&text, curve));
    TRY(dun_str_addf(&text, "\npage: %s\n", names[PAGE]));
    TRY(dun_out_text(&text));
out:
    json_decref(json);
    dun_str_free(&text);
    return rc;
}

/* curve.html, or that of --out. */
static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_curve curve = {0};
    dun_progress progress;
    dun_observer observer = dun_progress_observer(&progress);
    int64_t from = FROM, runs = RUNS;
    char *names[N_FILES] = {NULL};
    const char *out = dun_args_value(args, "out");
    TRY(dun_talk(&progress, args));
    TRY(dun_signals_watch());
    TRY(dun_args_count(&from, args, "from", LEAST_FROM, MOST_FROM));
    TRY(dun_args_count(&runs, args, "runs", 1, DUN_CURVE_RUNS));
    TRY(dun_overrides_read(&overrides, args));
    TRY(name_files(names, out ? out : "curve.html"));
    const dun_curve_order order = {.path = dun_args_operand(args, 0),
                                   .from = (uint32_t)from,
                                   .runs = (uint32_t)runs,
                                   .same_steps = dun_args_has(args, "same-steps"),
                                   .overrides = &overrides,
                                   .observer = &observer};
    TRY(dun_curve_run(&curve, &order));
    TRY(write_files(names, &curve));
    TRY(print(&curve, names, dun_args_has(args, "json")));
out:
    dun_progress_close(&progress);
    dun_curve_free(&curve);
    dun_overrides_free(&overrides);
    for (int i = 0; i < N_FILES; i++)
        dun_free(names[i]);
    return rc;
}

static const dun_option options[] = {
    {.name = "out",
     .letter = 'o',
     .argument = "FILE.html",
     .help = "The page to write (curve.html); FILE.json and FILE.csv are written beside it."},
    {.name = "from",
     .argument = "N",
     .help = "Texts of the smallest size (32); each further one has twice as many."},
    {.name = "runs",
     .argument = "N",
     .help = "Runs of a size (3), each with texts of its own as far as there are enough, 1 to 20."},
    {.name = "same-steps",
     .help = "Smaller sizes take as many steps as all texts do, by more epochs, instead of as many epochs."},
    {.name = "json", .help = "The curve as one JSON object."},
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_curve = {
    .name = "curve",
    .summary = "Measure accuracy over training texts: would more labels help?",
    .usage =
        "CONFIG [--out FILE.html] [--from N] [--runs N] [--same-steps] [--json] [--set SECTION.KEY=VALUE]...",
    .help =
        "Trains as the config says on 32, 64, ... all of its training texts and measures each on the same "
        "validation texts. The texts are read, and run through the model, once. Prints a table with 95 % intervals "
        "and what the last step brought, text by text: whether more labels would help. Leaves a page (one "
        "self-contained HTML file), the same as JSON, and a CSV table.",
    .options = options,
    .goes_on = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
