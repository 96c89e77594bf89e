/* The run directory, on disk or kept in memory: config.ini, history.jsonl, metrics.json, prompt.safetensors,
 * predictions.tsv. Made before training starts, so that an output that cannot be written is found first;
 * never made over an existing run. */
#ifndef DUN_RUNDIR_H
#define DUN_RUNDIR_H

#include "base/stream.h"
#include "io/tfevents.h"
#include "math/calibration.h"
#include "run/claim.h"
#include "run/history.h"
#include "run/kept.h"
#include "session/evaluate.h"
#include "session/session.h"

typedef struct {
    char *path; /* NULL: the run leaves nothing on disk, neither a checkpoint nor what pages are made of, and
                   its other files are */
    dun_kept *kept;   /* here; borrowed */
    dun_claim *claim; /* nobody else works there meanwhile */
    dun_stream history;
    dun_tfevents *events; /* NULL: not asked for */
    unsigned save_wishes; /* answered, of base/interrupt.h */
} dun_run_dir;

/* Creates `wanted`, or, when it is empty, runs/<name> or runs/<name>-2 and so on, claims it and writes
 * config.ini. DUN_FAILED: as dun_folder_claim, or it cannot be written. */
int dun_run_dir_create(dun_run_dir *run, const char *wanted, const char *name, const dun_config *config);

/* The second half of that, in a folder that dun_run_dir_take gave and that holds no run yet. */
int dun_run_dir_begin(dun_run_dir *run, const dun_config *config);

/* A run without a folder, whose files come into `kept`; writes config.ini there. */
int dun_run_dir_keep(dun_run_dir *run, dun_kept *kept, const dun_config *config);

/* Writes what was measured for the run into its config, in memory and on file, so that it is not measured
 * again, as device.shares; and split.json where validation texts were split off. */
int dun_run_dir_settle(const dun_run_dir *run, dun_config *config, const dun_session *session);

/* Claims the folder of a run that was begun, to go on with it. DUN_USAGE: it is none; DUN_FAILED: somebody is
 * at work on it, or has just finished it. */
int dun_run_dir_resume(dun_run_dir *run, const char *path);

/* Claims the folder of one of the runs that several processes share, which is new, or *begun and to be gone
 * on with. Not *ours: another one has it, or it is complete; `run` is empty then. DUN_FAILED: it cannot be
 * made or written, or holds other files. */
int dun_run_dir_take(dun_run_dir *run, bool *ours, bool *begun, const char *path);
void dun_run_dir_close(dun_run_dir *run);

/* Closes a run that could not be started: one without a step goes again, with the folder that was made for
 * it. The recorded error stays. True: it is gone. */
bool dun_run_dir_withdraw(dun_run_dir *run);

/* What was added to the files that grow is on the disk. */
int dun_run_dir_sync(dun_run_dir *run);

/* Cuts history.jsonl back to an earlier length. */
int dun_run_dir_rewind(dun_run_dir *run, uint64_t history_bytes);

/* Begins an event file for TensorBoard, for the steps after `step`. */
int dun_run_dir_tensorboard(dun_run_dir *run, uint64_t step);

/* Path of a file of the run, newly allocated; NULL with the error recorded. */
char *dun_run_dir_file(const char *run_path, const char *file);

/* True when the folder holds a run's config.ini; when it holds metrics.json, the last file of a run. */
bool dun_run_dir_exists(const char *path);
bool dun_run_dir_complete(const char *path);

/* Writes a file of the run, atomically. */
int dun_run_dir_write(const dun_run_dir *run, const char *file, const dun_str *text);

/* The device for metrics.json: a new object, NULL without memory. */
json_t *dun_run_dir_device_json(const dun_compute *compute);

/* Adds a step's line to history.jsonl, and its scalars for TensorBoard. */
int dun_run_dir_step(dun_run_dir *run, const dun_step_record *record);

/* What a finished run says of itself. */
typedef struct {
    dun_metrics metrics;           /* validation texts, trained */
    dun_metrics baseline;          /* the same with class means under the starting prompt */
    double majority;               /* accuracy of always naming the largest class */
    double probe_before;           /* accuracy of a linear probe under the starting prompt; NAN: none */
    double probe_after;            /* under the trained one */
    float *distances;              /* (n_valid, K), trained */
    float *centroids;              /* (K, D), trained */
    uint64_t steps, trained_texts; /* texts: of the steps of this process, in all epochs */
    float last_loss;
    double valid_loss;  /* of the validation texts, trained (dun_evaluate_loss); NAN: there are none */
    uint64_t kept_step; /* what is measured and saved is the state after this step */
    dun_calibration calibration; /* temperature 0: not asked for, or not possible */
    bool stopped;                /* it was told to end before it had taken all steps */
    bool ran_out;                /* train.patience ended it before that */
    double seconds; /* since the session was opened for this run: reading the model and the texts counts */
} dun_run_result;

void dun_run_result_free(dun_run_result *result);

/* Writes prompt.safetensors, predictions.tsv, the tables of tables.h and, last, metrics.json: its presence
 * says that the run is whole. */
int dun_run_dir_finish(dun_run_dir *run, dun_session *session, const dun_run_result *result);

#endif
