/* The texts of a session on its devices: who computes, who has which texts, and their keys and values. */
#include "session/session_inside.h"

#include "base/clock.h"
#include "base/err.h"
#include "dev/pages.h"
#include "ranks/ranks.h"

static int prepare_team(dun_session *session) {
    const dun_engine *engine = &session->engine;
    return dun_team_prepare(
        &session->team, &(dun_team_sizes){.max_sequences = engine->options.max_sequences,
                                          .point_floats = dun_engine_point_width(engine),
                                          .prompt_floats = (uint32_t)(engine->prompt.bytes / sizeof(float))});
}

int dun_session_start_team(dun_session *session) {
    int rc = DUN_OK;
    TRY(dun_local_create_first(&session->first, session));
    const dun_home home = dun_local_home(session->first);
    dun_team_init(&session->team, &home);
    TRY(dun_team_add(&session->team, &dun_local_kind, session->first));
    TRY(prepare_team(session));
    if (dun_session_reads_as_asked(session))
        TRY(dun_team_assign(&session->team, &session->texts));
    if (session->engine.options.backward || dun_ranks_self() > 0 || dun_ranks_n() == 1)
        goto out;
    TRY(dun_session_gather_ranks(session));
    TRY(prepare_team(session));
out:
    return rc;
}

int dun_session_refit_team(dun_session *session) {
    int rc = DUN_OK;
    bool still_there;
    TRY(dun_team_keep(&session->team, 1)); /* the others are made again with the texts */
    TRY(dun_local_refit(&still_there, session->first));
    TRY(prepare_team(session));
    if (!still_there)
        TRY(dun_team_forget(&session->team));
out:
    return rc;
}

/* Who computes beside the first: the other ranks, or the other devices of device.use, with the same engine on
 * each. */
static int gather(dun_session *session) {
    int rc = DUN_OK;
    char selector[256];
    dun_team *team = &session->team;
    dun_local *local;
    uint32_t before = team->n;
    double begun = dun_clock_seconds();
    if (dun_ranks_n() > 1)
        TRY(dun_session_gather_ranks(session));
    while (dun_ranks_n() == 1 &&
           dun_device_selector(selector, sizeof selector, session->config->device.use, team->n)) {
        TRY(dun_local_create_other(&local, session, selector));
        TRY(dun_team_add(team, &dun_local_kind, local));
    }
    if (team->n > before)
        TRY(prepare_team(session));
out:
    session->timings.load += dun_clock_seconds() - begun;
    return rc;
}

/* How many texts each of several has. */
static int share(bool *changed, dun_session *session) {
    int rc = DUN_OK;
    dun_str shares = {0};
    dun_team *team = &session->team;
    *changed = false;
    if (team->n == 1)
        goto out;
    /* Shares of devices are none of ranks, of which another job has another number. */
    TRY(dun_team_share(changed, team, dun_ranks_n() > 1 ? "" : session->config->device.shares,
                       dun_config_origin(session->config, DUN_KEY_device_shares)));
    if (team->has_texts && !*changed)
        goto out;
    TRY(dun_team_shares(&shares, team));
    dun_observe_say(session->observer, "%s %u, which have %s of %u texts",
                    dun_ranks_n() > 1 ? "ranks    " : "devices  ", team->n, shares.bytes, team->whole);
out:
    dun_str_free(&shares);
    return rc;
}

int dun_session_read_texts(dun_session *session) {
    int rc = DUN_OK;
    bool changed;
    double begun = dun_clock_seconds();
    if (dun_session_runs_whole(session))
        dun_observe_say(session->observer,
                        "cache     none: the prompt stands before the text, so every step runs "
                        "whole sequences, forward and backward");
    TRY(gather(session));
    TRY(share(&changed, session));
    if (session->team.has_texts && !changed)
        goto out;
    TRY(dun_team_assign(&session->team, &session->texts));
    if (!dun_session_runs_whole(session))
        TRY(dun_team_fill(&session->team, session->observer));
    dun_pages_let_go_of_compilers();
out:
    session->timings.texts += dun_clock_seconds() - begun;
    return rc;
}

bool dun_session_load_takes(dun_session_load *load, const dun_session *session, uint32_t text) {
    const dun_engine_options *o = &session->engine.options;
    const bool whole = dun_session_runs_whole(session), read = !whole && !o->backward;
    const uint32_t length = dun_texts_length(&session->texts, text);
    const uint32_t rows = dun_template_own_rows(&session->template) + (whole ? length : 0);
    const dun_session_load next = {load->texts + 1, load->rows + rows * o->prompts,
                                   load->text_rows + (read ? length : 0)};
    if (next.texts > o->max_sequences || next.rows > o->max_rows || next.text_rows > o->max_text_rows)
        return false;
    *load = next;
    return true;
}

uint32_t dun_session_pass(const dun_session *session, uint32_t first, uint32_t n) {
    dun_session_load load = {0};
    if (dun_session_shares_batches(session))
        return dun_session_pass_shared(session, first, n);
    while (load.texts < n && dun_session_load_takes(&load, session, first + load.texts))
        ;
    return load.texts;
}

int dun_session_queue(dun_session *session, const char *text, size_t length) {
    return dun_texts_add(&session->texts, session->tokenizer, text, length, 0,
                         (uint32_t)session->config->data.max_length);
}

bool dun_session_queue_full(const dun_session *session) {
    return dun_session_pass(session, 0, session->texts.n) < session->texts.n;
}
