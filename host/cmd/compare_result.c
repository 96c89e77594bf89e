/* Files of results: made of what came of a device, and read as what came of one. See compare.h. */
#include "cmd/compare.h"

#include "base/commit.h"
#include "base/err.h"
#include "base/hardware.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "dev/kernel_text.h"
#include "report/result.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A text as a file of results may hold it: UTF-8, and never empty. */
static int set_text(json_t *object, const char *key, const char *text) {
    int rc = DUN_OK;
    dun_str clean = {0};
    TRY(dun_utf8_repair(&clean, text, strlen(text)));
    TRY(dun_json_set(object, key, json_string(clean.length ? clean.bytes : "?")));
out:
    dun_str_free(&clean);
    return rc;
}

static int set_count(json_t *object, const char *key, uint64_t count) {
    return dun_json_set(object, key, json_integer((json_int_t)count));
}

/* Another's value, of any kind; null where there is none. */
static int set_from(json_t *object, const char *key, const json_t *from, const char *path) {
    json_t *value = (json_t *)(uintptr_t)dun_result_at(from, path);
    return dun_json_set(object, key, value ? json_incref(value) : json_null());
}

static int add_program(json_t *root) {
    int rc = DUN_OK;
    uint64_t hash;
    char text[20];
    json_t *program = json_object();
    TRY(dun_json_set(root, "program", program));
    TRY(dun_kernel_text_hash(&hash));
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    TRY(dun_json_set(program, "version", json_string(DUN_VERSION)));
    TRY(dun_json_set(program, "commit", *dun_commit ? json_string(dun_commit) : json_null()));
    TRY(dun_json_set(program, "kernels", json_string(text)));
out:
    return rc;
}

static int add_device(json_t *root, const dun_device_info *info) {
    int rc = DUN_OK;
    json_t *device = json_object();
    TRY(dun_json_set(root, "device", device));
    TRY(set_text(device, "name", info->name));
    TRY(set_text(device, "platform", info->platform));
    TRY(set_text(device, "driver", info->driver));
    TRY(set_text(device, "type", dun_device_type_name(info->type)));
    TRY(set_count(device, "units", info->compute_units));
    TRY(set_count(device, "clock_mhz", info->clock_mhz));
    TRY(set_count(device, "memory_bytes", info->memory_bytes));
out:
    return rc;
}

static int add_machine(json_t *root) {
    int rc = DUN_OK;
    const dun_limits_source source = dun_limits_of_process();
    const dun_processor_limit cores = dun_limits_processors(&source);
    const dun_memory_limit memory = dun_limits_memory(&source);
    dun_hardware hardware;
    json_t *machine = json_object();
    dun_hardware_read(&hardware, "");
    TRY(dun_json_set(root, "machine", machine));
    TRY(set_text(machine, "processor", hardware.processor));
    TRY(set_count(machine, "cores", cores.n));
    TRY(set_count(machine, "of_cores", cores.all));
    TRY(set_count(machine, "memory_bytes", memory.limit == DUN_UNLIMITED ? 0 : memory.limit));
    TRY(set_text(machine, "system", hardware.system));
    TRY(dun_json_set(machine, "virtual_machine", json_boolean(hardware.virtual_machine)));
    TRY(dun_json_set(machine, "container", json_boolean(hardware.container)));
out:
    return rc;
}

static int add_setup(json_t *root, const json_t *result, const char *cache_kv) {
    int rc = DUN_OK;
    json_t *setup = json_object();
    TRY(dun_json_set(root, "setup", setup));
    TRY(set_from(setup, "gemm", result, "metrics.device.gemm"));
    TRY(set_from(setup, "tiles", result, "metrics.device.tiles"));
    TRY(set_from(setup, "weights", result, "metrics.weights"));
    TRY(set_from(setup, "precision", result, "metrics.device.precision"));
    TRY(set_text(setup, "cache_kv", cache_kv));
out:
    return rc;
}

