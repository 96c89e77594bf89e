/* One forward and one backward function an op, side by side in ops.c and
 * ops_attention.c; the walk over a graph calls them through this table. */
#ifndef DUN_OPS_H
#define DUN_OPS_H

#include "nn/engine.h"

/* What a step sees while a graph runs. */
typedef struct {
    dun_engine *engine;
    dun_graph *graph;
    dun_plan *plan;
    uint32_t cache_row; /* text graph: where in the cache this batch's rows go */
    bool *written;      /* per value: its gradient buffer holds a partial sum (backward) */
} dun_run;

typedef struct {
    int (*forward)(dun_run *run, const dun_step *step);
    int (*backward)(dun_run *run, const dun_step *step);
} dun_op_code;

extern const dun_op_code dun_op_code_table[DUN_N_OPS];

#endif
