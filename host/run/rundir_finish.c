/* What a finished run leaves in its directory: prompt, predictions, metrics last. */
#include "run/rundir.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "math/probe.h"
#include "run/run_files.h"
#include "run/tables.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

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
    dun_saved_prompt saved = {
        .n_prompts = session->prompt.n_prompts,
        .n_rows = session->prompt.n_rows,
        .width = session->prompt.width,
        .rows = session->prompt.rows,
        .n_classes = session->labels.n_classes,
        .point_width = dun_session_point_width(session),
        .centroids = result->centroids,
        .normalization = session->normalizer.values,
        .metric = session->metric.values,
        .metric_width = session->metric.width,
        .class_names = session->labels.names,
        .label_words = session->label_words.rows ? session->config->loss.label_words : NULL,
        .label_offsets = session->label_words.offsets,
        .calibration = result->calibration.temperature,
        .model_hash = dun_model_file_fingerprint(session->model),
        .scale = dun_spec_weight_scale(dun_model_file_spec(session->model), DUN_W_EMBED)};
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

static int add_sizes(json_t *root, const dun_session *session) {
    int failed = json_object_set_new(root, "prompts", json_integer(session->prompt.n_prompts));
    failed |= json_object_set_new(root, "point_width", json_integer(dun_session_point_width(session)));
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
    failed |= add_sizes(root, session);
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
