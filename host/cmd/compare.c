/* dunlin compare: one config on several devices, each in its own process. */
#include "cmd/compare.h"
#include "cmd/compare_files.h"
#include "report/compare_show.h"
#include "report/result.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "cmd/signals.h"
#include "run/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The devices that a list of selectors means, in its order; one named twice is run twice. */
static int choose_devices(uint32_t **chosen, size_t *n_chosen, const dun_device_info *infos, size_t n,
                          const char *selectors) {
    int rc = DUN_OK;
    size_t capacity = 0, n_word;
    uint32_t *word_devices = NULL;
    char *words = NULL;
    *chosen = NULL;
    *n_chosen = 0;
    TRY_NEW(word_devices, n);
    TRY_PTR(words, dun_strdup(*selectors ? selectors : "all"));
    for (char *word = words, *next; word; word = next) {
        next = strchr(word, ',');
        if (next)
            *next++ = '\0';
        TRY(dun_device_select(word_devices, &n_word, infos, n, word));
        for (size_t i = 0; i < n_word; i++) {
            TRY_GROW(*chosen, capacity, *n_chosen);
            (*chosen)[(*n_chosen)++] = word_devices[i];
        }
    }
    if (*n_chosen == 0)
        TRY(dun_error(DUN_BAD_DEVICE, "device selector \"%s\" means no usable device", selectors));
out:
    dun_free(words);
    dun_free(word_devices);
    return rc;
}

/* The folder that is wanted, or runs/compare-NAME, or the next that is free. */
static int make_folder(dun_claim **claim, char **folder, const char *wanted, const char *name) {
    int rc = DUN_OK;
    dun_str own = {0};
    if (wanted) {
        TRY_PTR(*folder, dun_strdup(wanted));
        TRY(dun_folder_claim(claim, wanted));
    } else {
        TRY(dun_str_addf(&own, "compare-%s", name));
        TRY(dun_folder_claim_name(claim, folder, own.bytes));
    }
out:
    dun_str_free(&own);
    return rc;
}

/* What failed before any device ran leaves no folder. */
static void give_back(dun_claim *claim, int rc) {
    static const char *const none = NULL;
    if (rc < 0)
        dun_claim_withdraw(claim, &none);
    else
        dun_claim_give_back(claim);
}

/* Stands beside the others under this name. */
static int add_named(json_t *results, json_t *result) {
    int rc = DUN_OK;
    dun_str name = {0};
    TRY(dun_str_addf(&name, "baseline: %s", dun_result_text(result, "name")));
    TRY(dun_json_set(result, "name", json_string(name.bytes)));
    TRY(dun_json_append(results, json_incref(result)));
out:
    dun_str_free(&name);
    return rc;
}

static int add_devices(json_t *results, const json_t *root, const char *path) {
    int rc = DUN_OK;
    const json_t *devices = json_object_get(root, "devices");
    json_t *result;
    size_t i;
    if (!json_is_array(devices))
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: has no \"devices\"; compare.json of an earlier comparison is needed, or what --save wrote",
            path));
    json_array_foreach(devices, i, result) {
        if (!*dun_result_text(result, "name") || !json_is_string(json_object_get(result, "status")))
            TRY(dun_error(DUN_BAD_INPUT, "%s: device %zu has no name or status", path, i + 1));
        TRY(add_named(results, result));
    }
out:
    return rc;
}

/* Results of an earlier comparison, or that of one device, which must be of the same work. */
static int add_baseline(json_t *results, const char *path, dun_compare_files *files, const dun_config *config,
                        const dun_observer *observer) {
    int rc = DUN_OK;
    json_t *root = NULL, *result = NULL;
    TRY(dun_json_read(&root, path));
    if (!dun_result_is(root)) {
        TRY(add_devices(results, root, path));
        goto out;
    }
    TRY(dun_result_check(root, path));
    TRY(dun_compare_files_work(files, config, observer));
    TRY(dun_compare_same_work(root, files->work, path));
    TRY(dun_compare_from_result(&result, root));
    TRY(add_named(results, result));
out:
    json_decref(result);
    json_decref(root);
    return rc;
}

