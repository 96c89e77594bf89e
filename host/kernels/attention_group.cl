/* The attention of attention.cl for GPUs: a work-group of ATT_WG items for each (query row, head), and for dk and
 * dv for each (own row, group). Same formulas, arguments and results; compiled instead of it where ATT_WG > 1.
 *
 * Keys are taken ATT_WG at a time, one an item. Their rows come through a tile in local memory, 16 floats of
 * each at once: neighbouring items read neighbouring floats of a row, and each item then reads its own row from
 * the tile, whose rows lie 17 floats apart so that items meet in different banks. Scores become weights with a
 * maximum and a sum over the group; then items change roles: item d owns component d of the result (and d +
 * ATT_WG, ...) and adds the tile's rows to it in order, reading neighbouring floats from memory (now in cache).
 * So every sum has one owner and one order: no atomics. All barriers stand in loops whose counts are the same
 * for all items of a group.
 *
 * Local memory: two tiles of ATT_WG * 17 floats, three results an item, two rows of a head.
 * Flops as in attention.cl, but do . o in every item: ATT_WG * 2*D a query row and head. Bytes as there too, but
 * keys for dq, and queries and d_o for dk and dv, are read twice, the second time from cache.
 * Defines: ATT_WG 8 ... 256, HEAD_DIM. */
#include "attention_shared.cl"

#ifndef ATT_HELPERS
#define GROUP_DEPTH 16
#define GROUP_STRIDE (GROUP_DEPTH + 1)
#define GROUP_TILE (ATT_WG * GROUP_STRIDE)
/* Components of a head that one item owns. */
#define GROUP_PARTS ((HEAD_DIM + ATT_WG - 1) / ATT_WG)

/* Sum and maximum over the group, given to every item, always in the same tree. `scratch` holds ATT_WG floats. */
float att_sum(float x, __local float *scratch) {
    int lid = (int)get_local_id(0);
    scratch[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = ATT_WG / 2; half_ > 0; half_ /= 2) {
        if (lid < half_)
            scratch[lid] += scratch[lid + half_];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    x = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return x;
}

float att_max(float x, __local float *scratch) {
    int lid = (int)get_local_id(0);
    scratch[lid] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = ATT_WG / 2; half_ > 0; half_ /= 2) {
        if (lid < half_)
            scratch[lid] = fmax(scratch[lid], scratch[lid + half_]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    x = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return x;
}

/* A row of one head in local memory, times scale. The caller's barrier follows. */
void att_row(__local float *out, __global const float *in, float scale) {
    for (int d = (int)get_local_id(0); d < HEAD_DIM; d += ATT_WG)
        out[d] = in[d] * scale;
}

/* Floats d0 .. d0+15 of `count` rows, row j at row(j), into a tile. */
#define GROUP_FILL(tile, count, d0, row)                                                                     \
    for (int e = (int)get_local_id(0); e < (count) * GROUP_DEPTH; e += ATT_WG) {                             \
        int j = e / GROUP_DEPTH, d = e % GROUP_DEPTH;                                                        \
        (tile)[j * GROUP_STRIDE + d] = (d0) + d < HEAD_DIM ? (row)[(d0) + d] : 0.0f;                         \
    }

/* Floats d0 .. d0+15 of a row of one head times y[0 ...], which may be a row of a tile. */
float att_dot(__local const float *x, __local const float *y, int d0) {
    float sum = 0.0f;
    for (int d = 0; d < GROUP_DEPTH && d0 + d < HEAD_DIM; d++)
        sum = fma(x[d0 + d], y[d], sum);
    return sum;
}

#define ATT_HELPERS
#endif

/* Range: H * Nq groups. */
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
    __local float keys[GROUP_TILE], scratch[ATT_WG], weight[ATT_WG], query[HEAD_DIM];
    const int lid = (int)get_local_id(0), item = (int)get_group_id(0), head = item % H;
    const visible_rows seen = visible_to(row_of[item / H], head / (H / G), prefix_kv, own_kv + own_offset,
                                         shared_len, prefix_start, prefix_len, start, sequence, G);
    const int value = G * HEAD_DIM;
    BEND_BY(head)
    float sum[GROUP_PARTS], top = -1e30f, total = 0.0f;
    for (int i = 0; i < GROUP_PARTS; i++)
        sum[i] = 0.0f;
    att_row(query, q + (size_t)item * HEAD_DIM, scale);
    for (int t0 = FIRST_SEEN(seen.n); t0 < seen.n; t0 += ATT_WG) {
        const int count = min(ATT_WG, seen.n - t0);
        float score = 0.0f;
        for (int d0 = 0; d0 < HEAD_DIM; d0 += GROUP_DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE); /* the tile before has been used; the query is there */
            GROUP_FILL(keys, count, d0, key_at(&seen, t0 + j))
            barrier(CLK_LOCAL_MEM_FENCE);
            if (lid < count)
                score += att_dot(query, keys + lid * GROUP_STRIDE, d0);
        }
        score = lid < count ? BEND(score, t0 + lid - (seen.n - 1)) : -1e30f; /* weight 0 */
        float tile_top = fmax(top, att_max(score, scratch));
        float shrink = exp_negative(top - tile_top);
        top = tile_top;
        weight[lid] = exp_negative(score - top);
        total = total * shrink + att_sum(weight[lid], scratch);
        for (int i = 0; i < GROUP_PARTS; i++)
            sum[i] *= shrink;
        for (int j = 0; j < count; j++) {
            __global const float *v = key_at(&seen, t0 + j) + value;
            for (int i = 0; i < GROUP_PARTS; i++) {
                int d = lid + i * ATT_WG;
                if (d < HEAD_DIM)
                    sum[i] = fma(weight[j], v[d], sum[i]);
            }
        }
    }
    for (int i = 0; i < GROUP_PARTS; i++) {
        int d = lid + i * ATT_WG;
        if (d < HEAD_DIM)
            o[(size_t)item * HEAD_DIM + (size_t)d] = sum[i] / total;
    }
    if (lid == 0)
        stats[item] = top + log(total);
}

