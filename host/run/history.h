/* history.jsonl of a run, a line a step: written, and read by everybody who reads it. */
#ifndef DUN_HISTORY_H
#define DUN_HISTORY_H

#include "base/file.h"
#include "base/str.h"

#include <stdint.h>

/* A step: the batch's mean loss before it and its accuracy; valid_accuracy and valid_loss are NAN (and left
 * out of the line) where nothing was measured after the step. Without texts, epoch 0 and accuracy NAN are
 * left out as well. A line without a step, which nobody writes, reads as step 0. */
typedef struct {
    uint64_t step, epoch;
    double loss, accuracy, lr, valid_accuracy, valid_loss;
} dun_step_record;

/* Step and epoch 0, all else NAN. */
dun_step_record dun_step_record_empty(void);

/* What a line holds, in its order. */
enum dun_history_field {
    DUN_HISTORY_STEP,
    DUN_HISTORY_EPOCH,
    DUN_HISTORY_LOSS,
    DUN_HISTORY_ACCURACY,
    DUN_HISTORY_LR,
    DUN_HISTORY_VALID_ACCURACY,
    DUN_HISTORY_VALID_LOSS,
    DUN_N_HISTORY_FIELDS
};
const char *dun_history_name(enum dun_history_field field); /* as in the line */

/* Appends a field's value as a line has it; nothing where the record has none. */
int dun_history_add_value(dun_str *out, const dun_step_record *record, enum dun_history_field field);

/* Appends a record's line. */
int dun_history_add_line(dun_str *out, const dun_step_record *record);

/* The lines of a run's history, one after another. */
typedef struct {
    dun_file file;
    char *path;      /* NULL: the bytes are not its own */
    size_t at, line; /* line: the one read last, from 1 */
} dun_history;

/* DUN_BAD_INPUT: there is none. For dun_history_close whatever is returned. */
int dun_history_open(dun_history *history, const char *run_path);

/* The same of bytes that lie in memory, which stay the caller's. */
void dun_history_of(dun_history *history, const dun_str *bytes);

/* 1: read; 0: there are no more. DUN_BAD_INPUT: a line is none of ours, as the last of a run that was killed
 * may be. */
int dun_history_next(dun_step_record *record, dun_history *history);
void dun_history_close(dun_history *history);

#endif
