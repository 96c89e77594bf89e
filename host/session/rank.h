/* The member of a team that computes in another process, a rank (ranks/ranks.h), and what is said to and fro.
 * Each question has one answer, but for reading texts, of which every pass is told. Answers come in the order
 * of the questions; what nobody waits for any more is left out. */
#ifndef DUN_RANK_H
#define DUN_RANK_H

#include "ranks/wire.h"
#include "session/team.h"

/* What rank 0 asks, after DUN_RANKS_END; every question begins with one of these and its number. An answer
 * begins with that number and a status, with a negative one and the message of a failure. */
enum dun_rank_question {
    DUN_RANK_OPEN = 1, /* a config, a prompt, what must be the same: become a member -> dun_rank_self */
    DUN_RANK_CLOSE,    /* be none any more */
    DUN_RANK_ASSIGN,   /* texts, or none -> how many are kept */
    DUN_RANK_FILL,     /* -> how many are read, more than once, the last time with all */
    DUN_RANK_TRIAL,    /* -> seconds */
    DUN_RANK_START,    /* a prompt, which of its texts -> points */
    DUN_RANK_BACK,     /* gradients of the points -> of the prompt, by text */
    DUN_RANK_TEXTS,    /* other texts -> their points under the prompt in place */
};

/* What a rank says of itself. */
typedef struct {
    dun_device_info device;
    dun_tiles tiles;
    char gemm[64], precision[64], precision_reason[512], reason[512];
    uint32_t point_floats; /* D */
} dun_rank_self;

typedef struct dun_rank dun_rank;

extern const dun_member_kind dun_rank_kind;

struct dun_session;

/* Asks a rank to become a member of the session, whose engine stands; it opens its model and device
 * meanwhile. `question`: what dun_rank_invitation made. */
int dun_rank_invite(dun_rank **out, uint32_t rank, const dun_str *question);

/* Waits until it is one. DUN_BAD_INPUT, DUN_BAD_DEVICE, DUN_FAILED: it cannot, with its number and host. */
int dun_rank_settle(dun_rank *rank, const struct dun_session *session);

/* What all ranks are told: the config with what was chosen for this session, and what theirs must agree with.
 */
int dun_rank_invitation(dun_str *out, const struct dun_session *session);

#endif
