/* See textcache.h. */
#include "textcache.h"

#include "err.h"
#include "interrupt.h"

#include <string.h>

int dun_text_cache_create(dun_text_cache *cache, dun_engine *engine, const dun_texts *texts,
                          uint64_t budget_rows, uint64_t scratch_rows) {
    int rc = DUN_OK;
    const dun_engine_options *o = &engine->options;
    *cache = (dun_text_cache){.engine = engine, .texts = texts};
    TRY(dun_batch_create(&cache->batch, o->max_texts, o->max_text_rows));
    while (cache->n_resident < texts->n && texts->start[cache->n_resident + 1] <= budget_rows)
        cache->n_resident++;
    cache->resident_rows = texts->n ? texts->start[cache->n_resident] : 0;
    if (texts->n > 0 && cache->n_resident == texts->n)
        scratch_rows = 0;
    if (cache->resident_rows + scratch_rows > INT32_MAX)
        TRY(dun_error(DUN_FAILED,
                      "the cache of keys and values needs more than %d rows; use a smaller "
                      "train.batch_size or data.max_length",
                      INT32_MAX));
    TRY(dun_engine_create_cache(engine, cache->resident_rows + (uint32_t)scratch_rows));
out:
    if (rc < 0)
        dun_text_cache_free(cache);
    return rc;
}

void dun_text_cache_free(dun_text_cache *cache) {
    dun_batch_free(&cache->batch);
    *cache = (dun_text_cache){0};
}

static int flush(dun_text_cache *cache, uint32_t *row) {
    int rc = DUN_OK;
    if (cache->batch.n_rows > 0)
        TRY(dun_engine_text(cache->engine, &cache->batch, *row));
    *row += cache->batch.n_rows;
    dun_batch_clear(&cache->batch);
out:
    return rc;
}

/* Queues one text for the pass that starts at cache row *row; runs the pass first when it is full. */
static int push(dun_text_cache *cache, uint32_t index, uint32_t *row) {
    int rc = DUN_OK;
    uint32_t n = dun_texts_length(cache->texts, index);
    if (!dun_batch_fits(&cache->batch, n))
        TRY(flush(cache, row));
    int32_t *ids = dun_batch_add(&cache->batch, n, 0, 0);
    for (uint32_t j = 0; j < n; j++)
        ids[j] = (int32_t)cache->texts->tokens.ids[cache->texts->start[index] + j];
out:
    return rc;
}

int dun_text_cache_fill(dun_text_cache *cache, const dun_observer *observer) {
    int rc = DUN_OK;
    uint32_t row = 0, reported = 0;
    dun_observe_begin(observer, "reading texts", "texts", cache->n_resident);
    for (uint32_t i = 0; i < cache->n_resident; i++) {
        TRY(push(cache, i, &row));
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        if (row > reported) {
            TRY(dun_device_finish(cache->engine->compute->device));
            dun_observe_advance(observer, i, NULL);
            reported = row;
        }
    }
    TRY(flush(cache, &row));
    TRY(dun_device_finish(cache->engine->compute->device));
    dun_observe_advance(observer, cache->n_resident, NULL);
out:
    dun_observe_end(observer);
    dun_batch_clear(&cache->batch);
    return rc;
}

int dun_text_cache_batch(dun_batch *batch, dun_text_cache *cache, const uint32_t *which, uint32_t n,
                         const int32_t *rows, uint32_t n_rows) {
    int rc = DUN_OK;
    uint32_t run_row = cache->resident_rows, next = cache->resident_rows;
    dun_batch_clear(batch);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = dun_texts_length(cache->texts, which[i]), prefix = cache->texts->start[which[i]];
        if (which[i] >= cache->n_resident) {
            prefix = next;
            next += length;
            TRY(push(cache, which[i], &run_row));
        }
        int32_t *ids = dun_batch_add(batch, n_rows, prefix, length);
        memcpy(ids, rows, n_rows * sizeof *rows);
    }
    TRY(flush(cache, &run_row));
out:
    dun_batch_clear(&cache->batch);
    return rc;
}
