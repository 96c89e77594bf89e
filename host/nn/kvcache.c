/* Memory for the keys and values of texts, and their way between single and half precision and the host; see
 * engine.h and host/kernels/cache.cl. */
#include "base/err.h"
#include "base/mem.h"
#include "nn/engine_inside.h"

#include <assert.h>

static uint32_t kv_columns(const dun_spec *spec) {
    return 2 * spec->n_kv_heads * spec->head_dim;
}

static size_t row_bytes(const dun_engine *engine, bool kept) {
    return kv_columns(&engine->model.spec) * (kept ? sizeof(uint16_t) : sizeof(float));
}

uint64_t dun_engine_cache_bytes_per_row(const dun_spec *spec, const dun_point_spec *point) {
    return (uint64_t)point->n_blocks * kv_columns(spec) * sizeof(float);
}

static void free_layers(dun_buffer **layers, uint32_t *rows, uint32_t n_blocks) {
    for (uint32_t i = 0; *layers && i < n_blocks; i++)
        dun_buffer_free(&(*layers)[i]);
    dun_free(*layers);
    *layers = NULL;
    *rows = 0;
}

void dun_engine_free_cache(dun_engine *engine) {
    free_layers(&engine->cache, &engine->cache_rows, engine->options.point.n_blocks);
    free_layers(&engine->kept, &engine->kept_rows, engine->options.point.n_blocks);
    dun_buffer_free(&engine->recalled);
}

/* One buffer a layer: none is larger than it must be for a device's largest. */
static int create_layers(dun_buffer **layers, dun_engine *engine, size_t bytes, const char *what) {
    int rc = DUN_OK;
    TRY_NEW(*layers, engine->options.point.n_blocks);
    for (uint32_t i = 0; i < engine->options.point.n_blocks; i++)
        TRY(dun_buffer_create(&(*layers)[i], engine->compute->device, bytes, what));
out:
    return rc;
}

int dun_engine_create_cache(dun_engine *engine, uint32_t rows) {
    int rc = DUN_OK;
    dun_engine_free_cache(engine);
    TRY(create_layers(&engine->cache, engine, rows * row_bytes(engine, false),
                      "the cache of keys and values of one layer"));
    engine->cache_rows = rows;
out:
    if (rc < 0)
        dun_engine_free_cache(engine);
    return rc;
}

int dun_engine_create_kept(dun_engine *engine, uint32_t rows) {
    int rc = DUN_OK;
    assert(engine->cache && !engine->kept);
    TRY(create_layers(&engine->kept, engine, rows * row_bytes(engine, true),
                      "the kept keys and values of one layer"));
    TRY(dun_buffer_create(&engine->recalled, engine->compute->device,
                          (size_t)engine->cache_rows * 2 * sizeof(int32_t), "the rows to recall"));
    engine->kept_rows = rows;
out:
    if (rc < 0)
        dun_engine_free_cache(engine);
    return rc;
}

int dun_engine_keep(dun_engine *engine, uint32_t kept_row, uint32_t cache_row, uint32_t n) {
    int rc = DUN_OK;
    assert(n <= engine->kept_rows - kept_row && n <= engine->cache_rows - cache_row);
    for (uint32_t i = 0; i < engine->options.point.n_blocks; i++)
        TRY(DUN_LAUNCH(dun_compute_kernel(engine->compute, &dun_nn_kernels, DUN_K_kv_keep),
                       dun_rows(engine->compute, n), DUN_BUF(engine->kept[i]), DUN_BUF(engine->cache[i]),
                       DUN_INT(kept_row), DUN_INT(cache_row), DUN_INT(kv_columns(&engine->model.spec))));
out:
    return rc;
}

int dun_engine_recall(dun_engine *engine, const int32_t *pairs, uint32_t n) {
    int rc = DUN_OK;
    assert(n <= engine->cache_rows);
    TRY(dun_buffer_write(&engine->recalled, 0, pairs, (size_t)n * 2 * sizeof *pairs));
    for (uint32_t i = 0; i < engine->options.point.n_blocks; i++)
        TRY(DUN_LAUNCH(dun_compute_kernel(engine->compute, &dun_nn_kernels, DUN_K_kv_recall),
                       dun_rows(engine->compute, n), DUN_BUF(engine->cache[i]), DUN_BUF(engine->kept[i]),
                       DUN_BUF(engine->recalled), DUN_INT(kv_columns(&engine->model.spec))));
out:
    return rc;
}

int dun_engine_read_rows(void *rows, dun_engine *engine, bool kept, uint32_t row, uint32_t n) {
    int rc = DUN_OK;
    size_t bytes = row_bytes(engine, kept);
    for (uint32_t i = 0; i < engine->options.point.n_blocks; i++)
        TRY(dun_buffer_read((char *)rows + i * n * bytes, kept ? &engine->kept[i] : &engine->cache[i],
                            row * bytes, n * bytes));
out:
    return rc;
}

int dun_engine_write_rows(dun_engine *engine, bool kept, uint32_t row, const void *rows, uint32_t n) {
    int rc = DUN_OK;
    size_t bytes = row_bytes(engine, kept);
    for (uint32_t i = 0; i < engine->options.point.n_blocks; i++)
        TRY(dun_buffer_write(kept ? &engine->kept[i] : &engine->cache[i], row * bytes,
                             (const char *)rows + i * n * bytes, n * bytes));
out:
    return rc;
}
