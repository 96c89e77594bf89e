/* Walks over a graph's plan that note in every buffer what was last put there, of a gradient all its terms,
 * and look at each read whether just that is still there. What each op reads and writes is stated here again,
 * from its formula, so that op.def and the planner are checked and not repeated. */
#ifndef PLAN_WALK_H
#define PLAN_WALK_H

#include "nn/plan.h"

/* Walks a graph for N rows and S sequences forward and, with `backward`, back, over its plan. Returns what is
 * first wrong, valid until the next call, or NULL. */
const char *plan_walk(const dun_graph *graph, const dun_plan *plan, uint32_t N, uint32_t S, bool backward);

/* Plans and walks a graph, and fails the test, naming `what`, where the walk finds something wrong. Returns
 * the plan's bytes. */
uint64_t plan_walk_check(dun_graph *graph, dun_device *device, uint32_t N, uint32_t S, bool backward,
                         const char *what);

#endif