static int write_file(const char *folder, const char *name, const dun_str *text) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(dun_str_addf(&path, "%s/%s", folder, name));
    TRY(dun_file_write(path.bytes, text->bytes, text->length));
out:
    dun_str_free(&path);
    return rc;
}

/* compare.json, compare.html, and the table or the JSON on stdout. */
static int show(json_t *results, const dun_compare_files *f, const char *folder, const char *title,
                bool as_json) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *root = json_object();
    TRY(dun_compare_versus(results));
    TRY(dun_json_set(root, "version", json_string(DUN_VERSION)));
    TRY(dun_json_set(root, "config", json_string(title)));
    TRY(dun_json_set(root, "devices", json_incref(results)));
    if (json_array_size(f->verdicts) > 0)
        TRY(dun_json_set(root, "verify", json_incref(f->verdicts)));
    TRY(dun_json_dump(&text, root));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(write_file(folder, "compare.json", &text));
    if (as_json)
        TRY(dun_out_text(&text));
    dun_str_clear(&text);
    TRY(dun_compare_page(&text, results, title));
    TRY(write_file(folder, "compare.html", &text));
    if (as_json)
        goto out;
    dun_str_clear(&text);
    TRY(dun_compare_table(&text, results));
    TRY(dun_str_addf(&text, "page and data: %s/compare.html, compare.json\n%s", folder,
                     f->said.length ? f->said.bytes : ""));
    TRY(dun_out_text(&text));
out:
    json_decref(root);
    dun_str_free(&text);
    return rc;
}

static size_t count_finished(const json_t *results, size_t n) {
    size_t finished = 0;
    for (size_t i = 0; i < n; i++) {
        const char *status = json_string_value(json_object_get(json_array_get(results, i), "status"));
        finished += status && strcmp(status, "finished") == 0;
    }
    return finished;
}

