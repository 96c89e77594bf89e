/* The member of a team that computes on a device of this process: an engine, the texts that are its own, and
 * their keys and values. The first one has the session's engine, where the loss is computed too. */
#ifndef DUN_LOCAL_H
#define DUN_LOCAL_H

#include "nn/engine.h"
#include "session/shared_model.h"
#include "session/team.h"
#include "session/textcache.h"

typedef struct {
    const struct dun_session *session; /* borrowed */
    dun_engine *engine;                /* of the first one: the session's, borrowed; of the others: */
    dun_engine own_engine;             /* the member's own, */
    dun_shared_model *weights;         /* its model, */
    dun_compute compute;               /* and what it stands on */
    dun_device *device;
    const dun_texts *texts; /* those that are its own: the session's, or */
    dun_texts part;         /* a part of them */
    dun_text_cache cache;   /* their keys and values; empty where whole sequences are run */
    dun_batch batch;        /* the prompts after up to max_sequences texts */
    /* Of the first one of several, where a batch's rows come together: */
    dun_buffer together; /* (max_sequences, D or P*C) rows of all members, in no order yet */
    dun_buffer ends;     /* (max_sequences + 1) dun_engine_pick_rows */
    int32_t *host_ends;  /* the same on the host */
} dun_local;

extern const dun_member_kind dun_local_kind;

/* A member on the session's engine, which is there already; or on another device, which `selector` names. */
int dun_local_create_first(dun_local **out, struct dun_session *session);
int dun_local_create_other(dun_local **out, const struct dun_session *session, const char *selector);

/* Texts of the batch that was started last. */
uint32_t dun_local_texts(const dun_local *local);

/* After the engine was resized for batches of another size. `still_there`: the texts' keys and values are. */
int dun_local_refit(bool *still_there, dun_local *local);

/* Loss and optimisers stand on the engine of the first one. */
dun_home dun_local_home(dun_local *first);

#endif
