/* How learning rates change over a run. */
#ifndef DUN_SCHEDULE_H
#define DUN_SCHEDULE_H

#include "config/config.h"

/* Factor of every learning rate at step 1, 2, ... of n_steps. In the first `warmup` steps it rises in equal
 * parts, 1 / (warmup + 1) at the first; from the one after them on, with p = (step - 1 - warmup) / (n_steps -
 * warmup): constant 1, linear 1 - p, cosine (1 + cos(pi p)) / 2. The last step still moves: p stays below 1.
 */
double dun_schedule_factor(const dun_config *config, uint64_t step, uint64_t n_steps);

#endif
