/* See team.h. Nothing here waits for a device before all have been given their work: queues run on their own,
 * so one thread is enough, and the order of every sum is that of the members. */
#include "session/team.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t point_floats(const dun_team *team) {
    return dun_engine_point_width(team->members[0].engine);
}

static size_t prompt_bytes(const dun_team *team) {
    return team->members[0].engine->prompt.bytes;
}

int dun_team_create(dun_team *team, const dun_template *template, dun_engine *first, uint32_t n) {
    int rc = DUN_OK;
    *team = (dun_team){.template = template};
    TRY_NEW(team->members, n);
    team->n = n;
    for (uint32_t i = 0; i < n; i++)
        team->members[i].engine = i == 0 ? first : &team->members[i].own_engine;
out:
    return rc;
}

static int prepare_member(dun_member *m) {
    int rc = DUN_OK;
    const dun_engine_options *o = &m->engine->options;
    TRY(dun_batch_create(&m->batch, o->max_sequences, o->max_rows));
    TRY_NEW(m->which, o->max_sequences);
    TRY_NEW(m->place, o->max_sequences);
    TRY(dun_engine_create_cache(m->engine, 0));
out:
    return rc;
}

int dun_team_prepare(dun_team *team) {
    int rc = DUN_OK;
    size_t n_sequences = team->members[0].engine->options.max_sequences;
    for (uint32_t i = 0; i < team->n; i++)
        TRY(prepare_member(&team->members[i]));
    TRY_NEW(team->points, n_sequences * point_floats(team));
    TRY_NEW(team->part, n_sequences * point_floats(team));
    TRY_PTR(team->prompt, dun_calloc(1, prompt_bytes(team)));
    TRY_PTR(team->gradient, dun_calloc(1, prompt_bytes(team)));
    TRY_PTR(team->others, dun_calloc(1, prompt_bytes(team)));
out:
    return rc;
}

static void free_member(dun_member *m) {
    dun_texts_free(&m->texts);
    dun_text_cache_free(&m->cache);
    dun_batch_free(&m->batch);
    dun_free(m->which);
    dun_free(m->place);
    dun_engine_free(&m->own_engine);
    dun_compute_free(&m->compute);
    dun_device_close(m->device);
}

void dun_team_free(dun_team *team) {
    for (uint32_t i = 0; team->members && i < team->n; i++)
        free_member(&team->members[i]);
    dun_free(team->members);
    dun_free(team->owner);
    dun_free(team->local);
    dun_free(team->points);
    dun_free(team->part);
    dun_free(team->prompt);
    dun_free(team->gradient);
    dun_free(team->others);
    *team = (dun_team){0};
}

static dun_device *device_of(const dun_member *m) {
    return m->engine->compute->device;
}

/* Seconds that a member takes for as many prompts as a batch has, the best of three. */
static int measure(double *seconds, dun_team *team, dun_member *m) {
    int rc = DUN_OK;
    enum { ROUNDS = 3 };
    uint32_t rows = dun_template_own_rows(team->template);
    *seconds = 0.0;
    dun_batch_clear(&m->batch);
    while (dun_batch_fits(&m->batch, rows)) {
        int32_t *ids = dun_batch_add(&m->batch, rows, 0, 0);
        for (uint32_t j = 0; j < rows; j++)
            ids[j] = -1 - (int32_t)(j % m->engine->options.max_prompt);
    }
    for (int round = 0; round <= ROUNDS; round++) { /* the first one warms up */
        double begun = dun_clock_seconds();
        TRY(dun_engine_points(m->engine, &m->batch));
        TRY(dun_device_finish(device_of(m)));
        double taken = dun_clock_seconds() - begun;
        if (round == 1 || (round > 1 && taken < *seconds))
            *seconds = taken;
    }
out:
    return rc;
}

/* Whole percents that add up to 100, of weights. */
static void to_percents(uint32_t *percent, const double *weight, uint32_t n) {
    double total = 0.0, before = 0.0;
    for (uint32_t i = 0; i < n; i++)
        total += weight[i];
    for (uint32_t i = 0; i < n; i++) {
        double after = before + weight[i];
        percent[i] = (uint32_t)(100.0 * after / total + 0.5) - (uint32_t)(100.0 * before / total + 0.5);
        before = after;
    }
}

