/* An engine as a team's member: memory for its texts' keys and values, its batches, and its way back. */
#include "session/session_inside.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ranks/ranks.h"

#include <stdio.h>

static size_t prompt_bytes(const dun_engine *engine) {
    return engine->prompt.bytes;
}

static size_t point_bytes(const dun_engine *engine, uint32_t n) {
    return (size_t)n * dun_engine_point_width(engine) * sizeof(float);
}

/* Of a device whose memory is the host's: what the limits of this process leave. A driver hands out pages
 * that are taken only when they are first written, so what its buffers may still take is not free either. */
static uint64_t host_left(uint64_t left, uint64_t used) {
    const dun_limits_source here = dun_limits_of_process();
    dun_memory_limit memory = dun_limits_memory(&here);
    uint64_t promised = memory.limit > used ? memory.limit - used : 0;
    if (memory.limit && promised < left)
        left = promised;
    return memory.limit && memory.free < left ? memory.free : left;
}

/* Bytes for kept keys and values: on the device (auto: half of what it has left) and, of what the budget
 * allows beyond that, in the host's memory. A CPU device's memory is the host's: there all is on the device.
 */
static void budget_bytes(uint64_t *on_device, uint64_t *on_host, const dun_config *config,
                         const dun_device *device) {
    const dun_device_info *info = dun_device_describe(device);
    uint64_t used = dun_buffer_live_bytes();
    uint64_t left = info->memory_bytes > used ? info->memory_bytes - used : 0;
    bool shared = dun_device_in_host_memory(info);
    *on_device = *on_host = 0;
    if (config->device.cache_kv == DUN_CACHE_NO)
        return;
    if (config->device.cache_budget_mb == DUN_CONFIG_UNSET) {
        const uint32_t ranks = dun_ranks_here(); /* all of which take from the same memory */
        *on_device = (shared ? host_left(left, used) / ranks : left) / 2;
        *on_host = shared ? 0 : host_left(UINT64_MAX, 0) / ranks / 2;
        return;
    }
    uint64_t budget = (uint64_t)config->device.cache_budget_mb << 20;
    *on_device = shared || budget < left / 10 * 9 ? budget : left / 10 * 9;
    *on_host = budget - *on_device;
}

static dun_cache_room cache_room(const dun_session *session, const dun_device *device, const dun_texts *texts,
                                 uint64_t row_bytes) {
    const dun_engine_options *options = &session->engine.options;
    uint64_t on_device, on_host;
    uint64_t largest = dun_device_describe(device)->largest_buffer_bytes;
    uint64_t most = largest / (row_bytes / options->point.n_blocks);
    budget_bytes(&on_device, &on_host, session->config, device);
    uint64_t rows = on_device / row_bytes;
    return (dun_cache_room){.device_rows = rows < most ? rows : most,
                            .host_rows = on_host / row_bytes,
                            .scratch_rows = (uint64_t)options->max_sequences * texts->longest,
                            .half = session->config->device.cache_kv == DUN_CACHE_F16};
}

static void tell_cache(const dun_session *session, const dun_text_cache *cache, const dun_cache_room *room,
                       uint64_t row_bytes) {
    const dun_texts *texts = cache->texts;
    uint32_t n = texts->n, kept = dun_text_cache_kept(cache);
    char hosted[64] = "";
    if (cache->n_hosted > 0)
        snprintf(hosted, sizeof hosted, ", %u of them in the host's memory", cache->n_hosted);
    dun_observe_say(
        session->observer, "cache     keys and values of %u of %u texts as %s: %.0f MB (budget %.0f MB)%s%s",
        kept, n, room->half ? "f16" : "f32", (double)(n ? texts->start[kept] : 0) * (double)row_bytes / 1e6,
        (double)(room->device_rows + room->host_rows) * (double)row_bytes / 1e6, hosted,
        kept == n    ? ""
        : room->half ? "; the others are computed again each time"
                     : "; the others are computed again each time (device.cache_kv = f16 keeps "
                       "twice as many)");
}

