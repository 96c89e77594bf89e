/* Causal attention of few query rows over a cached text and the sequence's own rows, grouped heads.
 * Sequence s sees the first shared_len[s] cached rows (words before every text), then prefix_len[s] cached rows
 * from prefix_start[s] of `prefix_kv` (the frozen text, or none), then its own rows start[s] .. of `own_kv` up to
 * and including the query's. Query row q is own row row_of[q] (all rows, or only each sequence's last one). With keys k_t and values v_t of head h's group,
 *   s_t = scale * q . k_t,   p = softmax(s),   o = sum_t p_t v_t,   stats = max(s) + log sum exp(s - max(s))
 * computed in one pass with a running maximum (Milakov and Gimelshein 2018), TILE keys at a time.
 * Backward, with delta = do . o:
 *   ds_t = p_t * (do . v_t - delta),  dq = scale * sum_t ds_t k_t,  dk_t = scale * sum_q ds_t q,  dv_t = sum_q p_t do
 * only for own rows: the cached text is constant. p is recomputed from stats (Dao et al. 2022).
 * One work-item a (block of ATT_ROWS query rows, head), or a (own row, group) for dk and dv: every sum has one owner, no
 * atomics. Rows of a block that are neighbours in a sequence take keys together (attention_block.cl), others each
 * alone, with the same bits.
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

/* sum += weight[j] * y_j for j < count, where y_j lies `offset` floats behind visible key first + j. */
void head_add(head_vec *sum, const float *weight, const visible_rows *seen, int first, int count, int offset) {
    head_vec part[HEAD_VECTORS];
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        part[i] = sum[i];
    for (int j = 0; j < count; j++) {
        __global const float *y = key_at(seen, first + j) + offset;
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
            part[i] = fma((head_vec)(weight[j]), head_load(i, y), part[i]);
    }
    __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
        sum[i] = part[i];
}
#endif
#include "attention_block.cl"
#define ATT_HELPERS

/* The rows of an item; the keys before `end` they take together, row r those before first.n + r. */
#define BLOCK_OF(item, own)                                                                                            \
    const int block = (item) / H, head = (item) - block * H, group = head / (H / G), value = G * HEAD_DIM;             \
    const int query = block * ATT_ROWS, rows = min(ATT_ROWS, Nq - query);                                              \
    const bool together = HEAD_VW >= 4 && are_block(query, rows, sequence, row_of);                                     \
    const visible_rows first = visible_to(row_of[query], group, prefix_kv, own, shared_len, prefix_start, prefix_len,  \
                                          start, sequence, G);                                                         \
    const int end = together && !FIRST_SEEN(first.n + ATT_ROWS - 1) ? first.n + ATT_ROWS - 1 : 0

/* Range: (H * Nq / ATT_ROWS, rounded up) items. */
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
    if (item >= (Nq + ATT_ROWS - 1) / ATT_ROWS * H)
        return;
    BLOCK_OF(item, own_kv + own_offset);
    BEND_BY(head)
    head_vec qs[ATT_ROWS][HEAD_VECTORS], sum[ATT_ROWS][HEAD_VECTORS];
    float top[ATT_ROWS];
    float16 totals[ATT_ROWS];
    for (int r = 0; r < rows; r++) {
        size_t at = ((size_t)(query + r) * (size_t)H + (size_t)head) * HEAD_DIM;
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
            qs[r][i] = head_load(i, q + at) * scale;
            sum[r][i] = 0.0f;
        }
        top[r] = -1e30f;
        totals[r] = 0.0f;
    }
#if HEAD_VW >= 4
    for (int t0 = 0; t0 < end; t0 += TILE) {
        float score[ATT_ROWS * TILE];
        block_dots(score, qs, &first, t0, min(TILE, end - t0), 0);
        for (int r = 0; r < ATT_ROWS; r++) {
            int count = min(TILE, first.n + r - t0);
            if (count <= 0)
                continue;
#if ATT_BENT
            for (int j = 0; j < count; j++)
                score[r * TILE + j] = BEND(score[r * TILE + j], t0 + j - (first.n + r - 1));
#endif
            for (int j = count; j < TILE; j++)
                score[r * TILE + j] = -1e30f; /* weight 0 */
            vstore16(soften(vload16(r, score), &top[r], &totals[r], sum[r]), r, score);
            if (first.n - t0 < TILE)
                head_add(sum[r], score + r * TILE, &first, t0, count, value);
        }
        if (first.n - t0 >= TILE)
            block_add(sum, score, &first, t0, value);
    }
