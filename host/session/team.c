/* A team's batches: cut by owner, run, brought together. Nothing here waits for a member before all have been
 * given their work, so one thread is enough, and every sum has the order of the batch. */
#include "session/team.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

void dun_team_init(dun_team *team, const dun_home *home) {
    *team = (dun_team){.home = *home};
}

static void free_exchange(dun_team *team) {
    for (uint32_t i = 0; i < team->n; i++) {
        dun_free(team->members[i].which);
        dun_free(team->members[i].place);
        team->members[i].which = team->members[i].place = NULL;
    }
    dun_free(team->prompt);
    dun_free(team->d_points);
    dun_free(team->others);
    dun_free(team->from);
    team->prompt = team->d_points = team->others = NULL;
    team->from = NULL;
}

static void free_owners(dun_team *team) {
    dun_free(team->owner);
    dun_free(team->local);
    team->owner = team->local = NULL;
    team->has_texts = false;
}

void dun_team_free(dun_team *team) {
    free_exchange(team);
    free_owners(team);
    for (uint32_t i = 0; i < team->n; i++)
        team->members[i].kind->free(team->members[i].self);
    dun_free(team->members);
    *team = (dun_team){0};
}

int dun_team_join(dun_team *team, const dun_member_kind *kind, void *self) {
    int rc = DUN_OK;
    TRY_GROW(team->members, team->capacity, team->n);
    team->members[team->n++] = (dun_member){.kind = kind, .self = self};
    team->has_shares = false;
    self = NULL;
out:
    if (self)
        kind->free(self);
    return rc;
}

int dun_team_add(dun_team *team, const dun_member_kind *kind, void *self) {
    const int rc = dun_team_forget(team);
    if (rc < 0)
        kind->free(self);
    return rc < 0 ? rc : dun_team_join(team, kind, self);
}

int dun_team_keep(dun_team *team, uint32_t n) {
    int rc = DUN_OK;
    if (team->n <= n)
        goto out;
    TRY(dun_team_forget(team));
    free_exchange(team);
    while (team->n > n) {
        team->n--;
        team->members[team->n].kind->free(team->members[team->n].self);
    }
    team->has_shares = false;
out:
    return rc;
}

int dun_team_prepare(dun_team *team, const dun_team_sizes *sizes) {
    int rc = DUN_OK;
    size_t S = sizes->max_sequences, D = sizes->point_floats, prompt = sizes->prompt_floats;
    free_exchange(team);
    team->sizes = *sizes;
    if (team->n == 1)
        goto out;
    for (uint32_t i = 0; i < team->n; i++) {
        TRY_NEW(team->members[i].which, sizes->max_sequences);
        TRY_NEW(team->members[i].place, sizes->max_sequences);
    }
    TRY_NEW(team->prompt, prompt);
    TRY_NEW(team->d_points, S * D);
    TRY_NEW(team->others, S * (D > prompt ? D : prompt));
    TRY_NEW(team->from, S);
    TRY(team->home.prepare(team->home.self, sizes));
out:
    return rc;
}

/* The member that is furthest behind its share when it gets the next text. */
static uint32_t next_owner(const dun_team *team, uint32_t n_before) {
    uint32_t best = 0;
    double furthest = 0.0;
    for (uint32_t i = 0; i < team->n; i++) {
        double behind = team->members[i].share * (n_before + 1.0) / team->whole - team->members[i].n_texts;
        if (i == 0 || behind > furthest) {
            best = i;
            furthest = behind;
        }
    }
    return best;
}

int dun_team_forget(dun_team *team) {
    int rc = DUN_OK;
    free_owners(team);
    for (uint32_t i = 0; i < team->n; i++) {
        dun_member *m = &team->members[i];
        m->n_texts = 0;
        TRY(m->kind->assign(&m->n_kept, m->self, NULL, NULL, 0));
    }
out:
    return rc;
}

