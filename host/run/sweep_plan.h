/* plan.json in the folder of several runs: what they are, in their order. By it processes that share them
 * know that they mean the same ones, and the table can be made from the folder alone.
 *
 *   {"keys": ["prompt.lr"], "values": [["1e-3", "1e-2"]], "configs": ["quickstart"], "seeds": 1,
 *    "runs": [{"name": "001-lr=1e-3", "seed": 1, "config": "hash of its config"}, ...]} */
#ifndef DUN_SWEEP_PLAN_H
#define DUN_SWEEP_PLAN_H

#include "run/sweep_table.h"

/* What a config is known by in a plan, on any machine: all but where files lie, the device, and what a run
 * leaves. */
int dun_sweep_config_hash(uint64_t *hash, const dun_config *config);

/* A table as it stands in a folder, with what it borrows otherwise. */
typedef struct {
    dun_sweep sweep;
    char **configs; /* [n_configs] */
    size_t n_configs;
    dun_sweep_table table;
} dun_sweep_plan;

/* Writes the plan of a table's rows into a folder that has none. DUN_FAILED: it has that of other runs; what
 * differs first is said. */
int dun_sweep_plan_agree(const dun_sweep_table *table, const char *folder);

/* DUN_BAD_INPUT: there is none, or it is damaged. */
int dun_sweep_plan_read(dun_sweep_plan *plan, const char *folder);
void dun_sweep_plan_free(dun_sweep_plan *plan);

bool dun_sweep_plan_exists(const char *folder);

#endif
