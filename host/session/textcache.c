/* Decides which texts are kept where, computes them, and brings a batch's rows together. */
#include "session/textcache.h"

#include "base/err.h"
#include "base/mem.h"

#include <string.h>

/* Bytes of one row in all layers, as kept. */
static size_t row_bytes(const dun_text_cache *cache) {
    const dun_engine *engine = cache->engine;
    uint64_t bytes = dun_engine_cache_bytes_per_row(&engine->model.spec, &engine->options.point);
    return (size_t)(cache->half ? bytes / 2 : bytes);
}

/* Texts from `first` on that fit `rows`. */
static uint32_t count_fitting(const dun_texts *texts, uint32_t first, uint64_t rows) {
    uint32_t n = 0;
    while (first + n < texts->n && texts->start[first + n + 1] - texts->start[first] <= rows)
        n++;
    return n;
}

static uint32_t rows_before(const dun_text_cache *cache, uint32_t text) {
    return cache->texts->n ? cache->texts->start[text] : 0;
}

static int create_host_rows(dun_text_cache *cache, uint32_t scratch_rows) {
    int rc = DUN_OK;
    uint32_t rows = rows_before(cache, cache->n_resident + cache->n_hosted) - cache->resident_rows;
    if (cache->n_hosted == 0)
        goto out;
    TRY_PTR(cache->host, dun_calloc(rows, row_bytes(cache)));
    TRY_PTR(cache->moved, dun_calloc(scratch_rows, row_bytes(cache)));
out:
    return rc;
}

/* Runs the tokens that texts share, into the first rows of the engine's cache. */
static int run_shared(dun_engine *engine, const dun_texts *texts) {
    int rc = DUN_OK;
    dun_batch batch = {0};
    uint32_t n = (uint32_t)texts->shared.n;
    if (n == 0)
        goto out;
    TRY(dun_batch_create(&batch, 1, n));
    int32_t *ids = dun_batch_add(&batch, n, 0, 0);
    for (uint32_t j = 0; j < n; j++)
        ids[j] = (int32_t)texts->shared.ids[j];
    TRY(dun_engine_text(engine, &batch, 0));
out:
    dun_batch_free(&batch);
    return rc;
}

int dun_text_cache_only_shared(dun_engine *engine, const dun_texts *texts) {
    int rc;
    TRY(dun_engine_create_cache(engine, (uint32_t)texts->shared.n));
    TRY(run_shared(engine, texts));
out:
    return rc;
}

int dun_text_cache_create(dun_text_cache *cache, dun_engine *engine, const dun_texts *texts,
                          const dun_cache_room *room) {
    int rc = DUN_OK;
    const dun_engine_options *o = &engine->options;
    *cache = (dun_text_cache){
        .engine = engine, .texts = texts, .half = room->half, .n_shared = (uint32_t)texts->shared.n};
    TRY(dun_batch_create(&cache->batch, o->max_texts, o->max_text_rows));
    cache->n_resident = count_fitting(texts, 0, room->device_rows);
    cache->n_hosted = count_fitting(texts, cache->n_resident, room->host_rows);
    cache->resident_rows = rows_before(cache, cache->n_resident);
    bool all_in_place = texts->n > 0 && cache->n_resident == texts->n && !room->half;
    uint64_t scratch_rows = all_in_place ? 0 : room->scratch_rows;
    if (scratch_rows > 0 && scratch_rows < o->max_text_rows && (room->half || cache->n_hosted > 0))
        scratch_rows = o->max_text_rows; /* what is kept elsewhere is computed there first */
    cache->next_row = cache->n_shared;
    cache->scratch_row = cache->n_shared + (room->half ? 0 : cache->resident_rows);
    cache->staging_row = cache->resident_rows;
    if (cache->n_shared + cache->resident_rows + scratch_rows > INT32_MAX)
        TRY(dun_error(DUN_FAILED,
                      "the cache of keys and values needs more than %d rows; use a smaller "
                      "train.batch_size or data.max_length",
                      INT32_MAX));
    TRY(dun_engine_create_cache(engine, cache->scratch_row + (uint32_t)scratch_rows));
    if (room->half)
        TRY(dun_engine_create_kept(engine, cache->resident_rows + (uint32_t)scratch_rows));
    TRY_NEW(cache->prefix, o->max_sequences);
    TRY_NEW(cache->pairs, 2 * scratch_rows);
    TRY(create_host_rows(cache, (uint32_t)scratch_rows));
    TRY(run_shared(engine, texts));
out:
    if (rc < 0)
        dun_text_cache_free(cache);
    return rc;
}

