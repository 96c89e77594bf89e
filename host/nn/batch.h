/* Ragged batches: the rows of all sequences packed one after another, no padding anywhere. Host side, and
 * its copy on the device. */
#ifndef DUN_BATCH_H
#define DUN_BATCH_H

#include "dev/buffer.h"

/* Texts whose shares in a sum over a batch are added first (BLOCK_TEXTS of the kernels). */
enum { DUN_BLOCK_TEXTS = 8 };

typedef struct {
    uint32_t n_sequences, n_rows;       /* S, N */
    uint32_t max_sequences, max_rows;   /* capacity */
    int32_t *ids;                       /* (N) token id, or -1 - p for prompt row p */
    int32_t *position;                  /* (N) */
    int32_t *sequence;                  /* (N) */
    int32_t *start;                     /* (S+1) first row of each sequence, and N */
    int32_t *last_row;                  /* (S) */
    int32_t *shared_len;                /* (S) how many of the cache's first rows it continues, */
    int32_t *prefix_start, *prefix_len; /* (S) and which others after them */
} dun_batch;

int dun_batch_create(dun_batch *batch, uint32_t max_sequences, uint32_t max_rows);
void dun_batch_free(dun_batch *batch);
void dun_batch_clear(dun_batch *batch);

/* Adds a sequence of n rows that follows prefix_len cached rows; its rows take the next positions. The caller
 * fills the returned ids (n). It must fit (an internal promise). */
int32_t *dun_batch_add(dun_batch *batch, uint32_t n, uint32_t prefix_start, uint32_t prefix_len);

/* The same, and before those cached rows stand the first n_shared of the cache. */
int32_t *dun_batch_add_shared(dun_batch *batch, uint32_t n, uint32_t n_shared, uint32_t prefix_start,
                              uint32_t prefix_len);

/* True when a sequence of n more rows fits. */
bool dun_batch_fits(const dun_batch *batch, uint32_t n);

/* Puts each sequence there `times` times, one beside the other: the first as it is, the next with the rows of
 * the next prompt of P rows, and so on. All of them must fit. */
void dun_batch_repeat(dun_batch *batch, uint32_t times, uint32_t P);

/* The batch's arrays on the device: parts of one buffer, which is written in one go. */
enum { DUN_BATCH_ARRAYS = 8 };
typedef struct {
    uint32_t n_sequences, n_rows;
    dun_buffer ids, position, sequence, start, shared_len, prefix_start, prefix_len, last_row;
    dun_buffer identity; /* 0, 1, 2, ...: "row of a query" when every row asks, "query start" when one a
                            sequence does */
    dun_buffer packed;   /* all but identity */
    size_t offset[DUN_BATCH_ARRAYS]; /* bytes: where each begins in it */
    char *staged;                    /* the same on the host */
} dun_device_batch;

int dun_device_batch_create(dun_device_batch *out, dun_device *device, uint32_t max_sequences,
                            uint32_t max_rows);
void dun_device_batch_free(dun_device_batch *batch);

/* Sequences of more than `from` rows take their positions `shift` further on; all zero: none do. */
typedef struct {
    uint32_t from, shift;
} dun_long_positions;

/* `more`: rows that will follow each of the sequences. DUN_BAD_INPUT: a long sequence continues rows that
 * short ones share, and whose positions are a short one's. */
int dun_device_batch_upload(dun_device_batch *out, const dun_batch *batch,
                            const dun_long_positions *positions, uint32_t more);

#endif
