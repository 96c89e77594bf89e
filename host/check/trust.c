/* Finds or makes a device's verdict before a training, and puts aside products that fail. */
#include "check/trust.h"

#include "base/cache.h"
#include "base/err.h"
#include "base/json.h"
#include "dev/choice.h"
#include "dev/programs.h"

#include <stdio.h>
#include <string.h>

/* Raise it when the tests change in what a verdict means. */
enum { FORMAT = 4 };

/* head_dim 0: the latest verdict, whatever the heads. */
static int make_key(dun_str *out, const dun_device_info *info, uint32_t head_dim, const char *gemm,
                    const char *precision, bool stored) {
    int rc = DUN_OK;
    const uint32_t heads = head_dim ? head_dim : DUN_SELF_TEST_HEADS;
    dun_choice run, test; /* what each would take: of the run the provider matters, of the test the tiles */
    TRY(dun_choose(&run, info, &(dun_wish){.head_dim = heads, .gemm = gemm, .precision = precision}));
    TRY(dun_choose(&test, info,
                   &(dun_wish){.head_dim = heads, .gemm = "naive", .every_gemm = true, .precision = "f32"}));
    TRY(dun_str_addf(out, "self-test of "));
    TRY(dun_programs_identity(out, info, &test.tiles));
    TRY(dun_str_addf(out, "gemm %s (%s), %s heads, %s\ndunlin %s, test %d\n", gemm, run.gemm,
                     head_dim ? "these" : "any", stored && head_dim ? "stored weights" : "floats",
                     DUN_VERSION, FORMAT));
    if (head_dim)
        TRY(dun_str_addf(out, "precision %s %s\n", run.precision, run.variant));
out:
    return rc;
}

/* Halves that the local tile has of its own are no stored weights. */
static int reads_stored(bool *out, const dun_device_info *info, uint32_t head_dim, const char *gemm,
                        const char *precision, enum dun_weight_form form) {
    int rc = DUN_OK;
    dun_choice run;
    TRY(dun_choose(&run, info,
                   &(dun_wish){.head_dim = head_dim,
                               .gemm = gemm,
                               .precision = precision,
                               .half_weights = form == DUN_FORM_F16}));
    *out = form != DUN_FORM_F32 && !run.tiles.half_weights;
out:
    return rc;
}

dun_verdict dun_verdict_of(const dun_self_test *report) {
    dun_verdict verdict = {
        .known = true, .passed = report->passed, .set_aside = report->set_aside, .quick = report->quick};
    snprintf(verdict.gemm, sizeof verdict.gemm, "%s", report->gemm);
    snprintf(verdict.failure, sizeof verdict.failure, "%s", dun_self_test_failure(report));
    for (size_t i = 0; report->passed && report->set_aside && i < report->n_rows; i++)
        if (report->rows[i].n_failed > 0 && !*verdict.failure)
            snprintf(verdict.failure, sizeof verdict.failure, "%s", report->rows[i].message);
    return verdict;
}

