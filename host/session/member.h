/* What a team asks of one of its members, wherever that computes: on a device of this process (local.h), or
 * behind anything that can carry prompts, points and gradients to and fro. A member owns texts, and their
 * keys and values never leave it. Functions that start something do not wait for it; those that hand
 * something over do. So a team gives all members their work before it waits for any. */
#ifndef DUN_MEMBER_H
#define DUN_MEMBER_H

#include "base/str.h"
#include "nn/kernels.h"
#include "session/texts.h"

/* Where a member computes, and how: who differs in nothing here computes the same bits. Stays the member's.
 */
typedef struct {
    const dun_device_info *device;
    const char *gemm, *precision, *precision_reason, *reason; /* of the tiles */
    const dun_tiles *tiles;
    const char *host; /* NULL: this process */
} dun_identity;

dun_identity dun_identity_of(const dun_compute *compute);

typedef struct {
    /* Its texts from now on: the n of `texts` with the indices `mine`, in that order, or, for NULL, all of
     * them, with those that are added later. Texts are 0, 1, ... for it from then on. `n_kept`: texts whose
     * keys and values it will keep. `texts` NULL: it has none any more. */
    int (*assign)(uint32_t *n_kept, void *self, const dun_texts *texts, const uint32_t *mine, uint32_t n);

    /* Starts to compute keys and values of some more texts that are kept; `n_filled`: those begun so far. */
    int (*fill_some)(uint32_t *n_filled, void *self);

    /* Starts a batch of prompts after no text, as large as they come, to see how long that takes. */
    int (*trial)(void *self);

    /* How many seconds that took there, waited for; all such members try at once. NULL: whoever wants to know
     * waits with `finish` and looks at the clock. */
    int (*tried)(double *seconds, void *self);

    /* Starts the prompt (P, C) after n of its texts, 1 <= n. NULL: the prompt is in place. */
    int (*start)(void *self, const float *prompt, const uint32_t *which, uint32_t n);

    /* Starts the prompt in place there after n texts that it does not own, `which` of `texts`. NULL: it
     * cannot, as the members of a team that trains. */
    int (*start_texts)(void *self, const dun_texts *texts, const uint32_t *which, uint32_t n);

    /* The points (n, D) of what was started. */
    int (*points)(float *points, void *self);

    /* Starts the way back from the gradient (n, D) of the points; NULL: it is in place. */
    int (*start_backward)(void *self, const float *d_points);

    /* The prompt's gradients (n, P, C), one of each text. */
    int (*gradients)(float *d_texts, void *self);

    /* Waits until everything that was started is done. */
    int (*finish)(void *self);

    dun_identity (*identity)(const void *self);
    void (*free)(void *self);
} dun_member_kind;

typedef struct {
    const dun_member_kind *kind;
    void *self;
    uint32_t share;   /* of team->whole texts */
    uint32_t n_texts; /* that are its own, */
    uint32_t n_kept;  /* and of them those whose keys and values it keeps */
    uint32_t n;       /* its part of the batch: */
    uint32_t *which;  /* [max_sequences] its texts, */
    uint32_t *place;  /* [max_sequences] and their places in the batch */
} dun_member;

#endif
