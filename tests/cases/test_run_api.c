/* What the program does, done by a program of another kind: this one knows host/run and what lies below it,
 * and is linked to nothing above. It trains, goes on, sweeps, measures and writes points, and gets dunlin's
 * bytes. */
#include "train_sample.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "run/export.h"
#include "run/group.h"
#include "run/measure.h"

#include <unistd.h>

static dun_overrides device_only(void) {
    const char *device = getenv("DUNLIN_TEST_DEVICE");
    return (dun_overrides){.device = device ? device : "cpu"};
}

/* Runs the program in the folder of this test; what it prints is in the file `out` there. */
static void program(const char *arguments) {
    char command[2000];
    snprintf(command, sizeof command, "cd '%s' && '%s' %s --device %s >out 2>err", train_folder(), DUNLIN,
             arguments, device_only().device);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void shell(const char *command) {
    char line[1000];
    snprintf(line, sizeof line, "cd '%s' && %s", train_folder(), command);
    if (system(line) != 0)
        fail_msg("%s", line);
}

static const char *path_in(const char *folder, const char *name) {
    char joined[300];
    snprintf(joined, sizeof joined, "%s/%s", folder, name);
    return train_path(joined);
}

/* The same for longer than eight calls. */
static const char *keep(char out[300], const char *name) {
    snprintf(out, 300, "%s", train_path(name));
    return out;
}

/* The files of a run that hold no times. */
static void expect_same_run(const char *a, const char *b) {
    static const char *const files[] = {"config.ini",      "prompt.safetensors", "history.jsonl",
                                        "predictions.tsv", "history.csv",        "report.csv",
                                        "confusion.csv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!train_same_file(path_in(a, files[i]), path_in(b, files[i])))
            fail_msg("%s of %s and %s differ", files[i], a, b);
}

/* What the hooks heard. */
typedef struct {
    unsigned verdicts, reports;
    bool pictures, whole;
    char run[300];
} heard;

static int hear_verdict(void *self, const char *text) {
    heard *h = self;
    h->verdicts++;
    h->whole = strstr(text, "\naccuracy ") && strstr(text, "without training: class means ") &&
               strstr(text, "\nrun: ");
    return DUN_OK;
}

static int hear_report(void *self, const dun_run_dir *run, bool pictures) {
    heard *h = self;
    h->reports++;
    h->pictures = pictures;
    snprintf(h->run, sizeof h->run, "%s", run->path);
    return dun_run_dir_complete(run->path) ? DUN_OK : dun_error(DUN_FAILED, "asked for too early");
}

/* Trains my.ini with `sets` into a folder of that name. */
static int train(const char *name, const char **sets, size_t n_sets, heard *h) {
    int rc = DUN_OK;
    dun_overrides overrides = device_only();
    const char *const paths[] = {train_path("my.ini")};
    const dun_run_hooks hooks = {.self = h, .verdict = hear_verdict, .report = hear_report};
    dun_group group = {0};
    overrides.sets = sets;
    overrides.n_sets = n_sets;
    const dun_group_order order = {.paths = paths,
                                   .n_paths = 1,
                                   .out = train_path(name),
                                   .n_seeds = 1,
                                   .overrides = &overrides,
                                   .hooks = h ? &hooks : NULL};
    TRY(dun_group_open(&group, &order));
    assert_true(dun_group_is_single(&group));
    TRY(dun_group_run(&group));
    TRY(dun_group_verdict(&group));
    assert_int_equal(group.table.rows[0].status, DUN_ROW_DONE);
    assert_string_equal(group.table.rows[0].run, train_path(name));
out:
    dun_group_close(&group);
    return rc;
}

static void test_trains(void **state) {
    (void)state;
    heard h = {0};
    const char *pages[] = {"output.report=yes", "output.pictures=no"};
    program("train my.ini --out program");
    check_ok(train("library", NULL, 0, &h));
    expect_same_run("program", "library");
    assert_true(h.verdicts == 1 && h.whole && h.reports == 0);
    check_ok(train("pages", pages, 2, &h));
    assert_true(h.verdicts == 2 && h.reports == 1 && !h.pictures);
    assert_string_equal(h.run, train_path("pages"));
    /* Without anybody above; a folder that holds a run is never written over. */
    check_ok(train("alone", NULL, 0, NULL));
    expect_same_run("program", "alone");
    assert_int_equal(train("alone", NULL, 0, NULL), DUN_FAILED);
}

/* A report that cannot be made fails the run, which is whole all the same. */
static int refuse_report(void *self, const dun_run_dir *run, bool pictures) {
    (void)self, (void)run, (void)pictures;
    return dun_error(DUN_FAILED, "no paper");
}

static void test_hook_fails(void **state) {
    (void)state;
    dun_config config = {0};
    dun_session session = {0};
    dun_run_outcome outcome;
    dun_overrides overrides = device_only();
    const dun_run_hooks hooks = {.report = refuse_report};
    check_ok(dun_config_init(&config));
    check_ok(dun_experiment_read_config(&config, train_path("my.ini"), &overrides));
    check_ok(dun_config_set(&config, "output.report=yes"));
    const dun_run_order order = {.session = &session,
                                 .config = &config,
                                 .name = "my",
                                 .folder = train_path("no-paper"),
                                 .hooks = &hooks};
    assert_int_equal(dun_run_carry_out(&outcome, &order), DUN_FAILED);
    assert_string_equal(dun_error_message(), "no paper");
    assert_true(outcome.began && outcome.finished && dun_run_dir_complete(outcome.path));
    dun_run_outcome_free(&outcome);
    dun_session_close(&session);
    dun_config_free(&config);
}

/* As a kill after the last checkpoint but one leaves it. */
static void test_goes_on(void **state) {
    (void)state;
    dun_run_outcome outcome;
    dun_overrides overrides = device_only();
    char cut[300];
    const char *path = keep(cut, "cut");
    if (access(path_in("program", "metrics.json"), F_OK) != 0)
        program("train my.ini --out program");
    shell("cp -r program cut && rm cut/metrics.json cut/prompt.safetensors cut/predictions.tsv cut/*.csv && "
          "mv cut/checkpoint.previous cut/checkpoint");
    check_ok(dun_run_resume(&outcome, path, &overrides, NULL, NULL));
    assert_true(outcome.began && outcome.finished && outcome.result.steps == 9);
    assert_string_equal(outcome.path, path);
    dun_run_outcome_free(&outcome);
    expect_same_run("program", "cut");
    /* It is complete now; elsewhere there is no run. */
    check_ok(dun_run_resume(&outcome, path, &overrides, NULL, NULL));
    assert_false(outcome.began);
    dun_run_outcome_free(&outcome);
    assert_int_equal(dun_run_resume(&outcome, train_path("my.ini"), &overrides, NULL, NULL), DUN_USAGE);
    dun_run_outcome_free(&outcome);
}

static void test_sweeps(void **state) {
    (void)state;
    dun_overrides overrides = device_only();
    char config[300], run[300], grid[300], a[400], b[400];
    const char *const paths[] = {keep(config, "my.ini")}, *const runs[] = {keep(run, "program")};
    dun_group group = {0};
    dun_group_order order = {
        .paths = paths, .n_paths = 1, .out = keep(grid, "grid"), .n_seeds = 2, .overrides = &overrides};
    program("train my.ini --sweep prompt.lr=1e-3,2e-2 --seeds 2 --out program-grid");
    check_ok(dun_sweep_add(&order.sweep, "prompt.lr=1e-3,2e-2"));
    check_ok(dun_group_open(&group, &order));
    assert_false(dun_group_is_single(&group));
    check_ok(dun_group_run(&group));
    check_ok(dun_group_verdict(&group));
    assert_int_equal(group.table.n_rows, 4);
    for (size_t i = 0; i < group.table.n_rows; i++) {
        const char *name = strrchr(group.table.rows[i].run, '/');
        snprintf(a, sizeof a, "grid%s", name);
        snprintf(b, sizeof b, "program-grid%s", name);
        expect_same_run(a, b);
    }
    assert_int_equal(access(train_path("grid/sweep.csv"), F_OK), 0);
    assert_int_equal(access(train_path("grid/sweep.json"), F_OK), 0);
    dun_group_close(&group);
    /* What cannot be is refused before anything runs. */
    assert_int_equal(dun_group_open(&group, &order), DUN_FAILED);
    dun_group_close(&group);
    check_ok(dun_sweep_add(&order.sweep, "experiment.seed=1,2"));
    assert_int_equal(dun_group_open(&group, &order), DUN_USAGE);
    dun_group_close(&group);
    order.paths = runs;
    order.n_seeds = 1;
    assert_int_equal(dun_group_open(&group, &order), DUN_USAGE);
    dun_group_close(&group);
    dun_sweep_free(&order.sweep);
}

static void measure(const char *path, const char *arguments) {
    dun_experiment experiment;
    dun_metrics metrics = {0};
    dun_overrides overrides = device_only();
    dun_str text = {0};
    dun_file printed;
    json_t *object = NULL;
    check_ok(dun_experiment_open(&experiment, train_path(path), &overrides, NULL));
    check_ok(dun_experiment_measure(&metrics, &experiment));
    check_ok(dun_metrics_json(&object, &metrics, experiment.session.labels.names));
    check_ok(dun_json_dump(&text, object));
    check_ok(dun_str_add(&text, "\n", 1));
    program(arguments);
    check_ok(dun_file_map(&printed, train_path("out")));
    if (printed.length != text.length || memcmp(printed.bytes, text.bytes, text.length) != 0)
        fail_msg("%s: the program prints other metrics than %s", arguments, text.bytes);
    dun_file_unmap(&printed);
    json_decref(object);
    dun_str_free(&text);
    dun_metrics_free(&metrics);
    dun_experiment_close(&experiment);
}

static void test_measures(void **state) {
    (void)state;
    if (access(path_in("program", "metrics.json"), F_OK) != 0)
        program("train my.ini --out program");
    measure("program", "eval program --json");
    measure("my.ini", "eval my.ini --json");
}

static void points(const char *path, const char *set, const char *arguments) {
    dun_experiment experiment;
    dun_overrides overrides = device_only();
    overrides.sets = &set;
    overrides.n_sets = 1;
    check_ok(dun_experiment_open(&experiment, train_path(path), &overrides, NULL));
    check_ok(dun_experiment_points(&experiment, train_path("library.npz")));
    program(arguments);
    assert_true(train_same_file(train_path("library.npz"), train_path("program.npz")));
    dun_experiment_close(&experiment);
}

static void test_points(void **state) {
    (void)state;
    points("my.ini", "model.normalize=zscore",
           "points my.ini --set model.normalize=zscore --out program.npz");
    points("my.ini", "model.point=logits", "points my.ini --set model.point=logits --out program.npz");
}

/* The keys that a point or an answer depends on, and no others, leave with a prompt. */
static void test_exported_keys(void **state) {
    (void)state;
    dun_experiment experiment;
    dun_overrides overrides = device_only();
    dun_file file;
    json_t *object = NULL;
    char name[80];
    size_t n = 0;
    if (access(path_in("program", "metrics.json"), F_OK) != 0)
        program("train my.ini --out program");
    check_ok(dun_experiment_open(&experiment, train_path("program"), &overrides, NULL));
    check_ok(dun_export_peft(train_path("peft"), &experiment.session, &experiment.saved));
    dun_experiment_close(&experiment);
    check_ok(dun_file_map(&file, train_path("peft/dunlin.json")));
    check_ok(dun_json_parse(&object, (const char *)file.bytes, file.length, "dunlin.json", 1));
    dun_file_unmap(&file);
    const json_t *settings = json_object_get(object, "settings");
    for (int i = 0; i < DUN_N_KEYS; i++) {
        const dun_config_key *key = &dun_config_key_table[i];
        bool wanted = key->traits & (DUN_TRAIT_POINT | DUN_TRAIT_ANSWER);
        snprintf(name, sizeof name, "%s.%s", key->section, key->name);
        n += wanted;
        if (!json_object_get(settings, name) == wanted)
            fail_msg("%s: exported or not, against its row", name);
    }
    assert_true(n > 5 && json_object_size(settings) == n);
    json_decref(object);
}

static int make_config(void **state) {
    dun_str text = {0};
    make_files(state);
    check_ok(dun_str_addf(&text,
                          "[model]\npath = %s\n[data]\ntrain = %s\nvalid = %s\n"
                          "[prompt]\ninit = vocab\ntokens = 3\nlr = 0.02\n"
                          "[train]\nepochs = 3\nbatch_size = 4\n[output]\nreport = no\n",
                          train_path("tiny.gguf"), train_path("train.tsv"), train_path("valid.tsv")));
    train_write_file("my.ini", text.bytes, text.length);
    dun_str_free(&text);
    return 0;
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, note_live, compare_live)
    const struct CMUnitTest tests[] = {
        T(test_trains),   T(test_hook_fails), T(test_goes_on),       T(test_sweeps),
        T(test_measures), T(test_points),     T(test_exported_keys),
    };
    return cmocka_run_group_tests(tests, make_config, remove_files);
}
