/* Members that train one prompt together; one alone is a team as well. Every text belongs to one of them;
 * each batch is cut by owner. All members run their texts at once; the points then come together where the
 * loss is computed, with centroids and optimisers of the whole batch, and so do the prompt's gradients of all
 * texts, which are summed there in blocks, in the batch's order. So neither which member finishes first nor
 * who has which text changes a bit. The first computes where the loss is: what it makes is not copied to the
 * host. */
#ifndef DUN_TEAM_H
#define DUN_TEAM_H

#include "base/observer.h"
#include "session/member.h"

/* What goes to and fro. */
typedef struct {
    uint32_t max_sequences;
    uint32_t point_floats;  /* D */
    uint32_t prompt_floats; /* P*C */
} dun_team_sizes;

/* A batch's rows that several members made, in the batch's order: row i is row from[i] of the first member's,
 * of which there are n_own, or, from n_own on, row from[i] - n_own of the others'. */
typedef struct {
    const float *others; /* (n - n_own, ...) */
    const int32_t *from; /* [n] */
    uint32_t n_own, n;
} dun_team_rows;

/* Where the loss of a batch is computed: on the first member's device, whose prompt, points and gradients are
 * in place there. Nothing but the two reads waits. */
typedef struct {
    void *self;
    /* Room for a team's batches; replaces earlier room. */
    int (*prepare)(void *self, const dun_team_sizes *sizes);
    int (*read_prompt)(float *prompt, void *self); /* (P, C) */
    /* The first member's points are there, as its first rows; leaves those of all. */
    int (*bring_points)(void *self, const dun_team_rows *points);
    int (*read_d_points)(float *d_points, void *self, uint32_t n); /* (n, D) */
    /* Of the points' gradients the rows `own`, [n_own], the first member's, become the first ones. */
    int (*leave_d_points)(void *self, const int32_t *own, uint32_t n_own);
    /* The same of the prompt's gradients of texts (n, P, C), and their sum. */
    int (*sum_d_texts)(void *self, const dun_team_rows *d_texts);
} dun_home;

typedef struct {
    dun_home home;
    dun_team_sizes sizes;
    dun_member *members; /* the first computes at home */
    size_t capacity;
    uint32_t n;
    uint32_t whole;          /* what the members' shares add up to */
    bool has_shares;         /* its members have theirs */
    bool has_texts;          /* every text has its owner */
    uint32_t *owner, *local; /* [texts] the member that has a text, and its number there; or NULL */
    float *prompt;           /* (P, C) */
    float *d_points;         /* (max_sequences, D) */
    float *others;           /* as many points or gradients of texts of the other members, and */
    int32_t *from;           /* [max_sequences] where those of all lie: dun_team_rows */
} dun_team;

void dun_team_init(dun_team *team, const dun_home *home);
void dun_team_free(dun_team *team);

/* Takes one more member, who is the team's to free, also after a failure. Its texts are taken from everybody.
 */
int dun_team_add(dun_team *team, const dun_member_kind *kind, void *self);

/* The same where each text goes to any member when it is run (dun_team_run_texts): nobody owns any. */
int dun_team_join(dun_team *team, const dun_member_kind *kind, void *self);

/* Lets all but the first n members go; if there were more, texts and shares are taken from those that stay.
 */
int dun_team_keep(dun_team *team, uint32_t n);

/* Room for batches and a prompt of these sizes; the members are all there. */
int dun_team_prepare(dun_team *team, const dun_team_sizes *sizes);

/* Shares of the texts for each member, percent for up to ten: what device.shares says ("61,39"), or, for ""
 * (auto), as fast as they turn out, once, to run a batch of prompts. `changed`: they were others before.
 * DUN_USAGE: not as many numbers as devices, or all of them are 0. */
int dun_team_share(bool *changed, dun_team *team, const char *shares, const char *origin);

/* The shares as device.shares takes them. */
int dun_team_shares(dun_str *out, const dun_team *team);

/* Gives every text its owner; takes all texts away. */
int dun_team_assign(dun_team *team, const dun_texts *texts);
int dun_team_forget(dun_team *team);

/* Seconds that a member takes for as many prompts as a batch has, the best of some rounds. */
int dun_member_measure(double *seconds, const dun_member_kind *kind, void *self);

/* A hash of how the members beyond the first compute: kernels and products. `alike`: just as the first does,
 * so that a team of any size gives the same bits. */
int dun_team_arithmetic(uint64_t *hash, bool *alike, const dun_team *team);

/* That hash for teams of 2, 3, ... n + 1 members who all compute as the first. */
int dun_team_arithmetic_alike(uint64_t *hashes, size_t n, const dun_team *team);

/* Computes the keys and values that the members keep, all of them at once. */
int dun_team_fill(dun_team *team, const dun_observer *observer);

/* Runs the prompt at home with n texts, 1 <= n; their points (n, D) are then at home. `prompt`: the same on
 * the host, where it is known, so that nobody waits for it; or NULL. */
int dun_team_run(dun_team *team, const float *prompt, const uint32_t *which, uint32_t n);

/* The same with texts that nobody owns, `which` of `texts`, of which each member takes as many as `counts`
 * says, one after another. The first has the texts of `texts` as its own. */
int dun_team_run_texts(dun_team *team, const dun_texts *texts, const uint32_t *which, const uint32_t *counts);

/* The way back of the n points that dun_team_run left, from their gradient (n, D) at home: leaves the
 * gradient of the prompt there. */
int dun_team_backward(dun_team *team, uint32_t n);

#endif
