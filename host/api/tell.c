/* What there is on this computer: devices, whether they compute right, models. */
#include "api/api.h"
#include "api/watch.h"

#include "base/json.h"
#include "check/check_devices.h"
#include "check/device_rows.h"
#include "session/model_list.h"

/* An array as text into a buffer. */
static int give(const json_t *array, char *buffer, size_t size, size_t *needed) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(dun_json_dump(&text, array));
    TRY(dun_api_give(buffer, size, needed, &text, true));
out:
    dun_str_free(&text);
    return rc;
}

dunlin_status dunlin_devices(char *buffer, size_t size, size_t *needed) {
    int rc = DUN_OK;
    dun_device_rows rows = {0};
    json_t *array = NULL;
    dun_api_begin();
    TRY(dun_api_use_devices());
    TRY_PTR(array, json_array());
    TRY(dun_device_rows_list(&rows, NULL, false));
    TRY(dun_device_rows_json(array, &rows));
    TRY(give(array, buffer, size, needed));
out:
    json_decref(array);
    dun_device_rows_free(&rows);
    return dun_api_end(rc);
}

typedef struct {
    json_t *array;
    char *buffer;
    size_t size, *needed;
} check_job;

static int add_report(void *self, const dun_self_test *report, const dun_device_info *info, uint32_t index) {
    check_job *job = self;
    return dun_self_test_json(job->array, report, info, index);
}

static int give_reports(void *self) {
    check_job *job = self;
    return give(job->array, job->buffer, job->size, job->needed);
}

dunlin_status dunlin_check(char *buffer, size_t size, size_t *needed, const char *device, int quick,
                           dunlin_progress_fn *progress, void *user) {
    int rc = DUN_OK;
    dun_watch_call watch;
    check_job job = {.buffer = buffer, .size = size, .needed = needed};
    dun_api_begin();
    const dun_observer observer = dun_watch_call_begin(&watch, progress, user);
    watch.whole = true;
    TRY(dun_api_use_devices());
    TRY_PTR(job.array, json_array());
    const dun_check_order order = {.gemm = "auto",
                                   .quick = quick != 0,
                                   .observer = &observer,
                                   .self = &job,
                                   .each = add_report,
                                   .done = give_reports};
    TRY(dun_check_devices(&order, device ? device : "best"));
out:
    json_decref(job.array);
    return dun_api_end(dun_watch_call_end(&watch, rc));
}

dunlin_status dunlin_models(char *buffer, size_t size, size_t *needed) {
    int rc = DUN_OK;
    dun_model_list list = {0};
    json_t *array = NULL;
    dun_api_begin();
    TRY_PTR(array, json_array());
    TRY(dun_model_list_make(&list, NULL));
    TRY(dun_model_list_json(array, &list));
    TRY(give(array, buffer, size, needed));
out:
    json_decref(array);
    dun_model_list_free(&list);
    return dun_api_end(rc);
}
