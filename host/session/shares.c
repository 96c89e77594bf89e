/* How the texts are shared out among a team's members: as the user says, or by how fast each turns out. */
#include "session/team.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Seconds that a member takes for as many prompts as a batch has, the best of three. */
static int measure(double *seconds, const dun_member *m) {
    int rc = DUN_OK;
    enum { ROUNDS = 3 };
    *seconds = 0.0;
    for (int round = 0; round <= ROUNDS; round++) { /* the first one warms up */
        double begun = dun_clock_seconds();
        TRY(m->kind->trial(m->self));
        TRY(m->kind->finish(m->self));
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

static int measure_shares(double *weight, const dun_team *team) {
    int rc = DUN_OK;
    for (uint32_t i = 0; i < team->n; i++) {
        double seconds;
        TRY(measure(&seconds, &team->members[i]));
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
