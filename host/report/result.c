/* The fields of a result as a table, and reading and writing its file. */
#include "report/result.h"

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    TEXT,
    TEXT_OR_NULL,
    HASH,
    HASH_OR_NULL,
    COUNT,
    SOME,
    SHARE,
    SHARE_OR_NULL,
    YES_NO,
    SPREAD,
    SPREAD_OR_NULL,
    LOSSES,
    TESTS
};

/* In the order of the file. */
static const struct field {
    const char *path;
    enum kind kind;
} fields[] = {
    {"program.version", TEXT},
    {"program.commit", TEXT_OR_NULL},
    {"program.kernels", HASH},
    {"work.config", HASH},
    {"work.model.name", TEXT},
    {"work.model.hash", HASH},
    {"work.data.train", HASH},
    {"work.data.valid", HASH_OR_NULL},
    {"work.seed", COUNT},
    {"work.texts", SOME},
    {"work.tokens", SOME},
    {"work.batch_size", SOME},
    {"work.prompt_rows", SOME},
    {"device.name", TEXT},
    {"device.platform", TEXT},
    {"device.driver", TEXT},
    {"device.type", TEXT},
    {"device.units", COUNT},
    {"device.clock_mhz", COUNT},
    {"device.memory_bytes", COUNT},
    {"machine.processor", TEXT},
    {"machine.cores", SOME},
    {"machine.of_cores", SOME},
    {"machine.memory_bytes", COUNT},
    {"machine.system", TEXT},
    {"machine.virtual_machine", YES_NO},
    {"machine.container", YES_NO},
    {"setup.gemm", TEXT},
    {"setup.tiles", TEXT},
    {"setup.weights", TEXT},
    {"setup.precision", TEXT},
    {"setup.cache_kv", TEXT},
    {"check.worst", SHARE},
    {"check.tests", TESTS},
    {"losses", LOSSES},
    {"same_bits", YES_NO},
    {"accuracy", SHARE_OR_NULL},
    {"trained_texts", SOME},
    {"texts.0.tokens", SOME},
    {"texts.0.texts", SOME},
    {"texts.0.seconds", SPREAD},
    {"texts.1.tokens", SOME},
    {"texts.1.texts", SOME},
    {"texts.1.seconds", SPREAD},
    {"seconds.build", SPREAD},
    {"seconds.step", SPREAD},
    {"seconds.step_whole", SPREAD},
    {"seconds.job", SPREAD},
    {"memory.device_bytes", SOME},
    {"memory.process_bytes", SOME},
    {"energy.by", TEXT_OR_NULL},
    {"energy.joules", SPREAD_OR_NULL},
    {"energy.reason", TEXT_OR_NULL},
};
enum { N_FIELDS = sizeof fields / sizeof *fields, TEXT_BYTES = 400, HASH_DIGITS = 16 };
static const double MOST_SECONDS = 1e8;

bool dun_result_is(const json_t *value) {
    const char *format = json_string_value(json_object_get(value, "format"));
    return format && strcmp(format, DUN_RESULT_FORMAT) == 0;
}

const json_t *dun_result_at(const json_t *result, const char *path) {
    char key[64];
    while (result && *path) {
        const size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        result = json_is_array(result) ? json_array_get(result, (size_t)strtoul(key, NULL, 10))
                                       : json_object_get(result, key);
        path += length + (path[length] == '.');
    }
    return result;
}