/* Deals the texts out, and tells every member which are its own. */
static int deal(dun_team *team, const dun_texts *texts) {
    int rc = DUN_OK;
    uint32_t *mine = NULL;
    TRY_NEW(team->owner, texts->n);
    TRY_NEW(team->local, texts->n);
    TRY_NEW(mine, texts->n);
    for (uint32_t t = 0; t < texts->n; t++) {
        team->owner[t] = next_owner(team, t);
        team->local[t] = team->members[team->owner[t]].n_texts++;
    }
    for (uint32_t i = 0; i < team->n; i++) {
        dun_member *m = &team->members[i];
        for (uint32_t t = 0; t < texts->n; t++)
            if (team->owner[t] == i)
                mine[team->local[t]] = t;
        TRY(m->kind->assign(&m->n_kept, m->self, texts, mine, m->n_texts));
    }
out:
    dun_free(mine);
    return rc;
}

int dun_team_assign(dun_team *team, const dun_texts *texts) {
    int rc = DUN_OK;
    dun_member *first = &team->members[0];
    TRY(dun_team_forget(team));
    if (team->n > 1)
        TRY(deal(team, texts));
    else
        TRY(first->kind->assign(&first->n_kept, first->self, texts, NULL, texts->n));
    team->has_texts = true;
out:
    return rc;
}

int dun_team_fill(dun_team *team, const dun_observer *observer) {
    int rc = DUN_OK;
    uint32_t total = 0, done = 0, filled;
    for (uint32_t i = 0; i < team->n; i++)
        total += team->members[i].n_kept;
    dun_observe_begin(observer, "reading texts", "texts", total);
    while (done < total) {
        done = 0;
        for (uint32_t i = 0; i < team->n; i++) {
            TRY(team->members[i].kind->fill_some(&filled, team->members[i].self));
            done += filled;
        }
        for (uint32_t i = 0; i < team->n; i++)
            TRY(team->members[i].kind->finish(team->members[i].self));
        if (dun_interrupted())
            TRY(dun_error(DUN_INTERRUPTED, "interrupted"));
        dun_observe_advance(observer, done, NULL);
    }
out:
    dun_observe_end(observer);
    return rc;
}

/* The batch's texts by owner, and where each one's rows lie: the first member's, then those of the next. */
static void cut(dun_team *team, const uint32_t *which, uint32_t n) {
    assert(n <= team->sizes.max_sequences);
    for (uint32_t i = 0; i < team->n; i++)
        team->members[i].n = 0;
    for (uint32_t i = 0; i < n; i++) {
        dun_member *m = &team->members[team->owner[which[i]]];
        m->place[m->n] = i;
        m->which[m->n++] = team->local[which[i]];
    }
    int32_t row = 0;
    for (uint32_t i = 0; i < team->n; i++)
        for (uint32_t j = 0; j < team->members[i].n; j++)
            team->from[team->members[i].place[j]] = row++;
}

/* Waits for the rows of the others, one after another: points, or gradients of texts. */
static int gather(dun_team *team, bool gradients) {
    int rc = DUN_OK;
    float *rows = team->others;
    for (uint32_t i = 1; i < team->n; i++) {
        const dun_member *m = &team->members[i];
        if (m->n == 0)
            continue;
        TRY(gradients ? m->kind->gradients(rows, m->self) : m->kind->points(rows, m->self));
        rows += (size_t)m->n * (gradients ? team->sizes.prompt_floats : team->sizes.point_floats);
    }
out:
    return rc;
}

static int run_apart(dun_team *team, const float *prompt, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    cut(team, which, n);
    const bool others = team->members[0].n < n;
    if (others && !prompt) {
        TRY(team->home.read_prompt(team->prompt, team->home.self));
        prompt = team->prompt;
    }
    for (uint32_t i = team->n; i-- > 0;) { /* the first at the end: what the others get has a way to go */
        const dun_member *m = &team->members[i];
        if (m->n > 0)
            TRY(m->kind->start(m->self, i == 0 ? NULL : prompt, m->which, m->n));
    }
    if (!others)
        goto out;
    TRY(gather(team, false));
    TRY(team->home.bring_points(team->home.self,
                                &(dun_team_rows){team->others, team->from, team->members[0].n, n}));
out:
    return rc;
}

int dun_team_run(dun_team *team, const float *prompt, const uint32_t *which, uint32_t n) {
    const dun_member *first = &team->members[0];
    return team->n > 1 ? run_apart(team, prompt, which, n) : first->kind->start(first->self, NULL, which, n);
}

