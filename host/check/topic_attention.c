/* Cases of host/kernels/attention.cl: forward, then both backward kernels on what it left. */
#include "check/check_topics.h"
#include "check/reference_ops.h"

#include <math.h>

enum { MAX_SEQUENCES = 8, MAX_ROWS = 24 };

/* Rows of each sequence: cached, own, shared with others. The forward takes keys in tiles of 16: TILES has 7
 * to 9, 15 to 17 and 31 to 33 visible rows. It takes queries in blocks of 4: BLOCKS has some that share tiles
 * of cached rows alone, of these and own ones, of shared ones and others. */
enum layout { LONE, RAGGED, TILES, SHARED, BLOCKS };
static const struct {
    int prefix, own, shared;
} layouts[][MAX_SEQUENCES] = {
    [LONE] = {{0, 1, 0}},
    [RAGGED] = {{0, 1, 0}, {1, 3, 0}, {7, 5, 0}, {50, 1, 0}, {0, 5, 0}, {50, 3, 0}, {7, 1, 0}, {1, 1, 0}},
    [TILES] = {{0, 9, 0}, {14, 3, 0}, {30, 3, 0}, {8, 1, 0}, {7, 1, 0}},
    [SHARED] = {{0, 1, 19}, {5, 3, 19}, {0, 4, 0}, {12, 1, 0}, {17, 2, 4}, {0, 5, 19}},
    [BLOCKS] = {{14, 8, 0}, {5, 8, 9}, {33, 7, 0}},
};

typedef struct {
    int H, G;
    bool last_rows;   /* only each sequence's last row asks */
    int offset_rows;  /* forward: own rows lie that far into their buffer */
    double q_scale;   /* scores are normal with about this spread */
    double tolerance; /* 0: only finite and not denormal */
    enum layout layout;
    int window; /* what bends scores: attention_bent.cl */
    double cap, alibi;
} attention_case;

/* Scores round to spread * 1e-7, which a probability takes on as a relative error; D = 64 sums of products
 * and up to 55 visible rows add little. */
#define PLAIN 0, 0, 0
static const attention_case cases[] = {
    {1, 1, false, 0, 1.0, 1e-6, LONE, PLAIN},
    {1, 1, false, 0, 1.0, 1e-6, RAGGED, PLAIN},
    {3, 1, false, 0, 1.0, 1e-6, RAGGED, PLAIN},
    {3, 1, true, 0, 1.0, 1e-6, RAGGED, PLAIN},
    {4, 1, false, 4, 1.0, 1e-6, TILES, PLAIN},
    {4, 1, true, 0, 1.0, 1e-6, RAGGED, PLAIN},
    {9, 3, false, 7, 1.0, 1e-6, RAGGED, PLAIN},
    {9, 3, true, 0, 1.0, 1e-6, TILES, PLAIN},
    {8, 2, false, 0, 1.0, 1e-6, TILES, PLAIN},
    {4, 4, true, 0, 1.0, 1e-6, RAGGED, PLAIN},
    {3, 1, false, 0, 1e-6, 1e-6, RAGGED, PLAIN}, /* every visible row weighs the same */
    {3, 1, false, 0, 30.0, 3e-5, RAGGED, PLAIN},
    {3, 1, false, 0, 1000.0, 1e-3, RAGGED, PLAIN},
    {3, 1, false, 0, 1e9, 0.0, RAGGED, PLAIN},
    {3, 1, true, 0, 1e9, 0.0, TILES, PLAIN},
    {9, 3, false, 0, 1.0, 1e-6, SHARED, PLAIN},
    {4, 1, true, 0, 1.0, 1e-6, SHARED, PLAIN},
    {3, 1, false, 0, 1.0, 1e-6, BLOCKS, PLAIN},
    {4, 2, false, 5, 30.0, 3e-5, BLOCKS, PLAIN},
    {2, 2, false, 0, 1e9, 0.0, BLOCKS, PLAIN},
    /* windows of 1 row, of less and more than own rows, of a tile, of more than all */
    {3, 1, false, 0, 1.0, 1e-6, RAGGED, 1, 0, 0},
    {3, 1, false, 7, 1.0, 1e-6, TILES, 2, 0, 0},
    {9, 3, false, 0, 1.0, 1e-6, RAGGED, 16, 0, 0},
    {4, 1, true, 0, 1.0, 1e-6, SHARED, 21, 0, 0},
    {2, 1, false, 0, 1.0, 1e-6, TILES, 500, 0, 0},
    {4, 2, false, 0, 1.0, 1e-6, RAGGED, 0, 0.7, 0},
    {9, 3, true, 4, 1.0, 1e-6, SHARED, 0, 0.7, 0},
    {3, 1, false, 0, 30.0, 3e-6, TILES, 0, 5, 0},
    {9, 3, false, 0, 1.0, 1e-6, RAGGED, 0, 0, 8},
    {8, 8, true, 0, 1.0, 1e-6, SHARED, 0, 0, 8},
    {6, 2, false, 3, 1.0, 1e-6, TILES, 5, 2, 4},
    {3, 1, false, 0, 1e9, 0.0, RAGGED, 9, 30, 8},
    {4, 2, false, 3, 1.0, 1e-6, BLOCKS, 22, 0.7, 8},
    {3, 1, false, 0, 1.0, 1e-6, BLOCKS, 500, 0.7, 8},
};

