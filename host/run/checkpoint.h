/* The state of a training run between two steps, as a file: what a resumed run needs to go on to the same
 * bytes. Native byte order, checksummed, written atomically; the one before it is kept as
 * checkpoint.previous. */
#ifndef DUN_CHECKPOINT_H
#define DUN_CHECKPOINT_H

#include "dev/buffer.h"

#include <stddef.h>

enum { DUN_CHECKPOINT_TENSORS = 28, DUN_CHECKPOINT_TILES_BYTES = 240, DUN_CHECKPOINT_TEAMS = 15 };

/* In front of the tiles of a team whose devices do not compute alike: a hash of how they do. */
#define DUN_CHECKPOINT_TEAM "team %016llx, "

typedef struct {
    uint64_t config_hash, model_hash;
    char tiles[DUN_CHECKPOINT_TILES_BYTES]; /* defines and GEMM provider: sums depend on them */
    uint64_t step;                          /* steps taken */
    uint64_t epoch;                         /* the one to go on with, from 1 */
    uint64_t texts_done;                    /* of that epoch */
    uint64_t optim_step, calculated_step;   /* of the optimisers */
    uint64_t history_bytes;                 /* length of history.jsonl then */
    double last_loss;
    /* The records it was trained with and measured on: how many, and the hash of texts and labels in their
     * order. n_train 0: of version 0.1, which did not know them. */
    uint64_t n_train, n_valid, train_hash, valid_hash;
    uint64_t config_hash_0_1; /* of a running program, not on file: what config_hash would be in a checkpoint
                                 of 0.1 */
    /* Likewise: what earlier programs put in front of the tiles for teams of 2, 3, ... devices that compute
     * as the first one does. Who computes what changes no bit, so that such a checkpoint goes on with any
     * number. */
    uint64_t teams[DUN_CHECKPOINT_TEAMS];
} dun_checkpoint;

/* A member of a record on file. Members stand one after another there, without the gaps that a compiler may
 * leave between them. */
typedef struct {
    size_t offset, bytes;
} dun_field;
#define DUN_FIELD(type, member)                                                                              \
    { offsetof(type, member), sizeof(((type *)0)->member) }

size_t dun_fields_bytes(const dun_field *list, size_t n);

/* Write and read a record; both return the place behind it. */
uint8_t *dun_fields_put(uint8_t *at, const void *record, const dun_field *list, size_t n);
const uint8_t *dun_fields_take(void *record, const uint8_t *at, const dun_field *list, size_t n);

/* What belongs to a checkpoint beside it, in a fixed order: prompt, centroids, moments (on the device), and
 * plain host data. */
typedef struct {
    dun_buffer *device[DUN_CHECKPOINT_TENSORS];
    size_t n_device;
    void *host;
    size_t host_bytes;
} dun_checkpoint_data;

/* Writes run_path/checkpoint. */
int dun_checkpoint_write(const dun_checkpoint *checkpoint, const dun_checkpoint_data *data,
                         const char *run_path);

/* Reads run_path/checkpoint, or the previous one when that is missing or damaged, into `checkpoint` and
 * `data`. `checkpoint` comes in with the hashes, counts and tiles of the running program, which must agree; a
 * checkpoint of 0.1 does not know its data, which is told by a warning. 1: read; 0: there is none.
 * DUN_BAD_INPUT: "belongs to ..., running ...", wrong sizes, both damaged. */
int dun_checkpoint_read(dun_checkpoint *checkpoint, const dun_checkpoint_data *data, const char *run_path);

/* The same question before a device is open and texts are run: does the checkpoint, if there is one, belong
 * to this model, config and data? */
int dun_checkpoint_look(const dun_checkpoint *running, const char *run_path);

#endif