#endif
    for (int r = 0; r < rows; r++) {
        const visible_rows seen = visible_to(row_of[query + r], group, prefix_kv, own_kv + own_offset, shared_len,
                                             prefix_start, prefix_len, start, sequence, G);
        const int n = seen.n;
        for (int t0 = end ? n : FIRST_SEEN(n); t0 < n; t0 += TILE) {
            float score[TILE];
            int count = min(TILE, n - t0);
            for (int j = 0; j < count; j++)
                score[j] = BEND(head_dot(qs[r], key_at(&seen, t0 + j)), t0 + j - (n - 1));
            for (int j = count; j < TILE; j++)
                score[j] = -1e30f; /* weight 0 */
            vstore16(soften(vload16(0, score), &top[r], &totals[r], sum[r]), 0, score);
            head_add(sum[r], score, &seen, t0, count, value);
        }
        const size_t at = (size_t)(query + r) * (size_t)H + (size_t)head;
        float total = sum16(totals[r]);
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
            head_store(sum[r][i] / total, i, o + at * HEAD_DIM);
        stats[at] = top[r] + log(total);
    }
}

/* Also writes delta (Nq, H) for attention_bwd_kv, which must run after it. Range: as attention_fwd. */
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
    if (item >= (Nq + ATT_ROWS - 1) / ATT_ROWS * H)
        return;
    BLOCK_OF(item, own_kv);
    BEND_BY(head)
    head_vec qs[ATT_ROWS][HEAD_VECTORS], dos[ATT_ROWS][HEAD_VECTORS], sum[ATT_ROWS][HEAD_VECTORS];
    float offset[ATT_ROWS], log_total[ATT_ROWS];
    for (int r = 0; r < rows; r++) {
        const size_t stat = (size_t)(query + r) * (size_t)H + (size_t)head, at = stat * HEAD_DIM;
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++) {
            qs[r][i] = head_load(i, q + at) * scale;
            dos[r][i] = head_load(i, d_o + at);
            sum[r][i] = 0.0f;
        }
        offset[r] = head_dot(dos[r], o + at);
        log_total[r] = stats[stat];
        delta[stat] = offset[r];
    }
#if HEAD_VW >= 4
    for (int t0 = 0; t0 < end; t0 += TILE) {
        float score[ATT_ROWS * TILE], slope[ATT_ROWS * TILE];
        block_dots(score, qs, &first, t0, min(TILE, end - t0), 0);
        block_dots(slope, dos, &first, t0, min(TILE, end - t0), value);
        for (int r = 0; r < ATT_ROWS; r++) {
            int count = min(TILE, first.n + r - t0);
            if (count <= 0)
                continue;
            float16 rate = 1.0f;
#if ATT_BENT
            float rates[TILE];
            for (int j = 0; j < count; j++) {
                float *s = &score[r * TILE + j];
                rates[j] = BEND_RATE(*s);
                *s = BEND(*s, t0 + j - (first.n + r - 1));
            }
            for (int j = count; j < TILE; j++)
                rates[j] = 0.0f;
            rate = vload16(0, rates);
#endif
            for (int j = count; j < TILE; j++) {
                score[r * TILE + j] = -1e30f; /* weight 0 */
                slope[r * TILE + j] = 0.0f;
            }
            float16 p = exp_negative16(vload16(r, score) - log_total[r]);
            vstore16(p * (vload16(r, slope) - offset[r]) * scale * rate, r, slope);
            if (first.n - t0 < TILE)
                head_add(sum[r], slope + r * TILE, &first, t0, count, 0);
        }
        if (first.n - t0 >= TILE)
            block_add(sum, slope, &first, t0, 0);
    }
#endif
    for (int r = 0; r < rows; r++) {
        const visible_rows seen = visible_to(row_of[query + r], group, prefix_kv, own_kv, shared_len, prefix_start,
                                             prefix_len, start, sequence, G);
        const int n = seen.n;
        for (int t0 = end ? n : FIRST_SEEN(n); t0 < n; t0 += TILE) {
            float slope[TILE], score[TILE];
#if ATT_BENT
            float rate[TILE];
#endif
            int count = min(TILE, n - t0);
            for (int j = 0; j < count; j++) {
                __global const float *k = key_at(&seen, t0 + j);
                score[j] = head_dot(qs[r], k);
                slope[j] = head_dot(dos[r], k + value);
#if ATT_BENT
                rate[j] = BEND_RATE(score[j]);
                score[j] = BEND(score[j], t0 + j - (n - 1));
#endif
            }
            for (int j = count; j < TILE; j++) {
                score[j] = -1e30f; /* weight 0 */
                slope[j] = 0.0f;
            }
            float16 p = exp_negative16(vload16(0, score) - log_total[r]);
            vstore16(p * (vload16(0, slope) - offset[r]) * scale, 0, slope);
#if ATT_BENT
            for (int j = 0; j < count; j++)
                slope[j] *= rate[j];
#endif
            head_add(sum[r], slope, &seen, t0, count, 0);
        }
        const size_t at = ((size_t)(query + r) * (size_t)H + (size_t)head) * HEAD_DIM;
        __attribute__((opencl_unroll_hint)) for (int i = 0; i < HEAD_VECTORS; i++)
            head_store(sum[r][i], i, dq + at);
    }
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
