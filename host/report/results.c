/* Which results of a folder are right, whose they are again, and the data of their page. */
#include "report/results.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/names.h"
#include "dev/kernel_text.h"
#include "report/page.h"
#include "report/result.h"
#include "run/rundir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 2000 };

bool dun_results_are_in(const char *folder) {
    dun_names names = {0};
    bool found = false, others = false;
    if (dun_run_dir_exists(folder) || dun_run_dir_complete(folder) || dun_names_read(&names, folder) < 0)
        goto out;
    for (size_t i = 0; i < names.n; i++) {
        found |= dun_text_ends_with(names.names[i], ".json");
        others |= strcmp(names.names[i], "sweep.json") == 0 || strcmp(names.names[i], "compare.json") == 0;
    }
out:
    dun_names_free(&names);
    return found && !others;
}

int dun_results_read(json_t **out, const char *folder) {
    int rc = DUN_OK;
    dun_names names = {0};
    dun_str path = {0};
    json_t *results = json_array();
    TRY(dun_names_read(&names, folder));
    for (size_t i = 0; i < names.n; i++) {
        json_t *result = NULL, *entry;
        if (!dun_text_ends_with(names.names[i], ".json"))
            continue;
        dun_str_clear(&path);
        TRY(dun_str_addf(&path, "%s/%s", folder, names.names[i]));
        TRY(dun_result_read(&result, path.bytes));
        entry = json_pack("{s:s, s:o}", "file", names.names[i], "result", result);
        TRY(dun_json_append(results, entry));
    }
    *out = json_incref(results);
out:
    json_decref(results);
    dun_str_free(&path);
    dun_names_free(&names);
    return rc;
}

static const json_t *result_of(const json_t *results, size_t i) {
    return json_object_get(json_array_get(results, i), "result");
}

static json_t *verdict_of(const json_t *results, size_t i) {
    return json_object_get(json_array_get(results, i), "verdict");
}

/* Of "split, portable" what stands before the comma is the precision, behind it how it was computed. */
static bool begins_with_word(const char *text, const char *word) {
    return strcspn(text, ",") == strlen(word) && strncmp(text, word, strlen(word)) == 0;
}

int dun_results_class(dun_str *out, const json_t *result) {
    const char *precision = dun_result_text(result, "setup.precision");
    const char *weights = dun_result_text(result, "setup.weights");
    const char *kv = dun_result_text(result, "setup.cache_kv");
    const bool exact = begins_with_word(precision, "f32") || begins_with_word(precision, "split");
    const bool halves = strcmp(weights, "f16") == 0, kv_halves = strcmp(kv, "f16") == 0;
    if (exact && !halves && !kv_halves)
        return dun_str_addf(out, "float32");
    return dun_str_addf(out, "%.*s%s%s", (int)strcspn(precision, ","), precision,
                        halves ? ", weights f16" : "", kv_halves ? ", kept f16" : "");
}

/* A result in the order of its group. */
typedef struct {
    char *key; /* what the results of a group have in common */
    size_t at; /* its number */
} member;