/* Also writes delta (Nq, H) for attention_bwd_kv, which must run after it. Range: H * Nq groups. */
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
    __local float keys[GROUP_TILE], values[GROUP_TILE], slope[ATT_WG];
    __local float query[HEAD_DIM], d_out[HEAD_DIM];
    const int lid = (int)get_local_id(0), item = (int)get_group_id(0), head = item % H;
    const visible_rows seen = visible_to(row_of[item / H], head / (H / G), prefix_kv, own_kv, shared_len,
                                         prefix_start, prefix_len, start, sequence, G);
    const int value = G * HEAD_DIM;
    BEND_BY(head)
    const size_t at = (size_t)item * HEAD_DIM;
    float sum[GROUP_PARTS], offset = 0.0f;
    const float log_total = stats[item];
    for (int i = 0; i < GROUP_PARTS; i++)
        sum[i] = 0.0f;
    att_row(query, o + at, 1.0f);
    att_row(d_out, d_o + at, 1.0f);
    barrier(CLK_LOCAL_MEM_FENCE);
    /* Each item for itself, in the order of do . v: where one row is all that is seen, they cancel exactly. */
    for (int d0 = 0; d0 < HEAD_DIM; d0 += GROUP_DEPTH)
        offset += att_dot(d_out, query + d0, d0);
    barrier(CLK_LOCAL_MEM_FENCE);
    att_row(query, q + at, scale);
    for (int t0 = FIRST_SEEN(seen.n); t0 < seen.n; t0 += ATT_WG) {
        const int count = min(ATT_WG, seen.n - t0);
        float score = 0.0f, rise = 0.0f;
        for (int d0 = 0; d0 < HEAD_DIM; d0 += GROUP_DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE); /* the tiles before have been used; the rows are there */
            GROUP_FILL(keys, count, d0, key_at(&seen, t0 + j))
            GROUP_FILL(values, count, d0, key_at(&seen, t0 + j) + value)
            barrier(CLK_LOCAL_MEM_FENCE);
            if (lid < count) {
                score += att_dot(query, keys + lid * GROUP_STRIDE, d0);
                rise += att_dot(d_out, values + lid * GROUP_STRIDE, d0);
            }
        }
        slope[lid] = lid < count ? exp_negative(BEND(score, t0 + lid - (seen.n - 1)) - log_total) *
                                       (rise - offset) * scale * BEND_RATE(score)
                                 : 0.0f;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = 0; j < count; j++) {
            __global const float *k = key_at(&seen, t0 + j);
            for (int i = 0; i < GROUP_PARTS; i++) {
                int d = lid + i * ATT_WG;
                if (d < HEAD_DIM)
                    sum[i] = fma(slope[j], k[d], sum[i]);
            }
        }
    }
    for (int i = 0; i < GROUP_PARTS; i++) {
        int d = lid + i * ATT_WG;
        if (d < HEAD_DIM)
            dq[at + (size_t)d] = sum[i];
    }
    if (lid == 0)
        delta[item] = offset;
}

