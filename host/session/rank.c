/* Questions to a rank and its answers, as functions of a member. */
#include "session/rank.h"

#include "base/err.h"
#include "base/mem.h"
#include "ranks/ranks.h"
#include "session/session.h"
#include "session/texts_wire.h"

#include <stdio.h>
#include <string.h>

struct dun_rank {
    uint32_t rank, asked; /* number of the last question */
    uint32_t n_kept, n_filled, n;
    uint32_t point_floats, prompt_floats;
    bool filling; /* it reads its texts, and tells of it */
    dun_str out, in;
    dun_wire answer; /* of `in`, behind its status */
    dun_rank_self self;
};

static int begin(dun_rank *r, enum dun_rank_question question) {
    int rc = DUN_OK;
    r->asked = dun_ranks_number();
    TRY(dun_wire_begin(&r->out));
    TRY(dun_wire_u32(&r->out, question));
    TRY(dun_wire_u32(&r->out, r->asked));
out:
    return rc;
}

static int ask(dun_rank *r) {
    return dun_ranks_send(r->rank, &r->out);
}

/* The answer to the last question; those to earlier ones, which nobody waited for, are passed over. */
static int await(dun_rank *r) {
    int rc = DUN_OK, status;
    uint32_t number;
    do {
        TRY(dun_ranks_receive(&r->in, r->rank));
        r->answer = dun_wire_of(&r->in);
        number = dun_wire_take_u32(&r->answer);
        status = (int)dun_wire_take_u32(&r->answer);
    } while (!r->answer.lost && number != r->asked);
    if (r->answer.lost)
        TRY(dun_error(DUN_FAILED, "rank %u on %s gave no whole answer", r->rank, dun_ranks_host(r->rank)));
    if (status < 0)
        TRY(dun_error((enum dun_status)status, "rank %u on %s: %s", r->rank, dun_ranks_host(r->rank),
                      dun_wire_take_text(&r->answer)));
out:
    return rc;
}

/* The answer, which is these bytes. */
static int take(void *out, dun_rank *r, size_t bytes) {
    int rc = DUN_OK;
    TRY(await(r));
    dun_wire_take_bytes(out, &r->answer, bytes);
    if (r->answer.lost || r->answer.left)
        TRY(dun_error(DUN_FAILED, "rank %u on %s gave an answer of another length", r->rank,
                      dun_ranks_host(r->rank)));
out:
    return rc;
}

static int rank_assign(uint32_t *n_kept, void *self, const dun_texts *texts, const uint32_t *mine,
                       uint32_t n) {
    int rc = DUN_OK;
    dun_rank *r = self;
    *n_kept = r->n_filled = 0;
    r->filling = false;
    TRY(begin(r, DUN_RANK_ASSIGN));
    TRY(dun_wire_u32(&r->out, texts != NULL));
    if (texts)
        TRY(dun_texts_send(&r->out, texts, mine, n));
    TRY(ask(r));
    TRY(take(&r->n_kept, r, sizeof r->n_kept));
    *n_kept = r->n_kept;
out:
    return rc;
}

/* It reads one pass after the other, and tells of each. */
static int rank_fill_some(uint32_t *n_filled, void *self) {
    int rc = DUN_OK;
    dun_rank *r = self;
    if (!r->filling && r->n_filled < r->n_kept) {
        TRY(begin(r, DUN_RANK_FILL));
        TRY(ask(r));
        r->filling = true;
    }
    *n_filled = r->n_filled;
out:
    return rc;
}

static int rank_finish(void *self) {
    int rc = DUN_OK;
    dun_rank *r = self;
    if (!r->filling)
        goto out;
    do {
        TRY(take(&r->n_filled, r, sizeof r->n_filled));
        r->filling = r->n_filled < r->n_kept;
    } while (r->filling && dun_ranks_has_message(r->rank));
out:
    return rc;
}

static int rank_trial(void *self) {
    int rc = DUN_OK;
    dun_rank *r = self;
    TRY(begin(r, DUN_RANK_TRIAL));
    TRY(ask(r));
out:
    return rc;
}

static int rank_tried(double *seconds, void *self) {
    return take(seconds, self, sizeof *seconds);
}

static int rank_start(void *self, const float *prompt, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_rank *r = self;
    r->n = n;
    TRY(begin(r, DUN_RANK_START));
    TRY(dun_wire_bytes(&r->out, prompt, r->prompt_floats * sizeof *prompt));
    TRY(dun_wire_u32(&r->out, n));
    TRY(dun_wire_bytes(&r->out, which, n * sizeof *which));
    TRY(ask(r));
out:
    return rc;
}