static int run_devices(json_t *results, size_t *n_run, dun_compare_files *f, const dun_compare_job *job,
                       const char *selectors, const dun_config *config, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n;
    TRY(dun_device_list(&infos, &n));
    TRY(choose_devices(&chosen, n_run, infos, n, selectors));
    for (size_t i = 0; i < *n_run; i++)
        TRY(dun_compare_run(results, job, &infos[chosen[i]], chosen[i], i + 1, observer));
    TRY(dun_compare_files_make(f, results, infos, chosen, *n_run, config));
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

/* What a comparison is asked for, and what it holds. */
typedef struct {
    dun_overrides overrides;
    dun_config config;
    dun_compare_files files;
    json_t *results, *earlier;
    char *name, *folder;
    dun_claim *claim;
} comparison;

/* The config, and all that is read before anything is run. */
static int open_comparison(comparison *c, const dun_args *args, const dun_observer *observer) {
    int rc = DUN_OK;
    const char *path = dun_args_operand(args, 0), *baseline = dun_args_value(args, "baseline");
    TRY(dun_args_all(&c->overrides.sets, &c->overrides.n_sets, args, "set"));
    TRY(dun_compare_files_open(&c->files, args, &c->overrides));
    TRY(dun_experiment_read_config(&c->config, path, &c->overrides));
    TRY(dun_config_check(&c->config));
    TRY_PTR(c->name, dun_experiment_name(&c->config, path));
    TRY_PTR(c->results, json_array());
    TRY_PTR(c->earlier, json_array());
    if (!baseline && *c->config.compare.baseline)
        baseline = c->config.compare.baseline;
    if (baseline)
        TRY(add_baseline(c->earlier, baseline, &c->files, &c->config, observer));
    if (c->files.save || c->files.read)
        TRY(dun_compare_files_work(&c->files, &c->config, observer));
    if (c->files.read)
        TRY(dun_compare_same_work(c->files.read, c->files.work, c->files.verify));
    TRY(make_folder(&c->claim, &c->folder, dun_args_value(args, "out"), c->name));
out:
    return rc;
}

static void close_comparison(comparison *c, int rc) {
    give_back(c->claim, rc);
    json_decref(c->earlier);
    json_decref(c->results);
    dun_compare_files_free(&c->files);
    dun_free(c->name);
    dun_free(c->folder);
    dun_config_free(&c->config);
    dun_overrides_free(&c->overrides);
}

/* What makes the status, after everything was shown. */
static int judge(const comparison *c, size_t n_run) {
    if (count_finished(c->results, n_run) == 0)
        return dun_error(DUN_BAD_DEVICE, "no device finished; %s has what each said", c->folder);
    if (c->files.missing.length)
        return dun_error(DUN_BAD_DEVICE, "no result of %s", c->files.missing.bytes);
    if (c->files.wrong)
        return dun_error(DUN_BAD_INPUT,
                         "%s: losses are not those that come out here; a result within %g of them "
                         "is right",
                         c->files.verify, DUN_RESULT_BAND);
    return DUN_OK;
}

enum { DEFAULT_LIMIT_S = 3600 };

static int run(const dun_args *args) {
    int rc = DUN_OK;
    comparison c = {0};
    dun_progress progress;
    const dun_observer observer = dun_progress_observer(&progress);
    size_t n_run = 0;
    const char *device = dun_args_value(args, "device");
    dun_compare_job job = {.config = dun_args_operand(args, 0), .limit_s = DEFAULT_LIMIT_S};
    TRY(dun_config_init(&c.config));
    TRY(dun_talk(&progress, args));
    TRY(dun_signals_watch());
    TRY(dun_args_number(&job.limit_s, args, "timeout", &(dun_number_range){.most = 1e7, .above = true}));
    TRY(open_comparison(&c, args, &observer));
    job.sets = c.overrides.sets;
    job.n_sets = c.overrides.n_sets;
    job.folder = c.folder;
    job.measure = c.files.save || c.files.read;
    job.builds = c.files.save != NULL;
    TRY(run_devices(c.results, &n_run, &c.files, &job, device ? device : c.config.compare.devices, &c.config,
                    &observer));
    if (json_array_extend(c.results, c.earlier) < 0)
        TRY(dun_error(DUN_FAILED, "out of memory for the comparison"));
    dun_progress_close(&progress);
    TRY(show(c.results, &c.files, c.folder, c.name, dun_args_has(args, "json")));
    TRY(judge(&c, n_run));
out:
    dun_progress_close(&progress);
    close_comparison(&c, rc);
    return rc;
}

static const dun_option options[] = {
    {.name = "device",
     .letter = 'd',
     .argument = "A,B,...",
     .help = "The devices, instead of those of [compare] devices; without both all."},
    {.name = "set",
     .argument = "SECTION.KEY=VALUE",
     .repeatable = true,
     .help = "Sets a key of the config; the rest of the word is the value."},
    {.name = "baseline",
     .argument = "FILE",
     .help = "compare.json of an earlier comparison, whose devices stand beside, or what --save wrote."},
    {.name = "save",
     .argument = "FILE",
     .help =
         "Also measures, and writes the device's result into a file that can be shared: no name of a host or "
         "user and no path is in it. Several devices: FILE-1.json and on."},
    {.name = "verify",
     .argument = "FILE",
     .help =
         "Runs what --save wrote again here, in its precision and form of weights, and says what differs. "
         "Status 3 when its losses are wrong."},
    {.name = "timeout",
     .argument = "SECONDS",
     .help = "What takes longer on a device is ended, and is a row that failed; 3600."},
    {.name = "out", .letter = 'o', .argument = "DIR", .help = "Folder of the results, new or empty."},
    {.name = "json", .help = "Print one JSON object instead of a table."},
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_compare = {
    .name = "compare",
    .summary = "Run one config on several devices and compare what comes out.",
    .usage = "CONFIG [--device A,B,...] [--baseline FILE] [--save FILE] [OPTIONS]",
    .help = "The same seed and config on each device, one after another, each in a process of\n"
            "its own: a driver that crashes or hangs is a row, not the end. Shows accuracy,\n"
            "where the losses part and how far, how many answers agree, time by stage, memory,\n"
            "energy where the system tells it, and the largest errors of the self-test.\n\n"
            "With --save the job is run six times and the benchmark once, on a machine that is\n"
            "better left alone meanwhile; `dunlin report DIR` makes a page of a folder of such\n"
            "files.\n\n"
            "Leaves compare.html, compare.json and the run of each device in runs/compare-NAME.\n"
            "Status 4 when no device finished.",
    .options = options,
    .goes_on = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