static bool bends(const attention_case *k) {
    return k->window > 0 || k->cap > 0.0 || k->alibi > 0.0;
}

/* A case's tensors, host side. */
typedef struct {
    dun_ref_batch batch;
    dun_ref_heads heads;
    int32_t start[MAX_SEQUENCES + 1], query_start[MAX_SEQUENCES + 1], shared_len[MAX_SEQUENCES],
        prefix_start[MAX_SEQUENCES], prefix_len[MAX_SEQUENCES], sequence[MAX_ROWS], row_of[MAX_ROWS];
    int row_floats;
    size_t n_q, n_kv, n_prefix; /* floats */
    double *q, *prefix, *own;
} attention_data;

/* Lays out the batch. Cached rows stand in reverse order of the sequences, with two unused rows between,
 * after those that are shared. */
static void lay_out(attention_data *d, const attention_case *k, int D) {
    *d = (attention_data){.heads = {k->H, k->G, D, 1.0 / sqrt(D), k->cap, k->alibi, k->window},
                          .row_floats = 2 * k->G * D};
    int S = 0, N = 0, cached = 0;
    for (; S < MAX_SEQUENCES && layouts[k->layout][S].own > 0; S++) {
        for (int j = 0; j < layouts[k->layout][S].own; j++)
            d->sequence[N++] = S;
        d->start[S + 1] = N;
        d->prefix_len[S] = layouts[k->layout][S].prefix;
        d->shared_len[S] = layouts[k->layout][S].shared;
        cached = d->shared_len[S] > cached ? d->shared_len[S] : cached;
        d->query_start[S + 1] = k->last_rows ? S + 1 : N;
    }
    for (int s = S; s-- > 0;) {
        d->prefix_start[s] = cached;
        cached += d->prefix_len[s] + 2;
    }
    int Nq = k->last_rows ? S : N;
    for (int q = 0; q < Nq; q++)
        d->row_of[q] = k->last_rows ? d->start[q + 1] - 1 : q;
    d->n_q = (size_t)(Nq * k->H * D);
    d->n_kv = (size_t)(N * d->row_floats);
    d->n_prefix = (size_t)(cached * d->row_floats);
    d->batch = (dun_ref_batch){
        S, N, Nq, d->start, d->sequence, d->shared_len, d->prefix_start, d->prefix_len, d->row_of};
}

/* Random queries, keys and values; unused cached rows are NaN. */
static void fill(dun_check *c, attention_data *d, double q_scale) {
    d->q = dun_check_random(c, d->n_q, q_scale);
    d->own = dun_check_random(c, d->n_kv, 1.0);
    double *random = dun_check_random(c, d->n_prefix, 1.0);
    d->prefix = dun_check_doubles(c, d->n_prefix);
    if (c->stopped)
        return;
    for (size_t i = 0; i < d->n_prefix; i++)
        d->prefix[i] = NAN;
    for (int s = 0; s < d->batch.S; s++) {
        for (int i = 0; i < d->shared_len[s] * d->row_floats; i++)
            d->prefix[i] = random[i];
        for (int i = 0; i < d->prefix_len[s] * d->row_floats; i++) {
            int at = d->prefix_start[s] * d->row_floats + i;
            d->prefix[at] = random[at];
        }
    }
}

typedef struct {
    dun_check_tensor *q, *prefix, *own, *shared_len, *prefix_start, *prefix_len, *start, *query_start,
        *sequence, *row_of, *o, *stats;
} attention_tensors;

