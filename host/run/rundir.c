/* Makes the folder and writes what grows in it: config, history, events. Its last files: rundir_finish.c. */
#include "run/rundir.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "ranks/ranks.h"
#include "run/folder.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *dun_run_dir_file(const char *run_path, const char *file) {
    dun_str path = {0};
    return dun_str_addf(&path, "%s/%s", run_path, file) < 0 ? NULL : path.bytes;
}

static bool holds(const char *path, const char *name) {
    struct stat info;
    char *file = dun_run_dir_file(path, name);
    bool found = file && stat(file, &info) == 0 && S_ISREG(info.st_mode);
    dun_free(file);
    return found;
}

bool dun_run_dir_exists(const char *path) {
    return holds(path, "config.ini");
}

bool dun_run_dir_complete(const char *path) {
    return holds(path, "metrics.json");
}

int dun_run_dir_write(const dun_run_dir *run, const char *file, const dun_str *text) {
    int rc = DUN_OK;
    char *path = NULL;
    if (!run->path)
        return dun_kept_put(run->kept, file, text->bytes, text->length);
    TRY_PTR(path, dun_run_dir_file(run->path, file));
    TRY(dun_file_write(path, text->bytes, text->length));
out:
    dun_free(path);
    return rc;
}

int dun_run_dir_keep(dun_run_dir *run, dun_kept *kept, const dun_config *config) {
    int rc = DUN_OK;
    dun_str text = {0};
    *run = (dun_run_dir){.kept = kept, .save_wishes = dun_save_wishes()};
    TRY(dun_config_write(&text, config));
    TRY(dun_run_dir_write(run, "config.ini", &text));
    TRY(dun_kept_put(kept, "history.jsonl", "", 0));
out:
    dun_str_free(&text);
    return rc;
}

static int open_history(dun_run_dir *run, int (*open_stream)(dun_stream *stream, const char *path)) {
    int rc = DUN_OK;
    char *path = NULL;
    TRY_PTR(path, dun_run_dir_file(run->path, "history.jsonl"));
    TRY(open_stream(&run->history, path));
out:
    dun_free(path);
    return rc;
}

int dun_run_dir_begin(dun_run_dir *run, const dun_config *config) {
    int rc = DUN_OK;
    dun_str text = {0};
    /* First: with it the run can be gone on with. */
    TRY(dun_config_write(&text, config));
    TRY(dun_run_dir_write(run, "config.ini", &text));
    TRY(open_history(run, dun_stream_begin));
out:
    dun_str_free(&text);
    return rc;
}

int dun_run_dir_create(dun_run_dir *run, const char *wanted, const char *name, const dun_config *config) {
    int rc = DUN_OK;
    *run = (dun_run_dir){.save_wishes = dun_save_wishes()};
    if (*wanted) {
        TRY_PTR(run->path, dun_strdup(wanted));
        TRY(dun_folder_claim(&run->claim, wanted));
    } else {
        TRY(dun_folder_claim_name(&run->claim, &run->path, name));
    }
    TRY(dun_run_dir_begin(run, config));
out:
    if (rc < 0)
        dun_run_dir_withdraw(run);
    return rc;
}

/* Which texts were split off, for who measures the run later. */
static int write_split(const dun_run_dir *run, const dun_session *session) {
    int rc = DUN_OK;
    dun_str text = {0};
    json_t *record = NULL;
    if (session->split.n == 0)
        goto out;
    TRY(dun_split_off_json(&record, session));
    TRY(dun_json_dump(&text, record));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(dun_run_dir_write(run, DUN_SPLIT_FILE, &text));
out:
    json_decref(record);
    dun_str_free(&text);
    return rc;
}

int dun_run_dir_settle(const dun_run_dir *run, dun_config *config, const dun_session *session) {
    int rc = DUN_OK;
    dun_str text = {0};
    TRY(write_split(run, session));
    const bool shares = session->team.n > 1 && dun_ranks_n() == 1 && !config->device.shares[0];
    const bool weights = config->device.weights == DUN_WEIGHTS_AUTO;
    const bool precision = config->device.precision == DUN_PRECISION_AUTO;
    if (!shares && !weights && !precision)
        goto out;
    if (precision)
        TRY(dun_config_put(config, DUN_KEY_device_precision, dun_gemm_precision_word(session->compute.gemm),
                           "chosen"));
    if (weights)
        TRY(dun_config_put(config, DUN_KEY_device_weights, dun_weights_word(session->form), "chosen"));
    if (shares) {
        TRY(dun_team_shares(&text, &session->team));
        TRY(dun_config_put(config, DUN_KEY_device_shares, text.bytes, "measured"));
        dun_str_clear(&text);
    }
    TRY(dun_config_write(&text, config));
    TRY(dun_run_dir_write(run, "config.ini", &text));
out:
    dun_str_free(&text);
    return rc;
}