/* The weights that device.shares names. */
static int read_shares(double *weight, const dun_team *team, const char *shares, const char *origin) {
    const char *at = shares;
    double total = 0.0;
    for (uint32_t i = 0; i < team->n; i++) {
        char *end;
        weight[i] = strtod(at, &end);
        total += weight[i];
        end += strspn(end, " ");
        if (end == at || !(weight[i] >= 0.0) || weight[i] > 1e6 || *end != (i + 1 < team->n ? ',' : '\0'))
            return dun_error(DUN_USAGE,
                             "%s: device.shares = %s: device.use names %u devices; as many numbers from 0 to "
                             "1000000 are needed, separated by commas, or auto",
                             origin, shares, team->n);
        at = end + 1;
    }
    if (!(total > 0.0))
        return dun_error(DUN_USAGE, "%s: device.shares = %s: no device has a share", origin, shares);
    return DUN_OK;
}

static int measure_shares(double *weight, dun_team *team) {
    int rc = DUN_OK;
    for (uint32_t i = 0; i < team->n; i++) {
        double seconds;
        TRY(measure(&seconds, team, &team->members[i]));
        weight[i] = 1.0 / (seconds + 1e-9);
    }
out:
    return rc;
}

int dun_team_share(bool *changed, dun_team *team, const char *shares, const char *origin) {
    int rc = DUN_OK;
    double *weight = NULL;
    uint32_t *percent = NULL;
    *changed = false;
    if (!shares[0] && team->has_shares) /* measured before */
        goto out;
    TRY_NEW(weight, team->n);
    TRY_NEW(percent, team->n);
    TRY(shares[0] ? read_shares(weight, team, shares, origin) : measure_shares(weight, team));
    to_percents(percent, weight, team->n);
    for (uint32_t i = 0; i < team->n; i++) {
        *changed |= percent[i] != team->members[i].share;
        team->members[i].share = percent[i];
    }
    team->has_shares = true;
out:
    dun_free(percent);
    dun_free(weight);
    return rc;
}

int dun_team_shares(dun_str *out, const dun_team *team) {
    int rc = DUN_OK;
    for (uint32_t i = 0; i < team->n; i++)
        TRY(dun_str_addf(out, "%s%u", i ? "," : "", team->members[i].share));
out:
    return rc;
}

/* The member that is furthest behind its share when it gets the next text. */
static uint32_t next_owner(const dun_team *team, uint32_t n_before) {
    uint32_t best = 0;
    double furthest = 0.0;
    for (uint32_t i = 0; i < team->n; i++) {
        double behind = team->members[i].share * (n_before + 1.0) / 100.0 - team->members[i].texts.n;
        if (i == 0 || behind > furthest) {
            best = i;
            furthest = behind;
        }
    }
    return best;
}

void dun_team_forget(dun_team *team) {
    for (uint32_t i = 0; i < team->n; i++) {
        dun_text_cache_free(&team->members[i].cache);
        dun_texts_free(&team->members[i].texts);
    }
    dun_free(team->owner);
    dun_free(team->local);
    team->owner = team->local = NULL;
}

int dun_team_assign(dun_team *team, const dun_texts *texts) {
    int rc = DUN_OK;
    dun_team_forget(team);
    TRY_NEW(team->owner, texts->n);
    TRY_NEW(team->local, texts->n);
    for (uint32_t i = 0; i < team->n; i++)
        TRY(dun_texts_begin_part(&team->members[i].texts, texts));
    for (uint32_t t = 0; t < texts->n; t++) {
        team->owner[t] = next_owner(team, t);
        dun_texts *own = &team->members[team->owner[t]].texts;
        team->local[t] = own->n;
        TRY(dun_texts_take(own, texts, t));
    }
out:
    return rc;
}

int dun_team_fill(dun_team *team, const dun_observer *observer) {
    int rc = DUN_OK;
    uint32_t total = 0, done;
    for (uint32_t i = 0; i < team->n; i++)
        total += dun_text_cache_kept(&team->members[i].cache);
    dun_observe_begin(observer, "reading texts", "texts", total);
    do {
        done = 0;
        for (uint32_t i = 0; i < team->n; i++)
            TRY(dun_text_cache_fill_some(&team->members[i].cache));
        for (uint32_t i = 0; i < team->n; i++) {
            TRY(dun_device_finish(device_of(&team->members[i])));
            done += team->members[i].cache.n_filled;
        }
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        dun_observe_advance(observer, done, NULL);
    } while (done < total);
out:
    dun_observe_end(observer);
    return rc;
}

