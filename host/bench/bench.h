/* How fast a model runs on a device: the products of its matrices, the pass over texts, and a training step
 * by stage, on random numbers. Times differ from run to run; nothing else depends on them. */
#ifndef DUN_BENCH_H
#define DUN_BENCH_H

#include "bench/roof.h"
#include "session/session.h"

/* One kind of matrix in one direction: M rows times every layer's matrix of that kind, one after another, so
 * that weights come from memory as they do when the model runs. */
typedef struct {
    enum dun_weight matrix;
    bool backward;
    uint32_t m, rows, columns; /* M, and the weight's */
    uint32_t n_matrices;
    double flops; /* of all of them */
    dun_bench_seconds seconds;
} dun_bench_product;

/* One pass of dun_engine_text. */
typedef struct {
    uint32_t tokens, n_texts; /* of each text, in one pass */
    dun_roof_work work;
    dun_bench_seconds seconds;
} dun_bench_text;

/* Parts of a training step, each waited for, and the whole step waited for once. */
enum dun_bench_stage {
    DUN_BENCH_POINTS,
    DUN_BENCH_LOSS,
    DUN_BENCH_BACKWARD,
    DUN_BENCH_OPTIMISER,
    DUN_BENCH_WHOLE,
    DUN_BENCH_STAGES
};

enum { DUN_BENCH_PRODUCTS = 4 * DUN_N_MATRICES, DUN_BENCH_TEXTS = 2 };

typedef struct {
    dun_bench_product products[DUN_BENCH_PRODUCTS];
    uint32_t n_products;
    dun_bench_text texts[DUN_BENCH_TEXTS];
    uint32_t batch_size, n_prompt, text_tokens; /* of the step: B texts, P rows after each, their length */
    dun_roof_work step_work[DUN_BENCH_STAGES];  /* 0: not counted; launches of the whole step alone */
    dun_bench_seconds step[DUN_BENCH_STAGES];
    dun_bench_seconds whole;  /* if wished for: the step with its texts read anew before it */
    dun_bench_seconds builds; /* likewise: every program in use compiled, whatever was compiled before */
    dun_roof roof;
} dun_bench;

/* Floating-point operations of a graph's products over N rows in S sequences, 2 M N K each; attention, norms
 * and the like are not counted. The same again for the way back. */
double dun_bench_flops(const dun_graph *graph, uint32_t N, uint32_t S);

/* Bytes that these products have to move at least: every weight in the form that it lies in, input and output
 * once. */
double dun_bench_bytes(const dun_graph *graph, const dun_model *model, uint32_t N, uint32_t S);

/* Tokens of the longest text that the model has room for among those to be measured: data.max_length must be
 * at least that when the engine is started, else texts are cut to data.max_length. */
uint32_t dun_bench_longest_text(const dun_session *session);

/* Token number i of those that texts are made of: a pass reads texts one after another from number 0 on, and
 * so have the texts of the step the first of them. */
int32_t dun_bench_token(const dun_session *session, uint64_t i);

typedef struct {
    uint32_t rows;    /* of the products, instead of those of a batch and of a text pass; 0: those */
    bool no_products; /* only texts and the step */
    bool whole;
    uint32_t builds; /* so many times; 0: none */
} dun_bench_wish;

/* Measures. The session's engine must have been started for training. */
int dun_bench_run(dun_bench *out, dun_session *session, const dun_bench_wish *wish);

#endif
