/* The lines of history.jsonl. */
#include "run/history.h"

#include "base/err.h"
#include "base/mem.h"
#include "run/rundir.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 }; /* a line that is longer is none of ours */

/* A field: as many digits as read back to the float that a number was, or are worth a look. */
static const struct {
    const char *name;
    size_t offset;                           /* in dun_step_record */
    enum { COUNT, COUNT_FROM_1, REAL } kind; /* an epoch is counted from 1 */
    int digits;
} fields[DUN_N_HISTORY_FIELDS] = {
#define FIELD(name, ...)                                                                                     \
    { #name, offsetof(dun_step_record, name), __VA_ARGS__ }
    [DUN_HISTORY_STEP] = FIELD(step, COUNT, 0),
    [DUN_HISTORY_EPOCH] = FIELD(epoch, COUNT_FROM_1, 0),
    [DUN_HISTORY_LOSS] = FIELD(loss, REAL, 9),
    [DUN_HISTORY_ACCURACY] = FIELD(accuracy, REAL, 6),
    [DUN_HISTORY_LR] = FIELD(lr, REAL, 9),
    [DUN_HISTORY_VALID_ACCURACY] = FIELD(valid_accuracy, REAL, 9),
    [DUN_HISTORY_VALID_LOSS] = FIELD(valid_loss, REAL, 9),
#undef FIELD
};

const char *dun_history_name(enum dun_history_field field) {
    return fields[field].name;
}

dun_step_record dun_step_record_empty(void) {
    return (dun_step_record){
        .loss = NAN, .accuracy = NAN, .lr = NAN, .valid_accuracy = NAN, .valid_loss = NAN};
}

int dun_history_add_value(dun_str *out, const dun_step_record *record, enum dun_history_field field) {
    const void *at = (const char *)record + fields[field].offset;
    uint64_t count;
    double number;
    if (fields[field].kind == REAL) {
        memcpy(&number, at, sizeof number);
        return isnan(number) ? DUN_OK : dun_str_addf(out, "%.*g", fields[field].digits, number);
    }
    memcpy(&count, at, sizeof count);
    if (fields[field].kind == COUNT_FROM_1 && count == 0)
        return DUN_OK;
    return dun_str_addf(out, "%llu", (unsigned long long)count);
}

int dun_history_add_line(dun_str *out, const dun_step_record *record) {
    int rc = DUN_OK;
    dun_str value = {0};
    TRY(dun_str_addf(out, "{"));
    for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
        dun_str_clear(&value);
        TRY(dun_history_add_value(&value, record, (enum dun_history_field)i));
        if (value.length)
            TRY(dun_str_addf(out, "%s\"%s\": %s", i ? ", " : "", dun_history_name((enum dun_history_field)i),
                             value.bytes));
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

void dun_history_of(dun_history *history, const dun_str *bytes) {
    *history = (dun_history){.file = {(const uint8_t *)bytes->bytes, bytes->length}};
}

/* Sets the field of a name; a name that is not known is passed over. */
static void take(dun_step_record *record, const char *name, size_t length, double value) {
    const uint64_t count = value >= 0 && value < 0x1p63 ? (uint64_t)value : 0;
    for (int i = 0; i < DUN_N_HISTORY_FIELDS; i++) {
        if (strlen(fields[i].name) != length || memcmp(fields[i].name, name, length) != 0)
            continue;
        void *at = (char *)record + fields[i].offset;
        if (fields[i].kind == REAL)
            memcpy(at, &value, sizeof value);
        else
            memcpy(at, &count, sizeof count);
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
    *record = dun_step_record_empty();
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
                         history->path ? history->path : "history.jsonl", history->line);
    history->at += length + (end != NULL);
    return 1;
}

void dun_history_close(dun_history *history) {
    if (history->path)
        dun_file_unmap(&history->file);
    dun_free(history->path);
    *history = (dun_history){0};
}
