/* Causal attention of few query rows over a cached text and the sequence's own rows, grouped heads.
 * Sequence s sees the first shared_len[s] cached rows (words before every text), then prefix_len[s] cached rows
 * from prefix_start[s] of `prefix_kv` (the frozen text, or none), then its own rows start[s] .. of `own_kv` up to
 * and including the query's. Query row q is own row row_of[q] (all rows, or only each sequence's last one). With keys k_t and values v_t of head h's group,
 *   s_t = scale * q . k_t,   p = softmax(s),   o = sum_t p_t v_t,   stats = max(s) + log sum exp(s - max(s))
 * computed in one pass with a running maximum (Milakov and Gimelshein 2018), TILE keys at a time.
 * Backward, with delta = do . o:
 *   ds_t = p_t * (do . v_t - delta),  dq = scale * sum_t ds_t k_t,  dk_t = scale * sum_q ds_t q,  dv_t = sum_q p_t do
 * only for own rows: the cached text is constant. p is recomputed from stats (Dao et al. 2022).
 * One work-item a (query row, head), or a (own row, group) for dk and dv: every sum has one owner, no atomics.
 * Flops a query row, head and visible key: 4*D forward, 6*D for dq; 8*D for dk and dv, own keys only. Bytes: 8*D
 * for each of these, from cache but for the first: 8*G*D a visible row from memory. */
#include "attention_shared.cl"

#ifndef ATT_HELPERS
#define HEAD_VECTORS (HEAD_DIM / HEAD_VW)
#define TILE 16
#if HEAD_VW == 1
#    define head_vec float
#    define head_load(i, p) (p)[i]
#    define head_store(v, i, p) (p)[i] = (v)
#else
#    define head_vec JOIN(float, HEAD_VW)
#    define head_load JOIN(vload, HEAD_VW)
#    define head_store JOIN(vstore, HEAD_VW)
#endif
#define head_sum JOIN(sum, HEAD_VW)

/* x . y over one head; x in registers. */
float head_dot(const head_vec *x, __global const float *y) {
    head_vec sum = 0.0f;
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        sum = fma(x[i], head_load(i, y), sum);
    return head_sum(sum);
}
#define ATT_HELPERS
#endif

/* Range: (H * Nq) items. */
__kernel void ATTENTION(fwd)(__global float *o,                  /* (Nq, H*D) */
                             __global float *stats,              /* (Nq, H) */
                             __global const float *q,            /* (Nq, H*D) */
                             __global const float *prefix_kv,    /* (cached rows, 2*G*D) */
                             __global const float *own_kv, ulong own_offset, /* (N, 2*G*D) */
                             __global const int *shared_len, /* (S) */
                             __global const int *prefix_start, __global const int *prefix_len, /* (S) */
                             __global const int *start,          /* (S+1) */
                             __global const int *sequence,       /* (N) */
                             __global const int *row_of,         /* (Nq) */
                             int Nq, int H, int G, float scale BEND_ARGUMENTS) {
    int item = (int)get_global_id(0);
    if (item >= Nq * H)
        return;
    int query = item / H, head = item - query * H, group = head / (H / G);
    const visible_rows seen = visible_to(row_of[query], group, prefix_kv, own_kv + own_offset, shared_len,
                                         prefix_start, prefix_len, start, sequence, G);
    const int n = seen.n, value = G * HEAD_DIM;
    BEND_BY(head)
    q += (size_t)item * HEAD_DIM;

    head_vec qs[HEAD_VECTORS], sum[HEAD_VECTORS];
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
        qs[i] = head_load(i, q) * scale;
        sum[i] = 0.0f;
    }
    float top = -1e30f;
    float16 totals = 0.0f;
    for (int t0 = FIRST_SEEN(n); t0 < n; t0 += TILE) {
        float score[TILE], weight[TILE], tile_top = top;
        int count = min(TILE, n - t0);
        for (int j = 0; j < count; j++) {
            score[j] = BEND(head_dot(qs, key_at(&seen, t0 + j)), t0 + j - (n - 1));
            tile_top = fmax(tile_top, score[j]);
        }
        for (int j = count; j < TILE; j++)
            score[j] = -1e30f; /* weight 0 */
        float shrink = exp_negative(top - tile_top);
        top = tile_top;
        float16 weights = exp_negative16(vload16(0, score) - top);
        vstore16(weights, 0, weight);
        totals = totals * shrink + weights;
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
            sum[i] *= shrink;
        for (int j = 0; j < count; j++) {
            __global const float *v = key_at(&seen, t0 + j) + value;
            __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
                sum[i] = fma((head_vec)(weight[j]), head_load(i, v), sum[i]);
        }
    }
    float total = sum16(totals);
    o += (size_t)item * HEAD_DIM;
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        head_store(sum[i] / total, i, o);
    stats[item] = top + log(total);
}

