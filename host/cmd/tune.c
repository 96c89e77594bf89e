/* dunlin tune: which GEMM provider and tiles are fastest on a device for the shapes of a model. Every
 * candidate is measured in a process of its own; see tune_candidates.h for what is tried. */
#include "bench/tune.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/table.h"
#include "bench/tune_candidates.h"
#include "bench/tune_journal.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "cmd/tune_measure.h"
#include "config/paths.h"
#include "dev/tuning.h"
#include "io/model_file.h"
#include "session/model_name.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double CANDIDATE_S = 60, QUICK_CANDIDATE_S = 15, QUICK_TOTAL_S = 48;

/* The search. */

typedef struct {
    const dun_args *args;
    const char *model;
    char device[16]; /* index, for the children */
    dun_device_info info;
    dun_spec spec;
    dun_str self, reference, journal;
    bool quick;
    double begun;
    dun_table table;
    double best_s; /* of text and step together */
    char best_gemm[16], best_tiles[DUN_TUNING_TEXT], note[DUN_TUNING_TEXT];
    unsigned n_tried, n_lost;
    char fault[700]; /* of the last candidate that lost */
} search;

/* The first, whose results all others are held against, may take its time. */
static double limit_s(const search *s) {
    return s->quick && s->n_tried > 0 ? QUICK_CANDIDATE_S : CANDIDATE_S;
}

static int add_row(search *s, const char *candidate, const json_t *answer, const char *outcome) {
    int rc = DUN_OK;
    static const char *const times[] = {"text_s", "step_s", "build_s"};
    TRY(dun_table_add(&s->table, "%s", candidate));
    for (size_t i = 0; i < 3; i++) {
        double seconds = answer ? json_number_value(json_object_get(answer, times[i])) : 0;
        if (seconds > 0)
            TRY(dun_table_add(&s->table, "%.2f", seconds * 1e3));
        else
            TRY(dun_table_add(&s->table, "%s", ""));
    }
    TRY(dun_table_add(&s->table, "%s", outcome));
out:
    return rc;
}

static int run_child(dun_process_end *end, dun_str *output, const search *s, const char *candidate) {
    const char *argv[16] = {s->self.bytes, "tune",      "--model", s->model,      "--device",
                            s->device,     "--measure", candidate, "--reference", s->reference.bytes,
                            NULL,          NULL};
    if (s->quick)
        argv[10] = "--quick";
    return dun_process_run(end, output, argv,
                           dun_args_has(s->args, "verbose") ? DUN_STDERR_HERE : DUN_STDERR_WITH_STDOUT,
                           limit_s(s));
}

