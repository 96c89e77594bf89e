/* Whole training runs as `dunlin train` makes them, in a temporary folder: config text, session, run
 * directory, result, and the losses that the history holds. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "run/train.h"

#include <stdbool.h>
#include <stddef.h>

enum { TRAIN_LOSSES = 512 };

typedef struct {
    dun_config config;
    dun_session session;
    dun_run_dir run;
    dun_run_result result;
    float losses[TRAIN_LOSSES]; /* by step, from history.jsonl */
    uint32_t n_losses;
    /* Alive when the config was read: blocks of memory, the driver's objects, bytes of buffers. */
    size_t blocks_before, objects_before;
    uint64_t bytes_before;
} train_run;

/* The folder of this program's runs, made on first use; valid until train_folder_remove. */
const char *train_folder(void);
void train_folder_remove(void);

/* Path of a file in the folder, in a buffer of its own for each of the last eight calls. */
const char *train_path(const char *name);

/* Writes a file in the folder. */
void train_write_file(const char *name, const char *bytes, size_t length);

/* True when two files hold the same bytes, at least one of them. */
bool train_same_file(const char *a, const char *b);

/* Reads the config from text; the device is the one under test. Fails the running test when it is wrong. */
void train_run_config(train_run *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Everything before training; with `name` also the run directory of that name. */
int train_run_open(train_run *t, const char *name);

/* Trains and reads the losses. */
int train_run_train(train_run *t);

/* All of the above, demanding success. */
void train_run_all(train_run *t, const char *name);

/* Goes on with the run of that name, from the config alone, demanding success. */
void train_run_resume(train_run *t, const char *name);

/* Path of a file of the run, as train_path. */
const char *train_run_file(const train_run *t, const char *name);

/* Releases everything; fails the running test when a block, a buffer or a driver's object is left. */
void train_run_close(train_run *t);

#endif
