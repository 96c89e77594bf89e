/* dunlin bench: how fast the model of a config runs on its device. */
#include "cmd/bench.h"

#include "base/err.h"
#include "base/table.h"
#include "cmd/cmd.h"
#include "cmd/out.h"
#include "cmd/shell/common.h"
#include "report/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const dun_bench_matrix_names[DUN_N_MATRICES] = {
    [DUN_MAT_Q] = "q",       [DUN_MAT_KV] = "kv",           [DUN_MAT_O] = "o",
    [DUN_MAT_HEAD] = "head", [DUN_MAT_GATE_UP] = "gate_up", [DUN_MAT_DOWN] = "down",
};

const char *const dun_bench_stage_names[DUN_BENCH_STAGES] = {
    [DUN_BENCH_POINTS] = "points",       [DUN_BENCH_LOSS] = "loss",  [DUN_BENCH_BACKWARD] = "backward",
    [DUN_BENCH_OPTIMISER] = "optimiser", [DUN_BENCH_WHOLE] = "step",
};

/* GFLOP/s */
static double speed(double flops, double seconds) {
    return flops / seconds * 1e-9;
}

double dun_bench_stages_seconds(const dun_bench *bench) {
    double sum = 0;
    for (unsigned i = 0; i < DUN_BENCH_WHOLE; i++)
        sum += bench->step[i].median;
    return sum;
}

static int print_products(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"product", "direction", "M", "N", "K", "matrices", "best", "median"};
    dun_table table;
    dun_table_init(&table, "llrrrrrr");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    for (uint32_t i = 0; i < bench->n_products; i++) {
        const dun_bench_product *p = &bench->products[i];
        TRY(dun_table_add(&table, "%s", dun_bench_matrix_names[p->matrix]));
        TRY(dun_table_add(&table, "%s", p->backward ? "backward" : "forward"));
        TRY(dun_table_add(&table, "%u", p->m));
        TRY(dun_table_add(&table, "%u", p->backward ? p->columns : p->rows));
        TRY(dun_table_add(&table, "%u", p->backward ? p->rows : p->columns));
        TRY(dun_table_add(&table, "%u", p->n_matrices));
        TRY(dun_table_add(&table, "%.1f", speed(p->flops, p->seconds.best)));
        TRY(dun_table_add(&table, "%.1f", speed(p->flops, p->seconds.median)));
    }
    TRY(dun_str_addf(out, "Products, GFLOP/s; one repetition is the matrices of all layers\n\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

static int print_texts(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"tokens", "texts a pass",  "tokens/s, best",
                                       "median", "GFLOP/s, best", "median"};
    dun_table table;
    dun_table_init(&table, "rrrrrr");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        const dun_bench_text *t = &bench->texts[i];
        double tokens = (double)t->n_texts * t->tokens;
        TRY(dun_table_add(&table, "%u", t->tokens));
        TRY(dun_table_add(&table, "%u", t->n_texts));
        TRY(dun_table_add(&table, "%.1f", tokens / t->seconds.best));
        TRY(dun_table_add(&table, "%.1f", tokens / t->seconds.median));
        TRY(dun_table_add(&table, "%.1f", speed(t->work.flops, t->seconds.best)));
        TRY(dun_table_add(&table, "%.1f", speed(t->work.flops, t->seconds.median)));
    }
    TRY(dun_str_addf(out, "Texts, keys and values of random tokens\n\n"));
    TRY(dun_table_print(out, &table));
out:
    dun_table_free(&table);
    return rc;
}

/* Adds a GFLOP/s cell, empty where nothing was counted. */
static int add_speed(dun_table *table, double flops, double seconds) {
    return flops > 0 ? dun_table_add(table, "%.1f", speed(flops, seconds)) : dun_table_add(table, "%s", "");
}