/* The line of JSON among what drivers say. */
static const char *find_answer(const dun_str *output) {
    const char *line = output->bytes ? output->bytes : "";
    while (*line && *line != '{') {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return line;
}

/* What came of a child, in words and as its answer (NULL: none that counts). */
static int judge(dun_str *outcome, json_t **answer, const dun_process_end *end, const dun_str *output,
                 const search *s) {
    int rc = DUN_OK;
    const char *said = output->bytes ? output->bytes : "", *line = find_answer(output);
    *answer = NULL;
    if (end->status != 0) {
        TRY(dun_process_describe(outcome, end, limit_s(s)));
        TRY(dun_process_add_words(outcome, ": ", said, output->length));
        goto out;
    }
    TRY(dun_json_parse(answer, line, strcspn(line, "\n"), "a candidate's answer", 1));
    if (json_is_true(json_object_get(*answer, "wrong"))) {
        TRY(dun_str_addf(outcome, "wrong: off by %.2g", json_number_value(json_object_get(*answer, "off"))));
        json_decref(*answer);
        *answer = NULL;
    } else {
        TRY(dun_str_addf(outcome, "%s", ""));
    }
out:
    return rc;
}

/* Measures one candidate; *seconds NAN: it lost. */
static int try_one(double *seconds, search *s, const char *candidate) {
    int rc = DUN_OK;
    dun_process_end end;
    dun_str output = {0}, outcome = {0};
    json_t *answer = NULL;
    *seconds = NAN;
    if (dun_journal_unfinished(&s->journal, candidate)) {
        TRY(add_row(s, candidate, NULL, "left out: an earlier tune ended while trying it"));
        s->n_lost++;
        goto out;
    }
    if (s->quick && s->n_tried > 1 && dun_clock_seconds() - s->begun > QUICK_TOTAL_S) {
        TRY(add_row(s, candidate, NULL, "left out: --quick has no time left"));
        goto out;
    }
    fprintf(stderr, "trying    %s\n", candidate);
    TRY(dun_journal_add(&s->journal, "try", candidate));
    TRY(run_child(&end, &output, s, candidate));
    TRY(judge(&outcome, &answer, &end, &output, s));
    TRY(dun_journal_add(&s->journal, "end", candidate));
    s->n_tried++;
    s->n_lost += answer == NULL;
    if (answer)
        *seconds = json_number_value(json_object_get(answer, "text_s")) +
                   json_number_value(json_object_get(answer, "step_s"));
    if (!answer)
        snprintf(s->fault, sizeof s->fault, "%s", outcome.length ? outcome.bytes : "wrong");
    TRY(add_row(s, candidate, answer, outcome.length ? outcome.bytes : ""));
out:
    json_decref(answer);
    dun_str_free(&outcome);
    dun_str_free(&output);
    return rc;
}

/* Tries a candidate and keeps it when it is the fastest yet. */
static int compete(search *s, const char *gemm, const char *tiles) {
    int rc = DUN_OK;
    double seconds;
    char candidate[DUN_TUNING_TEXT + 20];
    snprintf(candidate, sizeof candidate, "%s%s%s", gemm, *tiles ? " " : "", tiles);
    TRY(try_one(&seconds, s, candidate));
    if (seconds > 0 && (s->best_s == 0 || seconds < s->best_s) && !strstr(tiles, "TS_HALF")) {
        s->best_s = seconds;
        snprintf(s->best_gemm, sizeof s->best_gemm, "%s", gemm);
        snprintf(s->best_tiles, sizeof s->best_tiles, "%s", tiles);
    }
out:
    return rc;
}

static int search_all(search *s) {
    int rc = DUN_OK;
    double ignored;
    enum dun_tune_for type = s->info.type == DUN_DEVICE_CPU ? DUN_TUNE_CPU : DUN_TUNE_GPU;
    TRY(try_one(&ignored, s, "naive WG=1 VW=4 ATT_WG=1")); /* whose results are the reference */
    if (access(s->reference.bytes, F_OK) < 0)
        TRY(dun_error(DUN_BAD_DEVICE,
                      "%s, driver %s: even the plainest kernels do not run (%s); see `dunlin check`",
                      s->info.name, s->info.driver, s->fault));
    for (const dun_tune_candidate *c = dun_tune_products; c->gemm; c++)
        if ((c->types & type) && (!s->quick || c->quick))
            TRY(compete(s, c->gemm, c->tiles));
    for (const dun_tune_candidate *c = dun_tune_rows; c->tiles && s->best_s > 0; c++) {
        char tiles[DUN_TUNING_TEXT];
        snprintf(tiles, sizeof tiles, "%.200s%s%.100s", s->best_tiles, *s->best_tiles ? " " : "", c->tiles);
        bool wanted =
            (c->types & type) && (!s->quick || c->quick) && (!c->gemm || strcmp(c->gemm, s->best_gemm) == 0);
        if (wanted && (s->info.sub_groups || !strstr(c->tiles, "SUB_GROUPS=1")))
            TRY(compete(s, s->best_gemm, tiles));
    }
    if (s->best_s == 0)
        TRY(dun_error(DUN_BAD_DEVICE,
                      "no candidate ran on %s, driver %s, and was right; the last: %s; see `dunlin check`",
                      s->info.name, s->info.driver, s->fault));
out:
    return rc;
}

static int print_table(search *s) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_str_addf(&text,
                     "%s, driver %s: %u texts of %u tokens; a step with %u prompt rows; %u blocks of "
                     "width %u\n\n",
                     s->info.name, s->info.driver, DUN_TUNE_TEXTS, DUN_TUNE_TOKENS, DUN_TUNE_ROWS,
                     s->spec.n_layers < DUN_TUNE_BLOCKS ? s->spec.n_layers : DUN_TUNE_BLOCKS, s->spec.width));
    TRY(dun_table_print(&text, &s->table));
    TRY(dun_str_addf(&text, "\n"));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

/* The winner's row, printed and kept. */
static int keep(search *s) {
    int rc = DUN_OK;
    dun_str row = {0};
    dun_choice choice;
    char problem[160] = "", tiles[DUN_TUNING_TEXT], day[16] = "";
    time_t now = time(NULL);
    struct tm date;
    if (gmtime_r(&now, &date))
        strftime(day, sizeof day, "%Y-%m-%d", &date);
    snprintf(s->note, sizeof s->note, "%s, width %u: %.2f ms", day, s->spec.width, s->best_s * 1e3);
    snprintf(tiles, sizeof tiles, "default %.300s", s->best_tiles);
    const dun_wish wish = {
        .head_dim = s->spec.head_dim, .gemm = s->best_gemm, .tiles = tiles, .precision = "f32"};
    TRY(dun_choose(&choice, &s->info, &wish));
    TRY(dun_tuning_write(&row, &s->info, s->best_gemm, &choice.tiles, s->note));
    TRY(dun_out_text(&row));
    if (dun_tuning_keep(problem, sizeof problem, &s->info, &row))
        fprintf(stderr, "kept for this device, driver and kernels; the rows above, in a file that "
                        "DUNLIN_DEVICES names, serve other machines\n");
    else
        dun_warn("the row is not kept: %s", *problem ? problem : "the cache is off");
    dun_journal_remove(&s->journal);
out:
    dun_str_free(&row);
    return rc;
}