/* Also writes delta (Nq, H) for attention_bwd_kv, which must run after it. Range: (H * Nq) items. */
__kernel void ATTENTION(bwd_q)(__global float *dq,                 /* (Nq, H*D) */
                               __global float *delta,              /* (Nq, H) */
                               __global const float *d_o,          /* (Nq, H*D) */
                               __global const float *o,            /* (Nq, H*D) */
                               __global const float *stats,        /* (Nq, H) */
                               __global const float *q,            /* (Nq, H*D) */
                               __global const float *prefix_kv,    /* (cached rows, 2*G*D) */
                               __global const float *own_kv,       /* (N, 2*G*D) */
                               __global const int *shared_len, /* (S) */
                               __global const int *prefix_start, __global const int *prefix_len, /* (S) */
                               __global const int *start,          /* (S+1) */
                               __global const int *sequence,       /* (N) */
                               __global const int *row_of,         /* (Nq) */
                               int Nq, int H, int G, float scale BEND_ARGUMENTS) {
    int item = (int)get_global_id(0);
    if (item >= Nq * H)
        return;
    int query = item / H, head = item - query * H, group = head / (H / G);
    const visible_rows seen = visible_to(row_of[query], group, prefix_kv, own_kv, shared_len, prefix_start,
                                         prefix_len, start, sequence, G);
    const int n = seen.n, value = G * HEAD_DIM;
    BEND_BY(head)
    size_t at = (size_t)item * HEAD_DIM;

    head_vec qs[HEAD_VECTORS], dos[HEAD_VECTORS], sum[HEAD_VECTORS];
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
        qs[i] = head_load(i, q + at) * scale;
        dos[i] = head_load(i, d_o + at);
        sum[i] = 0.0f;
    }
    float offset = head_dot(dos, o + at), log_total = stats[item];
    for (int t0 = FIRST_SEEN(n); t0 < n; t0 += TILE) {
        float slope[TILE], score[TILE];
#if ATT_BENT
        float rate[TILE];
#endif
        int count = min(TILE, n - t0);
        for (int j = 0; j < count; j++) {
            __global const float *k = key_at(&seen, t0 + j);
            score[j] = head_dot(qs, k);
            slope[j] = head_dot(dos, k + value);
#if ATT_BENT
            rate[j] = BEND_RATE(score[j]);
            score[j] = BEND(score[j], t0 + j - (n - 1));
#endif
        }
        for (int j = count; j < TILE; j++) {
            score[j] = -1e30f; /* weight 0 */
            slope[j] = 0.0f;
        }
        float16 p = exp_negative16(vload16(0, score) - log_total);
        vstore16(p * (vload16(0, slope) - offset) * scale, 0, slope);
        for (int j = 0; j < count; j++) {
#if ATT_BENT
            slope[j] *= rate[j];
#endif
            __global const float *k = key_at(&seen, t0 + j);
            __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
                sum[i] = fma((head_vec)(slope[j]), head_load(i, k), sum[i]);
        }
    }
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        head_store(sum[i], i, dq + at);
    delta[item] = offset;
}

/* query_start (S+1): the query rows of each sequence. Range: (G * N) items. */
__kernel void ATTENTION(bwd_kv)(__global float *d_kv,               /* (N, 2*G*D) */
                                __global const float *delta,        /* (Nq, H) */
                                __global const float *d_o,          /* (Nq, H*D) */
                                __global const float *stats,        /* (Nq, H) */
                                __global const float *q,            /* (Nq, H*D) */
                                __global const float *own_kv,       /* (N, 2*G*D) */
                                __global const int *query_start,    /* (S+1) */
                                __global const int *sequence,       /* (N) */
                                __global const int *row_of,         /* (Nq) */
                                int N, int H, int G, float scale BEND_ARGUMENTS) {
    int item = (int)get_global_id(0);
    if (item >= N * G)
        return;
    int row = item / G, group = item - row * G, s = sequence[row], heads = H / G;
    size_t at = (size_t)row * (size_t)(2 * G * HEAD_DIM) + (size_t)(group * HEAD_DIM);
    __global const float *k = own_kv + at, *v = k + G * HEAD_DIM;

    head_vec ks[HEAD_VECTORS], vs[HEAD_VECTORS], dk[HEAD_VECTORS], dv[HEAD_VECTORS];
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
        ks[i] = head_load(i, k) * scale;
        vs[i] = head_load(i, v);
        dk[i] = 0.0f;
        dv[i] = 0.0f;
    }
    for (int query = query_start[s]; query < query_start[s + 1]; query++) {
        if (!SEES(row_of[query] - row))
            continue;
        for (int head = group * heads; head < (group + 1) * heads; head++) {
            size_t stat = (size_t)query * (size_t)H + (size_t)head;
            __global const float *qh = q + stat * HEAD_DIM, *doh = d_o + stat * HEAD_DIM;
            BEND_BY(head)
            float s_qk = head_dot(ks, qh), p = exp_negative(BEND(s_qk, row - row_of[query]) - stats[stat]);
            float ds = p * (head_dot(vs, doh) - delta[stat]) * scale * BEND_RATE(s_qk);
            __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
                dk[i] = fma((head_vec)(ds), head_load(i, qh), dk[i]);
                dv[i] = fma((head_vec)(p), head_load(i, doh), dv[i]);
            }
        }
    }
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
        head_store(dk[i], i, d_kv + at);
        head_store(dv[i], i, d_kv + at + G * HEAD_DIM);
    }
}
