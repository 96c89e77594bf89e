/* The widths that topics try, and running a topic's cases. */
#include "check/check_topics.h"

const int dun_check_widths[DUN_CHECK_N_WIDTHS] = {1,  3,  4,  5,  7,   8,   9,   15,  16,
                                                  17, 31, 32, 33, 127, 255, 256, 257, 576};

void dun_check_run(dun_check *c, const dun_check_topic *topic, bool stop_at_failure) {
    for (size_t i = 0; i < topic->n_cases && !(stop_at_failure && c->n_failed); i++)
        dun_check_run_case(c, topic->run, i);
}
