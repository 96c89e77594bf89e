/* Device after device; and a report as JSON. See check_devices.h. */
#include "check/check_devices.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "check/trust.h"

#include <stdio.h>
#include <string.h>

static int row_json(json_t *array, const dun_self_test_row *row) {
    int rc = DUN_OK;
    json_t *object = json_object(), *histogram;
    TRY(dun_json_append(array, object));
    TRY(dun_json_set(object, "test", json_string(row->topic)));
    if (row->gemm)
        TRY(dun_json_set(object, "gemm", json_string(row->gemm)));
    if (row->precision)
        TRY(dun_json_set(object, "precision", json_string(row->precision)));
    if (row->cannot)
        TRY(dun_json_set(object, "cannot", json_string(row->cannot)));
    TRY(dun_json_set(object, "cases", json_integer((json_int_t)row->n_cases)));
    TRY(dun_json_set(object, "compared", json_integer((json_int_t)row->n_compared)));
    TRY(dun_json_set(object, "failed", json_integer((json_int_t)row->n_failed)));
    TRY(dun_json_set(object, "worst", dun_json_real(row->worst)));
    if (row->n_failed)
        TRY(dun_json_set(object, "failure", json_string(row->message)));
    histogram = json_array();
    TRY(dun_json_set(object, "histogram", histogram));
    for (size_t i = 0; i < DUN_CHECK_BINS; i++)
        TRY(dun_json_append(histogram, json_integer((json_int_t)row->histogram[i])));
out:
    return rc;
}

int dun_self_test_json(json_t *array, const dun_self_test *report, const dun_device_info *info,
                       uint32_t index) {
    int rc = DUN_OK;
    json_t *object = json_object(), *tests;
    TRY(dun_json_append(array, object));
    TRY(dun_json_set(object, "selector", json_integer((json_int_t)index)));
    TRY(dun_json_set(object, "device", json_string(info->name)));
    TRY(dun_json_set(object, "platform", json_string(info->platform)));
    TRY(dun_json_set(object, "driver", json_string(info->driver)));
    TRY(dun_json_set(object, "passed", json_boolean(report->passed)));
    TRY(dun_json_set(object, "gemm", json_string(report->gemm)));
    TRY(dun_json_set(object, "set_aside", json_boolean(report->set_aside)));
    TRY(dun_json_set(object, "kernels", json_integer((json_int_t)report->n_kernels)));
    TRY(dun_json_set(object, "seconds", dun_json_real(report->seconds)));
    tests = json_array();
    TRY(dun_json_set(object, "tests", tests));
    for (size_t i = 0; i < report->n_rows; i++)
        TRY(row_json(tests, &report->rows[i]));
out:
    return rc;
}

/* The first failure of several. */
typedef struct {
    unsigned n;
    char first[900];
} failures;

static int check_device(failures *failed, const dun_check_order *order, uint32_t index) {
    int rc = DUN_OK;
    char selector[16];
    dun_device *device = NULL;
    dun_self_test report;
    const char *gemm = order->gemm;
    const bool stored = !order->floats && (strcmp(gemm, "auto") == 0 || dun_gemm_reads_stored(gemm));
    snprintf(selector, sizeof selector, "%u", index);
    TRY(dun_device_open(&device, selector));
    if (order->observer)
        dun_device_set_watch(device,
                             (dun_device_watch){.self = order->observer->self, .say = order->observer->say});
    TRY(dun_self_test_told(&report, device, DUN_SELF_TEST_HEADS, gemm,
                           order->quick || order->floats ? "auto" : "all", stored, order->quick,
                           order->observer));
    const dun_device_info *info = dun_device_describe(device);
    const dun_verdict verdict = dun_verdict_of(&report);
    TRY(dun_verdict_keep(&verdict, info, DUN_SELF_TEST_HEADS, gemm, "auto", false));
    if (stored) /* what stands for both stands for floats */
        TRY(dun_verdict_keep(&verdict, info, DUN_SELF_TEST_HEADS, gemm, "auto", true));
    if (order->each)
        TRY(order->each(order->self, &report, info, index));
    if (!report.passed && failed->n++ == 0)
        snprintf(failed->first, sizeof failed->first, "%s fails the self-test: %s", info->name,
                 dun_self_test_failure(&report));
out:
    dun_device_close(device);
    return rc;
}

int dun_check_devices(const dun_check_order *order, const char *selector) {
    int rc = DUN_OK;
    dun_device_info *infos = NULL;
    uint32_t *chosen = NULL;
    size_t n, n_chosen;
    failures failed = {0};
    TRY(dun_device_list(&infos, &n));
    TRY_NEW(chosen, n);
    TRY(dun_device_select(chosen, &n_chosen, infos, n, selector));
    for (size_t i = 0; i < n_chosen; i++) {
        rc = check_device(&failed, order, chosen[i]);
        if (rc == DUN_BAD_DEVICE && n_chosen > 1) { /* the others still deserve their turn */
            dun_warn("%s", dun_error_message());
            if (failed.n++ == 0)
                snprintf(failed.first, sizeof failed.first, "%s", dun_error_message());
            continue;
        }
        TRY(rc);
    }
    rc = DUN_OK;
    if (order->done)
        TRY(order->done(order->self));
    if (failed.n)
        TRY(dun_error(DUN_BAD_DEVICE, "%s", failed.first));
out:
    dun_free(chosen);
    dun_free(infos);
    return rc;
}
