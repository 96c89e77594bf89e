/* The lines of history.jsonl. */
#include "run/history.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "run/rundir.h"

#include <math.h>
#include <string.h>

const char *const dun_history_names[DUN_N_HISTORY_FIELDS] = {"step",     "epoch", "loss",
                                                             "accuracy", "lr",    "valid_accuracy"};

/* As many digits as read back to the float that a number was, or are worth a look. */
static int add_number(dun_str *out, double number, int digits) {
    return isnan(number) ? dun_str_add(out, "", 0) : dun_str_addf(out, "%.*g", digits, number);
}

int dun_history_add_value(dun_str *out, const dun_step_record *r, enum dun_history_field field) {
    switch (field) {
    case DUN_HISTORY_STEP:
        return dun_str_addf(out, "%llu", (unsigned long long)r->step);
    case DUN_HISTORY_EPOCH:
        return r->epoch ? dun_str_addf(out, "%llu", (unsigned long long)r->epoch) : dun_str_add(out, "", 0);
    case DUN_HISTORY_LOSS:
        return add_number(out, r->loss, 9);
    case DUN_HISTORY_ACCURACY:
        return add_number(out, r->accuracy, 6);
    case DUN_HISTORY_LR:
        return add_number(out, r->lr, 9);
    default:
        return add_number(out, r->valid_accuracy, 9);
    }
}

int dun_history_add_line(dun_str *out, const dun_step_record *record) {
    int rc = DUN_OK;
    dun_str value = {0};
    TRY(dun_str_addf(out, "{"));
    for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
        dun_str_clear(&value);
        TRY(dun_history_add_value(&value, record, (enum dun_history_field)i));
        if (value.length)
            TRY(dun_str_addf(out, "%s\"%s\": %s", i ? ", " : "", dun_history_names[i], value.bytes));
    }
    TRY(dun_str_add(out, "}\n", 2));
out:
    dun_str_free(&value);
    return rc;
}

int dun_history_open(dun_history *history, const char *run_path) {
    int rc = DUN_OK;
    *history = (dun_history){0};
    TRY_PTR(history->path, dun_run_dir_file(run_path, "history.jsonl"));
    TRY(dun_file_map(&history->file, history->path));
out:
    return rc;
}

static double number_of(const json_t *line, enum dun_history_field field) {
    const json_t *value = json_object_get(line, dun_history_names[field]);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static uint64_t count_of(const json_t *line, enum dun_history_field field) {
    const json_int_t value = json_integer_value(json_object_get(line, dun_history_names[field]));
    return value > 0 ? (uint64_t)value : 0;
}

int dun_history_next(dun_step_record *record, dun_history *history) {
    json_t *line = NULL;
    const size_t left = history->file.length - history->at;
    const char *begin = (const char *)history->file.bytes + history->at;
    if (left == 0)
        return 0;
    const char *end = memchr(begin, '\n', left);
    size_t length = end ? (size_t)(end - begin) : left;
    int rc = dun_json_parse(&line, begin, length, history->path, ++history->line);
    if (rc < 0)
        return rc;
    history->at += length + (end != NULL);
    *record = (dun_step_record){.step = count_of(line, DUN_HISTORY_STEP),
                                .epoch = count_of(line, DUN_HISTORY_EPOCH),
                                .loss = number_of(line, DUN_HISTORY_LOSS),
                                .accuracy = number_of(line, DUN_HISTORY_ACCURACY),
                                .lr = number_of(line, DUN_HISTORY_LR),
                                .valid_accuracy = number_of(line, DUN_HISTORY_VALID_ACCURACY)};
    json_decref(line);
    return 1;
}

void dun_history_close(dun_history *history) {
    dun_file_unmap(&history->file);
    dun_free(history->path);
    *history = (dun_history){0};
}
