/* The lines of history.jsonl. */
#include "run/history.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/rundir.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 }; /* a line that is longer is none of ours */

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

/* Sets the field of a name; a name that is not known is passed over. */
static void take(dun_step_record *record, const char *name, size_t length, double value) {
    const uint64_t count = value >= 0 && value < 0x1p63 ? (uint64_t)value : 0;
    for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
        if (strlen(dun_history_names[i]) != length || memcmp(dun_history_names[i], name, length) != 0)
            continue;
        switch ((enum dun_history_field)i) {
        case DUN_HISTORY_STEP:
            record->step = count;
            break;
        case DUN_HISTORY_EPOCH:
            record->epoch = count;
            break;
        case DUN_HISTORY_LOSS:
            record->loss = value;
            break;
        case DUN_HISTORY_ACCURACY:
            record->accuracy = value;
            break;
        case DUN_HISTORY_LR:
            record->lr = value;
            break;
        default:
            record->valid_accuracy = value;
        }
    }
}

/* `"name": number` at *at, which goes behind it. Finite decimal numbers alone, which is what is written. */
static bool take_pair(dun_step_record *record, const char **at) {
    const char *name = *at + 1, *close = **at == '"' ? strchr(name, '"') : NULL;
    if (!close || close[1] != ':')
        return false;
    const char *number = close + 2 + strspn(close + 2, " ");
    const size_t length = strspn(number, "+-.0123456789eE");
    char *end;
    double value = strtod(number, &end);
    if (length == 0 || end != number + length)
        return false;
    take(record, name, (size_t)(close - name), value);
    *at = end;
    return true;
}

/* {"step": 1, "loss": 0.25}: nothing is allocated, so that the line of any run can be read when memory is
 * short. */
static bool take_line(dun_step_record *record, const char *text) {
    *record = (dun_step_record){.loss = NAN, .accuracy = NAN, .lr = NAN, .valid_accuracy = NAN};
    if (*text++ != '{')
        return false;
    while (take_pair(record, &text)) {
        if (strcmp(text, "}") == 0)
            return true;
        if (*text++ != ',')
            return false;
        text += strspn(text, " ");
    }
    return false;
}

int dun_history_next(dun_step_record *record, dun_history *history) {
    char text[LINE_BYTES] = "";
    const size_t left = history->file.length - history->at;
    if (left == 0)
        return 0;
    const char *begin = (const char *)history->file.bytes + history->at, *end = memchr(begin, '\n', left);
    size_t length = end ? (size_t)(end - begin) : left;
    history->line++;
    if (length < sizeof text)
        memcpy(text, begin, length);
    if (!take_line(record, text))
        return dun_error(DUN_BAD_INPUT,
                         "%s:%zu: is no step of a run; a line as {\"step\": 1, \"loss\": 0.25} is needed",
                         history->path, history->line);
    history->at += length + (end != NULL);
    return 1;
}

void dun_history_close(dun_history *history) {
    dun_file_unmap(&history->file);
    dun_free(history->path);
    *history = (dun_history){0};
}
