/* The list of this room's kernels, and which topics of it a run needs. */
#include "learn/kernels.h"

static const dun_topic topics[DUN_N_LEARN_TOPICS] = {
    [DUN_TOPIC_points] = {"points", DUN_CUT_ROWS},   [DUN_TOPIC_metric] = {"metric", DUN_CUT_ROWS},
    [DUN_TOPIC_boids] = {"boids", DUN_CUT_ROWS},     [DUN_TOPIC_optim] = {"optim", DUN_CUT_ROWS},
    [DUN_TOPIC_reparam] = {"reparam", DUN_CUT_ROWS},
};

static const struct dun_kernel_row rows[DUN_N_LEARN_KERNELS] = {
#define X(topic, name) {#name, DUN_TOPIC_##topic},
    DUN_LEARN_KERNELS(X)
#undef X
};

const dun_kernel_list dun_learn_kernels = {topics, DUN_N_LEARN_TOPICS, rows, DUN_N_LEARN_KERNELS,
                                           dun_group_of_rows};

unsigned dun_learn_topics(const dun_config *config, bool train) {
    unsigned bits = 1u << DUN_TOPIC_points;
    if (config->metric.start != DUN_METRIC_NONE)
        bits |= 1u << DUN_TOPIC_metric;
    if (train)
        bits |= 1u << DUN_TOPIC_optim;
    if (train && config->prompt.reparametrize)
        bits |= 1u << DUN_TOPIC_reparam;
    return bits;
}

int dun_learn_use(const dun_compute *compute, enum dun_learn_topic topic) {
    return dun_compute_use(compute, &dun_learn_kernels, 1u << topic);
}

dun_kernel *dun_learn_kernel(const dun_compute *compute, enum dun_learn_kernel kernel) {
    return dun_compute_kernel(compute, &dun_learn_kernels, kernel);
}
