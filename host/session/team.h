/* Several devices that train one prompt together. Every text belongs to one of them, which keeps its keys and
 * values; each batch is cut by owner. All devices run their texts at once; the points then come together on
 * the first one, whose loss, centroids and optimisers are those of the whole batch, and the prompt's gradient
 * is the sum of the devices' in their order. So nothing depends on which device finishes first. */
#ifndef DUN_TEAM_H
#define DUN_TEAM_H

#include "nn/engine.h"
#include "session/template.h"
#include "session/textcache.h"

typedef struct {
    dun_engine *engine;    /* of the first member: the session's, borrowed; of the others: */
    dun_engine own_engine; /* the member's own, */
    dun_compute compute;   /* and what it stands on */
    dun_device *device;
    dun_texts texts;      /* those that are its own */
    dun_text_cache cache; /* their keys and values; empty where whole sequences are run */
    dun_batch batch;
    uint32_t share;  /* of 100 texts */
    uint32_t n;      /* its part of the batch: */
    uint32_t *which; /* [max_sequences] indices into `texts` */
    uint32_t *place; /* [max_sequences] and places in the batch */
} dun_member;

typedef struct {
    dun_member *members;
    uint32_t n;      /* 0: one device does everything */
    bool has_shares; /* its members have theirs */
    const dun_template *template;
    uint32_t *owner, *local;           /* [texts] the member that has a text, and its index there; or NULL */
    float *points, *part;              /* (max_sequences, D) the batch's points or gradients; a member's */
    float *prompt, *gradient, *others; /* (P, C) */
} dun_team;

/* A team of n members, the first with an engine that is there already and has no texts in its cache. The
 * caller opens device, compute and engine of the others, in place, then prepares the team; the team frees
 * them. */
int dun_team_create(dun_team *team, const dun_template *template, dun_engine *first, uint32_t n);
int dun_team_prepare(dun_team *team);
void dun_team_free(dun_team *team);

/* Percent of the texts for each member: what device.shares says ("61,39"), or, for "" (auto), as fast as they
 * turn out, once, to run a batch of prompts. `changed`: they were others before. DUN_USAGE: not as many
 * numbers as devices, or all of them are 0. */
int dun_team_share(bool *changed, dun_team *team, const char *shares, const char *origin);

/* The shares as device.shares takes them. */
int dun_team_shares(dun_str *out, const dun_team *team);

/* Gives every text its owner; takes all texts away. */
int dun_team_assign(dun_team *team, const dun_texts *texts);
void dun_team_forget(dun_team *team);

/* A hash of how the members beyond the first compute: kernels and products. */
int dun_team_arithmetic(uint64_t *hash, const dun_team *team);

/* Computes the keys and values that the members keep, all devices at once. Their caches are made. */
int dun_team_fill(dun_team *team, const dun_observer *observer);

/* Runs the prompt in the first engine with n texts; their points (n, D) are then in its point buffer. */
int dun_team_run(dun_team *team, const uint32_t *which, uint32_t n);

/* The way back of the points that dun_team_run left, from their gradient (n, D) in the first engine's buffer
 * for it: leaves the gradient of the prompt in its d_prompt. */
int dun_team_backward(dun_team *team, uint32_t n);

#endif
