/* The list of the graph's kernels, and in what work-groups they run. */
#include "nn/kernels.h"

static const dun_topic topics[DUN_N_NN_TOPICS] = {
    [DUN_TOPIC_model] = {"model", DUN_CUT_ROWS | DUN_CUT_HEADS},
    [DUN_TOPIC_traits] = {"traits", DUN_CUT_ROWS | DUN_CUT_HEADS},
    [DUN_TOPIC_stored] = {"stored", DUN_CUT_ROWS},
};

static const struct dun_kernel_row rows[DUN_N_NN_KERNELS] = {
#define X(topic, name) {#name, DUN_TOPIC_##topic},
    DUN_NN_KERNELS(X)
#undef X
};

static uint32_t group_of(const dun_tiles *tiles, size_t kernel) {
    static const bool attention[DUN_N_NN_KERNELS] = {
        [DUN_K_attention_fwd] = true,        [DUN_K_attention_bwd_q] = true,
        [DUN_K_attention_bwd_kv] = true,     [DUN_K_bent_attention_fwd] = true,
        [DUN_K_bent_attention_bwd_q] = true, [DUN_K_bent_attention_bwd_kv] = true,
    };
    return attention[kernel] && tiles->attention_group > 1 ? tiles->attention_group : tiles->group;
}

const dun_kernel_list dun_nn_kernels = {topics, DUN_N_NN_TOPICS, rows, DUN_N_NN_KERNELS, group_of};

int dun_nn_use(const dun_compute *compute, bool traits, bool stored) {
    return dun_compute_use(compute, &dun_nn_kernels,
                           1u << DUN_TOPIC_model | (traits ? 1u << DUN_TOPIC_traits : 0) |
                               (stored ? 1u << DUN_TOPIC_stored : 0));
}

dun_range dun_attention_items(const dun_compute *compute, size_t n) {
    uint32_t group = compute->tiles.attention_group;
    return group > 1 ? (dun_range){{n, 1}, group} : dun_items(compute, n);
}

dun_range dun_attention_queries(const dun_compute *compute, size_t n_rows, size_t H) {
    const size_t together = compute->tiles.attention_group > 1 ? 1 : DUN_ATTENTION_ROWS;
    return dun_attention_items(compute, (n_rows + together - 1) / together * H);
}