int dun_team_run_texts(dun_team *team, const dun_texts *texts, const uint32_t *which,
                       const uint32_t *counts) {
    int rc = DUN_OK;
    uint32_t n = counts[0];
    for (uint32_t i = 0; i < team->n; i++)
        team->members[i].n = counts[i];
    for (uint32_t i = 1; i < team->n; n += counts[i++]) {
        const dun_member *m = &team->members[i];
        if (m->n > 0)
            TRY(m->kind->start_texts(m->self, texts, which + n, m->n));
    }
    assert(n <= team->sizes.max_sequences);
    if (counts[0] > 0)
        TRY(team->members[0].kind->start(team->members[0].self, NULL, which, counts[0]));
    if (counts[0] == n)
        goto out;
    for (uint32_t i = 0; i < n; i++)
        team->from[i] = (int32_t)i;
    TRY(gather(team, false));
    TRY(team->home.bring_points(team->home.self, &(dun_team_rows){team->others, team->from, counts[0], n}));
out:
    return rc;
}

/* Gives one of the others its points' gradients to carry back. */
static int start_backward(dun_team *team, const dun_member *m) {
    size_t D = team->sizes.point_floats;
    for (uint32_t j = 0; j < m->n; j++)
        memcpy(team->others + j * D, team->d_points + m->place[j] * D, D * sizeof(float));
    return m->n > 0 ? m->kind->start_backward(m->self, team->others) : DUN_OK;
}

static int backward_apart(dun_team *team, uint32_t n) {
    int rc = DUN_OK;
    const dun_home *home = &team->home;
    const dun_member *first = &team->members[0];
    const bool others = first->n < n;
    if (others)
        TRY(home->read_d_points(team->d_points, home->self, n));
    for (uint32_t i = 1; i < team->n; i++)
        TRY(start_backward(team, &team->members[i]));
    if (others && first->n > 0)
        TRY(home->leave_d_points(home->self, (const int32_t *)first->place, first->n));
    if (first->n > 0)
        TRY(first->kind->start_backward(first->self, NULL));
    if (!others)
        goto out;
    TRY(gather(team, true));
    TRY(home->sum_d_texts(home->self, &(dun_team_rows){team->others, team->from, first->n, n}));
out:
    return rc;
}

int dun_team_backward(dun_team *team, uint32_t n) {
    const dun_member *first = &team->members[0];
    return team->n > 1 ? backward_apart(team, n) : first->kind->start_backward(first->self, NULL);
}

static int add_arithmetic(dun_str *text, const dun_member *member) {
    int rc = DUN_OK;
    const dun_identity identity = member->kind->identity(member->self);
    TRY(dun_str_addf(text, "%s ", identity.gemm));
    if (strcmp(identity.precision, "f32") != 0)
        TRY(dun_str_addf(text, "%s ", identity.precision));
    TRY(dun_tiles_defines(text, identity.tiles, DUN_CUT_ALL));
out:
    return rc;
}

int dun_team_arithmetic(uint64_t *hash, bool *alike, const dun_team *team) {
    int rc = DUN_OK;
    dun_str first = {0}, text = {0};
    TRY(add_arithmetic(&first, &team->members[0]));
    *alike = true;
    for (uint32_t i = 1; i < team->n; i++) {
        const size_t before = text.length;
        TRY(add_arithmetic(&text, &team->members[i]));
        *alike &= text.length - before == first.length && strcmp(text.bytes + before, first.bytes) == 0;
    }
    *hash = dun_hash(DUN_HASH_START, text.bytes, text.length);
out:
    dun_str_free(&text);
    dun_str_free(&first);
    return rc;
}

int dun_team_arithmetic_alike(uint64_t *hashes, size_t n, const dun_team *team) {
    int rc = DUN_OK;
    dun_str text = {0};
    for (size_t i = 0; i < n; i++) {
        TRY(add_arithmetic(&text, &team->members[0]));
        hashes[i] = dun_hash(DUN_HASH_START, text.bytes, text.length);
    }
out:
    dun_str_free(&text);
    return rc;
}
