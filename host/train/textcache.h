/* Which texts keep their keys and values on the device. The first texts that fit the budget are resident:
 * computed once, kept for all epochs. The others are computed again, into scratch rows, whenever a batch
 * needs them. Either way a batch's points are the same. */
#ifndef DUN_TEXTCACHE_H
#define DUN_TEXTCACHE_H

#include "engine.h"
#include "observer.h"
#include "texts.h"

typedef struct {
    dun_engine *engine;
    const dun_texts *texts;
    uint32_t n_resident;    /* texts 0 .. n_resident - 1 stay in the cache, packed in order */
    uint32_t resident_rows; /* rows they take; scratch follows */
    dun_batch batch;        /* the text pass */
} dun_text_cache;

/* Makes room for as many texts as fit budget_rows, and, when some do not, scratch_rows for the others: a
 * batch's texts together must fit it. */
int dun_text_cache_create(dun_text_cache *cache, dun_engine *engine, const dun_texts *texts,
                          uint64_t budget_rows, uint64_t scratch_rows);
void dun_text_cache_free(dun_text_cache *cache);

/* Computes the resident texts' keys and values. */
int dun_text_cache_fill(dun_text_cache *cache, const dun_observer *observer);

/* Makes `batch` the n_rows rows `rows` (ids as in a batch) after each of the n texts `which` (at most
 * max_sequences). Texts may have been added since the cache was made; they are not resident. */
int dun_text_cache_batch(dun_batch *batch, dun_text_cache *cache, const uint32_t *which, uint32_t n,
                         const int32_t *rows, uint32_t n_rows);

#endif
