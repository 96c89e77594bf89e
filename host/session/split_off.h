/* Validation texts that are split off the training texts (data.valid_share), and the record of which they
 * were. */
#ifndef DUN_SPLIT_OFF_H
#define DUN_SPLIT_OFF_H

#include <jansson.h>
#include <stdint.h>

struct dun_session;

/* Nothing was split off: zeros. */
typedef struct {
    uint32_t *rows;    /* [n] which of all texts, in their order from 0, rising */
    uint32_t n, n_all; /* split off; before it */
    uint64_t hash;     /* of all, as dun_dataset_hash */
} dun_split_off;

/* The file of a run that has the record. */
#define DUN_SPLIT_FILE "split.json"

/* Splits session->train, just read, into that and session->valid, whose texts are borrowed from it: as the
 * record in the folder of the config's run says, or, where there is none, about data.valid_share of every
 * class, by the seed. `name` is the file's. Says how many of each class. DUN_BAD_INPUT: a class would be left
 * out of a part; or the texts are not those of the record. */
int dun_session_split_off(struct dun_session *session, const char *name);

/* The record: {"share", "seed", "texts", "hash", "rows", "lines"}; lines are those of the file. */
int dun_split_off_json(json_t **out, const struct dun_session *session);

void dun_split_off_free(dun_split_off *split);

#endif