/* The tests with the largest of them, which NaN is, as null. */
static int add_check(json_t *root, const json_t *result) {
    int rc = DUN_OK;
    const json_t *tests = dun_result_at(result, "check.worst"), *value;
    const char *key;
    double worst = 0;
    json_t *check = json_object();
    TRY(dun_json_set(root, "check", check));
    json_object_foreach((json_t *)(uintptr_t)tests, key, value) {
        const double share = json_is_number(value) ? json_number_value(value) : NAN;
        if (!(share <= worst))
            worst = share;
    }
    TRY(set_from(check, "passed", result, "check.passed"));
    TRY(dun_json_set(check, "worst", dun_json_real(worst)));
    TRY(set_from(check, "tests", result, "check.worst"));
out:
    return rc;
}

static int add_measured(json_t *root, const json_t *result) {
    int rc = DUN_OK;
    json_t *memory = json_object();
    TRY(set_from(root, "losses", result, "losses"));
    TRY(set_from(root, "same_bits", result, "measured.same_bits"));
    TRY(set_from(root, "accuracy", result, "accuracy"));
    TRY(set_from(root, "trained_texts", result, "metrics.trained_texts"));
    TRY(set_from(root, "texts", result, "measured.texts"));
    TRY(set_from(root, "seconds", result, "measured.seconds"));
    TRY(dun_json_set(root, "memory", json_incref(memory)));
    TRY(set_from(memory, "device_bytes", result, "metrics.device_memory_bytes"));
    TRY(set_from(memory, "process_bytes", result, "metrics.process_memory_bytes"));
    TRY(set_from(root, "energy", result, "measured.energy"));
out:
    json_decref(memory);
    return rc;
}

int dun_compare_result(json_t **out, const json_t *result, const json_t *work, const char *cache_kv,
                       const dun_device_info *info) {
    int rc = DUN_OK;
    json_t *root = json_object();
    TRY(dun_json_set(root, "format", json_string(DUN_RESULT_FORMAT)));
    TRY(dun_json_set(root, "format_version", json_integer(DUN_RESULT_VERSION)));
    TRY(add_program(root));
    TRY(dun_json_set(root, "work", json_deep_copy(work)));
    TRY(add_device(root, info));
    TRY(add_machine(root));
    TRY(add_setup(root, result, cache_kv));
    TRY(add_check(root, result));
    TRY(add_measured(root, result));
    *out = json_incref(root);
out:
    json_decref(root);
    return rc;
}

int dun_compare_same_work(const json_t *read, const json_t *work, const char *name) {
    static const char *const fields[] = {"model.hash", "config", "data.train", "data.valid",  "seed",
                                         "texts",      "tokens", "batch_size", "prompt_rows", "model.name"};
    int rc = DUN_OK;
    dun_str here = {0}, there = {0};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json_t *a = dun_result_at(dun_result_at(read, "work"), fields[i]),
                     *b = dun_result_at(work, fields[i]);
        if (json_equal(a, b))
            continue;
        TRY(dun_json_dump(&there, a));
        TRY(dun_json_dump(&here, b));
        TRY(dun_error(DUN_BAD_INPUT,
                      "%s: work.%s is %s, that of this config %s; a result of the same work is needed", name,
                      fields[i], there.bytes, here.bytes));
    }
out:
    dun_str_free(&there);
    dun_str_free(&here);
    return rc;
}

int dun_compare_from_result(json_t **out, const json_t *read) {
    int rc = DUN_OK;
    json_t *root = json_object(), *check = json_object(), *metrics = json_object();
    TRY(set_text(root, "name", dun_result_text(read, "device.name")));
    TRY(set_from(root, "platform", read, "device.platform"));
    TRY(set_from(root, "driver", read, "device.driver"));
    TRY(dun_json_set(root, "status", json_string("finished")));
    TRY(dun_json_set(root, "check", json_incref(check)));
    TRY(set_from(check, "passed", read, "check.passed"));
    TRY(set_from(check, "worst", read, "check.tests"));
    TRY(set_from(root, "accuracy", read, "accuracy"));
    TRY(set_from(root, "losses", read, "losses"));
    TRY(set_from(root, "wall_seconds", read, "seconds.job.median"));
    TRY(set_from(root, "energy_joules", read, "energy.joules.median"));
    TRY(dun_json_set(root, "metrics", json_incref(metrics)));
    TRY(set_from(metrics, "device_memory_bytes", read, "memory.device_bytes"));
    *out = json_incref(root);
out:
    json_decref(metrics);
    json_decref(check);
    json_decref(root);
    return rc;
}
