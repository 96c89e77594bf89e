/* dunlin compare: one config on several devices, each in its own process. */
#include "cmd/compare.h"
#include "report/compare_show.h"

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

/* Results of an earlier comparison, named so. */
static int add_baseline(json_t *results, const char *path) {
    int rc = DUN_OK;
    dun_file file = {0};
    dun_str name = {0};
    json_t *root = NULL, *result;
    size_t i;
    TRY(dun_file_map(&file, path));
    TRY(dun_json_parse(&root, (const char *)file.bytes, file.length, path, 1));
    const json_t *devices = json_object_get(root, "devices");
    if (!json_is_array(devices))
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: has no \"devices\"; compare.json of an earlier comparison is needed", path));
    json_array_foreach(devices, i, result) {
        const char *of = json_string_value(json_object_get(result, "name"));
        if (!json_is_object(result) || !of || !json_is_string(json_object_get(result, "status")))
            TRY(dun_error(DUN_BAD_INPUT, "%s: device %zu has no name or status", path, i));
        dun_str_clear(&name);
        TRY(dun_str_addf(&name, "baseline: %s", of));
        TRY(dun_json_set(result, "name", json_string(name.bytes)));
        TRY(dun_json_append(results, json_incref(result)));
    }
out:
    json_decref(root);
    dun_str_free(&name);
    dun_file_unmap(&file);
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
static int show(json_t *results, const char *folder, const char *title, bool as_json) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *root = json_object();
    TRY(dun_compare_versus(results));
    TRY(dun_json_set(root, "version", json_string(DUN_VERSION)));
    TRY(dun_json_set(root, "config", json_string(title)));
    TRY(dun_json_set(root, "devices", json_incref(results)));
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
    TRY(dun_str_addf(&text, "page and data: %s/compare.html, compare.json\n", folder));
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

static int run_devices(json_t *results, size_t *n_run, const dun_compare_job *job, const char *selectors,
                       const dun_observer *observer) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n;
    TRY(dun_device_list(&infos, &n));
    TRY(choose_devices(&chosen, n_run, infos, n, selectors));
    for (size_t i = 0; i < *n_run; i++)
        TRY(dun_compare_run(results, job, &infos[chosen[i]], chosen[i], i + 1, observer));
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}

enum { DEFAULT_LIMIT_S = 3600 };

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_config config = {0};
    dun_progress progress;
    const dun_observer observer = dun_progress_observer(&progress);
    dun_claim *claim = NULL;
    char *name = NULL, *folder = NULL;
    json_t *results = NULL, *earlier = NULL;
    size_t n_run = 0;
    const char *path = dun_args_operand(args, 0), *device = dun_args_value(args, "device");
    const char *baseline = dun_args_value(args, "baseline");
    TRY(dun_config_init(&config));
    TRY(dun_talk(&progress, args));
    TRY(dun_signals_watch());
    TRY(dun_args_all(&overrides.sets, &overrides.n_sets, args, "set"));
    dun_compare_job job = {
        .config = path, .sets = overrides.sets, .n_sets = overrides.n_sets, .limit_s = DEFAULT_LIMIT_S};
    TRY(dun_args_number(&job.limit_s, args, "timeout", &(dun_number_range){.most = 1e7, .above = true}));
    TRY(dun_experiment_read_config(&config, path, &overrides));
    TRY(dun_config_check(&config));
    TRY_PTR(name, dun_experiment_name(&config, path));
    TRY_PTR(results, json_array());
    TRY_PTR(earlier, json_array());
    if (!baseline && *config.compare.baseline)
        baseline = config.compare.baseline;
    if (baseline) /* before anything is run */
        TRY(add_baseline(earlier, baseline));
    TRY(make_folder(&claim, &folder, dun_args_value(args, "out"), name));
    job.folder = folder;
    TRY(run_devices(results, &n_run, &job, device ? device : config.compare.devices, &observer));
    if (json_array_extend(results, earlier) < 0)
        TRY(dun_error(DUN_FAILED, "out of memory for the comparison"));
    dun_progress_close(&progress);
    TRY(show(results, folder, name, dun_args_has(args, "json")));
    if (count_finished(results, n_run) == 0)
        TRY(dun_error(DUN_BAD_DEVICE, "no device finished; %s has what each said", folder));
out:
    give_back(claim, rc);
    json_decref(earlier);
    json_decref(results);
    dun_free(name);
    dun_free(folder);
    dun_progress_close(&progress);
    dun_config_free(&config);
    dun_overrides_free(&overrides);
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
     .help = "compare.json of an earlier comparison, whose devices stand beside."},
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
    .usage = "CONFIG [--device A,B,...] [--baseline FILE] [OPTIONS]",
    .help = "The same seed and config on each device, one after another, each in a process of\n"
            "its own: a driver that crashes or hangs is a row, not the end. Shows accuracy,\n"
            "where the losses part and how far, how many answers agree, time by stage, memory,\n"
            "energy where the system tells it, and the largest errors of the self-test.\n\n"
            "Leaves compare.html, compare.json and the run of each device in runs/compare-NAME.\n"
            "Status 4 when no device finished.",
    .options = options,
    .goes_on = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