static void cut(dun_team *team, const uint32_t *which, uint32_t n) {
    for (uint32_t i = 0; i < team->n; i++)
        team->members[i].n = 0;
    for (uint32_t i = 0; i < n; i++) {
        dun_member *m = &team->members[team->owner[which[i]]];
        m->place[m->n] = i;
        m->which[m->n++] = team->local[which[i]];
    }
}

/* Gives a member its texts to run. */
static int start(const dun_team *team, dun_member *m) {
    int rc = DUN_OK;
    const dun_template *t = team->template;
    if (m->n == 0)
        goto out;
    if (dun_template_is_prefix(t))
        dun_template_batch(&m->batch, t, &m->texts, m->which, m->n);
    else
        TRY(dun_text_cache_batch(&m->batch, &m->cache, m->which, m->n, t->tail.ids, t->tail.n));
    TRY(dun_engine_points(m->engine, &m->batch));
    TRY(dun_device_flush(device_of(m)));
out:
    return rc;
}

int dun_team_run(dun_team *team, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_member *first = &team->members[0];
    size_t D = point_floats(team), bytes = D * sizeof(float);
    cut(team, which, n);
    TRY(dun_buffer_read(team->prompt, &first->engine->prompt, 0, prompt_bytes(team)));
    for (uint32_t i = 1; i < team->n; i++)
        TRY(dun_buffer_write(&team->members[i].engine->prompt, 0, team->prompt, prompt_bytes(team)));
    for (uint32_t i = 0; i < team->n; i++)
        TRY(start(team, &team->members[i]));
    for (uint32_t i = 0; i < team->n; i++) {
        const dun_member *m = &team->members[i];
        if (m->n > 0)
            TRY(dun_buffer_read(team->part, dun_engine_point_buffer(m->engine), 0, m->n * bytes));
        for (uint32_t j = 0; j < m->n; j++)
            memcpy(team->points + m->place[j] * D, team->part + j * D, bytes);
    }
    TRY(dun_buffer_write(dun_engine_point_buffer(first->engine), 0, team->points, n * bytes));
out:
    return rc;
}

/* Gives a member its points' gradients to carry back. */
static int start_backward(dun_team *team, dun_member *m) {
    int rc = DUN_OK;
    size_t D = point_floats(team), bytes = D * sizeof(float);
    if (m->n == 0)
        goto out;
    for (uint32_t j = 0; j < m->n; j++)
        memcpy(team->part + j * D, team->points + m->place[j] * D, bytes);
    TRY(dun_buffer_write(dun_engine_point_gradient(m->engine), 0, team->part, m->n * bytes));
    TRY(dun_engine_backward(m->engine));
    TRY(dun_device_flush(device_of(m)));
out:
    return rc;
}

int dun_team_backward(dun_team *team, uint32_t n) {
    int rc = DUN_OK;
    dun_member *first = &team->members[0];
    size_t bytes = prompt_bytes(team), n_floats = bytes / sizeof(float);
    TRY(dun_buffer_read(team->points, dun_engine_point_gradient(first->engine), 0,
                        n * point_floats(team) * sizeof(float)));
    for (uint32_t i = 0; i < team->n; i++)
        TRY(start_backward(team, &team->members[i]));
    memset(team->gradient, 0, bytes);
    for (uint32_t i = 0; i < team->n; i++) {
        if (team->members[i].n == 0)
            continue;
        TRY(dun_buffer_read(team->others, &team->members[i].engine->d_prompt, 0, bytes));
        for (size_t j = 0; j < n_floats; j++)
            team->gradient[j] += team->others[j];
    }
    TRY(dun_buffer_write(&first->engine->d_prompt, 0, team->gradient, bytes));
out:
    return rc;
}

int dun_team_arithmetic(uint64_t *hash, const dun_team *team) {
    int rc = DUN_OK;
    dun_str text = {0};
    for (uint32_t i = 1; i < team->n; i++) {
        TRY(dun_str_addf(&text, "%s ", dun_gemm_name(team->members[i].compute.gemm)));
        TRY(dun_tiles_defines(&text, &team->members[i].compute.tiles));
    }
    *hash = dun_hash(DUN_HASH_START, text.bytes, text.length);
out:
    dun_str_free(&text);
    return rc;
}
