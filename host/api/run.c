/* A run's life: opened from a directory or bytes, freed. */
#include "api/run.h"

#include "base/file.h"
#include "run/rundir.h"

#include <string.h>

const char *const dun_run_kept_names[] = {
    "config.ini", "prompt.safetensors", "history.jsonl", "predictions.tsv", "history.csv",
    "report.csv", "confusion.csv",      DUN_SPLIT_FILE,  "metrics.json",    NULL};
const char *const dun_run_byte_names[] = {"config.ini", "prompt.safetensors", "history.jsonl", "metrics.json",
                                          NULL};

dunlin_run *dun_api_run_begin(void) {
    int rc = DUN_OK;
    dunlin_run *run = NULL;
    TRY_NEW(run, 1);
    rc = dun_handle_begin(&run->handle, DUN_HANDLE_RUN);
    if (rc < 0) {
        dun_free(run);
        run = NULL;
    }
out:
    return run;
}

int dun_api_run_open(dunlin_run *run, const char *device) {
    int rc = DUN_OK;
    const dun_overrides overrides = {.device = device, .alone = true};
    dun_experiment *e = &run->experiment;
    TRY(dun_experiment_open_kept(e, &run->kept, run->directory ? run->directory : "(memory)", &overrides,
                                 &dun_api_log_observer));
    TRY(dun_session_start_engine(&e->session, false));
    TRY(dun_classifier_open(&run->classifier, &e->session, &e->saved));
out:
    return rc;
}

static void free_run(dunlin_run *run) {
    dun_classifier_free(&run->classifier);
    dun_experiment_close(&run->experiment);
    dun_kept_free(&run->kept);
    dun_free(run->directory);
    dun_free(run);
}

int dun_api_run_end(dunlin_run **out, dunlin_run *run, int rc) {
    if (!run)
        return rc;
    dun_handle_leave(&run->handle);
    if (rc >= 0) {
        *out = run;
        return rc;
    }
    (void)dun_handle_end(&run->handle, DUN_HANDLE_RUN);
    free_run(run);
    return rc;
}

dunlin_status dunlin_open(dunlin_run **out, const char *directory, const char *device) {
    int rc = DUN_OK;
    dunlin_run *run = NULL;
    dun_api_begin();
    TRY(dun_api_need(out, "run"));
    *out = NULL;
    TRY(dun_api_need(directory, "directory"));
    if (!dun_run_dir_exists(directory))
        TRY(dun_error(DUN_BAD_INPUT, "%s: is not a run directory: it has no config.ini", directory));
    TRY(dun_api_use_devices());
    TRY_PTR(run, dun_api_run_begin());
    TRY_PTR(run->directory, dun_strdup(directory));
    TRY(dun_kept_read(&run->kept, directory, dun_run_kept_names));
    TRY(dun_api_run_open(run, device));
out:
    return dun_api_end(dun_api_run_end(out, run, rc));
}

dunlin_status dunlin_from_bytes(dunlin_run **out, const void *bytes, size_t size, const char *device) {
    int rc = DUN_OK;
    dunlin_run *run = NULL;
    dun_api_begin();
    TRY(dun_api_need(out, "run"));
    *out = NULL;
    TRY(dun_api_need(bytes, "bytes"));
    TRY_PTR(run, dun_api_run_begin());
    TRY(dun_kept_unpack(&run->kept, bytes, size));
    TRY(dun_api_use_devices());
    TRY(dun_api_run_open(run, device));
out:
    return dun_api_end(dun_api_run_end(out, run, rc));
}

void dunlin_free(dunlin_run *run) {
    dun_api_begin();
    if (!run || dun_api_is_child() || !dun_handle_end(DUN_HANDLE(run), DUN_HANDLE_RUN))
        return;
    free_run(run);
}