static int rank_start_texts(void *self, const dun_texts *texts, const uint32_t *which, uint32_t n) {
    int rc = DUN_OK;
    dun_rank *r = self;
    r->n = n;
    TRY(begin(r, DUN_RANK_TEXTS));
    TRY(dun_texts_send(&r->out, texts, which, n));
    TRY(ask(r));
out:
    return rc;
}

static int rank_points(float *points, void *self) {
    dun_rank *r = self;
    return take(points, r, (size_t)r->n * r->point_floats * sizeof *points);
}

static int rank_start_backward(void *self, const float *d_points) {
    int rc = DUN_OK;
    dun_rank *r = self;
    TRY(begin(r, DUN_RANK_BACK));
    TRY(dun_wire_bytes(&r->out, d_points, (size_t)r->n * r->point_floats * sizeof *d_points));
    TRY(ask(r));
out:
    return rc;
}

static int rank_gradients(float *d_texts, void *self) {
    dun_rank *r = self;
    return take(d_texts, r, (size_t)r->n * r->prompt_floats * sizeof *d_texts);
}

static dun_identity rank_identity(const void *self) {
    const dun_rank *r = self;
    return (dun_identity){.device = &r->self.device,
                          .gemm = r->self.gemm,
                          .precision = r->self.precision,
                          .precision_reason = r->self.precision_reason,
                          .reason = r->self.reason,
                          .tiles = &r->self.tiles,
                          .host = dun_ranks_host(r->rank)};
}

/* Where the rank still is, it leaves the session; what it has to say of earlier questions is passed over.
 * After a failure, which is to be told at once, nobody waits until the rank comes to that. */
static void rank_free(void *self) {
    dun_rank *r = self;
    uint32_t number = 0;
    const bool waits = !*dun_error_message();
    if (begin(r, DUN_RANK_CLOSE) == DUN_OK && ask(r) == DUN_OK)
        while (waits && number != r->asked && dun_ranks_receive(&r->in, r->rank) == DUN_OK) {
            r->answer = dun_wire_of(&r->in);
            number = dun_wire_take_u32(&r->answer);
        }
    dun_str_free(&r->out);
    dun_str_free(&r->in);
    dun_free(r);
}

const dun_member_kind dun_rank_kind = {
    .assign = rank_assign,
    .fill_some = rank_fill_some,
    .trial = rank_trial,
    .tried = rank_tried,
    .start = rank_start,
    .start_texts = rank_start_texts,
    .points = rank_points,
    .start_backward = rank_start_backward,
    .gradients = rank_gradients,
    .finish = rank_finish,
    .identity = rank_identity,
    .free = rank_free,
};

int dun_rank_invite(dun_rank **out, uint32_t rank, const dun_str *question) {
    int rc = DUN_OK;
    dun_rank *r;
    TRY_PTR(r, dun_calloc(1, sizeof *r));
    r->rank = rank;
    TRY(begin(r, DUN_RANK_OPEN));
    TRY(dun_wire_bytes(&r->out, question->bytes, question->length));
    TRY(ask(r));
out:
    if (rc < 0 && r) {
        dun_str_free(&r->out);
        dun_free(r);
        r = NULL;
    }
    *out = r;
    return rc;
}

static void read_text(char *out, size_t size, dun_wire *wire) {
    snprintf(out, size, "%s", dun_wire_take_text(wire));
}

int dun_rank_settle(dun_rank *r, const dun_session *session) {
    int rc = DUN_OK;
    dun_rank_self *self = &r->self;
    TRY(await(r));
    dun_wire_take_bytes(&self->device, &r->answer, sizeof self->device);
    dun_wire_take_bytes(&self->tiles, &r->answer, sizeof self->tiles);
    self->point_floats = dun_wire_take_u32(&r->answer);
    read_text(self->gemm, sizeof self->gemm, &r->answer);
    read_text(self->precision, sizeof self->precision, &r->answer);
    read_text(self->precision_reason, sizeof self->precision_reason, &r->answer);
    read_text(self->reason, sizeof self->reason, &r->answer);
    r->point_floats = dun_engine_point_width(&session->engine);
    r->prompt_floats = (uint32_t)(session->engine.prompt.bytes / sizeof(float));
    if (r->answer.lost || self->point_floats != r->point_floats)
        TRY(dun_error(DUN_FAILED, "rank %u on %s makes points %u wide, rank 0 %u", r->rank,
                      dun_ranks_host(r->rank), self->point_floats, r->point_floats));
out:
    return rc;
}
