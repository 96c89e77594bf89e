/* Distances between the rows of two matrices (points and centroids, or centroids among themselves), and their
 * gradients. Every kind is a function of one sum:
 *   s(a, b) = sum_j (r_a a_j - r_b b_j + eps)^2
 *   euclidean  d = sqrt(s),  r = 1, eps = 1e-6 (PyTorch's pairwise_distance),  W = dd / d
 *   squared    d = s,        r = 1, eps = 0,                                   W = 2 dd
 *   cosine     d = s / 2 = 1 - cos,  r = 1 / ||row||, eps = 0,                 W = dd
 * and of its gradient, with W (rows, columns) from distance_weights:
 *   da = r_a ( sum_b W_ab (r_a a - r_b b) + shift_a - own_a r_a a )
 *   shift_a = +- eps sum_b W_ab;  own_a = sum_b dd_ab d_ab where the kind is cosine (a row's length does not
 *   count: what points along it is taken away), else 0.
 * Differences are taken component by component: centroids start at points, and ||a||^2 + ||b||^2 - 2ab would
 * leave nothing of what is between them. For the same reason the eps joins the difference, not one side.
 *
 * Rows may be several points side by side, `parts` of D floats each (of several prompts): each part has a distance
 * of its own, and a row's distance is their mean, so that a part's gradient is 1 / parts of that of one alone. A
 * row's scales, shifts and own shares then are `parts` numbers.
 *
 * Sizes: A and B rows of parts*D floats, where D may be the vocabulary. Rows lie D floats apart, often a large power
 * of two times three, so caches hold few of them at one column: a group takes tiles of DISTANCE_ROWS rows, and
 * each load serves all of them. Flops: 4.5 a pair and column forward, 3.1 backward for either side. Bytes of a pair
 * and column, from cache: 2 forward, 0.5 backward; from memory 4*(A + B)*D at least. */
#define DISTANCE_ROWS 4
#define DISTANCE_BWD_ROWS 8
/* Columns of one partial sum, as in host/learn/distance.c: a few hundred for each adder, whose rounding errors all
 * have one sign where all columns are alike. */
#define DISTANCE_CHUNK (WG * VW < 16 ? 1024 : 4096)

#define DISTANCE_EUCLIDEAN 0
#define DISTANCE_SQUARED 1
#define DISTANCE_COSINE 2

#define EACH_TILE_ROW(X) X(0) X(1) X(2) X(3)
#define EACH_BLOCK_ROW(X) EACH_TILE_ROW(X) X(4) X(5) X(6) X(7)
#define EACH_TILE_PAIR(X)                                                                                    \
    X(0, 0) X(0, 1) X(0, 2) X(0, 3) X(1, 0) X(1, 1) X(1, 2) X(1, 3)                                          \
    X(2, 0) X(2, 1) X(2, 2) X(2, 3) X(3, 0) X(3, 1) X(3, 2) X(3, 3)

/* scale[row] = 1 / || x[row] ||, 0 for a row of zeros (it is then at the distance 1/2 from every other, without a
 * gradient). Range: rows groups. */
__kernel void inverse_norm(__global float *scale,   /* (rows) */
                           __global const float *x, /* (rows, D) */
                           int D) {
    __local float scratch[WG];
    size_t row = get_group_id(0);
    x += row * (size_t)D;
    vec squares = 0.0f;
    float rest = 0.0f;
    FOR_VECTORS(i, D) {
        vec v = vec_load(i, x);
        squares = fma(v, v, squares);
    }
    FOR_REST(j, D)
        rest = fma(x[j], x[j], rest);
    float norm = sqrt(group_sum(vec_sum(squares) + rest, scratch));
    if (get_local_id(0) == 0)
        scale[row] = inverse_distance(norm);
}

/* sums[part][chunk][i][k] = what of s(a_i, b_k) is in the columns of a chunk of a part; with `upper` only k > i is
 * asked for. A group computes a tile of 4 x 4 pairs: 8 loads feed 16 differences. Range: (tiles, parts*chunks) groups,
 * tiles row by row. Reads A/4 * B*D + B/4 * A*D floats, in cache for a chunk. */