void dun_text_cache_free(dun_text_cache *cache) {
    dun_batch_free(&cache->batch);
    dun_free(cache->host);
    dun_free(cache->moved);
    dun_free(cache->prefix);
    dun_free(cache->pairs);
    *cache = (dun_text_cache){0};
}

int dun_text_cache_refit(bool *still_there, dun_text_cache *cache) {
    int rc = DUN_OK;
    *still_there = cache->engine && !cache->half && cache->n_resident == cache->texts->n;
    if (!*still_there) {
        dun_text_cache_free(cache);
        goto out;
    }
    dun_free(cache->prefix);
    TRY_NEW(cache->prefix, cache->engine->options.max_sequences);
out:
    return rc;
}

/* Runs the queued texts into the cache from *row on. */
static int flush(dun_text_cache *cache, uint32_t *row) {
    int rc = DUN_OK;
    if (cache->batch.n_rows > 0)
        TRY(dun_engine_text(cache->engine, &cache->batch, *row));
    *row += cache->batch.n_rows;
    dun_batch_clear(&cache->batch);
out:
    return rc;
}

static void push(dun_text_cache *cache, uint32_t index) {
    uint32_t n = dun_texts_length(cache->texts, index);
    int32_t *ids = dun_batch_add_shared(&cache->batch, n, dun_texts_n_shared(cache->texts, index), 0, 0);
    for (uint32_t j = 0; j < n; j++)
        ids[j] = (int32_t)cache->texts->tokens.ids[cache->texts->start[index] + j];
}

/* One layer of n rows between a (layers, n, columns) block and one of `total` rows from row `at` on. */
static void move_rows(const dun_text_cache *cache, char *block, char *in_total, uint32_t n, uint32_t at,
                      uint32_t total, bool to_total) {
    uint32_t n_layers = cache->engine->options.point.n_blocks;
    size_t layer_row_bytes = row_bytes(cache) / n_layers;
    for (uint32_t l = 0; l < n_layers; l++) {
        char *one = block + (size_t)l * n * layer_row_bytes;
        char *other = in_total + ((size_t)l * total + at) * layer_row_bytes;
        memcpy(to_total ? other : one, to_total ? one : other, n * layer_row_bytes);
    }
}

static char *host_rows(const dun_text_cache *cache, uint32_t text) {
    return cache->host + (size_t)(cache->texts->start[text] - cache->resident_rows) * row_bytes(cache);
}

/* Takes texts first .. end - 1, just computed into scratch rows, to where they are kept. */
static int put_away(dun_text_cache *cache, uint32_t first, uint32_t end) {
    int rc = DUN_OK;
    dun_engine *engine = cache->engine;
    const uint32_t *start = cache->texts->start;
    uint32_t n = start[end] - start[first], at = 0;
    bool hosted = first >= cache->n_resident;
    if (cache->half)
        TRY(dun_engine_keep(engine, hosted ? cache->staging_row : start[first], cache->scratch_row, n));
    if (!hosted)
        goto out;
    TRY(dun_engine_read_rows(cache->moved, engine, cache->half,
                             cache->half ? cache->staging_row : cache->scratch_row, n));
    for (uint32_t i = first; i < end; i++) {
        uint32_t length = start[i + 1] - start[i];
        move_rows(cache, host_rows(cache, i), cache->moved, length, at, n, false);
        at += length;
    }
out:
    return rc;
}

uint32_t dun_text_cache_kept(const dun_text_cache *cache) {
    return cache->n_resident + cache->n_hosted;
}

int dun_text_cache_fill_some(dun_text_cache *cache) {
    int rc = DUN_OK;
    uint32_t first = cache->n_filled, end = first, row = cache->scratch_row;
    bool resident = first < cache->n_resident, stays = resident && !cache->half;
    uint32_t last = resident ? cache->n_resident : dun_text_cache_kept(cache); /* of its kind */
    while (end < last && dun_batch_fits(&cache->batch, dun_texts_length(cache->texts, end)))
        push(cache, end++);
    TRY(flush(cache, stays ? &cache->next_row : &row));
    if (!stays && end > first)
        TRY(put_away(cache, first, end));
    cache->n_filled = end;
out:
    dun_batch_clear(&cache->batch);
    return rc;
}

