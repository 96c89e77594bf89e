/* Counts what the products of a graph have to compute and to move. */
#include "bench/bench.h"

double dun_bench_flops(const dun_graph *graph, uint32_t N, uint32_t S) {
    double flops = 0;
    for (size_t i = 0; i < graph->n_steps; i++) {
        const dun_step *step = &graph->steps[i];
        if (step->op != DUN_OP_LINEAR)
            continue;
        const dun_value *x = &graph->values[step->in[DUN_IN_X]], *y = &graph->values[step->out];
        flops += 2.0 * (y->last_rows ? S : N) * x->columns * y->columns;
    }
    return flops;
}

double dun_bench_bytes(const dun_graph *graph, const dun_model *model, uint32_t N, uint32_t S) {
    double bytes = 0;
    for (size_t i = 0; i < graph->n_steps; i++) {
        const dun_step *step = &graph->steps[i];
        if (step->op != DUN_OP_LINEAR)
            continue;
        const dun_value *x = &graph->values[step->in[DUN_IN_X]], *y = &graph->values[step->out];
        const dun_matrix *matrix = dun_model_matrix(model, step->weight, step->layer);
        bytes += matrix->parts[0].is_stored ? (double)dun_matrix_bytes(matrix)
                                            : (double)sizeof(float) * matrix->rows * matrix->columns;
        bytes += (double)sizeof(float) * (y->last_rows ? S : N) * (x->columns + y->columns);
    }
    return bytes;
}