static void upload(dun_check *c, attention_tensors *t, const attention_data *d) {
    size_t S = (size_t)d->batch.S, N = (size_t)d->batch.N, Nq = (size_t)d->batch.Nq;
    t->q = dun_check_input(c, "q", d->q, d->n_q);
    t->prefix = dun_check_input(c, "prefix_kv", d->prefix, d->n_prefix);
    t->own = dun_check_input(c, "own_kv", d->own, d->n_kv);
    t->shared_len = dun_check_input_ints(c, "shared_len", d->shared_len, S);
    t->prefix_start = dun_check_input_ints(c, "prefix_start", d->prefix_start, S);
    t->prefix_len = dun_check_input_ints(c, "prefix_len", d->prefix_len, S);
    t->start = dun_check_input_ints(c, "start", d->start, S + 1);
    t->query_start = dun_check_input_ints(c, "query_start", d->query_start, S + 1);
    t->sequence = dun_check_input_ints(c, "sequence", d->sequence, N);
    t->row_of = dun_check_input_ints(c, "row_of", d->row_of, Nq);
}

static void compare(dun_check *c, const dun_check_tensor *tensor, const double *want,
                    const attention_case *k) {
    if (k->tolerance > 0.0)
        dun_check_close(c, tensor, want, k->tolerance);
    else
        dun_check_tame(c, tensor);
}

/* Plain kernels lack the last three arguments. */
static void attend(dun_check *c, const attention_case *k, size_t plain, size_t bent, dun_range range,
                   const dun_arg *args, size_t n_args) {
    dun_check_launch(c, &dun_nn_kernels, bends(k) ? bent : plain, range, args,
                     bends(k) ? n_args : n_args - 3);
}
#define BENDS(k) DUN_INT((k)->window), DUN_FLOAT((k)->cap), DUN_FLOAT((k)->alibi)
#define ATTEND(c, k, name, range, args)                                                                      \
    attend(c, k, DUN_K_attention_##name, DUN_K_bent_attention_##name, range, args,                           \
           sizeof(args) / sizeof *(args))

static void forward(dun_check *c, attention_tensors *t, const attention_data *d, const attention_case *k) {
    size_t n_stats = (size_t)(d->batch.Nq * k->H), offset = (size_t)(k->offset_rows * d->row_floats);
    double *o = dun_check_doubles(c, d->n_q), *stats = dun_check_doubles(c, n_stats);
    double *shifted = dun_check_doubles(c, offset + d->n_kv);
    if (c->stopped)
        return;
    for (size_t i = 0; i < offset + d->n_kv; i++)
        shifted[i] = i < offset ? NAN : d->own[i - offset];
    dun_check_tensor *own = dun_check_input(c, "own_kv", shifted, offset + d->n_kv);
    t->o = dun_check_output(c, "o", d->n_q);
    t->stats = dun_check_output(c, "stats", n_stats);
    const dun_arg args[] = {DUN_BUF(t->o->buffer),
                            DUN_BUF(t->stats->buffer),
                            DUN_BUF(t->q->buffer),
                            DUN_BUF(t->prefix->buffer),
                            DUN_BUF(own->buffer),
                            DUN_OFFSET(offset),
                            DUN_BUF(t->shared_len->buffer),
                            DUN_BUF(t->prefix_start->buffer),
                            DUN_BUF(t->prefix_len->buffer),
                            DUN_BUF(t->start->buffer),
                            DUN_BUF(t->sequence->buffer),
                            DUN_BUF(t->row_of->buffer),
                            DUN_INT(d->batch.Nq),
                            DUN_INT(k->H),
                            DUN_INT(k->G),
                            DUN_FLOAT(d->heads.scale),
                            BENDS(k)};
    ATTEND(c, k, fwd, dun_attention_queries(c->compute, (size_t)d->batch.Nq, (size_t)k->H), args);
    dun_ref_attention_fwd(o, stats, d->q, d->prefix, d->own, &d->batch, &d->heads);
    compare(c, t->o, o, k);
    compare(c, t->stats, stats, k);
    dun_check_freeze(c, t->o);
    dun_check_freeze(c, t->stats);
}

/* What both backward kernels read or write. */
typedef struct {
    dun_check_tensor *d_o, *dq, *delta, *d_kv;
} gradient_tensors;