static int print_step(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"stage", "ms, best", "median", "share", "GFLOP/s, best", "median"};
    dun_table table;
    dun_table_init(&table, "lrrrrr");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    for (unsigned i = 0; i < DUN_BENCH_STAGES; i++) {
        const dun_bench_seconds *s = &bench->step[i];
        TRY(dun_table_add(&table, "%s", dun_bench_stage_names[i]));
        TRY(dun_table_add(&table, "%.3f", s->best * 1e3));
        TRY(dun_table_add(&table, "%.3f", s->median * 1e3));
        TRY(i == DUN_BENCH_WHOLE
                ? dun_table_add(&table, "%s", "")
                : dun_table_add(&table, "%.1f %%", 100 * s->median / dun_bench_stages_seconds(bench)));
        TRY(add_speed(&table, bench->step_work[i].flops, s->best));
        TRY(add_speed(&table, bench->step_work[i].flops, s->median));
    }
    TRY(dun_str_addf(out, "\nA training step, %u texts of %u tokens and a prompt of %u rows\n\n",
                     bench->batch_size, bench->text_tokens, bench->n_prompt));
    TRY(dun_table_print(out, &table));
    if (bench->whole.n)
        TRY(dun_str_addf(out, "\nwith its texts read anew: %.3f ms best, %.3f median\n",
                         bench->whole.best * 1e3, bench->whole.median * 1e3));
    if (bench->builds.n)
        TRY(dun_str_addf(out, "\nkernels compiled: %.2f s best, %.2f median of %zu\n", bench->builds.best,
                         bench->builds.median, bench->builds.n));
    TRY(dun_str_addf(out, "\nstep: all stages with one wait at the end. GFLOP/s count products only, 2 M N K "
                          "each.\n"));
out:
    dun_table_free(&table);
    return rc;
}

static int roof_row(dun_table *table, const dun_roof *roof, const dun_roof_work *work, double seconds) {
    int rc = DUN_OK;
    const dun_roof_parts parts = dun_roof_parts_of(roof, work, seconds);
    TRY(dun_table_add(table, "%.3f", seconds * 1e3));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.arithmetic));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.memory));
    TRY(dun_table_add(table, "%.1f %%", 100 * parts.launches));
    TRY(dun_table_add(table, "%llu", (unsigned long long)work->launches));
out:
    return rc;
}

static int print_roof_head(dun_str *out, const dun_roof *roof) {
    int rc = DUN_OK;
    TRY(dun_str_addf(out, "\nThe device's roof, measured here:"));
    for (unsigned p = 0; p < DUN_ROOF_PRECISIONS; p++)
        if (roof->flops[p] > 0)
            TRY(dun_str_addf(out, " %s %.1f GFLOP/s,", dun_roof_names[p], roof->flops[p] * 1e-9));
    TRY(dun_str_addf(out, " read %.1f GB/s, copy %.1f GB/s,\nlaunch %.1f us, launch and wait %.1f us\n\n",
                     roof->read * 1e-9, roof->copy * 1e-9, roof->launch * 1e6, roof->wait * 1e6));
out:
    return rc;
}

static int print_roof(dun_str *out, const dun_bench *bench) {
    int rc = DUN_OK;
    static const char *const head[] = {"work", "ms, best", "arithmetic", "memory", "launches", "number"};
    dun_table table;
    dun_table_init(&table, "lrrrrr");
    TRY(dun_table_add_all(&table, head, sizeof head / sizeof *head));
    for (size_t i = 0; i < DUN_BENCH_TEXTS; i++) {
        const dun_bench_text *t = &bench->texts[i];
        TRY(dun_table_add(&table, "texts, %u x %u tokens", t->n_texts, t->tokens));
        TRY(roof_row(&table, &bench->roof, &t->work, t->seconds.best));
    }
    TRY(dun_table_add(&table, "step"));
    TRY(roof_row(&table, &bench->roof, &bench->step_work[DUN_BENCH_WHOLE],
                 bench->step[DUN_BENCH_WHOLE].best));
    TRY(print_roof_head(out, &bench->roof));
    TRY(dun_table_print(out, &table));
    TRY(dun_str_addf(
        out, "\narithmetic, memory, launches: the part of the time that each would take alone at the roof "
             "(products in\nf32; their weights, inputs and outputs once); what none explains is left.\n"));
out:
    dun_table_free(&table);
    return rc;
}

