/* The other ranks of a job as members of a session's team; and texts that no member owns, for which it is
 * asked once, shared out batch by batch. */
#include "session/session_inside.h"

#include "base/err.h"
#include "base/mem.h"
#include "config/paths.h"
#include "dev/kernel_text.h"
#include "ranks/ranks.h"
#include "session/rank.h"
#include "session/texts_wire.h"

#include <limits.h>
#include <string.h>

/* The session's config as the ranks get it: what auto chose here is what they take, and the model where it
 * is. */
static int write_config(dun_str *out, const dun_session *session) {
    int rc = DUN_OK;
    dun_config copy = {0};
    char path[PATH_MAX];
    TRY(dun_config_init(&copy));
    TRY(dun_config_write(out, session->config));
    TRY(dun_config_parse(&copy, out->bytes, out->length, "rank 0's config"));
    TRY(dun_path_absolute(path, sizeof path, dun_model_file_path(session->model)));
    TRY(dun_config_put(&copy, DUN_KEY_model_path, path, "rank 0"));
    TRY(dun_config_put(&copy, DUN_KEY_device_weights,
                       session->compute.tiles.half_weights &&
                               session->config->device.weights == DUN_WEIGHTS_F16
                           ? "f16"
                           : dun_weights_word(session->form),
                       "rank 0"));
    TRY(dun_config_put(&copy, DUN_KEY_device_precision, dun_gemm_precision_word(session->compute.gemm),
                       "rank 0"));
    dun_str_clear(out);
    TRY(dun_config_write(out, &copy));
out:
    dun_config_free(&copy);
    return rc;
}

int dun_rank_invitation(dun_str *out, const dun_session *session) {
    int rc = DUN_OK;
    dun_str config = {0};
    uint64_t kernels;
    const dun_prompt *prompt = &session->prompt;
    TRY(write_config(&config, session));
    TRY(dun_kernel_text_hash(&kernels));
    TRY(dun_wire_u32(out, session->engine.options.backward));
    TRY(dun_wire_text(out, config.bytes));
    TRY(dun_wire_u64(out, dun_model_file_fingerprint(session->model)));
    TRY(dun_wire_u64(out, kernels));
    TRY(dun_wire_u32(out, session->n_train));
    TRY(dun_wire_u32(out, prompt->n_prompts));
    TRY(dun_wire_u32(out, prompt->n_rows));
    TRY(dun_wire_u32(out, prompt->width));
    TRY(dun_wire_bytes(out, prompt->rows, dun_prompt_floats(prompt) * sizeof *prompt->rows));
    TRY(dun_texts_send_shared(out, &session->texts));
out:
    dun_str_free(&config);
    return rc;
}

/* "on a (2), b (2)" of rank 0's host and the others, in the order in which they come. */
static int describe_hosts(dun_str *out, uint32_t n) {
    int rc = DUN_OK;
    enum { MOST = 16 };
    uint32_t told = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t first = 0, count = 0;
        while (strcmp(dun_ranks_host(first), dun_ranks_host(i)) != 0)
            first++;
        for (uint32_t j = i; j < n; j++)
            count += strcmp(dun_ranks_host(j), dun_ranks_host(i)) == 0;
        if (first < i || told++ >= MOST)
            continue;
        TRY(dun_str_addf(out, "%s%s (%u)", told > 1 ? ", " : "", dun_ranks_host(i), count));
    }
    if (told > MOST)
        TRY(dun_str_addf(out, ", and %u more hosts", told - MOST));
out:
    return rc;
}

static dun_identity identity_of(const dun_session *session, uint32_t rank) {
    const dun_member *m = &session->team.members[rank];
    return m->kind->identity(m->self);
}

static int tell(const dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    dun_str hosts = {0};
    TRY(describe_hosts(&hosts, n));
    dun_observe_say(session->observer, "ranks     %u on %s", n, hosts.bytes ? hosts.bytes : "no host");
    for (uint32_t i = 1; i < n; i++) {
        const dun_identity other = identity_of(session, i);
        dun_observe_detail(session->observer, "rank %u    %s: %s, gemm %s, precision %s", i, other.host,
                           other.device->name, other.gemm, other.precision);
    }
    if (dun_session_names_several(session))
        dun_observe_say(session->observer,
                        "ranks     each takes one of the devices of device.use, by its number "
                        "on its host");
out:
    dun_str_free(&hosts);
    return rc;
}