/* Makes the cache of a member's texts, and says how much is kept. */
static int create_cache(dun_local *local) {
    int rc = DUN_OK;
    const dun_session *session = local->session;
    dun_engine *engine = local->engine;
    uint64_t row_bytes =
        dun_engine_cache_bytes_per_row(dun_model_file_spec(session->model), &engine->options.point);
    if (session->config->device.cache_kv == DUN_CACHE_F16)
        row_bytes /= 2;
    dun_cache_room room = cache_room(session, engine->compute->device, local->texts, row_bytes);
    dun_text_cache_free(&local->cache);
    TRY(dun_text_cache_create(&local->cache, engine, local->texts, &room));
    tell_cache(session, &local->cache, &room, row_bytes);
out:
    return rc;
}

/* Room for the texts of one pass, of which none stays. */
static int create_passing(dun_local *local) {
    const dun_cache_room room = {.scratch_rows = local->engine->options.max_text_rows};
    return dun_text_cache_create(&local->cache, local->engine, local->texts, &room);
}

static int local_assign(uint32_t *n_kept, void *self, const dun_texts *texts, const uint32_t *mine,
                        uint32_t n) {
    int rc = DUN_OK;
    dun_local *local = self;
    *n_kept = 0;
    dun_text_cache_free(&local->cache);
    dun_texts_free(&local->part);
    local->texts = mine ? &local->part : texts;
    if (!texts)
        goto out;
    if (mine)
        TRY(dun_texts_begin_part(&local->part, texts));
    for (uint32_t i = 0; mine && i < n; i++)
        TRY(dun_texts_take(&local->part, texts, mine[i]));
    if (dun_session_runs_whole(local->session))
        TRY(dun_text_cache_only_shared(local->engine, local->texts));
    else
        TRY(dun_session_reads_as_asked(local->session) ? create_passing(local) : create_cache(local));
    *n_kept = dun_text_cache_kept(&local->cache);
out:
    return rc;
}

static int local_fill_some(uint32_t *n_filled, void *self) {
    dun_local *local = self;
    int rc = dun_text_cache_fill_some(&local->cache);
    *n_filled = local->cache.n_filled;
    return rc;
}

static int local_trial(void *self) {
    int rc = DUN_OK;
    dun_local *local = self;
    uint32_t rows = dun_template_own_rows(&local->session->template);
    if (!local->engine->cache)
        TRY(dun_engine_create_cache(local->engine, 0));
    dun_batch_clear(&local->batch);
    while (dun_batch_fits(&local->batch, rows)) {
        int32_t *ids = dun_batch_add(&local->batch, rows, 0, 0);
        for (uint32_t j = 0; j < rows; j++)
            ids[j] = -1 - (int32_t)(j % local->engine->options.max_prompt);
    }
    TRY(dun_engine_points(local->engine, &local->batch));
out:
    return rc;
}

static int local_start(void *self, const float *prompt, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_local *local = self;
    const dun_template *template = &local->session->template;
    if (prompt)
        TRY(dun_buffer_write(&local->engine->prompt, 0, prompt, prompt_bytes(local->engine)));
    if (dun_session_runs_whole(local->session))
        dun_template_batch(&local->batch, template, local->texts, which, n);
    else
        TRY(dun_text_cache_batch(&local->batch, &local->cache, which, n, template->tail.ids,
                                 template->tail.n));
    dun_batch_repeat(&local->batch, local->engine->options.prompts, local->engine->options.max_prompt);
    TRY(dun_engine_points(local->engine, &local->batch));
    TRY(dun_device_flush(local->engine->compute->device));
out:
    return rc;
}

uint32_t dun_local_texts(const dun_local *local) {
    return local->batch.n_sequences / local->engine->options.prompts;
}

