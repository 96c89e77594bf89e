/* Where the keys and values of texts are. The first texts that fit stay on the device: as floats in the cache
 * itself, or in half precision beside it. The next are kept in the host's memory, also as floats or halves.
 * The others are computed again whenever a batch needs them. All but the first kind are brought into scratch
 * rows of the cache for each batch. Wherever a text's are, its points are the same. Those of the tokens that
 * texts share are the first rows of the cache, once. */
#ifndef DUN_TEXTCACHE_H
#define DUN_TEXTCACHE_H

#include "nn/engine.h"
#include "session/texts.h"

/* How much may be kept, in rows (text tokens). */
typedef struct {
    uint64_t device_rows, host_rows;
    uint64_t scratch_rows; /* the texts of the largest batch together, when not all are in the cache itself */
    bool half;             /* kept in half precision; what is computed again is rounded likewise */
} dun_cache_room;

typedef struct {
    dun_engine *engine;
    const dun_texts *texts;
    bool half;
    uint32_t n_resident, n_hosted; /* texts that stay on the device; that follow them in the host's memory */
    uint32_t resident_rows;        /* rows of the former */
    uint32_t n_shared;             /* rows before theirs, which all texts continue */
    uint32_t scratch_row;          /* first scratch row of the cache */
    uint32_t staging_row;          /* half: first kept row that is not a resident text's */
    char *host, *moved;            /* rows of hosted texts; those of a batch, layer by layer */
    uint32_t n_filled, next_row;   /* texts computed so far; where the next resident one goes */
    uint32_t *prefix;              /* [max_sequences] a batch's first cached row of each text */
    int32_t *pairs;                /* (scratch rows, 2) what to recall */
    dun_batch batch;               /* the text pass */
} dun_text_cache;

/* Makes room for as many texts as fit, and computes the shared rows. Texts may be added later; they are
 * computed when needed. */
int dun_text_cache_create(dun_text_cache *cache, dun_engine *engine, const dun_texts *texts,
                          const dun_cache_room *room);
void dun_text_cache_free(dun_text_cache *cache);

/* An engine's cache that holds what texts share and nothing else, for whole sequences. */
int dun_text_cache_only_shared(dun_engine *engine, const dun_texts *texts);

/* After the engine was resized for batches of another size: keeps what is in the cache itself, true; else
 * frees everything, false. */
int dun_text_cache_refit(bool *still_there, dun_text_cache *cache);

/* Texts that are kept, wherever. */
uint32_t dun_text_cache_kept(const dun_text_cache *cache);

/* Computes the keys and values of texts that are kept, as many more as one pass takes, without waiting for
 * the device. */
int dun_text_cache_fill_some(dun_text_cache *cache);

/* Makes `batch` the n_rows rows `rows` (ids as in a batch) after each of the n texts `which` (at most
 * max_sequences), and brings the texts' keys and values into the cache. */
int dun_text_cache_batch(dun_batch *batch, dun_text_cache *cache, const uint32_t *which, uint32_t n,
                         const int32_t *rows, uint32_t n_rows);

#endif