static void read_text(char *out, size_t size, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

int dun_verdict_recall(dun_verdict *verdict, const dun_device_info *info, uint32_t head_dim, const char *gemm,
                       const char *precision, bool stored) {
    int rc = DUN_OK;
    dun_str key = {0};
    dun_cached cached;
    json_t *object = NULL;
    *verdict = (dun_verdict){0};
    TRY(make_key(&key, info, head_dim, gemm, precision, stored));
    if (!dun_cache_find(&cached, DUN_CACHE_CHECKS, &key))
        goto out;
    rc = dun_json_parse(&object, (const char *)cached.bytes, cached.length, "a kept self-test", 1);
    dun_cached_close(&cached);
    TRY(rc);
    verdict->known = true;
    verdict->passed = json_is_true(json_object_get(object, "passed"));
    verdict->set_aside = json_is_true(json_object_get(object, "set_aside"));
    verdict->quick = json_is_true(json_object_get(object, "quick"));
    read_text(verdict->gemm, sizeof verdict->gemm, object, "gemm");
    read_text(verdict->failure, sizeof verdict->failure, object, "failure");
out:
    json_decref(object);
    dun_str_free(&key);
    return rc;
}

int dun_verdict_keep(const dun_verdict *verdict, const dun_device_info *info, uint32_t head_dim,
                     const char *gemm, const char *precision, bool stored) {
    int rc = DUN_OK;
    dun_str key = {0}, latest = {0}, text = {0};
    char problem[128];
    json_t *object = json_object();
    TRY(make_key(&key, info, head_dim, gemm, precision, stored));
    TRY(make_key(&latest, info, 0, gemm, precision, stored));
    TRY(dun_json_set(object, "passed", json_boolean(verdict->passed)));
    TRY(dun_json_set(object, "set_aside", json_boolean(verdict->set_aside)));
    TRY(dun_json_set(object, "quick", json_boolean(verdict->quick)));
    TRY(dun_json_set(object, "gemm", json_string(verdict->gemm)));
    TRY(dun_json_set(object, "failure", json_string(verdict->failure)));
    TRY(dun_json_dump(&text, object));
    (void)dun_cache_keep(problem, sizeof problem, DUN_CACHE_CHECKS, &key, text.bytes, text.length);
    (void)dun_cache_keep(problem, sizeof problem, DUN_CACHE_CHECKS, &latest, text.bytes, text.length);
out:
    json_decref(object);
    dun_str_free(&text);
    dun_str_free(&latest);
    dun_str_free(&key);
    return rc;
}

static int test_device(dun_verdict *verdict, dun_device *device, uint32_t head_dim, const char *gemm,
                       const char *precision, bool stored, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_self_test report;
    const dun_device_info *info = dun_device_describe(device);
    if (observer)
        dun_device_set_watch(device, (dun_device_watch){.self = observer->self, .say = observer->say});
    dun_observe_say(observer,
                    "check     %s was not tested yet with this driver and heads of %u%s; testing it",
                    info->name, head_dim, stored ? ", weights as they are stored" : "");
    TRY(dun_self_test_run(&report, device, head_dim, gemm, precision, stored, true));
    *verdict = dun_verdict_of(&report);
    if (report.passed)
        dun_observe_say(observer, "check     passed in %.1f s", report.seconds);
    TRY(dun_verdict_keep(verdict, info, head_dim, gemm, precision, stored));
out:
    return rc;
}

int dun_trust(char *gemm_out, size_t gemm_size, const char *selector, uint32_t head_dim, const char *gemm,
              const char *precision, enum dun_weight_form form, bool force, const dun_observer *observer) {
    int rc = DUN_OK;
    dun_device *device = NULL;
    dun_verdict verdict;
    bool stored;
    TRY(dun_device_open(&device, selector));
    const dun_device_info *info = dun_device_describe(device);
    TRY(reads_stored(&stored, info, head_dim, gemm, precision, form));
    TRY(dun_verdict_recall(&verdict, info, head_dim, gemm, precision, stored));
    if (!verdict.known)
        TRY(test_device(&verdict, device, head_dim, gemm, precision, stored, observer));
    snprintf(gemm_out, gemm_size, "%s", verdict.set_aside && verdict.passed ? verdict.gemm : gemm);
    if (verdict.passed && verdict.set_aside)
        dun_warn("this device fails the self-test with its usual matrix products (%s); %s stands in, slower",
                 verdict.failure, verdict.gemm);
    if (!verdict.passed && force)
        dun_warn("this device fails the self-test, and is used all the same: %s", verdict.failure);
    else if (!verdict.passed)
        TRY(dun_error(DUN_BAD_DEVICE,
                      "%s, driver %s, fails the self-test: %s; choose another device or driver, look with "
                      "`dunlin check`, or force it with --force or device.check = force",
                      info->name, info->driver, verdict.failure));
out:
    dun_device_close(device);
    return rc;
}

int dun_trust_config(dun_config *config, uint32_t head_dim, const char *precision, enum dun_weight_form form,
                     const dun_observer *observer) {
    int rc = DUN_OK;
    char chosen[32], selector[256];
    dun_str wanted = {0};
    if (config->device.check == DUN_CHECK_NO)
        goto out;
    for (size_t i = 0; dun_device_selector(selector, sizeof selector, config->device.use, i); i++) {
        dun_str_clear(&wanted);
        TRY(dun_config_get(&wanted, config, DUN_KEY_device_gemm));
        TRY(dun_trust(chosen, sizeof chosen, selector, head_dim, wanted.bytes, precision, form,
                      config->device.check == DUN_CHECK_FORCE, observer));
        if (strcmp(chosen, wanted.bytes) != 0)
            TRY(dun_config_put(config, DUN_KEY_device_gemm, chosen, "the self-test"));
    }
out:
    dun_str_free(&wanted);
    return rc;
}