static int print_table(const dun_bench *bench) {
    int rc = DUN_OK;
    dun_str text = {0};
    if (bench->n_products > 0) {
        TRY(print_products(&text, bench));
        TRY(dun_str_add(&text, "\n", 1));
    }
    TRY(print_texts(&text, bench));
    TRY(print_step(&text, bench));
    TRY(print_roof(&text, bench));
    TRY(dun_out_text(&text));
out:
    dun_str_free(&text);
    return rc;
}

enum { MAX_ROWS = 1 << 20, MAX_BUILDS = DUN_BENCH_REPEATS };

static int run(const dun_args *args) {
    int rc = DUN_OK;
    dun_overrides overrides = {0};
    dun_experiment experiment = {0};
    dun_bench bench;
    dun_progress progress;
    int64_t rows = 0; /* as many as a batch has */
    int64_t builds = 0;
    const bool no_products = dun_args_has(args, "no-products");
    dun_observer observer = dun_progress_observer(&progress);
    TRY(dun_talk(&progress, args));
    TRY(dun_args_count(&rows, args, "rows", 1, MAX_ROWS));
    TRY(dun_args_count(&builds, args, "builds", 1, MAX_BUILDS));
    TRY(dun_overrides_read(&overrides, args));
    TRY(dun_experiment_open_config(&experiment, dun_args_operand(args, 0), &overrides, &observer));
    uint32_t longest = dun_bench_longest_text(&experiment.session);
    if (experiment.config.data.max_length < longest)
        experiment.config.data.max_length = longest;
    TRY(dun_session_start_engine(&experiment.session, true));
    TRY(dun_bench_run(&bench, &experiment.session,
                      &(dun_bench_wish){.rows = (uint32_t)rows,
                                        .no_products = no_products,
                                        .whole = dun_args_has(args, "whole"),
                                        .builds = (uint32_t)builds}));
    TRY(dun_args_has(args, "json") ? dun_bench_print_json(&bench, &experiment.session) : print_table(&bench));
out:
    dun_progress_close(&progress);
    dun_experiment_close(&experiment);
    dun_overrides_free(&overrides);
    return rc;
}

static const dun_option options[] = {
    {.name = "json",
     .help = "Print one JSON object instead of tables; it also has the tokens read, and the seconds that "
             "processors worked."},
    {.name = "no-products", .help = "Measure only texts and the step: products take most of the time."},
    {.name = "whole", .help = "Also the step with its texts read anew each time, as where nothing is kept."},
    {.name = "builds",
     .argument = "N",
     .help = "Also compile the kernels N times as if for the first time, which takes a while. What a driver "
             "leaves for the first launch (PoCL's machine code) is not in it."},
    {.name = "rows",
     .argument = "N",
     .help = "Rows of the products, instead of those of a training batch and of a pass over texts."},
    DUN_OVERRIDE_OPTIONS,
    DUN_TALK_OPTIONS,
    {0},
};

const dun_command dun_command_bench = {
    .name = "bench",
    .summary = "Measure how fast the model of a config runs on a device.",
    .usage = "CONFIG [--json] [--rows N] [--no-products] [--device SELECTOR]",
    .help = "Measures every product of the model forward and backward (its head where points\n"
            "are logits, with one row a text, as the model runs it), the pass over texts of\n"
            "22 and of 512 tokens, and the stages of a training step; then what the device can\n"
            "do at most, in arithmetic, memory and launches, and which part of that text and\n"
            "step use. Tokens are random, the data sets of the config are not read. Each\n"
            "figure is the best and the median of several repetitions after a first one that\n"
            "does not count.",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
