/* Makes the folder and writes its files: config, history, prompt, predictions, metrics last. */
#include "run/rundir.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/mem.h"
#include "math/probe.h"
#include "ranks/ranks.h"
#include "run/folder.h"
#include "run/run_files.h"
#include "run/tables.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
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

void dun_run_result_free(dun_run_result *result) {
    dun_metrics_free(&result->metrics);
    dun_metrics_free(&result->baseline);
    dun_free(result->distances);
    dun_free(result->centroids);
    *result = (dun_run_result){0};
}

static int write_prompt(const dun_run_dir *run, dun_session *session, const dun_run_result *result) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    dun_saved_prompt saved = {.n_rows = session->prompt.n_rows,
                              .width = session->prompt.width,
                              .rows = session->prompt.rows,
                              .n_classes = session->labels.n_classes,
                              .point_width = dun_session_point_width(session),
                              .centroids = result->centroids,
                              .normalization = session->normalizer.values,
                              .class_names = session->labels.names,
                              .calibration = result->calibration.temperature,
                              .model_hash = dun_model_file_fingerprint(session->model),
                              .scale =
                                  dun_spec_weight_scale(dun_model_file_spec(session->model), DUN_W_EMBED)};
    snprintf(saved.model_name, sizeof saved.model_name, "%s", dun_model_file_spec(session->model)->name);
    TRY(dun_saved_prompt_dump(&bytes, &saved));
    TRY(dun_run_dir_write(run, "prompt.safetensors", &bytes));
out:
    dun_str_free(&bytes);
    return rc;
}

/* line, label, predicted, one distance a class, text; control characters become spaces. */
static int write_predictions(const dun_run_dir *run, const dun_session *session,
                             const dun_run_result *result) {
    int rc = DUN_OK;
    dun_str text = {0};
    uint32_t K = session->labels.n_classes;
    char *const *names = session->labels.names;
    TRY(dun_str_addf(&text, "line\tlabel\tpredicted"));
    for (uint32_t k = 0; k < K; k++) {
        TRY(dun_str_addf(&text, "\tdistance_"));
        TRY(dun_str_add_field(&text, names[k], strlen(names[k])));
    }
    TRY(dun_str_addf(&text, "\ttext\n"));
    for (uint32_t i = 0; i < session->n_valid; i++) {
        const dun_example *example = &session->valid->examples[i];
        const float *distances = result->distances + (size_t)i * K;
        TRY(dun_str_addf(&text, "%u\t", example->line));
        TRY(dun_str_add_field(&text, names[example->label], strlen(names[example->label])));
        TRY(dun_str_add(&text, "\t", 1));
        const char *predicted = names[dun_nearest_centroid(distances, K)];
        TRY(dun_str_add_field(&text, predicted, strlen(predicted)));
        for (uint32_t k = 0; k < K; k++)
            TRY(dun_str_addf(&text, "\t%.6g", (double)distances[k]));
        TRY(dun_str_add(&text, "\t", 1));
        TRY(dun_str_add_field(&text, example->text, example->length));
        TRY(dun_str_add(&text, "\n", 1));
    }
    TRY(dun_run_dir_write(run, "predictions.tsv", &text));
out:
    dun_str_free(&text);
    return rc;
}

static json_t *device_json(dun_identity identity) {
    const dun_device_info *info = identity.device;
    dun_str tiles = {0};
    json_t *json = NULL;
    if (dun_tiles_write(&tiles, identity.tiles) == DUN_OK)
        json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", info->name, "platform",
                         info->platform, "driver", info->driver, "type", dun_device_type_name(info->type),
                         "gemm", identity.gemm, "precision", identity.precision, "precision_reason",
                         identity.precision_reason, "tiles", tiles.bytes, "tiles_reason", identity.reason);
    dun_str_free(&tiles);
    return json;
}

json_t *dun_run_dir_device_json(const dun_compute *compute) {
    return device_json(dun_identity_of(compute));
}

/* The devices of a team with their shares. */
static json_t *team_json(const dun_team *team) {
    json_t *array = json_array();
    bool failed = !array;
    for (uint32_t i = 0; !failed && i < team->n; i++) {
        const dun_identity identity = team->members[i].kind->identity(team->members[i].self);
        json_t *member = device_json(identity);
        if (identity.host)
            failed |= json_object_set_new(member, "host", json_string(identity.host)) != 0;
        failed |= json_object_set_new(member, "share", json_integer(team->members[i].share)) != 0;
        failed |= json_array_append_new(array, member) != 0;
    }
    if (failed) {
        json_decref(array);
        array = NULL;
    }
    return array;
}