__kernel void distance_fwd(__global float *sums,                             /* (parts, chunks, A, B) */
                           __global const float *a, __global const float *b, /* (A, parts, D), (B, parts, D) */
                           __global const float *scale_a, __global const float *scale_b, /* (A, parts), (B, parts) */
                           int A, int B, int D, int parts, float eps, int upper) {
    __local float scratch[WG];
    int tiles = (B + DISTANCE_ROWS - 1) / DISTANCE_ROWS, tile = (int)get_group_id(0);
    int row0 = tile / tiles * DISTANCE_ROWS, column0 = tile % tiles * DISTANCE_ROWS;
    int chunks = (D + DISTANCE_CHUNK - 1) / DISTANCE_CHUNK, part = (int)get_group_id(1) / chunks;
    int begin = (int)get_group_id(1) % chunks * DISTANCE_CHUNK, n = min(DISTANCE_CHUNK, D - begin);
    if (upper && column0 + DISTANCE_ROWS - 1 <= row0) /* the same for the whole group */
        return;
    sums += (size_t)get_group_id(1) * (size_t)A * (size_t)B;
/* Rows beyond the last read it again; their sums are not stored. */
#define ROW(t)                                                                                               \
    size_t i##t = (size_t)min(row0 + t, A - 1) * (size_t)parts + (size_t)part;                               \
    size_t k##t = (size_t)min(column0 + t, B - 1) * (size_t)parts + (size_t)part;                            \
    __global const float *a##t = a + i##t * (size_t)D + (size_t)begin;                                       \
    __global const float *b##t = b + k##t * (size_t)D + (size_t)begin;                                       \
    float ra##t = scale_a[i##t], rb##t = scale_b[k##t];
#define CLEAR(i, k) vec sum##i##k = 0.0f;
#define LOAD(t) vec x##t = ra##t * vec_load(v, a##t), y##t = rb##t * vec_load(v, b##t);
#define STEP(i, k)                                                                                           \
    {                                                                                                        \
        vec difference = x##i - y##k + eps;                                                                  \
        sum##i##k = fma(difference, difference, sum##i##k);                                                  \
    }
#define FINISH(i, k)                                                                                         \
    {                                                                                                        \
        float rest = 0.0f;                                                                                   \
        FOR_REST(j, n) {                                                                                     \
            float difference = ra##i * a##i[j] - rb##k * b##k[j] + eps;                                      \
            rest = fma(difference, difference, rest);                                                        \
        }                                                                                                    \
        rest = group_sum(vec_sum(sum##i##k) + rest, scratch);                                                \
        if (get_local_id(0) == 0 && row0 + i < A && column0 + k < B)                                                \
            sums[(size_t)(row0 + i) * (size_t)B + (size_t)(column0 + k)] = rest;                                    \
    }
    EACH_TILE_ROW(ROW)
    EACH_TILE_PAIR(CLEAR)
    FOR_VECTORS(v, n) {
        EACH_TILE_ROW(LOAD)
        EACH_TILE_PAIR(STEP)
    }
    EACH_TILE_PAIR(FINISH)
#undef ROW
#undef CLEAR
#undef LOAD
#undef STEP
#undef FINISH
}

/* distance[part][i][k] from its sums, added in the order of the chunks; with `upper` 0 where k <= i. Range: parts*A*B
 * items. */
__kernel void distance_finish(__global float *distance,     /* (parts, A, B) */
                              __global const float *sums,   /* (parts, chunks, A, B) */
                              int A, int B, int parts, int chunks, int kind, int upper) {
    size_t id = get_global_id(0), n = (size_t)A * (size_t)B, part = id / n, at = id % n;
    if (part >= (size_t)parts)
        return;
    float s = 0.0f;
    if (!upper || at % (size_t)B > at / (size_t)B)
        for (int c = 0; c < chunks; c++)
            s += sums[(part * (size_t)chunks + (size_t)c) * n + at];
    distance[id] = kind == DISTANCE_EUCLIDEAN ? sqrt(s) : kind == DISTANCE_COSINE ? 0.5f * s : s;
}

/* distance = mean over the parts of `each`, in their order. Range: n items. */
__kernel void distance_mean(__global float *distance,   /* (n) */
                            __global const float *each, /* (parts, n) */
                            int n, int parts) {
    int at = (int)get_global_id(0);
    if (at >= n)
        return;
    float sum = 0.0f;
    for (int part = 0; part < parts; part++)
        sum += each[(size_t)part * (size_t)n + (size_t)at];
    distance[at] = sum / (float)parts;
}

/* What distance_bwd reads, from distances and their gradients. The rows of the result are those of the matrix
 * whose gradient is wanted:
 *   side 0  the first matrix: element (r, c) of the result belongs to distance (r, c)
 *   side 1  the second: to distance (c, r); eps counts with the other sign
 *   side 2  pairs of one matrix, of which the upper triangle is known: (r, c) for c > r as side 0, (c, r) for
 *           c < r as side 1, 0 on the diagonal
 * `each` are the distances of the parts, whose mean has the gradient d_distance. Range: (rows, parts) groups. */
__kernel void distance_weights(__global float *weight, __global float *shift, /* (parts, rows, columns), (rows, parts) */
                               __global float *own,                           /* (rows, parts) */
                               __global const float *d_distance,              /* one matrix */
                               __global const float *each,                    /* `parts` of them */
                               int rows, int columns, int parts, int kind, float eps, int side) {
    __local float scratch[WG];
    int r = (int)get_group_id(0), part = (int)get_group_id(1);
    size_t n = (size_t)rows * (size_t)columns;
    float shifts = 0.0f, along = 0.0f, share = 1.0f / (float)parts;
    weight += (size_t)part * n;
    each += (size_t)part * n;
    for (int c = (int)get_local_id(0); c < columns; c += WG) {
        bool second = side == 1 || (side == 2 && c < r);
        size_t at = second ? (size_t)c * (size_t)rows + (size_t)r : (size_t)r * (size_t)columns + (size_t)c;
        float dd = 0.0f, d = 0.0f;
        if (side != 2 || c != r) {
            dd = share * d_distance[at];
            d = each[at];
        }
        float w = kind == DISTANCE_EUCLIDEAN ? dd * inverse_distance(d) : kind == DISTANCE_SQUARED ? 2.0f * dd : dd;
        weight[(size_t)r * (size_t)columns + (size_t)c] = w;
        shifts += second ? -w : w;
        along += dd * d;
    }
    shifts = group_sum(shifts, scratch);
    along = group_sum(along, scratch);
    if (get_local_id(0) == 0) {
        shift[r * parts + part] = eps * shifts;
        own[r * parts + part] = kind == DISTANCE_COSINE ? along : 0.0f;
    }
}

/* d_a[i] = beta * d_a[i] + scale_a[i] * ( sum_k weight[i][k] * (scale_a[i] a_i - scale_b[k] b_k)
 *                                         + shift[i] - own[i] * scale_a[i] a_i ).
 * in every part. An item holds 2 vectors of 8 rows of a and walks over the rows of b. Range: (column blocks,
 * parts * tiles of 8 rows) groups; a column block is 2*WG*VW floats, and the first block also takes the columns behind
 * the last vector. Reads A/8 * B*D floats a part. */
__kernel void distance_bwd(__global float *d_a,                                      /* (A, parts, D) */
                           __global const float *weight, __global const float *shift, /* (parts, A, B), (A, parts) */
                           __global const float *own,                                /* (A, parts) */
                           __global const float *a, __global const float *b, /* (A, parts, D), (B, parts, D) */
                           __global const float *scale_a, __global const float *scale_b, /* (A, parts), (B, parts) */
                           int A, int B, int D, int parts, int beta) {
    int tiles = (A + DISTANCE_BWD_ROWS - 1) / DISTANCE_BWD_ROWS, part = (int)get_group_id(1) / tiles;
    int row0 = (int)get_group_id(1) % tiles * DISTANCE_BWD_ROWS, n_vectors = D / VW;
    int v0 = (int)get_group_id(0) * 2 * WG + (int)get_local_id(0), v1 = v0 + WG;
    int v2 = min(v1, n_vectors - 1); /* read instead of v1 where that is beyond the row */
#define ROW(t)                                                                                               \
    size_t i##t = (size_t)min(row0 + t, A - 1) * (size_t)parts + (size_t)part;                               \
    float ra##t = scale_a[i##t];                                                                             \
    size_t at##t = i##t * (size_t)D;                                                                         \
    __global const float *w##t = weight + ((size_t)part * (size_t)A + (size_t)min(row0 + t, A - 1)) * (size_t)B;
#define LOAD(t)                                                                                              \
    vec x##t = ra##t * vec_load(v0, a + at##t), y##t = ra##t * vec_load(v2, a + at##t);                      \
    vec p##t = 0.0f, q##t = 0.0f;
#define STEP(t)                                                                                              \
    p##t = fma((vec)(w##t[k]), x##t - left, p##t);                                                           \
    q##t = fma((vec)(w##t[k]), y##t - right, q##t);
#define STORE(t)                                                                                             \
    if (row0 + t < A) {                                                                                        \
        p##t = ra##t * (p##t + shift[i##t] - own[i##t] * x##t);                                              \
        q##t = ra##t * (q##t + shift[i##t] - own[i##t] * y##t);                                              \
        vec_store(beta ? vec_load(v0, d_a + at##t) + p##t : p##t, v0, d_a + at##t);                          \
        if (v1 < n_vectors)                                                                                  \
            vec_store(beta ? vec_load(v1, d_a + at##t) + q##t : q##t, v1, d_a + at##t);                      \
    }
#define REST(t)                                                                                              \
    if (row0 + t < A) {                                                                                        \
        float x = ra##t * a[at##t + (size_t)j], sum = 0.0f;                                                  \
        for (int k = 0; k < B; k++)                                                                          \
            sum = fma(w##t[k], x - scale_b[k * parts + part] * b[(size_t)(k * parts + part) * (size_t)D + (size_t)j], sum); \
        sum = ra##t * (sum + shift[i##t] - own[i##t] * x);                                                   \
        d_a[at##t + (size_t)j] = beta ? d_a[at##t + (size_t)j] + sum : sum;                                  \
    }
    EACH_BLOCK_ROW(ROW)
    if (v0 < n_vectors) {
        EACH_BLOCK_ROW(LOAD)
        for (int k = 0; k < B; k++) {
            __global const float *row = b + (size_t)(k * parts + part) * (size_t)D;
            float rb = scale_b[k * parts + part];
            vec left = rb * vec_load(v0, row), right = rb * vec_load(v2, row);
            EACH_BLOCK_ROW(STEP)
        }
        EACH_BLOCK_ROW(STORE)
    }
    if (get_group_id(0) == 0)
        FOR_REST(j, D) {
            EACH_BLOCK_ROW(REST)
        }
#undef ROW
#undef LOAD
#undef STEP
#undef STORE
#undef REST
}