static int by_group(const void *a, const void *b) {
    const member *x = a, *y = b;
    const int order = strcmp(x->key, y->key);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void free_members(member *members, const json_t *results) {
    for (size_t i = 0; members && i < json_array_size(results); i++)
        dun_free(members[i].key);
    dun_free(members);
}

/* The results, group by group: those that are equal in all parts, in their order. `parts` ends with NULL. */
static int find_groups(member **out, const json_t *results, const char *const *parts) {
    int rc = DUN_OK;
    dun_str key = {0};
    member *members = NULL;
    TRY_NEW(members, json_array_size(results) + 1);
    for (size_t i = 0; i < json_array_size(results); i++) {
        dun_str_clear(&key);
        for (size_t p = 0; parts[p]; p++) {
            const json_t *part = dun_result_at(json_array_get(results, i), parts[p]);
            if (part)
                TRY(dun_json_dump_ordered(&key, part));
            TRY(dun_str_addf(&key, "\n"));
        }
        members[i].at = i;
        TRY_PTR(members[i].key, dun_strdup(key.bytes));
    }
    qsort(members, json_array_size(results), sizeof *members, by_group);
    *out = members;
    members = NULL;
out:
    free_members(members, results);
    dun_str_free(&key);
    return rc;
}

/* How many of n members are of the first one's group. */
static size_t group_size(const member *members, size_t n) {
    size_t size = 0;
    while (size < n && strcmp(members[size].key, members[0].key) == 0)
        size++;
    return size;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median loss of every step over the results of a group. */
static int find_reference(json_t **out, double *values, const json_t *results, const member *group,
                          size_t size) {
    int rc = DUN_OK;
    json_t *reference = json_array();
    *out = reference;
    for (size_t step = 0; step < DUN_RESULT_BAND_STEPS; step++) {
        size_t n = 0;
        for (size_t i = 0; i < size; i++) {
            const json_t *losses = dun_result_at(result_of(results, group[i].at), "losses");
            if (step < json_array_size(losses))
                values[n++] = json_number_value(json_array_get(losses, step));
        }
        if (n == 0)
            break;
        qsort(values, n, sizeof *values, by_size);
        TRY(dun_json_append(reference, json_real((values[(n - 1) / 2] + values[n / 2]) / 2)));
    }
out:
    return rc;
}

static int judge_loss(json_t *results, size_t i, const json_t *reference) {
    int rc = DUN_OK;
    size_t step;
    json_t *verdict = verdict_of(results, i);
    const double apart = dun_result_apart(&step, dun_result_at(result_of(results, i), "losses"), reference);
    TRY(dun_json_set(verdict, "apart", dun_json_real(apart)));
    TRY(dun_json_set(verdict, "step", json_integer((json_int_t)step)));
    TRY(dun_json_set(verdict, "wrong", json_boolean(!(apart <= DUN_RESULT_BAND))));
out:
    return rc;
}

/* Those of one work and one class of precision against each other. */
static int judge_losses(json_t *results) {
    static const char *const parts[] = {"result.work", "verdict.class", NULL};
    int rc = DUN_OK;
    const size_t all = json_array_size(results);
    member *members = NULL;
    double *values = NULL;
    json_t *reference = NULL;
    TRY_NEW(values, all + 1);
    TRY(find_groups(&members, results, parts));
    for (size_t begin = 0, size; begin < all; begin += size) {
        size = group_size(members + begin, all - begin);
        json_decref(reference);
        TRY(find_reference(&reference, values, results, members + begin, size));
        for (size_t i = begin; i < begin + size; i++)
            TRY(judge_loss(results, members[i].at, reference));
    }
out:
    json_decref(reference);
    free_members(members, results);
    dun_free(values);
    return rc;
}

static double job_of(const json_t *results, size_t i) {
    return dun_result_number(result_of(results, i), "seconds.job.median");
}

/* Of a group's shown ones the first that is as fast; each that is not is told of the other. The new one is
 * shown, too, where there is none. */
static int find_twin(json_t *results, size_t i, size_t *shown, size_t *n_shown) {
    int rc = DUN_OK;
    json_t *verdict = verdict_of(results, i);
    for (size_t s = 0; s < *n_shown; s++) {
        json_t *other = verdict_of(results, shown[s]);
        const double a = job_of(results, i), b = job_of(results, shown[s]),
                     apart = fmax(a, b) / fmin(a, b) - 1;
        if (apart <= DUN_RESULTS_TWINS) {
            const json_int_t n = json_integer_value(json_object_get(other, "others"));
            TRY(dun_json_set(other, "others", json_integer(n + 1)));
            TRY(dun_json_set(verdict, "same_as", json_integer((json_int_t)shown[s])));
            goto out;
        }
        TRY(dun_json_set(verdict, "differs", json_real(apart)));
        TRY(dun_json_set(other, "differs", json_real(apart)));
    }
    shown[(*n_shown)++] = i;
out:
    return rc;
}

/* Those of one device in one setup, by the same program, and both right or both wrong. */
static int find_twins(json_t *results) {
    static const char *const parts[] = {"result.work",
                                        "result.device.name",
                                        "result.device.platform",
                                        "result.device.driver",
                                        "result.setup",
                                        "result.machine.processor",
                                        "result.machine.cores",
                                        "result.program.kernels",
                                        "verdict.wrong",
                                        NULL};
    int rc = DUN_OK;
    const size_t all = json_array_size(results);
    member *members = NULL;
    size_t *shown = NULL;
    TRY_NEW(shown, all + 1);
    TRY(find_groups(&members, results, parts));
    for (size_t begin = 0, size; begin < all; begin += size) {
        size_t n_shown = 0;
        size = group_size(members + begin, all - begin);
        for (size_t i = begin; i < begin + size; i++)
            TRY(find_twin(results, members[i].at, shown, &n_shown));
    }
out:
    free_members(members, results);
    dun_free(shown);
    return rc;
}

int dun_results_judge(json_t *results, const char *kernels) {
    int rc = DUN_OK;
    dun_str class = {0};
    json_t *entry;
    size_t i;
    json_array_foreach(results, i, entry) {
        const json_t *result = result_of(results, i);
        const bool own = strcmp(dun_result_text(result, "program.kernels"), kernels) != 0;
        dun_str_clear(&class);
        TRY(dun_results_class(&class, result));
        TRY(dun_json_set(entry, "verdict",
                         json_pack("{s:s, s:b, s:n, s:i, s:n}", "class", class.bytes, "own_build", own,
                                   "same_as", "others", 0, "differs")));
    }
    TRY(judge_losses(results));
    TRY(find_twins(results));
out:
    dun_str_free(&class);
    return rc;
}

/* JSON whose texts are as a page shows them. */
static int add_shown(dun_str *json, const json_t *value) {
    int rc = DUN_OK;
    const json_t *one;
    const char *key, *before = "";
    size_t i;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach((json_t *)(uintptr_t)value, key, one) {
            TRY(dun_str_addf(json, "%s", *before ? before : "{"));
            TRY(dun_page_add_string(json, key, strlen(key), CELL_BYTES));
            TRY(dun_str_addf(json, ":"));
            TRY(add_shown(json, one));
            before = ",";
        }
        TRY(dun_str_addf(json, "%s", *before ? "}" : "{}"));
        break;
    case JSON_ARRAY:
        TRY(dun_str_addf(json, "["));
        json_array_foreach(value, i, one) {
            TRY(dun_str_addf(json, "%s", i ? "," : ""));
            TRY(add_shown(json, one));
        }
        TRY(dun_str_addf(json, "]"));
        break;
    case JSON_STRING:
        TRY(dun_page_add_string(json, json_string_value(value), json_string_length(value), CELL_BYTES));
        break;
    default:
        TRY(dun_json_dump(json, value));
    }
out:
    return rc;
}

int dun_results_write(const char *out_path, const char *folder) {
    int rc = DUN_OK;
    dun_str json = {0}, html = {0};
    json_t *results = NULL;
    uint64_t hash;
    char kernels[20];
    TRY(dun_results_read(&results, folder));
    TRY(dun_kernel_text_hash(&hash));
    snprintf(kernels, sizeof kernels, "%016" PRIx64, hash);
    TRY(dun_results_judge(results, kernels));
    TRY(dun_str_addf(&json, "{\"program\":\"dunlin %s\",\"results\":", DUN_VERSION));
    TRY(add_shown(&json, results));
    TRY(dun_str_addf(&json, "}"));
    TRY(dun_page_add(&html, DUN_PAGE_DEVICES, "Devices", &json));
    TRY(dun_file_write(out_path, html.bytes, html.length));
out:
    json_decref(results);
    dun_str_free(&html);
    dun_str_free(&json);
    return rc;
}