/* Waits for all, in the order in which they come: the first that cannot be a member ends it. */
static int settle(dun_session *session, uint32_t n) {
    int rc = DUN_OK;
    uint32_t *waiting = NULL, left = 0;
    TRY_NEW(waiting, n);
    for (uint32_t i = 1; i < n; i++)
        waiting[left++] = i;
    while (left > 0) {
        const uint32_t at = dun_ranks_await(waiting, left);
        TRY(dun_rank_settle(session->team.members[waiting[at]].self, session));
        waiting[at] = waiting[--left];
    }
out:
    dun_free(waiting);
    return rc;
}

/* Processors are shared out among a host's ranks; another device would hold everything once for each. */
static int refuse_one_for_two(const dun_session *session, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const dun_device_info *mine = identity_of(session, i).device;
        for (uint32_t j = i + 1; j < n && mine->type != DUN_DEVICE_CPU; j++) {
            const dun_device_info *other = identity_of(session, j).device;
            if (dun_device_is_same(mine, other) && strcmp(dun_ranks_host(i), dun_ranks_host(j)) == 0)
                return dun_error(DUN_USAGE,
                                 "ranks %u and %u on %s have one device, %s; on devices that are no CPU each "
                                 "needs one of its own: start fewer ranks there, or name several devices in "
                                 "device.use (%s)",
                                 i, j, dun_ranks_host(i), mine->name,
                                 dun_config_origin(session->config, DUN_KEY_device_use));
        }
    }
    return DUN_OK;
}

int dun_session_gather_ranks(dun_session *session) {
    int rc = DUN_OK;
    const uint32_t n = dun_ranks_n();
    dun_team *team = &session->team;
    dun_str question = {0};
    dun_rank *rank;
    if (team->n == n)
        goto out;
    TRY(dun_rank_invitation(&question, session));
    for (uint32_t i = 1; i < n; i++) {
        TRY(dun_rank_invite(&rank, i, &question));
        TRY(dun_team_join(team, &dun_rank_kind, rank));
    }
    TRY(settle(session, n));
    TRY(refuse_one_for_two(session, n));
    TRY(tell(session, n));
out:
    dun_str_free(&question);
    return rc;
}

bool dun_session_shares_batches(const dun_session *session) {
    return session->team.n > 1 && !session->engine.options.backward;
}

/* Cuts texts into runs, one after another, of at most `most` texts: as many as all members take. How many of
 * them that are. */
static uint32_t cut(uint32_t *counts, const dun_session *session, const uint32_t *which, uint32_t first,
                    uint32_t n, uint32_t most) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < session->team.n; i++) {
        dun_session_load load = {0};
        while (done + load.texts < n && load.texts < most) {
            const uint32_t at = done + load.texts;
            if (!dun_session_load_takes(&load, session, which ? which[at] : first + at))
                break;
        }
        if (counts)
            counts[i] = load.texts;
        done += load.texts;
    }
    return done;
}

/* Texts for each member where all have as many; no more than it takes. */
static uint32_t even(const dun_session *session, uint32_t n) {
    const uint32_t members = session->team.n, most = session->engine.options.max_sequences / members;
    const uint32_t each = (n + members - 1) / members;
    return each < most ? each : most;
}

uint32_t dun_session_pass_shared(const dun_session *session, uint32_t first, uint32_t n) {
    return cut(NULL, session, NULL, first, n, even(session, n));
}

int dun_session_run_shared(dun_session *session, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    uint32_t *counts = NULL;
    TRY_NEW(counts, session->team.n);
    if (cut(counts, session, which, 0, n, even(session, n)) < n) /* long ones beside short ones */
        cut(counts, session, which, 0, n, session->engine.options.max_sequences / session->team.n);
    TRY(dun_team_run_texts(&session->team, &session->texts, which, counts));
out:
    dun_free(counts);
    return rc;
}
