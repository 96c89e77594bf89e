/* The texts of a session on its devices: memory for their keys and values, and several devices that share
 * them. */
#include "session/session_inside.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

/* Bytes for kept keys and values: on the device (auto: half of what it has left) and, of what the budget
 * allows beyond that, in the host's memory. A CPU device's memory is the host's: there all is on the device.
 */
static void budget_bytes(uint64_t *on_device, uint64_t *on_host, const dun_config *config,
                         const dun_device *device) {
    const dun_device_info *info = dun_device_describe(device);
    uint64_t used = dun_buffer_live_bytes();
    uint64_t left = info->memory_bytes > used ? info->memory_bytes - used : 0;
    bool shared = info->type == DUN_DEVICE_CPU || info->unified_memory;
    *on_device = *on_host = 0;
    if (config->device.cache_kv == DUN_CACHE_NO)
        return;
    if (config->device.cache_budget_mb == DUN_CONFIG_UNSET) {
        *on_device = left / 2;
        *on_host = shared ? 0 : dun_memory_free_bytes() / 2;
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

/* Makes a cache for texts on a device, and says how much is kept. */
static int create_cache(dun_text_cache *cache, const dun_session *session, dun_engine *engine,
                        const dun_texts *texts) {
    int rc = DUN_OK;
    uint64_t row_bytes =
        dun_engine_cache_bytes_per_row(dun_model_file_spec(session->model), &engine->options.point);
    if (session->config->device.cache_kv == DUN_CACHE_F16)
        row_bytes /= 2;
    dun_cache_room room = cache_room(session, engine->compute->device, texts, row_bytes);
    dun_text_cache_free(cache);
    TRY(dun_text_cache_create(cache, engine, texts, &room));
    tell_cache(session, cache, &room, row_bytes);
out:
    return rc;
}

/* Opens the other devices beside the first, with the same engine on each. */
static int gather_team(dun_session *session) {
    int rc = DUN_OK;
    char selector[256];
    const char *use = session->config->device.use;
    const dun_weight_source *source = dun_model_file_source(session->model);
    dun_team *team = &session->team;
    uint32_t n = 1;
    double begun = dun_clock_seconds();
    while (dun_device_selector(selector, sizeof selector, use, n))
        n++;
    TRY(dun_team_create(team, &session->template, &session->engine, n));
    for (uint32_t i = 1; i < n; i++) {
        dun_member *m = &team->members[i];
        dun_device_selector(selector, sizeof selector, use, i);
        TRY(dun_session_open_device(&m->device, &m->compute, session, selector));
        TRY(dun_engine_create(m->engine, &m->compute, dun_model_file_spec(session->model), source,
                              &session->engine.options));
    }
    TRY(dun_team_prepare(team));
out:
    if (rc < 0)
        dun_team_free(team);
    session->timings.load += dun_clock_seconds() - begun;
    return rc;
}

static int read_texts_as_team(dun_session *session) {
    int rc = DUN_OK;
    bool changed;
    dun_str shares = {0};
    dun_team *team = &session->team;
    if (team->n == 0)
        TRY(gather_team(session));
    TRY(dun_team_share(&changed, team, session->config->device.shares,
                       dun_config_origin(session->config, DUN_KEY_device_shares)));
    if (team->owner && !changed)
        goto out;
    TRY(dun_team_shares(&shares, team));
    dun_observe_say(session->observer, "devices   %u, which have %s of 100 texts", team->n, shares.bytes);
    TRY(dun_team_assign(team, &session->texts));
    bool whole = dun_session_runs_whole(session);
    for (uint32_t i = 0; i < team->n; i++) {
        dun_member *m = &team->members[i];
        if (whole)
            TRY(dun_text_cache_only_shared(m->engine, &m->texts));
        else
            TRY(create_cache(&m->cache, session, m->engine, &m->texts));
    }
    if (!whole)
        TRY(dun_team_fill(team, session->observer));
out:
    dun_str_free(&shares);
    return rc;
}

int dun_session_read_texts(dun_session *session) {
    int rc = DUN_OK;
    double begun = dun_clock_seconds();
    if (dun_session_runs_whole(session))
        dun_observe_say(session->observer,
                        "cache     none: the prompt stands before the text, so every step runs "
                        "whole sequences, forward and backward");
    if (dun_session_has_team(session)) {
        TRY(read_texts_as_team(session));
    } else if (!dun_session_runs_whole(session)) {
        TRY(create_cache(&session->cache, session, &session->engine, &session->texts));
        TRY(dun_text_cache_fill(&session->cache, session->observer));
    }
out:
    session->timings.texts += dun_clock_seconds() - begun;
    return rc;
}