double dun_result_number(const json_t *result, const char *path) {
    const json_t *value = dun_result_at(result, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *dun_result_text(const json_t *result, const char *path) {
    const char *text = json_string_value(dun_result_at(result, path));
    return text ? text : "";
}

static bool is_hash(const char *text) {
    return text && strlen(text) == HASH_DIGITS && strspn(text, "0123456789abcdef") == HASH_DIGITS;
}

static bool is_text(const json_t *value) {
    const char *text = json_string_value(value);
    return text && *text && strlen(text) <= TEXT_BYTES;
}

static bool is_count(const json_t *value, json_int_t least) {
    return json_is_integer(value) && json_integer_value(value) >= least;
}

static bool is_share(const json_t *value) {
    return json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= 1;
}

/* Repetitions enough, each longer than nothing, in order. */
static bool is_spread(const json_t *value) {
    const double least = dun_result_number(value, "least"), median = dun_result_number(value, "median");
    const double most = dun_result_number(value, "most");
    return is_count(json_object_get(value, "n"), DUN_RESULT_REPEATS) && least > 0 && least <= median &&
           median <= most && most <= MOST_SECONDS;
}

static bool are_numbers(const json_t *value) {
    const json_t *one;
    size_t i;
    json_array_foreach(value, i, one) if (!json_is_number(one)) return false;
    return json_array_size(value) > 0;
}

static bool are_tests(const json_t *value) {
    const json_t *one;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)value, key,
                        one) if (!json_is_number(one) || json_number_value(one) < 0) return false;
    return json_is_object(value);
}

/* What is wanted of a value of this kind; NULL: it is that. */
static const char *lacks(const json_t *value, enum kind kind) {
    const bool none = json_is_null(value);
    switch (kind) {
    case TEXT:
        return is_text(value) ? NULL : "a text of at most 400 bytes";
    case TEXT_OR_NULL:
        return none || is_text(value) ? NULL : "a text of at most 400 bytes, or null";
    case HASH:
        return is_hash(json_string_value(value)) ? NULL : "a hash of 16 hex digits";
    case HASH_OR_NULL:
        return none || is_hash(json_string_value(value)) ? NULL : "a hash of 16 hex digits, or null";
    case COUNT:
        return is_count(value, 0) ? NULL : "a whole number from 0";
    case SOME:
        return is_count(value, 1) ? NULL : "a whole number from 1";
    case SHARE: /* of what a device that passes may be off, too */
        return is_share(value) ? NULL : "a number from 0 to 1";
    case SHARE_OR_NULL:
        return none || is_share(value) ? NULL : "a number from 0 to 1, or null";
    case YES_NO:
        return json_is_boolean(value) ? NULL : "true or false";
    case SPREAD:
        return is_spread(value) ? NULL : "{n, least, median, most} of 5 or more, above 0 and in order";
    case SPREAD_OR_NULL:
        return none || is_spread(value) ? NULL : "{n, least, median, most} of 5 or more, or null";
    case LOSSES:
        return are_numbers(value) ? NULL : "a list of numbers, one a step";
    default:
        return are_tests(value) ? NULL : "a number from 0 for each test";
    }
}

static int check_fields(const json_t *result, const char *name) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        const json_t *value = dun_result_at(result, fields[i].path);
        const char *wanted = lacks(value, fields[i].kind);
        if (wanted)
            return dun_error(DUN_BAD_INPUT, "%s: %s %s; %s is needed", name, fields[i].path,
                             value ? "is something else" : "is missing", wanted);
    }
    return DUN_OK;
}

/* What each value alone does not show. */
static int check_sense(const json_t *result, const char *name) {
    if (!json_is_true(dun_result_at(result, "check.passed")))
        return dun_error(DUN_BAD_INPUT, "%s: check.passed is not true; results are of devices that pass",
                         name);
    if (dun_result_number(result, "seconds.job.least") < dun_result_number(result, "seconds.step.least"))
        return dun_error(DUN_BAD_INPUT, "%s: seconds.job is shorter than one of its steps; that cannot be",
                         name);
    if (dun_result_number(result, "seconds.step_whole.most") <
        dun_result_number(result, "seconds.step.least"))
        return dun_error(DUN_BAD_INPUT,
                         "%s: seconds.step_whole is shorter than seconds.step, a part of it; that cannot be",
                         name);
    if (dun_result_number(result, "machine.cores") > dun_result_number(result, "machine.of_cores"))
        return dun_error(DUN_BAD_INPUT, "%s: machine.cores are more than machine.of_cores; that cannot be",
                         name);
    if (json_is_null(dun_result_at(result, "energy.joules")) == !*dun_result_text(result, "energy.reason"))
        return dun_error(DUN_BAD_INPUT, "%s: energy needs joules, or the reason why there are none", name);
    return DUN_OK;
}