/* Recalls `n` kept rows from `kept_row` on into scratch rows from `row` on: adds to the pairs. */
static void add_pairs(dun_text_cache *cache, uint32_t *n_pairs, uint32_t row, uint32_t kept_row, uint32_t n) {
    for (uint32_t r = 0; r < n; r++, ++*n_pairs) {
        cache->pairs[2 * *n_pairs] = (int32_t)(row + r);
        cache->pairs[2 * *n_pairs + 1] = (int32_t)(kept_row + r);
    }
}

/* The batch's texts that are kept nowhere, computed into scratch rows from *next on. */
static int compute_missing(dun_text_cache *cache, const uint32_t *which, uint32_t n, uint32_t *next,
                           uint32_t *n_pairs) {
    int rc = DUN_OK;
    uint32_t first = *next, row = *next;
    for (uint32_t i = 0; i < n; i++)
        if (which[i] >= cache->n_resident + cache->n_hosted) {
            uint32_t length = dun_texts_length(cache->texts, which[i]);
            if (!dun_batch_fits(&cache->batch, length))
                TRY(flush(cache, &row));
            push(cache, which[i]);
            cache->prefix[i] = *next;
            *next += length;
        }
    TRY(flush(cache, &row));
    if (cache->half && row > first) { /* rounded, as if it had been kept */
        TRY(dun_engine_keep(cache->engine, cache->staging_row, first, row - first));
        add_pairs(cache, n_pairs, first, cache->staging_row, row - first);
    }
out:
    return rc;
}

/* Those in the host's memory, brought into scratch rows from *next on. */
static int bring_hosted(dun_text_cache *cache, const uint32_t *which, uint32_t n, uint32_t *next,
                        uint32_t *n_pairs) {
    int rc = DUN_OK;
    uint32_t total = 0, at = 0, first = *next;
    for (uint32_t i = 0; i < n; i++)
        if (which[i] >= cache->n_resident && which[i] < cache->n_resident + cache->n_hosted)
            total += dun_texts_length(cache->texts, which[i]);
    if (total == 0)
        goto out;
    for (uint32_t i = 0; i < n; i++)
        if (which[i] >= cache->n_resident && which[i] < cache->n_resident + cache->n_hosted) {
            uint32_t length = dun_texts_length(cache->texts, which[i]);
            move_rows(cache, host_rows(cache, which[i]), cache->moved, length, at, total, true);
            cache->prefix[i] = first + at;
            at += length;
        }
    uint32_t staged = cache->staging_row + (first - cache->scratch_row);
    TRY(dun_engine_write_rows(cache->engine, cache->half, cache->half ? staged : first, cache->moved, total));
    if (cache->half)
        add_pairs(cache, n_pairs, first, staged, total);
    *next += total;
out:
    return rc;
}

int dun_text_cache_batch(dun_batch *batch, dun_text_cache *cache, const uint32_t *which, uint32_t n,
                         const int32_t *rows, uint32_t n_rows) {
    int rc = DUN_OK;
    uint32_t next = cache->scratch_row, n_pairs = 0;
    TRY(compute_missing(cache, which, n, &next, &n_pairs));
    TRY(bring_hosted(cache, which, n, &next, &n_pairs));
    for (uint32_t i = 0; i < n; i++)
        if (which[i] < cache->n_resident) {
            uint32_t start = cache->texts->start[which[i]], length = dun_texts_length(cache->texts, which[i]);
            cache->prefix[i] = cache->half ? next : cache->n_shared + start;
            if (cache->half) {
                add_pairs(cache, &n_pairs, next, start, length);
                next += length;
            }
        }
    if (n_pairs > 0)
        TRY(dun_engine_recall(cache->engine, cache->pairs, n_pairs));
    dun_batch_clear(batch);
    for (uint32_t i = 0; i < n; i++) {
        int32_t *ids = dun_batch_add_shared(batch, n_rows, dun_texts_n_shared(cache->texts, which[i]),
                                            cache->prefix[i], dun_texts_length(cache->texts, which[i]));
        memcpy(ids, rows, n_rows * sizeof *rows);
    }
out:
    dun_batch_clear(&cache->batch);
    return rc;
}