static json_t *timings_json(const dun_timings *t) {
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "load", t->load, "build", t->build, "texts",
                     t->texts, "start", t->start, "baseline", t->baseline, "train", t->train, "eval",
                     t->eval);
}

/* Most memory that this process had, files that it maps included. */
static uint64_t peak_of_process(void) {
    struct rusage usage = {0};
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static int add_memory(json_t *root) {
    int failed =
        json_object_set_new(root, "device_memory_bytes", json_integer((json_int_t)dun_buffer_peak_bytes()));
    failed |= json_object_set_new(root, "process_memory_bytes", json_integer((json_int_t)peak_of_process()));
    return failed;
}

static int write_metrics(const dun_run_dir *run, dun_session *session, const dun_run_result *result) {
    int rc = DUN_OK;
    json_t *root = NULL, *calibration = NULL;
    dun_str text = {0};
    TRY(dun_metrics_json(&root, &result->metrics, session->labels.names));
    int failed =
        json_object_set_new(root, "baseline",
                            json_pack("{s:o, s:o}", "majority", dun_json_real(result->majority),
                                      "class_means_untrained", dun_json_real(result->baseline.accuracy)));
    failed |= json_object_set_new(root, "linear_probe",
                                  json_pack("{s:o, s:o, s:f}", "before", dun_json_real(result->probe_before),
                                            "after", dun_json_real(result->probe_after), "l2", DUN_PROBE_L2));
    failed |= json_object_set_new(root, "device", dun_run_dir_device_json(&session->compute));
    if (session->team.n > 1)
        failed |= json_object_set_new(root, "devices", team_json(&session->team));
    failed |= json_object_set_new(root, "seconds", timings_json(&session->timings));
    failed |= json_object_set_new(root, "wall_seconds", json_real(result->seconds));
    failed |= add_memory(root);
    failed |= json_object_set_new(root, "weights", json_string(dun_weights_word(session->form)));
    failed |= json_object_set_new(root, "trained_texts", json_integer((json_int_t)result->trained_texts));
    failed |= json_object_set_new(root, "steps", json_integer((json_int_t)result->steps));
    failed |= json_object_set_new(root, "last_loss", json_real((double)result->last_loss));
    if (result->stopped)
        failed |= json_object_set_new(root, "stopped", json_true());
    if (session->n_valid > 0)
        failed |= json_object_set_new(root, "valid_loss", dun_json_real(result->valid_loss));
    if (session->config->train.keep == DUN_KEEP_BEST)
        failed |= json_object_set_new(root, "kept_step", json_integer((json_int_t)result->kept_step));
    if (result->calibration.temperature > 0) {
        TRY(dun_calibration_json(&calibration, &result->calibration));
        failed |= json_object_set_new(root, "calibration", calibration);
    }
    if (result->ran_out)
        failed |= json_object_set_new(root, "patience_ran_out", json_true());
    failed |= json_object_set_new(root, "model", json_string(dun_model_file_spec(session->model)->name));
    failed |= json_object_set_new(root, "version", json_string(DUN_VERSION));
    failed |= json_object_set_new(root, "files", dun_run_files_json(session->config));
    if (failed)
        TRY(dun_error(DUN_FAILED, "out of memory for the metrics"));
    TRY(dun_json_dump(&text, root));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(dun_run_dir_write(run, "metrics.json", &text));
out:
    dun_str_free(&text);
    json_decref(root);
    return rc;
}

int dun_run_dir_finish(dun_run_dir *run, dun_session *session, const dun_run_result *result) {
    int rc = DUN_OK;
    if (run->path) {
        TRY(dun_claim_check(run->claim));
        TRY(dun_run_dir_sync(run));
    }
    TRY(write_prompt(run, session, result));
    TRY(write_predictions(run, session, result));
    TRY(dun_tables_write(run, session->n_valid ? &result->metrics : NULL, session->labels.names));
    TRY(write_metrics(run, session, result));
out:
    return rc;
}
