/* How the texts are shared out among a team's members: as the user says, or by how fast each turns out. */
#include "session/team.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The best of three. */
int dun_member_measure(double *seconds, const dun_member_kind *kind, void *self) {
    int rc = DUN_OK;
    enum { ROUNDS = 3 };
    *seconds = 0.0;
    for (int round = 0; round <= ROUNDS; round++) { /* the first one warms up */
        double begun = dun_clock_seconds();
        TRY(kind->trial(self));
        TRY(kind->finish(self));
        double taken = dun_clock_seconds() - begun;
        if (round == 1 || (round > 1 && taken < *seconds))
            *seconds = taken;
    }
out:
    return rc;
}

/* Whole parts that add up to `whole`, of weights. */
static void to_parts(uint32_t *part, uint32_t whole, const double *weight, uint32_t n) {
    double total = 0.0, before = 0.0;
    for (uint32_t i = 0; i < n; i++)
        total += weight[i];
    for (uint32_t i = 0; i < n; i++) {
        double after = before + weight[i];
        part[i] = (uint32_t)(whole * after / total + 0.5) - (uint32_t)(whole * before / total + 0.5);
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

/* Ranks of one kind differ by what else their hosts do at the moment, which is no reason to share unevenly.
 */
static void make_even(double *weight, uint32_t n) {
    double least = weight[0], most = weight[0];
    for (uint32_t i = 1; i < n; i++) {
        least = weight[i] < least ? weight[i] : least;
        most = weight[i] > most ? weight[i] : most;
    }
    for (uint32_t i = 0; i < n && most < 1.15 * least; i++)
        weight[i] = 1.0;
}

static int measure_shares(double *weight, const dun_team *team) {
    int rc = DUN_OK;
    double seconds;
    bool apart = false;
    for (uint32_t i = 0; i < team->n; i++)
        if (team->members[i].kind->tried)
            TRY(team->members[i].kind->trial(team->members[i].self));
    for (uint32_t i = 0; i < team->n; i++) {
        const dun_member *m = &team->members[i];
        TRY(m->kind->tried ? m->kind->tried(&seconds, m->self)
                           : dun_member_measure(&seconds, m->kind, m->self));
        weight[i] = 1.0 / (seconds + 1e-9);
        apart |= m->kind->tried != NULL;
    }
    if (apart)
        make_even(weight, team->n);
out:
    return rc;
}

int dun_team_share(bool *changed, dun_team *team, const char *shares, const char *origin) {
    int rc = DUN_OK;
    double *weight = NULL;
    uint32_t *part = NULL;
    const uint32_t whole = team->n <= 10 ? 100 : 100 * team->n;
    *changed = false;
    if (!shares[0] && team->has_shares) /* measured before */
        goto out;
    TRY_NEW(weight, team->n);
    TRY_NEW(part, team->n);
    TRY(shares[0] ? read_shares(weight, team, shares, origin) : measure_shares(weight, team));
    team->whole = whole;
    to_parts(part, whole, weight, team->n);
    for (uint32_t i = 0; i < team->n; i++) {
        *changed |= part[i] != team->members[i].share;
        team->members[i].share = part[i];
    }
    team->has_shares = true;
out:
    dun_free(part);
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