static int local_points(float *points, void *self) {
    dun_local *local = self;
    return dun_buffer_read(points, dun_engine_point_buffer(local->engine), 0,
                           point_bytes(local->engine, dun_local_texts(local)));
}

static int local_start_backward(void *self, const float *d_points) {
    int rc = DUN_OK;
    dun_local *local = self;
    if (d_points)
        TRY(dun_buffer_write(dun_engine_point_gradient(local->engine), 0, d_points,
                             point_bytes(local->engine, dun_local_texts(local))));
    TRY(dun_engine_backward(local->engine));
    TRY(dun_device_flush(local->engine->compute->device));
out:
    return rc;
}

static int local_gradients(float *d_texts, void *self) {
    dun_local *local = self;
    return dun_buffer_read(d_texts, &local->engine->d_texts, 0,
                           dun_local_texts(local) * prompt_bytes(local->engine));
}

static int local_finish(void *self) {
    dun_local *local = self;
    return dun_device_finish(local->engine->compute->device);
}

dun_identity dun_identity_of(const dun_compute *compute) {
    return (dun_identity){.device = dun_device_describe(compute->device),
                          .gemm = dun_gemm_name(compute->gemm),
                          .precision = dun_gemm_precision(compute->gemm),
                          .precision_reason = dun_gemm_precision_reason(compute->gemm),
                          .reason = compute->reason,
                          .tiles = &compute->tiles};
}

static dun_identity local_identity(const void *self) {
    const dun_local *local = self;
    return dun_identity_of(local->engine->compute);
}

static void free_together(dun_local *first) {
    dun_buffer_free(&first->together);
    dun_buffer_free(&first->ends);
    dun_free(first->host_ends);
    first->host_ends = NULL;
}

static void local_free(void *self) {
    dun_local *local = self;
    free_together(local);
    dun_text_cache_free(&local->cache);
    dun_texts_free(&local->part);
    dun_batch_free(&local->batch);
    dun_engine_free(&local->own_engine);
    dun_shared_model_give_back(local->weights);
    dun_compute_free(&local->compute);
    dun_device_close(local->device);
    dun_free(local);
}

const dun_member_kind dun_local_kind = {
    .assign = local_assign,
    .fill_some = local_fill_some,
    .trial = local_trial,
    .start = local_start,
    .points = local_points,
    .start_backward = local_start_backward,
    .gradients = local_gradients,
    .finish = local_finish,
    .identity = local_identity,
    .free = local_free,
};

static int create_batch(dun_local *local) {
    const dun_engine_options *o = &local->engine->options;
    return dun_batch_create(&local->batch, o->max_sequences * o->prompts, o->max_rows);
}

int dun_local_create_first(dun_local **out, dun_session *session) {
    int rc = DUN_OK;
    TRY_PTR(*out, dun_calloc(1, sizeof **out));
    **out = (dun_local){.session = session, .engine = &session->engine};
    TRY(create_batch(*out));
out:
    if (rc < 0 && *out)
        local_free(*out);
    return rc;
}

int dun_local_create_other(dun_local **out, const dun_session *session, const char *selector) {
    int rc = DUN_OK;
    dun_local *local;
    TRY_PTR(local, dun_calloc(1, sizeof *local));
    local->session = session;
    local->engine = &local->own_engine;
    TRY(dun_session_open_device(&local->device, &local->compute, session, selector, 0));
    dun_engine_options options = session->engine.options;
    options.observer = NULL; /* the first device tells of the same */
    TRY(dun_shared_model_take(&local->weights, &local->compute, session->model, &options));
    options.loaded = dun_shared_model_weights(local->weights);
    TRY(dun_engine_create(local->engine, &local->compute, dun_model_file_spec(session->model),
                          dun_model_file_source(session->model), &options));
    TRY(create_batch(local));
out:
    if (rc < 0 && local)
        local_free(local);
    *out = local;
    return rc;
}