static void backward_q(dun_check *c, const attention_tensors *t, const gradient_tensors *g,
                       const attention_data *d, const attention_case *k) {
    const dun_arg args[] = {DUN_BUF(g->dq->buffer),
                            DUN_BUF(g->delta->buffer),
                            DUN_BUF(g->d_o->buffer),
                            DUN_BUF(t->o->buffer),
                            DUN_BUF(t->stats->buffer),
                            DUN_BUF(t->q->buffer),
                            DUN_BUF(t->prefix->buffer),
                            DUN_BUF(t->own->buffer),
                            DUN_BUF(t->shared_len->buffer),
                            DUN_BUF(t->prefix_start->buffer),
                            DUN_BUF(t->prefix_len->buffer),
                            DUN_BUF(t->start->buffer),
                            DUN_BUF(t->sequence->buffer),
                            DUN_BUF(t->row_of->buffer),
                            DUN_INT(d->batch.Nq),
                            DUN_INT(k->H),
                            DUN_INT(k->G),
                            DUN_FLOAT(d->heads.scale),
                            BENDS(k)};
    ATTEND(c, k, bwd_q, dun_attention_queries(c->compute, (size_t)d->batch.Nq, (size_t)k->H), args);
    dun_check_freeze(c, g->dq);
    dun_check_freeze(c, g->delta);
}

static void backward_kv(dun_check *c, const attention_tensors *t, const gradient_tensors *g,
                        const attention_data *d, const attention_case *k) {
    const dun_arg args[] = {DUN_BUF(g->d_kv->buffer),
                            DUN_BUF(g->delta->buffer),
                            DUN_BUF(g->d_o->buffer),
                            DUN_BUF(t->stats->buffer),
                            DUN_BUF(t->q->buffer),
                            DUN_BUF(t->own->buffer),
                            DUN_BUF(t->query_start->buffer),
                            DUN_BUF(t->sequence->buffer),
                            DUN_BUF(t->row_of->buffer),
                            DUN_INT(d->batch.N),
                            DUN_INT(k->H),
                            DUN_INT(k->G),
                            DUN_FLOAT(d->heads.scale),
                            BENDS(k)};
    ATTEND(c, k, bwd_kv, dun_attention_items(c->compute, (size_t)(d->batch.N * k->G)), args);
}

static void backward(dun_check *c, const attention_tensors *t, const attention_data *d,
                     const attention_case *k) {
    size_t n_stats = (size_t)(d->batch.Nq * k->H);
    double *d_o = dun_check_random(c, d->n_q, 1.0), *dq = dun_check_doubles(c, d->n_q);
    double *d_kv = dun_check_doubles(c, d->n_kv);
    if (c->stopped)
        return;
    const gradient_tensors g = {dun_check_input(c, "d_o", d_o, d->n_q), dun_check_output(c, "dq", d->n_q),
                                dun_check_output(c, "delta", n_stats), dun_check_output(c, "d_kv", d->n_kv)};
    backward_q(c, t, &g, d, k);
    backward_kv(c, t, &g, d, k);
    dun_ref_attention_bwd(dq, d_kv, d_o, d->q, d->prefix, d->own, &d->batch, &d->heads);
    /* ds_t is a difference of products, 0 where one row is all that is seen: floor at a score's gradient. */
    if (k->tolerance > 0.0) {
        dun_check_close_floor(c, g.dq, dq, k->tolerance, 0.1);
        dun_check_close_floor(c, g.d_kv, d_kv, k->tolerance, 0.1 * k->q_scale);
    } else {
        dun_check_tame(c, g.dq);
        dun_check_tame(c, g.d_kv);
    }
}

static void run(dun_check *c, size_t index) {
    const attention_case *k = &cases[index];
    attention_data d;
    attention_tensors t = {0};
    int D = (int)c->compute->tiles.head_dim;
    dun_check_begin(c, index, "attention, case %zu: %d/%d heads of %d, %s ask, scores of %g%s", index, k->H,
                    k->G, D, k->last_rows ? "last rows" : "all rows", k->q_scale, bends(k) ? ", bent" : "");
    lay_out(&d, k, D);
    fill(c, &d, k->q_scale);
    upload(c, &t, &d);
    forward(c, &t, &d, k);
    if (c->stopped)
        return;
    backward(c, &t, &d, k);
}

const dun_check_topic dun_check_attention = {"attention", sizeof cases / sizeof *cases, run, true};
