/* What the two files of dunlin bench share: tables are in bench.c, JSON in bench_json.c. */
#ifndef DUN_CMD_BENCH_H
#define DUN_CMD_BENCH_H

#include "bench/bench.h"

extern const char *const dun_bench_matrix_names[DUN_N_MATRICES];
extern const char *const dun_bench_stage_names[DUN_BENCH_STAGES];

/* The stages' median seconds together. */
double dun_bench_stages_seconds(const dun_bench *bench);

int dun_bench_print_json(const dun_bench *bench, const dun_session *session);

#endif
