/* What a query of attention sees, for attention.cl and attention_group.cl: the cached rows of words before every
 * text, those of the frozen text, then the sequence's own. Nothing is computed; four ints of each sequence are read.
 * Scores as they are: without attention_bent.cl before it, a query sees all rows up to its own. */
#ifndef ATT_BENT
#    define ATT_BENT 0
#endif
#if !ATT_BENT
#    define ATTENTION(name) attention_##name
#    define BEND_ARGUMENTS
#    define BEND_BY(head)
#    define BEND(score, distance) (score)
#    define BEND_RATE(score) 1.0f
#    define FIRST_SEEN(n) 0
#    define SEES(distance) ((distance) >= 0)
#endif

#ifndef ATT_HELPERS

/* From the first key of the query's group of heads on: shared rows up to n_shared, its prefix up to n_cached, then
 * own ones, n in all. */
typedef struct {
    __global const float *shared, *prefix, *own;
    int n_shared, n_cached, n, row_floats;
} visible_rows;

visible_rows visible_to(int row, int group, __global const float *prefix_kv, __global const float *own_kv,
                        __global const int *shared_len, __global const int *prefix_start,
                        __global const int *prefix_len, __global const int *start,
                        __global const int *sequence, int G) {
    int s = sequence[row];
    visible_rows seen;
    seen.row_floats = 2 * G * HEAD_DIM;
    seen.n_shared = shared_len[s];
    seen.n_cached = seen.n_shared + prefix_len[s];
    seen.n = seen.n_cached + row - start[s] + 1;
    seen.shared = prefix_kv + (size_t)(group * HEAD_DIM);
    seen.prefix = prefix_kv + (size_t)prefix_start[s] * (size_t)seen.row_floats + (size_t)(group * HEAD_DIM);
    seen.own = own_kv + (size_t)start[s] * (size_t)seen.row_floats + (size_t)(group * HEAD_DIM);
    return seen;
}

/* The key of visible row t. Its value lies G*D further. */
__global const float *key_at(const visible_rows *seen, int t) {
    return t < seen->n_shared   ? seen->shared + (size_t)t * (size_t)seen->row_floats
           : t < seen->n_cached ? seen->prefix + (size_t)(t - seen->n_shared) * (size_t)seen->row_floats
                                : seen->own + (size_t)(t - seen->n_cached) * (size_t)seen->row_floats;
}
#endif