/* Of all but the checksum itself. */
static int checksum(char text[HASH_DIGITS + 1], const json_t *result) {
    int rc = DUN_OK;
    dun_str bytes = {0};
    json_t *copy = json_copy((json_t *)(uintptr_t)result);
    (void)json_object_del(copy, "checksum");
    TRY(dun_json_dump(&bytes, copy));
    snprintf(text, HASH_DIGITS + 1, "%016" PRIx64, dun_hash(DUN_HASH_START, bytes.bytes, bytes.length));
out:
    json_decref(copy);
    dun_str_free(&bytes);
    return rc;
}

int dun_result_check(const json_t *result, const char *name) {
    int rc = DUN_OK;
    char sum[HASH_DIGITS + 1];
    const json_t *version = json_object_get(result, "format_version");
    if (!dun_result_is(result))
        TRY(dun_error(DUN_BAD_INPUT, "%s: format is not \"%s\"; what `dunlin compare --save` wrote is needed",
                      name, DUN_RESULT_FORMAT));
    if (!json_is_integer(version) || json_integer_value(version) != DUN_RESULT_VERSION)
        TRY(dun_error(DUN_BAD_INPUT, "%s: format_version is %lld; this dunlin reads %d", name,
                      (long long)json_integer_value(version), DUN_RESULT_VERSION));
    TRY(check_fields(result, name));
    TRY(check_sense(result, name));
    TRY(checksum(sum, result));
    if (strcmp(sum, dun_result_text(result, "checksum")) != 0)
        TRY(dun_error(
            DUN_BAD_INPUT,
            "%s: checksum does not fit: the file was changed after it was written; measure it again", name));
out:
    return rc;
}

int dun_result_read(json_t **out, const char *path) {
    int rc = DUN_OK;
    json_t *result = NULL;
    *out = NULL;
    TRY(dun_json_read(&result, path));
    TRY(dun_result_check(result, path));
    *out = json_incref(result);
out:
    json_decref(result);
    return rc;
}

int dun_result_write(json_t *result, const char *path) {
    int rc = DUN_OK;
    char sum[HASH_DIGITS + 1];
    dun_str text = {0};
    json_t *as_read = NULL;
    /* Numbers are written with 9 digits: the sum is that of what will be read. */
    TRY(dun_json_dump(&text, result));
    TRY(dun_json_parse(&as_read, text.bytes, text.length, path, 1));
    TRY(checksum(sum, as_read));
    TRY(dun_json_set(as_read, "checksum", json_string(sum)));
    TRY(dun_result_check(as_read, path));
    dun_str_clear(&text);
    TRY(dun_json_dump(&text, as_read));
    TRY(dun_str_add(&text, "\n", 1));
    TRY(dun_file_write(path, text.bytes, text.length));
out:
    json_decref(as_read);
    dun_str_free(&text);
    return rc;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

json_t *dun_result_spread(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_size);
    return json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)n, "least", values[0], "median",
                     (values[(n - 1) / 2] + values[n / 2]) / 2, "most", values[n - 1]);
}

double dun_result_apart(size_t *step, const json_t *losses, const json_t *reference) {
    size_t n = json_array_size(losses), m = json_array_size(reference);
    const double least = fmax(1e-2 * fabs(json_number_value(json_array_get(reference, 0))), 1e-12);
    double most = 0;
    n = n < DUN_RESULT_BAND_STEPS ? n : DUN_RESULT_BAND_STEPS;
    m = m < DUN_RESULT_BAND_STEPS ? m : DUN_RESULT_BAND_STEPS;
    *step = 0;
    for (size_t i = 0; i < n && i < m; i++) {
        const double x = json_number_value(json_array_get(reference, i));
        const double y = json_number_value(json_array_get(losses, i));
        const double apart = fabs(x - y) / fmax(fabs(x), least);
        if (!(apart <= most)) {
            most = apart;
            *step = i + 1;
        }
    }
    if (n != m) {
        *step = (n < m ? n : m) + 1;
        return INFINITY;
    }
    return most;
}