static int require_run(const char *path) {
    if (!dun_dir_exists(path))
        return dun_error(DUN_USAGE, "%s: is not the folder of a run", path);
    if (!dun_run_dir_exists(path))
        return dun_error(DUN_BAD_INPUT, "%s: is not a run directory: it has no config.ini", path);
    if (!dun_folder_is_run(path))
        return dun_error(DUN_USAGE,
                         "%s: no run was begun there, it only has a config: dunlin train %s/config.ini", path,
                         path);
    return DUN_OK;
}

int dun_run_dir_resume(dun_run_dir *run, const char *path) {
    int rc = DUN_OK;
    bool held;
    *run = (dun_run_dir){.save_wishes = dun_save_wishes()};
    TRY(require_run(path));
    TRY_PTR(run->path, dun_strdup(path));
    TRY(dun_claim_take(&run->claim, &held, path));
    if (dun_run_dir_complete(path))
        TRY(dun_error(DUN_FAILED, "%s: another process has just finished it", path));
    TRY(open_history(run, dun_stream_go_on));
out:
    if (rc < 0)
        dun_run_dir_close(run);
    return rc;
}

int dun_run_dir_take(dun_run_dir *run, bool *ours, bool *begun, const char *path) {
    int rc = DUN_OK;
    *run = (dun_run_dir){.save_wishes = dun_save_wishes()};
    *ours = *begun = false;
    TRY_PTR(run->path, dun_strdup(path));
    TRY(dun_folder_share(&run->claim, path));
    *ours = run->claim && !dun_run_dir_complete(path);
    *begun = *ours && dun_folder_is_run(path);
    if (*begun)
        TRY(open_history(run, dun_stream_go_on));
out:
    if (rc < 0 || !*ours)
        dun_run_dir_close(run);
    return rc;
}

int dun_run_dir_sync(dun_run_dir *run) {
    int rc = DUN_OK;
    TRY(dun_stream_sync(&run->history));
    if (run->events)
        TRY(dun_tfevents_sync(run->events));
out:
    return rc;
}

int dun_run_dir_rewind(dun_run_dir *run, uint64_t history_bytes) {
    int rc = DUN_OK;
    uint64_t now = run->history.bytes;
    if (!run->path)
        goto out;
    if (now < history_bytes)
        TRY(dun_error(DUN_BAD_INPUT, "%s/history.jsonl: has %llu bytes, the checkpoint was made after %llu",
                      run->path, (unsigned long long)now, (unsigned long long)history_bytes));
    TRY(dun_stream_cut(&run->history, history_bytes));
out:
    return rc;
}

void dun_run_dir_close(dun_run_dir *run) {
    dun_stream_close(&run->history);
    dun_tfevents_close(run->events);
    dun_claim_give_back(run->claim);
    dun_free(run->path);
    *run = (dun_run_dir){0};
}

bool dun_run_dir_withdraw(dun_run_dir *run) {
    static const char *const files[] = {"config.ini", "history.jsonl", DUN_SPLIT_FILE, "run.log", NULL};
    const bool gone = run->claim && run->history.bytes == 0 && dun_claim_withdraw(run->claim, files);
    if (run->history.bytes == 0)
        run->claim = NULL;
    dun_run_dir_close(run);
    return gone;
}

int dun_run_dir_tensorboard(dun_run_dir *run, uint64_t step) {
    return dun_tfevents_open(&run->events, run->path, step);
}

static int add_events(dun_run_dir *run, const dun_step_record *r) {
    const dun_tfevents_scalar all[] = {{"loss", r->loss},
                                       {"accuracy", r->accuracy},
                                       {"lr", r->lr},
                                       {"valid_accuracy", r->valid_accuracy},
                                       {"valid_loss", r->valid_loss}};
    dun_tfevents_scalar known[sizeof all / sizeof *all];
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!isnan(all[i].value))
            known[n++] = all[i];
    return dun_tfevents_add(run->events, r->step, known, n);
}

/* A line reaches the file at once, so that a run can be watched. */
int dun_run_dir_step(dun_run_dir *run, const dun_step_record *r) {
    int rc = DUN_OK;
    dun_str line = {0};
    TRY(dun_history_add_line(&line, r));
    if (!run->path) {
        dun_str *history;
        TRY_PTR(history, dun_kept_at(run->kept, "history.jsonl"));
        TRY(dun_str_add(history, line.bytes, line.length));
        goto out;
    }
    TRY(dun_claim_check(run->claim));
    TRY(dun_stream_add(&run->history, line.bytes, line.length));
    if (run->events)
        TRY(add_events(run, r));
out:
    dun_str_free(&line);
    return rc;
}