int dun_local_refit(bool *still_there, dun_local *local) {
    int rc = DUN_OK;
    dun_batch_free(&local->batch);
    TRY(dun_text_cache_refit(still_there, &local->cache));
    TRY(create_batch(local));
out:
    return rc;
}

static int home_prepare(void *self, const dun_team_sizes *sizes) {
    int rc = DUN_OK;
    dun_local *first = self;
    const size_t S = sizes->max_sequences, D = sizes->point_floats, P = sizes->prompt_floats;
    dun_device *device = first->engine->compute->device;
    free_together(first);
    TRY(dun_buffer_create(&first->together, device, S * (D > P ? D : P) * sizeof(float), "rows of a team"));
    TRY(dun_buffer_create(&first->ends, device, (S + 1) * sizeof(int32_t), "the order of a team's rows"));
    TRY_NEW(first->host_ends, S + 1);
out:
    return rc;
}

static int home_read_prompt(float *prompt, void *self) {
    const dun_engine *engine = ((dun_local *)self)->engine;
    return dun_buffer_read(prompt, &engine->prompt, 0, prompt_bytes(engine));
}

/* out (n, ...) = rows from[i] of `in`. */
static int pick(dun_local *first, dun_buffer *out, const dun_buffer *in, const int32_t *from, uint32_t n,
                size_t row_bytes) {
    int rc = DUN_OK;
    for (uint32_t i = 0; i < n; i++)
        first->host_ends[i + 1] = from[i] + 1;
    TRY(dun_buffer_write(&first->ends, 0, first->host_ends, (n + 1) * sizeof *first->host_ends));
    TRY(dun_engine_pick_rows(first->engine, out, in, &first->ends, n, (uint32_t)(row_bytes / sizeof(float))));
out:
    return rc;
}

/* Rows that are in place as the first ones, and the others', put in the batch's order. */
static int bring(dun_local *first, dun_buffer *rows, const dun_team_rows *all, size_t row_bytes) {
    int rc = DUN_OK;
    const size_t own = all->n_own * row_bytes;
    if (own > 0)
        TRY(dun_buffer_copy(&first->together, 0, rows, 0, own));
    TRY(dun_buffer_write(&first->together, own, all->others, (all->n - all->n_own) * row_bytes));
    TRY(pick(first, rows, &first->together, all->from, all->n, row_bytes));
out:
    return rc;
}

static int home_bring_points(void *self, const dun_team_rows *points) {
    dun_local *first = self;
    return bring(first, dun_engine_point_buffer(first->engine), points, point_bytes(first->engine, 1));
}

static int home_read_d_points(float *d_points, void *self, uint32_t n) {
    dun_engine *engine = ((dun_local *)self)->engine;
    return dun_buffer_read(d_points, dun_engine_point_gradient(engine), 0, point_bytes(engine, n));
}

static int home_leave_d_points(void *self, const int32_t *own, uint32_t n_own) {
    int rc = DUN_OK;
    dun_local *first = self;
    dun_buffer *d_points = dun_engine_point_gradient(first->engine);
    TRY(pick(first, &first->together, d_points, own, n_own, point_bytes(first->engine, 1)));
    TRY(dun_buffer_copy(d_points, 0, &first->together, 0, point_bytes(first->engine, n_own)));
out:
    return rc;
}

static int home_sum_d_texts(void *self, const dun_team_rows *d_texts) {
    int rc = DUN_OK;
    dun_local *first = self;
    TRY(bring(first, &first->engine->d_texts, d_texts, prompt_bytes(first->engine)));
    TRY(dun_engine_sum_texts(first->engine, d_texts->n));
out:
    return rc;
}

dun_home dun_local_home(dun_local *first) {
    return (dun_home){.self = first,
                      .prepare = home_prepare,
                      .read_prompt = home_read_prompt,
                      .bring_points = home_bring_points,
                      .read_d_points = home_read_d_points,
                      .leave_d_points = home_leave_d_points,
                      .sum_d_texts = home_sum_d_texts};
}
