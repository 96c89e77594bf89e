/* Which files, where; what they are made of is compare_result.c's. */
#include "cmd/compare_files.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/place.h"
#include "report/result.h"
#include "run/work.h"
#include "session/reopen.h"

#include <string.h>

/* What --verify sets: keys of [device], and where files of results have them. */
static const struct {
    enum dun_config_id id;
    const char *name, *path;
} setups[DUN_COMPARE_SETS] = {
    {DUN_KEY_device_precision, "precision", "setup.precision"},
    {DUN_KEY_device_weights, "weights", "setup.weights"},
    {DUN_KEY_device_cache_kv, "cache_kv", "setup.cache_kv"},
};

/* A file that was edited by hand may have words that no config takes. */
static int check_word(size_t i, const char *word, const char *file) {
    int rc = DUN_OK;
    dun_config config = {0};
    TRY(dun_config_init(&config));
    if (dun_config_put(&config, setups[i].id, word, setups[i].path) < 0)
        TRY(dun_error(DUN_BAD_INPUT, "%s: %s", file, dun_error_message()));
out:
    dun_config_free(&config);
    return rc;
}

/* Sets that a file of results was made with, below those of the command line. */
static int set_as_read(dun_overrides *overrides, dun_str sets[], const json_t *read, const char *file) {
    int rc = DUN_OK;
    const char **all;
    dun_str word = {0};
    TRY_NEW(all, overrides->n_sets + DUN_COMPARE_SETS + 1);
    for (size_t i = 0; i < overrides->n_sets; i++)
        all[DUN_COMPARE_SETS + i] = overrides->sets[i];
    dun_free(overrides->sets);
    overrides->sets = all;
    overrides->n_sets += DUN_COMPARE_SETS;
    for (size_t i = 0; i < DUN_COMPARE_SETS; i++) {
        const char *text = dun_result_text(read, setups[i].path); /* of "split, portable" the first word */
        dun_str_clear(&word);
        TRY(dun_str_addf(&word, "%.*s", (int)strcspn(text, ","), text));
        TRY(check_word(i, word.bytes ? word.bytes : "", file));
        TRY(dun_str_addf(&sets[i], "device.%s=%s", setups[i].name, word.bytes));
        all[i] = sets[i].bytes;
    }
out:
    dun_str_free(&word);
    return rc;
}

/* The path of device number i of n: FILE.json, or FILE-1.json and on. */
static int save_path(dun_str *out, const char *path, size_t i, size_t n) {
    const bool ends = dun_text_ends_with(path, ".json");
    const size_t length = strlen(path) - (ends ? strlen(".json") : 0);
    return n == 1 ? dun_str_addf(out, "%s", path)
                  : dun_str_addf(out, "%.*s-%zu%s", (int)length, path, i + 1, ends ? ".json" : "");
}

static int save(dun_compare_files *f, json_t *result, size_t i, size_t n) {
    int rc = DUN_OK;
    dun_str path = {0};
    TRY(save_path(&path, f->save, i, n));
    TRY(dun_result_write(result, path.bytes));
    TRY(dun_str_addf(&f->said, "result: %s\n", path.bytes));
out:
    dun_str_free(&path);
    return rc;
}

int dun_compare_files_open(dun_compare_files *f, const dun_args *args, dun_overrides *overrides) {
    int rc = DUN_OK;
    f->save = dun_args_value(args, "save");
    f->verify = dun_args_value(args, "verify");
    TRY_PTR(f->verdicts, json_array());
    if (f->verify) {
        TRY(dun_result_read(&f->read, f->verify));
        TRY(set_as_read(overrides, f->sets, f->read, f->verify));
    }
    if (f->save)
        TRY(dun_place_for_file(f->save));
out:
    return rc;
}

void dun_compare_files_free(dun_compare_files *f) {
    for (size_t i = 0; i < DUN_COMPARE_SETS; i++)
        dun_str_free(&f->sets[i]);
    json_decref(f->read);
    json_decref(f->work);
    json_decref(f->verdicts);
    dun_str_free(&f->said);
    dun_str_free(&f->missing);
}

int dun_compare_files_work(dun_compare_files *f, const dun_config *config, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_session session = {0};
    if (f->work)
        goto out;
    TRY(dun_session_reopen(&session, config, observer));
    TRY(dun_work_describe(&f->work, &session));
out:
    dun_session_close(&session);
    return rc;
}

int dun_compare_files_make(dun_compare_files *f, const json_t *results, const dun_device_info *infos,
                           const uint32_t *chosen, size_t n, const dun_config *config) {
    int rc = DUN_OK;
    json_t *here = NULL, *verdict = NULL;
    for (size_t i = 0; i < n && (f->save || f->read); i++) {
        const json_t *result = json_array_get(results, i);
        if (!json_object_get(result, "measured")) {
            TRY(dun_str_addf(&f->missing, "%s%s: %s", f->missing.length ? "; " : "", infos[chosen[i]].name,
                             dun_result_text(result, "unmeasured")));
            continue;
        }
        json_decref(here);
        here = NULL;
        TRY(dun_compare_result(&here, result, f->work, dun_config_word(config, DUN_KEY_device_cache_kv),
                               &infos[chosen[i]]));
        if (f->save)
            TRY(save(f, here, i, n));
        if (!f->read)
            continue;
        TRY(dun_compare_verify(&verdict, &f->said, f->read, here));
        f->wrong |= json_is_true(json_object_get(verdict, "wrong"));
        TRY(dun_json_append(f->verdicts, verdict));
    }
out:
    json_decref(here);
    return rc;
}