/* The (query, head) pairs that may see an own row: heads of its group, queries of its sequence; one an item.
 * query_start (S+1): the query rows of each sequence. Range: G * N groups. */
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
    __local float queries[GROUP_TILE], d_outs[GROUP_TILE], weight[ATT_WG], slope[ATT_WG];
    __local float key[HEAD_DIM], val[HEAD_DIM];
    const int lid = (int)get_local_id(0), item = (int)get_group_id(0);
    const int row = item / G, group = item - row * G, s = sequence[row], heads = H / G;
    const int first = query_start[s], pairs = (query_start[s + 1] - first) * heads;
    const size_t at = (size_t)row * (size_t)(2 * G * HEAD_DIM) + (size_t)(group * HEAD_DIM);
    float dk[GROUP_PARTS], dv[GROUP_PARTS];
    for (int i = 0; i < GROUP_PARTS; i++)
        dk[i] = dv[i] = 0.0f;
    att_row(key, own_kv + at, scale);
    att_row(val, own_kv + at + G * HEAD_DIM, 1.0f);
/* Pair p's place among all (query, head). */
#define PAIR(p) ((size_t)(first + (p) / heads) * (size_t)H + (size_t)(group * heads + (p) % heads))
    for (int p0 = 0; p0 < pairs; p0 += ATT_WG) {
        const int count = min(ATT_WG, pairs - p0);
        const int query = first + (p0 + min(lid, count - 1)) / heads;
        const bool mine = lid < count && SEES(row_of[query] - row);
        BEND_BY(group * heads + (p0 + min(lid, count - 1)) % heads)
        float score = 0.0f, rise = 0.0f;
        for (int d0 = 0; d0 < HEAD_DIM; d0 += GROUP_DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE); /* the tiles before have been used; the rows are there */
            GROUP_FILL(queries, count, d0, q + PAIR(p0 + j) * HEAD_DIM)
            GROUP_FILL(d_outs, count, d0, d_o + PAIR(p0 + j) * HEAD_DIM)
            barrier(CLK_LOCAL_MEM_FENCE);
            if (mine) {
                score += att_dot(key, queries + lid * GROUP_STRIDE, d0);
                rise += att_dot(val, d_outs + lid * GROUP_STRIDE, d0);
            }
        }
        weight[lid] = mine ? exp_negative(BEND(score, row - row_of[query]) - stats[PAIR(p0 + lid)]) : 0.0f;
        slope[lid] = mine ? weight[lid] * (rise - delta[PAIR(p0 + lid)]) * scale * BEND_RATE(score) : 0.0f;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = 0; j < count; j++) {
            const size_t pair = PAIR(p0 + j) * HEAD_DIM;
            for (int i = 0; i < GROUP_PARTS; i++) {
                int d = lid + i * ATT_WG;
                if (d < HEAD_DIM) {
                    dk[i] = fma(slope[j], q[pair + (size_t)d], dk[i]);
                    dv[i] = fma(weight[j], d_o[pair + (size_t)d], dv[i]);
                }
            }
        }
    }
#undef PAIR
    for (int i = 0; i < GROUP_PARTS; i++) {
        int d = lid + i * ATT_WG;
        if (d < HEAD_DIM) {
            d_kv[at + (size_t)d] = dk[i];
            d_kv[at + G * HEAD_DIM + (size_t)d] = dv[i];
        }
    }
}