static int find_device(search *s, const char *selector) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n, n_chosen;
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, selector));
    if (n_chosen != 1)
        TRY(dun_error(DUN_USAGE, "tune: \"%s\" means %zu devices; one at a time is tuned", selector,
                      n_chosen));
    s->info = infos[chosen[0]];
    snprintf(s->device, sizeof s->device, "%u", chosen[0]);
    if (s->info.error[0])
        TRY(dun_error(DUN_BAD_DEVICE, "%s: cannot be used: %s", s->info.name, s->info.error));
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

static int read_spec(search *s) {
    int rc = DUN_OK;
    dun_model_file *file = NULL;
    TRY(dun_model_file_open(&file, s->model, DUN_MODEL_SPEC));
    s->spec = *dun_model_file_spec(file);
out:
    dun_model_file_free(file);
    return rc;
}

static int tune(const dun_args *args, const char *model, const char *selector) {
    int rc = DUN_OK;
    static const char *const head[] = {"candidate", "text, ms", "step, ms", "build, ms", ""};
    dun_str folder = {0};
    search s = {
        .args = args, .model = model, .quick = dun_args_has(args, "quick"), .begun = dun_clock_seconds()};
    dun_table_init(&s.table, "lrrrl");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        TRY(dun_table_add(&s.table, "%s", head[i]));
    TRY(find_device(&s, selector));
    TRY(read_spec(&s));
    TRY(dun_process_self(&s.self));
    TRY(dun_journal_path(&s.journal, &s.info));
    TRY(dun_dir_temporary(&folder, "tune"));
    TRY(dun_str_addf(&s.reference, "%s/reference", folder.bytes));
    rc = search_all(&s);
    int printed = print_table(&s);
    TRY(rc);
    TRY(printed);
    TRY(keep(&s));
out:
    if (s.reference.length)
        (void)unlink(s.reference.bytes);
    if (folder.length)
        (void)rmdir(folder.bytes);
    dun_str_free(&folder);
    dun_str_free(&s.journal);
    dun_str_free(&s.reference);
    dun_str_free(&s.self);
    dun_table_free(&s.table);
    return rc;
}

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_config config = {0};
    char *model = NULL;
    const char *path = dun_args_operand(args, 0), *file = dun_args_value(args, "model");
    const char *measure = dun_args_value(args, "measure");
    TRY(dun_config_init(&config));
    TRY(dun_overrides_read(&overrides, args));
    if (path) {
        TRY(dun_experiment_read_config(&config, path, &overrides));
        TRY(dun_model_name_settle(&config));
    } else if (overrides.device) {
        TRY(dun_config_put(&config, DUN_KEY_device_use, overrides.device, "--device"));
    }
    if (!file && !path)
        TRY(dun_error(DUN_USAGE, "tune: a CONFIG or --model FILE is needed: the shapes are a model's"));
    TRY(dun_model_name_find(&model, file ? file : config.model.path));
    TRY(measure ? dun_tune_measure_here(args, measure, model, config.device.use)
                : tune(args, model, config.device.use));
out:
    dun_free(model);
    dun_overrides_free(&overrides);
    dun_config_free(&config);
    return rc;
}

static const dun_option options[] = {
    {.name = "model",
     .argument = "FILE",
     .help = "Model whose shapes are measured: a file, a folder, or a name of `dunlin models`."},
    {.name = "quick", .help = "Only the candidates that win most often; less than a minute."},
    {.name = "verbose", .help = "Shows what the candidates say."},
    {.name = "measure",
     .argument = "CANDIDATE",
     .help =
         "Measures one candidate, \"GEMM TILES\", in this process and prints a JSON line; tune starts itself "
         "so for each."},
    {.name = "reference",
     .argument = "FILE",
     .help = "With --measure: results to compare with, made if absent."},
    DUN_OVERRIDE_OPTIONS,
    {0},
};

const dun_command dun_command_tune = {
    .name = "tune",
    .summary = "Find the fastest kernels for a device and a model's shapes.",
    .usage = "[CONFIG|--model FILE] [--device SELECTOR] [--quick]",
    .help =
        "Measures GEMM providers and tiles, each in a process of its own, so that a compiler or driver that "
        "crashes or hangs costs one candidate. Candidates whose results differ from those of the plainest "
        "kernels lose. The winner is kept in the cache for this device, driver and kernels, and used from "
        "then on wherever device.gemm and device.tiles are auto; it is printed as a row that can be shared.",
    .options = options,
    .goes_on = true,
    .max_operands = 1,
    .run = run,
};
