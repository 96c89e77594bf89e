/* The list of the graph's kernels, and in what work-groups they run. */
#include "nn/kernels.h"

static const dun_topic topics[DUN_N_NN_TOPICS] = {
    [DUN_TOPIC_model] = {"model", DUN_CUT_ROWS | DUN_CUT_HEADS},
};

static const struct dun_kernel_row rows[DUN_N_NN_KERNELS] = {
#define X(topic, name) {#name, DUN_TOPIC_##topic},
    DUN_NN_KERNELS(X)
#undef X
};

static uint32_t group_of(const dun_tiles *tiles, size_t kernel) {
    bool attention =
        kernel == DUN_K_attention_fwd || kernel == DUN_K_attention_bwd_q || kernel == DUN_K_attention_bwd_kv;
    return attention && tiles->attention_group > 1 ? tiles->attention_group : tiles->group;
}

const dun_kernel_list dun_nn_kernels = {topics, DUN_N_NN_TOPICS, rows, DUN_N_NN_KERNELS, group_of};

int dun_nn_use(const dun_compute *compute) {
    return dun_compute_use(compute, &dun_nn_kernels, DUN_ALL_TOPICS);
}

dun_range dun_attention_items(const dun_compute *compute, size_t n) {
    uint32_t group = compute->tiles.attention_group;
    return group > 1 ? (dun_range){{n, 1}, group} : dun_items(compute, n);
}
